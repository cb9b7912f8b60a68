"""The next release migrates the database while tills work, and then every process is replaced.

    python -m deploy.rehearsals.upgrade [BASKETS]

Its migration expands: this release has to go on with the new tables. A report that holds a lock is
in the migration's way, which must not become the tills' way.
"""

import asyncio
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.rehearsals.scene import Scene, scene
from services.loyalty.migrations import configuration, migrate
from services.loyalty.store import normal_url
from tests.end_to_end import recorded
from tests.end_to_end.replay import Replay, damage
from tests.servers.postgres import running_cluster
from tests.servers.waiting import eventually

PROCESSES = ("loyalty", "loyalty-2", "gateway", "gateway-2")
NEXT_RELEASE = '''"""what the next release adds"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "rehearsed", "{head}"


def upgrade() -> None:
    op.add_column("member", sa.Column("nickname", sa.Text))
    op.add_column("journal", sa.Column("channel", sa.Text, server_default="till"))
    op.create_table("rehearsed", sa.Column("bucket", sa.SmallInteger, primary_key=True))
'''


@dataclass(frozen=True, slots=True)
class Report:
    during_the_wait: int  # checked out while the report was in the migration's way
    settled: int  # checkouts whose end was uncertain for a while, since a process was replaced
    damage: str
    books_balance: bool
    migrated: bool


async def rehearse(folder: Path, database: str, *, baskets: int) -> Report:
    """`database` is an empty PostgreSQL database; a third of the baskets for each part."""
    purchases = recorded.of_regulars(baskets, households=max(4, baskets // 5))
    async with scene(
        folder / "var", purchases, database=database, loyalties=2, gateways=2
    ) as house:
        async with house.shopping(purchases) as replay:
            waited = await _migrate(house, replay, database, config=_next_release(folder))
            await _replace_processes(house, replay)
            await replay.go_on(until=len(purchases), limit=len(purchases))
            settled = len(await replay.settle())
            found = damage(replay, await house.ledger.journal())
        books = await house.suite.verify()
        with closing(psycopg.connect(database)) as connection:
            columns = connection.execute("SELECT nickname FROM member LIMIT 1").description
        return Report(
            during_the_wait=waited,
            settled=settled,
            damage=str(found),
            books_balance=books["ok"],
            migrated=bool(columns),
        )


def _next_release(folder: Path) -> Config:
    """This release's migrations, and one more."""
    config = configuration()
    scripts = ScriptDirectory.from_config(config)
    more = folder / "next-release"
    more.mkdir()
    head = scripts.get_current_head()
    (more / "rehearsed.py").write_text(NEXT_RELEASE.format(head=head), encoding="utf-8")
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{scripts.versions}\n{more}")
    return config


async def _migrate(house: Scene, replay: Replay, database: str, *, config: Config) -> int:
    """Returns how many baskets were checked out while a report kept the migration from its lock."""
    third = len(house.purchases) // 3
    await replay.go_on(until=third // 2, limit=third // 2)
    engine = create_async_engine(normal_url(database))
    with closing(psycopg.connect(database)) as report:
        report.execute("SELECT count(*) FROM member")  # its transaction keeps the lock
        migrating = asyncio.create_task(migrate(engine, config=config))
        await eventually(lambda: _waiting(database))
        before = replay.tried
        await eventually(lambda: not _waiting(database))
        await replay.go_on(until=third, limit=third)
        waited = replay.tried - before
        assert not migrating.done(), "the report is still in its way"
        report.rollback()
    await migrating
    await engine.dispose()
    return waited


def _waiting(database: str) -> bool:
    """Whether somebody waits to change the member table, and so would make everybody wait."""
    with closing(psycopg.connect(database)) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
            " AND mode = 'AccessExclusiveLock' AND relation = 'member'::regclass"
        ).fetchone()
    return found != (0,)


async def _replace_processes(house: Scene, replay: Replay) -> None:
    """One after the other, each while its share of the baskets is being checked out."""
    rest = len(house.purchases) - replay.tried
    for name in PROCESSES:
        share = replay.tried + rest // (len(PROCESSES) + 1)
        await replay.go_on(until=replay.tried, limit=share)
        await house.suite.stop(name)
        await house.suite.start(name)
        await replay.go_on(until=share, limit=share)


if __name__ == "__main__":
    baskets = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    with (
        tempfile.TemporaryDirectory(prefix="bonpunkt-rehearsal-") as made,
        running_cluster() as cluster,
    ):
        database = cluster.create_database("ledger")
        print(asyncio.run(rehearse(Path(made), database, baskets=baskets)))
