"""`bonpunkt backup`: copies the embedded databases while they are in use."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--keys",
    "keys_folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the key store goes: another place than FOLDER, kept for days only.",
)
def backup(folder: Path, keys_folder: Path) -> None:
    """Copies the SQLite databases of ledger and notifier into FOLDER, each as of one moment.

    Tills go on meanwhile. Both folders are made, and must not be there yet. Databases in PostgreSQL
    are left to PostgreSQL's own tools (docs/operations.md). Master keys and erasure log are in no
    backup, on purpose.
    """
    from services.loyalty.identity.settings import read as read_identity
    from services.loyalty.settings import database_url
    from services.notifier.settings import read as read_notifier
    from services.runtime.settings import load

    ledger_url = load(database_url)
    identity = load(lambda env: read_identity(env, ledger_url=ledger_url))
    # The notifier first: restored together, it then knows nothing that the ledger does not.
    wanted = [
        (load(read_notifier).database_url, folder),
        (ledger_url, folder),
        (identity.keys_database_url, keys_folder),
    ]
    if folder.resolve() == keys_folder.resolve():
        raise click.ClickException("--keys: an erased person would live on as long as FOLDER")
    files = [(path, to) for url, to in wanted if (path := _file_of(url)) is not None]
    if not files:
        raise click.ClickException("no database here is SQLite; see docs/operations.md")
    try:
        for made in sorted({to for _, to in files}):
            made.mkdir(mode=0o700, parents=True)
        for path, to in files:
            _copy(path, to / path.name)
            click.echo(f"{to / path.name}  {(to / path.name).stat().st_size:,} bytes")
    except OSError as error:
        raise click.ClickException(str(error)) from None


def _file_of(url: str) -> Path | None:
    """The file of a SQLite address; None for other databases and for files never made."""
    from sqlalchemy import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return path if (path := Path(parsed.database)).is_file() else None


def _copy(source: Path, to: Path) -> None:
    """One read transaction, whole and checked when it has its name. Writers do not wait for it."""
    import os
    import sqlite3
    from contextlib import closing

    unfinished = to.with_name(f"{to.name}.unfinished")
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(source.absolute().as_uri() + "?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(unfinished)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
        (said,) = writing.execute("PRAGMA quick_check").fetchone()
    if said != "ok":
        raise click.ClickException(f"the copy of {source} is damaged: {said}")
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.rename(to)
