"""Alembic migrations of loyalty's database: forward only, one at a time, whoever starts first.

A migration runs while tills do. It has to be one that the release before it can live with (expand;
what is not needed any more goes with a later release: contract), and it never makes tills wait:
whoever waits for a lock on a table makes everybody wait who comes after. So it gives up after a
moment, lets the tills through, and tries again.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.rows_postgresql import make_types
from services.runtime.logs import logger

ADVISORY_LOCK = 0x426F6E01

LOCK_TIMEOUT_MS = 500  # far below the two seconds after which a writer gives its batch up
PAUSE_S = 2.0
TRIES_MAX = 150  # some five minutes: then a report runs too long, and somebody has to end it
_LOCK_NOT_AVAILABLE = "55P03"

log = logger(__name__)


async def migrate(engine: AsyncEngine, *, config: Config | None = None) -> None:
    """Brings the database to the newest revision. Several processes may try at once; one does
    it.
    """
    config = config or configuration()
    for tries in range(1, TRIES_MAX + 1):
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, config)
            return
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE or tries == TRIES_MAX:
                raise
            log.warning("a migration is in somebody's way; it lets them through", tries=tries)
        await asyncio.sleep(PAUSE_S)


def configuration() -> Config:
    """Where the migrations of this release are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _upgrade(connection: Connection, config: Config) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        # from here on: another process that migrates may take as long as it needs
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    if _is_of_a_later_release(connection, config):
        log.warning("the database is of a later release, whose tables serve this one, too")
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "postgresql":
        make_types(connection)


def _is_of_a_later_release(connection: Connection, config: Config) -> bool:
    """In the middle of an upgrade processes of this release may start again, and have to serve."""
    current = MigrationContext.configure(connection).get_current_revision()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    return current is not None and current not in known
