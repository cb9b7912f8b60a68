"""Somebody ruins the database, and it is brought back to the minute before.

    python -m deploy.rehearsals.point_in_time [BASKETS]

Ledger, key store and notifier are databases of one PostgreSQL cluster, whose log is archived. Tills
work through the base backup, up to the moment, and on until the disaster. As all databases go back
together, the notifier cannot know what receivers heard since: they are told everything again.
"""

import asyncio
import signal
import sys
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.rehearsals.cluster import Place, place
from deploy.rehearsals.scene import Scene, scene
from tests.end_to_end import recorded
from tests.servers import child
from tests.servers.postgres import STOP_WITHIN_S, Cluster, running_cluster


@dataclass(frozen=True, slots=True)
class Report:
    kept: int  # acknowledged before the moment, and there after the restore
    lost: int  # of those that should have been kept
    too_late: int  # booked after the moment, and there nevertheless
    said: str  # by `bonpunkt restore`
    books_balance: bool


@dataclass(frozen=True, slots=True)
class Past:
    """The moment to go back to, and what tills were told before and after it."""

    moment: str
    before: frozenset[str]
    after: frozenset[str]


async def rehearse(folder: Path, *, baskets: int) -> Report:
    """`baskets` during the base backup, between it and the moment, and after it."""
    async with place() as here:
        with running_cluster(here.archiving()) as cluster:
            async with _house(folder, cluster, baskets=baskets) as house:
                past = await _shop_until_the_disaster(house, here, cluster, baskets=baskets)
                await house.stop()
                child.end(cluster.process, by=signal.SIGINT, within_s=STOP_WITHIN_S)
                async with here.restored(moment=past.moment, port=cluster.port):
                    report = await _restore(house, past)
                    await house.stop()
                return report


def _house(folder: Path, cluster: Cluster, *, baskets: int) -> AbstractAsyncContextManager[Scene]:
    purchases = recorded.of_regulars(3 * baskets, households=max(4, baskets // 5))
    return scene(
        folder / "var",
        purchases,
        database=cluster.create_database("ledger"),
        notifier_database=cluster.create_database("notifier"),
        settings={"LOYALTY_KEYS_DATABASE_URL": cluster.create_database("keys")},
    )


async def _shop_until_the_disaster(
    house: Scene, here: Place, cluster: Cluster, *, baskets: int
) -> Past:
    async with house.shopping(house.purchases[:baskets]) as replay:
        await replay.go_on(until=0, limit=baskets)
        await here.take_base_backup(cluster.url("postgres"))
    assert replay.unknown == 0, "a backup is in no till's way"
    before = replay.decided | await house.shop(house.purchases[baskets : 2 * baskets])
    with psycopg.connect(cluster.url("ledger"), autocommit=True) as connection:
        (moment,) = connection.execute("SELECT clock_timestamp()::text").fetchone() or ("",)
    after = await house.shop(house.purchases[2 * baskets :])
    await house.until_told()
    with psycopg.connect(cluster.url("ledger"), autocommit=True) as connection:
        connection.execute("TRUNCATE journal, basket, member")
    return Past(moment=moment, before=frozenset(before), after=frozenset(after))


async def _restore(house: Scene, past: Past) -> Report:
    said = await house.ask("restore", "--tell-everything")
    await house.start()
    await house.until_told()
    journal = {entry.operation_id for entry in await house.ledger.journal()}
    return Report(
        kept=len(past.before & journal),
        lost=len(past.before - journal),
        too_late=len(past.after & journal),
        said=said,
        books_balance=(await house.suite.verify())["ok"],
    )


if __name__ == "__main__":
    baskets = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="bonpunkt-rehearsal-") as made:
        print(asyncio.run(rehearse(Path(made), baskets=baskets)))
