"""`bonpunkt identity`: the master keys of the vault, and erasures after a restore."""

from typing import TYPE_CHECKING

import click

from services.commands.connection import call, follow, loyalty_option

if TYPE_CHECKING:
    from bonpunkt.loyalty.v1.identity_pb2 import MasterKeyUse


@click.group()
def identity() -> None:
    """Master keys of the identity vault, and erasures after a restore."""


@identity.command("add-key")
def add_key() -> None:
    """Puts a new master key at the head of LOYALTY_IDENTITY_KEYS_FILE; then run `rotate`.

    Edits the file on this machine. Loyalty processes on other machines need the same file.
    """
    from services.loyalty.identity import masterkeys
    from services.loyalty.identity.settings import keys_file
    from services.runtime.settings import load

    path = load(keys_file)
    try:
        version = masterkeys.add_key(path)
    except (masterkeys.MasterKeysError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"master key {version} is the newest in {path}")


@identity.command("rotate")
@loyalty_option
def rotate(target: str) -> None:
    """Brings every data key and every index under the newest master key.

    Ctrl-C ends it at any time; run it again, and it goes on where it was.
    """
    from bonpunkt.loyalty.v1 import identity_pb2 as pb
    from bonpunkt.loyalty.v1 import identity_pb2_grpc as stubs

    told: list[pb.RotateKeysResponse] = []

    def tell(progress: pb.RotateKeysResponse) -> None:
        told[:] = [progress]
        keys = f"{progress.keys_done:,} of {progress.keys_total:,} data keys"
        indexes = f"{progress.indexes_done:,} of {progress.indexes_total:,} people's indexes"
        click.echo(f"{keys}, {indexes}")

    follow(
        target,
        lambda channel: stubs.IdentityServiceStub(channel).RotateKeys,
        pb.RotateKeysRequest(),
        tell,
    )
    if told[0].failed:
        raise click.ClickException(f"{told[0].failed} did not open; loyalty's log names them")
    click.echo(f"everything is under master key {told[0].master_version}")


@identity.command("keys")
@loyalty_option
def keys(target: str) -> None:
    """The master keys and how much still needs each: data keys, people indexed."""
    for used in _master_keys(target):
        click.echo(f"{used.version}\t{used.data_keys} data keys\t{used.indexes} indexed")


@identity.command("remove-key")
@click.argument("version", type=click.IntRange(min=1))
@loyalty_option
def remove_key(version: int, target: str) -> None:
    """Takes an old master key out of LOYALTY_IDENTITY_KEYS_FILE, once nothing needs it.

    From then on no copy of what it wrapped can be read, in no backup either.
    """
    from services.loyalty.identity import masterkeys
    from services.loyalty.identity.settings import keys_file
    from services.runtime.settings import load

    for used in _master_keys(target):
        if used.version == version and (used.data_keys or used.indexes):
            raise click.ClickException(
                f"master key {version} is still needed; run `bonpunkt identity rotate` first"
            )
    try:
        masterkeys.remove_key(load(keys_file), version)
    except (masterkeys.MasterKeysError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"master key {version} is gone")


@identity.command("repeat-erasures")
@loyalty_option
def repeat_erasures(target: str) -> None:
    """Erases again whoever is in the erasure log and known here: to be run after a restore."""
    click.echo(erasures_repeated(target))


def erasures_repeated(target: str) -> str:
    """Has the loyalty process there repeat them; answers what was done, in one line."""
    from bonpunkt.loyalty.v1 import identity_pb2 as pb
    from bonpunkt.loyalty.v1 import identity_pb2_grpc as stubs

    told: list[pb.RepeatErasuresResponse] = []
    follow(
        target,
        lambda channel: stubs.IdentityServiceStub(channel).RepeatErasures,
        pb.RepeatErasuresRequest(),
        told.append,
    )
    return f"{told[-1].repeated_here} of {told[-1].total} erasures had to be repeated"


def _master_keys(target: str) -> "list[MasterKeyUse]":
    from bonpunkt.loyalty.v1 import identity_pb2 as pb
    from bonpunkt.loyalty.v1 import identity_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.IdentityServiceStub(channel).ListMasterKeys,
        pb.ListMasterKeysRequest(),
    )
    return list(answer.master_keys)
