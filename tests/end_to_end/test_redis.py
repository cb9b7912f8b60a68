"""Redis between the notifiers fails in every way it can, while tills check out.

Afterwards every balance has reached the receivers, none twice under two ids, none backwards; no
checkout was refused, and nothing on its way has ever talked to Redis.
"""

import asyncio
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
import psycopg
import pytest

from services.demo.receiver import Received
from services.notifier.streams import CLIENT_NAME
from services.runtime.grpc import is_serving
from tests.end_to_end import outcome, recorded
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.receivers import LOOPBACK_ALLOWED, NAMES, Receivers, running_receivers
from tests.end_to_end.recorded import Checkout
from tests.end_to_end.redis_faults import Nemesis
from tests.end_to_end.replay import Replay, cashiers_of
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.suite import Suite
from tests.servers.waiting import eventually

REPETITIONS = 10
CALM = "calm"
CHECKOUTS_A_FAULT = 100  # and as many before it
CHECKOUTS_A_ROUND = 12
ROUNDS_MAX = 20  # until Redis is used again after a fault
ROUND_S = 2.0
PURCHASES_MAX = 9 * (2 * CHECKOUTS_A_FAULT + ROUNDS_MAX * CHECKOUTS_A_ROUND)
TILLS = 4
BACK_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A house with two notifiers and a Redis between them."""

    suite: Suite
    second: Process
    ledger: Ledger
    receivers: Receivers
    nemesis: Nemesis
    replay: Replay
    notifier_database: str

    async def check_out(self, count: int) -> float:
        """So many more checkouts; returns the seconds that they took."""
        begun = time.monotonic()
        until = self.replay.tried + count
        await self.replay.go_on(until=until, limit=until)
        return time.monotonic() - begun

    def cursors(self) -> dict[int, int]:
        """How far each bucket has been taken in."""
        with psycopg.connect(self.notifier_database) as connection:
            return dict(connection.execute("SELECT bucket, sequence FROM cursor").fetchall())

    async def streams_are_read_up_to(self, sequences: dict[int, int]) -> bool:
        """Whether the relay has written, and the group has read, these buckets up to here."""
        redis = self.nemesis.redis
        for bucket, sequence in sequences.items():
            found = await redis.keys(f"bonpunkt:*:{{{bucket}}}")
            groups = await redis.xinfo_groups(found[0]) if found else []
            read = [int(each["last-delivered-id"].split(b"-")[0]) for each in groups]
            if read != [sequence]:
                return False
        return True


@asynccontextmanager
async def _scene(
    folder: Path, purchases: Sequence[Checkout], *, notifier_database: str
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        nemesis = Nemesis(closing.enter_context(ExitStack()))
        await enter(await nemesis.way.serve())
        settings = {**LOOPBACK_ALLOWED, "REDIS_URL": nemesis.url}
        suite = await enter(
            Suite(folder, notifier_database=notifier_database, notifier=True, settings=settings)
        )
        second = _second_notifier(suite)
        await second.start()
        closing.push_async_callback(second.stop)
        receivers = await enter(running_receivers(suite))  # they hear of every member
        await recorded.enrol(suite, purchases)
        yield Scene(
            suite=suite,
            second=second,
            ledger=await enter(ledger_of(suite)),
            receivers=receivers,
            nemesis=nemesis,
            replay=Replay(await enter(cashiers_of(suite, tills=TILLS)), purchases),
            notifier_database=notifier_database,
        )


def _second_notifier(suite: Suite) -> Process:
    listen = f"127.0.0.1:{free_port()}"
    return Process(
        "notifier-2",
        module="services.notifier",
        environment={**suite.processes["notifier"].environment, "NOTIFIER_LISTEN": listen},
        log=suite.folder / "notifier-2.log",
        ready=lambda: is_serving(listen),
    )


@asynccontextmanager
async def _worker_killed(scene: Scene) -> AsyncIterator[None]:
    """With what it had read and not acknowledged; the other one claims it."""
    await scene.second.kill()
    yield
    await scene.second.start()


async def test_whatever_becomes_of_redis_every_balance_arrives_and_no_checkout_notices(
    tmp_path: Path,
    postgres_url: str,
    scaled: Callable[[int], int],
    request: pytest.FixtureRequest,
) -> None:
    repetitions = scaled(REPETITIONS)
    purchases = list(itertools.islice(recorded.checkouts(), (repetitions + 1) * PURCHASES_MAX))
    async with _scene(tmp_path / "var", purchases, notifier_database=postgres_url) as scene:
        replaying = asyncio.create_task(scene.replay.run())
        try:
            await _until_redis_is_used(scene)
            took_s: dict[str, list[float]] = defaultdict(list)
            for _ in range(repetitions):
                for name in [*scene.nemesis.faults, "a killed notifier"]:
                    fault = scene.nemesis.faults.get(name, partial(_worker_killed, scene))
                    took_s[CALM].append(await scene.check_out(CHECKOUTS_A_FAULT))
                    async with fault():
                        took_s[name].append(await scene.check_out(CHECKOUTS_A_FAULT))
                        await eventually(partial(_all_is_taken_in, scene), within_s=BACK_WITHIN_S)
                    await _until_redis_is_used(scene)
            _tell(f"{request.node.name}: {scene.replay.tried:,} checkouts", took_s)
            await _nobody_on_the_way_of_a_checkout_talks_to_redis(scene)
        finally:
            replaying.cancel()
            await asyncio.gather(replaying, return_exceptions=True)

        await _every_checkout_was_booked_at_once(scene)
        await _every_balance_has_arrived(scene)


async def _until_redis_is_used(scene: Scene) -> None:
    """Checks out until the entries of some checkouts have gone by Redis to their end.

    While Redis is away they go by the feed, and the relay does not publish them afterwards.
    """
    for _ in range(ROUNDS_MAX):
        before = scene.cursors()
        await scene.check_out(CHECKOUTS_A_ROUND)
        await eventually(partial(_all_is_taken_in, scene), within_s=BACK_WITHIN_S)
        new = {
            b: sequence for b, sequence in scene.cursors().items() if sequence > before.get(b, 0)
        }
        with suppress(TimeoutError):
            await eventually(partial(scene.streams_are_read_up_to, new), within_s=ROUND_S)
            return
    raise AssertionError("Redis is not used again")


async def _all_is_taken_in(scene: Scene) -> bool:
    return sum(scene.cursors().values()) == (await scene.ledger.overview()).journal_entries


def _tell(what: str, took_s: dict[str, list[float]]) -> None:
    """Figures of this run, side by side; a slow machine is no fault, so nothing depends on them."""
    calm = statistics.median(took_s.pop(CALM))
    slower = {name: statistics.median(each) / calm for name, each in took_s.items()}
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in slower.items())
    count = sum(map(len, took_s.values()))
    outcome.tell(f"{what}, {count} faults; time of checkouts, calm is 1: {ratios}")


async def _nobody_on_the_way_of_a_checkout_talks_to_redis(scene: Scene) -> None:
    """Every connection is a notifier's or the test's own, though all processes know the address."""
    assert all("REDIS_URL" in each.environment for each in scene.suite.processes.values())
    mine = await scene.nemesis.redis.client_id()
    clients = await scene.nemesis.redis.client_list()
    assert {each["name"] for each in clients if int(each["id"]) != mine} == {CLIENT_NAME}


async def _every_checkout_was_booked_at_once(scene: Scene) -> None:
    """None was refused, undecided or left without an answer; and the books are right."""
    replay = scene.replay
    assert (replay.unknown, len(replay.decided)) == (0, replay.limit)
    assert {each.WhichOneof("result") for each in replay.decided.values()} == {"captured"}
    verified = await scene.suite.verify()
    assert verified["ok"], verified["problems"]


async def _every_balance_has_arrived(scene: Scene) -> None:
    """One distinct webhook a change and receiver, in order; the newest one tells the balance."""
    due = (await scene.ledger.overview()).member_changes
    for name, figures in (await scene.receivers.have_all_of(scene.ledger)).items():
        assert (name, figures.verified_distinct) == (name, due)
        assert (name, figures.rejected, figures.versions_backwards) == (name, 0, 0)
    members = [
        await scene.ledger.member(card)
        for card in {each.shopper.card for each in scene.replay.purchases}
    ]
    ledger = {each.member_id: (each.state.points, each.state.available) for each in members}
    for name in NAMES:
        told = _newest_balances(scene.suite.folder / f"{name}.received")
        assert {member_id: told[member_id] for member_id in ledger} == ledger


def _newest_balances(received: Path) -> dict[str, tuple[int, int]]:
    """What a receiver has last been told of each member: points, and those that are available."""
    newest: dict[str, Received] = {}
    for line in received.read_bytes().splitlines():
        each = Received(*orjson.loads(line))
        known = newest.setdefault(each.member_id, each)
        if each.member_version > known.member_version:
            newest[each.member_id] = each
    return {member_id: (each.points, each.available) for member_id, each in newest.items()}
