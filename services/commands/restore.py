"""`bonpunkt restore`: makes databases that came back from a backup an installation again."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import subprocess

    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.notifier.restored import Outcome, Restored

SERVES_WITHIN_S = 60.0
UNKNOWN_SHOWN = 20


@click.command()
@click.option(
    "--without-notifier",
    is_flag=True,
    help="The notifier's database cannot be reached from here, or there is none.",
)
@click.option(
    "--tell-everything",
    is_flag=True,
    help="Receivers are told of the whole journal again: needed if the notifier's database was "
    "restored too.",
)
def restore(without_notifier: bool, tell_everything: bool) -> None:
    """To be run once after a restore, before any service is started.

    Checks the books, raises the ledger's epoch, takes the notifier along, erases again whoever the
    erasure log names, and checks the books once more. Needs the settings of loyalty and, for its
    database, of the notifier. Broken off anywhere, it may be run again.
    """
    import asyncio

    from services.loyalty.settings import database_url
    from services.runtime.settings import load

    url = load(database_url)
    notifier_url = None if without_notifier else _notifier_url()
    epoch, outcome = asyncio.run(_restored(url, notifier_url, tell_everything=tell_everything))
    click.echo(f"the ledger is in epoch {epoch}")
    _tell(outcome, without_notifier=without_notifier)
    _repeat_erasures()
    asyncio.run(_check_books(url))
    click.echo("the books balance; start the services")


def _notifier_url() -> str | None:
    """Of the notifier's database; None if it is a file and was never made."""
    from pathlib import Path

    from sqlalchemy import make_url

    from services.notifier.settings import read
    from services.runtime.settings import load

    url = load(read).database_url
    parsed = make_url(url)
    never_made = parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file()
    return None if never_made else url


async def _restored(
    url: str, notifier_url: str | None, *, tell_everything: bool
) -> "tuple[int, Outcome | None]":
    """Epoch and notifier, in this order: broken off between them, the notifier refuses the feed."""
    from datetime import UTC, datetime

    from services.commands.connection import user_name
    from services.loyalty.installation import open_installation, raise_epoch
    from services.loyalty.migrations import migrate
    from services.loyalty.restored import RestoredLedger
    from services.loyalty.store import open_store
    from services.loyalty.store_sqlite import AlreadyOpenError

    actor = f"cli:{user_name()}"
    try:
        store = await open_store(url)
    except (AlreadyOpenError, OSError) as error:
        raise click.ClickException(str(error)) from None
    try:
        await _nobody_else(store.engine)
        await migrate(store.engine)
        await open_installation(store.engine)
        await _check_books(url)
        epoch = await raise_epoch(store.engine, at=datetime.now(UTC), actor=actor)
        if notifier_url is None:
            return epoch, None
        outcome = await _notifier_follows(
            notifier_url,
            RestoredLedger(store.engine, epoch),
            everything=tell_everything,
            actor=actor,
        )
        return epoch, outcome
    finally:
        await store.close()


async def _check_books(url: str) -> None:
    from services.loyalty.verify import verify

    report = await verify(url)
    if not report.ok:
        for problem in report.problems:
            click.echo(problem, err=True)
        raise click.ClickException("the books do not balance; `bonpunkt verify` tells more")


async def _nobody_else(engine: "AsyncEngine") -> None:
    """A service that goes on meanwhile would serve the restored rows under the old epoch."""
    from services.loyalty.restored import connections_of_others

    others = await connections_of_others(engine)
    if others:
        words = f"the ledger's database is in use by {', '.join(others)}; stop that first"
        raise click.ClickException(words)


async def _notifier_follows(
    url: str, ledger: "Restored", *, everything: bool, actor: str
) -> "Outcome | None":
    import time

    from services.notifier.database import AlreadyRunningError, Database
    from services.notifier.restored import OtherHistoryError, follow_restored

    database = Database(url)
    try:
        async with database.held(shared=False, lost=lambda: None):
            await database.migrate()
            return await follow_restored(
                database,
                ledger,
                everything=everything,
                actor=actor,
                clock=lambda: time.time_ns() // 1_000,
            )
    except OtherHistoryError as error:
        raise click.ClickException(
            f"the notifier has followed another history than this: {error}. Restore with "
            "--tell-everything, and find out why: the notifier is the ledger's witness"
        ) from None
    except AlreadyRunningError as error:
        raise click.ClickException(f"{error}; stop it first") from None
    finally:
        await database.close()


def _tell(outcome: "Outcome | None", *, without_notifier: bool) -> None:
    if outcome is None:
        if without_notifier:
            click.echo("the notifier takes in nothing until `bonpunkt restore` has its database")
        else:
            click.echo("the notifier had followed nothing yet")
        return
    click.echo(
        f"the notifier had taken in {outcome.entries_gone} entries that are gone; it stops "
        f"{outcome.deliveries_stopped} deliveries and takes in {outcome.entries_again} entries "
        "again, in the new epoch"
    )
    unknown = outcome.members_unknown
    if unknown:
        click.echo(f"{len(unknown)} members of whom receivers were told are not known any more:")
        for member_id in unknown[:UNKNOWN_SHOWN]:
            click.echo(f"  {member_id}")
        if len(unknown) > UNKNOWN_SHOWN:
            click.echo(f"  and {len(unknown) - UNKNOWN_SHOWN} more")


def _repeat_erasures() -> None:
    """By a loyalty process of its own on loopback: nothing writes but through loyalty.

    That it starts shows, too, that ledger, key store and master keys belong together.
    """
    import subprocess
    import sys

    from services.commands.identity import erasures_repeated

    target, environment = _alone_on_loopback()
    with subprocess.Popen(
        [sys.executable, "-m", "services.loyalty"], env=environment, stdout=subprocess.DEVNULL
    ) as loyalty:
        try:
            _until_serving(loyalty, target)
            click.echo(erasures_repeated(target))
        finally:
            loyalty.terminate()


def _alone_on_loopback() -> tuple[str, dict[str, str]]:
    """An address that no gateway knows, and a process's environment to serve there."""
    import os
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{free.getsockname()[1]}"
    own = {
        "LOYALTY_LISTEN": target,
        "LOYALTY_METRICS_LISTEN": "off",
        "LOYALTY_NIGHTLY_AT": "never",
        "LOYALTY_LOG_LEVEL": "ERROR",
    }
    encrypted = {"LOYALTY_TLS_CERTIFICATE_FILE", "LOYALTY_TLS_KEY_FILE"}
    kept = {name: value for name, value in os.environ.items() if name not in encrypted}
    return target, kept | own


def _until_serving(loyalty: "subprocess.Popen[bytes]", target: str) -> None:
    import asyncio
    import time

    from services.runtime.grpc import is_serving

    deadline = time.monotonic() + SERVES_WITHIN_S
    while not asyncio.run(is_serving(target)):
        if loyalty.poll() is not None or time.monotonic() > deadline:
            raise click.ClickException(
                "loyalty does not start on the restored databases; its words are above"
            )
        time.sleep(0.05)
