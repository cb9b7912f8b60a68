"""`bonpunkt certs`: certificates for trying TLS, of a certificate authority of one's own."""

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|IP]...")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are; else `certs` in the data folder.",
)
@click.option("--file", "stem", default="server", show_default=True, help="Name of the files.")
@click.option(
    "--days", type=click.IntRange(1, 825), default=90, show_default=True, help="How long it holds."
)
def certs(names: tuple[str, ...], folder: Path | None, stem: str, days: int) -> None:
    """Makes a certificate for these host names and addresses, and for this machine.

    A certificate authority to sign it is made the first time; afterwards the same one signs, so
    that clients go on trusting. Called again, it renews the certificate; servers that run take the
    new one by themselves. For trying: whoever reads `ca-key.pem` can sign in anybody's name.
    """
    from datetime import UTC, datetime, timedelta

    from services.commands.trial_ca import (
        CLOCKS_DIFFER,
        THIS_MACHINE,
        authority_in,
        signed_by,
        write,
    )
    from services.runtime.settings import default_var

    folder = folder or default_var("certs")
    now = datetime.now(UTC)
    everything = list(dict.fromkeys([*names, *THIS_MACHINE]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = signed_by(
            authority_in(folder, now=now),
            everything,
            begins_at=now - CLOCKS_DIFFER,
            ends_at=now + timedelta(days=days),
        )
        key_file, certificate_file = folder / f"{stem}-key.pem", folder / f"{stem}.pem"
        write(key_file, made.key)
        write(certificate_file, made.certificate, public=True)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"for {', '.join(everything)}; it holds {days} days")
    click.echo(f"  <SERVICE>_TLS_CERTIFICATE_FILE={certificate_file.absolute()}")
    click.echo(f"  <SERVICE>_TLS_KEY_FILE={key_file.absolute()}")
    click.echo(f"  BONPUNKT_CA_FILE={(folder / 'ca.pem').absolute()}   (whoever connects)")
