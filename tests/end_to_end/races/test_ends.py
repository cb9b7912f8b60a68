"""Capture, release and timeout of a reservation at the same instant: one of them ends it.

A reservation lives for a second here, by the real clock of two processes. Its capture and its
release are sent around its last moment, by tills of both gateways; some nobody comes back to.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.keys import KeyKind
from tests.end_to_end import outcome
from tests.end_to_end.moved import name_of
from tests.end_to_end.races.twins import (
    Twins,
    a_basket,
    a_capture,
    a_release,
    a_reserve,
    running_twins,
)
from tests.servers.suite import Member
from tests.servers.waiting import eventually

TILLS = 16
RESERVATIONS, A_WAVE = 1_000, 100
POINTS, RESERVED, TOTAL_MINOR = 1_000, 400, 5_000
# When capture and release are sent, in ms from the reservation's end; None: never.
AROUND = ((-300, -60), (-40, 40), (-20, 80), None)
ENDERS = {"capture", "release", "timeout"}


@dataclass(slots=True)
class Held:
    """A reservation, and what was answered to those who wanted to end it."""

    member: Member
    basket: pb.Basket
    reservation_id: str
    expires_at_us: int
    captured: pb.Decision | None = None
    released: pb.Decision | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The journal row that ended a reservation."""

    kind: str
    effective_at_us: int


@pytest.fixture(scope="module")
async def hasty(
    make_postgres_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Twins]:
    folder = tmp_path_factory.mktemp("ends") / "var"
    url = make_postgres_database()
    async with running_twins(folder, url=url, tills=TILLS, reservation_s=1) as running:
        yield running


async def test_one_of_capture_release_and_timeout_ends_a_reservation(
    hasty: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    """A capture that finds it timed out is a purchase in one step; a release is then refused."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    waves = max(1, scaled(RESERVATIONS) // A_WAVE)
    seen: Counter[str] = Counter()
    for _ in range(waves):
        held = await _reserved(hasty, await hasty.suite.enrol(A_WAVE, opening_points=POINTS))
        ending = [_ended(hasty, number, each, chance) for number, each in enumerate(held)]
        await asyncio.gather(*ending)
        await eventually(lambda held=held: len(_ends(hasty.url, held)) == A_WAVE)  # type: ignore[misc]
        ends = _ends(hasty.url, held)
        for each in held:
            _agree(each, ends[each.reservation_id])
            await _points_are_right(hasty, each)
        seen.update(end.kind for end in ends.values())
        seen["capture after timeout"] += sum(
            ends[each.reservation_id].kind == "timeout" and each.captured is not None
            for each in held
        )
    outcome.tell(f"{request.node.name}: seed {seed}, {waves * A_WAVE} reservations: {dict(seen)}")
    assert seen.keys() == {*ENDERS, "capture after timeout"}, "each of them has to win at times"


async def _reserved(twins: Twins, members: Sequence[Member]) -> list[Held]:
    baskets = [a_basket(TOTAL_MINOR) for _ in members]
    reserves = [a_reserve(m.card, b, RESERVED) for m, b in zip(members, baskets, strict=True)]
    decisions = await twins.at_once(reserves)
    return [
        Held(member, basket, decision.operation_id, _micros(decision.reservation))
        for member, basket, decision in zip(members, baskets, decisions, strict=True)
    ]


def _micros(reserved: pb.Reserved) -> int:
    return reserved.expires_at.seconds * 1_000_000 + reserved.expires_at.nanos // 1_000


async def _ended(twins: Twins, number: int, held: Held, chance: random.Random) -> None:
    """Sends capture and release at their moments, to the two gateways in turn."""
    around = AROUND[number % len(AROUND)]
    if around is None:
        return
    capture = a_capture(
        held.member.card, held.basket, redeem=RESERVED, reservation_id=held.reservation_id
    )
    operations = [capture, a_release(held.reservation_id)]
    moments = [held.expires_at_us / 1e6 + chance.uniform(*around) / 1e3 for _ in operations]
    places = [(number + step) % len(twins.tills) for step in range(2)]
    held.captured, held.released = await asyncio.gather(
        *(
            _sent_at(moment, twins, place, operation)
            for moment, place, operation in zip(moments, places, operations, strict=True)
        )
    )


async def _sent_at(
    moment_s: float, twins: Twins, place: int, operation: pb.Operation
) -> pb.Decision:
    come = asyncio.Event()
    asyncio.get_running_loop().call_later(max(0.0, moment_s - time.time()), come.set)
    await come.wait()
    return await twins.tills[place].send(operation)


def _ends(url: str, held: Sequence[Held]) -> Mapping[str, End]:
    """The rows to which the keys of ended reservations lead; every end that a row tells has one."""
    wanted = {each.reservation_id for each in held}
    with psycopg.connect(url) as connection:
        led_to = connection.execute(
            "SELECT encode(l.key, 'hex'), j.kind, j.effective_at_us FROM locator l JOIN journal j"
            " ON j.bucket = l.home_bucket AND j.sequence = l.sequence WHERE l.kind = %s",
            (int(KeyKind.RESERVATION),),
        ).fetchall()
        told = connection.execute(
            "SELECT kind, decision, facts FROM journal WHERE accepted AND kind = ANY(%s)",
            (sorted(ENDERS),),
        ).fetchall()
    ends = {key: End(kind, at_us) for key, kind, at_us in led_to}
    found = {each: ends[hexed] for each in wanted if (hexed := each.replace("-", "")) in ends}
    telling = Counter(each for row in told for each in _told_to_have_ended(*row) if each in found)
    assert telling == dict.fromkeys(found, 1)
    return found


def _told_to_have_ended(kind: str, decision: str, facts: str) -> Sequence[str]:
    if kind == "capture":
        ended: list[str] = json.loads(facts).get("reservation", [])[:1]
        return ended
    return [json.loads(decision)["reservation_id"]]


def _agree(held: Held, end: End) -> None:
    """What the tills were told is what happened; time ends it then, and the others only before."""
    assert end.kind in ENDERS
    assert (end.effective_at_us >= held.expires_at_us) == (end.kind == "timeout")
    if held.captured is None or held.released is None:
        assert end.kind == "timeout"
        return
    told = {
        "capture": ("captured", "REASON_RESERVATION_ENDED"),
        "release": ("REASON_RESERVATION_ENDED", "released"),
        "timeout": ("captured", "REASON_RESERVATION_ENDED"),
    }
    assert (name_of(held.captured), name_of(held.released)) == told[end.kind]


async def _points_are_right(twins: Twins, held: Held) -> None:
    paid = held.captured.captured if held.captured is not None else pb.Captured()
    points = POINTS - paid.points_redeemed + paid.points_earned
    assert paid.points_redeemed in (0, RESERVED)
    for ledger in twins.ledgers:
        state = (await ledger.member(held.member.card)).state
        assert (state.points, state.available, state.held) == (points, points, 0)
