"""What tills meet on an ordinary bad day: one that vanishes, a ledger that is away or stands still.

And on a good one: points that a purchase earns pay for this very purchase.
"""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.demo.mapping import Shopper
from tests.end_to_end.conftest import DATABASES, fresh
from tests.end_to_end.counter import House, open_house
from tests.end_to_end.endless_till import UNDER_WAY_MAX
from tests.end_to_end.replay import Replay, cashiers_of, damage
from tests.servers import child
from tests.servers.process import ROOT
from tests.servers.suite import Terminal
from tests.servers.waiting import eventually

SHORT_MS = 400
PURCHASES = 1_200


@pytest.fixture(scope="module", params=DATABASES)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("tills") / "var"
    database = fresh(request.param, request)
    async with open_house(folder, database=database, purchases=PURCHASES) as running:
        yield running


async def test_a_till_that_vanishes_disturbs_no_other(
    house: House, tmp_path: Path, scaled: Callable[[int], int]
) -> None:
    """Killed with operations under way, again and again, while others check out at their pace."""
    terminal, member = await house.suite.add_terminal(), await house.newcomer()
    vanishings, share = scaled(20), 50
    others = list(itertools.islice(house.purchases, (vanishings + 1) * share))
    logs = [tmp_path / f"ids-{number}" for number in range(1, vanishings + 1)]

    async with cashiers_of(house.suite, tills=4) as cashiers:
        replay = Replay(cashiers, others)
        async with asyncio.TaskGroup() as group:
            group.create_task(replay.run())
            for number, log in enumerate(logs, start=1):
                vanishing = _endless_till(house, terminal, member, log=log)
                await _is_at_work(log)
                await replay.go_on(until=number * share, limit=(number + 1) * share)
                child.end(vanishing, by=signal.SIGKILL, within_s=0)

        assert replay.unknown == 0
        assert {each.WhichOneof("result") for each in replay.decided.values()} == {"captured"}
        assert len(replay.decided) == len(others)
    for log in logs:
        await _every_end_is_certain(house, terminal, _ids_sent(log))


def _endless_till(
    house: House, terminal: Terminal, member: Shopper, *, log: Path
) -> subprocess.Popen[bytes]:
    told = {
        "TILL_GATEWAY": house.suite.gateway_target,
        "TILL_TERMINAL": terminal.terminal_id,
        "TILL_SECRET": terminal.secret,
        "TILL_CARD": member.card,
    }
    return child.spawn(
        [sys.executable, "-m", "tests.end_to_end.endless_till"],
        log=log,
        environment={**os.environ, **told},
        folder=ROOT,
    )


async def _is_at_work(log: Path) -> None:
    """Waits until more was sent than may be under way: then some was answered."""

    def more_was_sent() -> bool:
        return log.read_text().count("\n") > UNDER_WAY_MAX

    await eventually(more_was_sent)


def _ids_sent(log: Path) -> list[str]:
    """What the till printed before it was killed; a line that was torn was never sent."""
    sent = log.read_text().split("\n")[:-1]
    assert sent
    return sent


async def _every_end_is_certain(house: House, terminal: Terminal, sent: Sequence[str]) -> None:
    """Whoever takes the vanished till's place asks for each id, and abandons what is unknown."""
    async with house.open_till(terminal) as successor:
        for operation_id in sent:
            answer = (await successor.abandon(operation_id)).abandoned
            assert answer.abandoned != answer.decision.HasField("captured")
            found = (await successor.status(operation_id)).status_found
            assert found.decision == answer.decision
            burnt, decided = pb.StatusFound.STATE_ABANDONED, pb.StatusFound.STATE_DECIDED
            assert found.state == (burnt if answer.abandoned else decided)


async def test_tills_go_on_by_themselves_when_loyalty_was_away(house: House) -> None:
    """In the middle of a replay, without a restart of the gateway or of a till."""
    gateway = house.suite.processes["gateway"].pid
    purchases = list(itertools.islice(house.purchases, 80))
    before = {entry.operation_id for entry in await house.ledgers[0].journal()}
    async with cashiers_of(house.suite, tills=4) as cashiers:
        replay = Replay(cashiers, purchases)
        async with asyncio.TaskGroup() as group:
            group.create_task(replay.run())
            await replay.go_on(until=40, limit=80)
            assert await house.suite.stop("loyalty") == 0
            await house.suite.start("loyalty")
        await replay.settle()

    journal = [
        entry for entry in await house.ledgers[0].journal() if entry.operation_id not in before
    ]
    found = damage(replay, journal)
    assert (found.lost, found.phantom, found.doubled) == (set(), set(), set())
    assert len(replay.decided) + len(replay.abandoned) == len(purchases)
    assert house.suite.processes["gateway"].pid == gateway


async def test_a_till_hears_in_its_own_time_that_loyalty_is_away(house: House) -> None:
    """The gateway answers, long before the call itself would be over; the same id is good later."""
    operation = house.purchase().capture()
    hurried = pb.Operation()
    hurried.CopyFrom(operation)
    hurried.timeout_ms = SHORT_MS

    assert await house.suite.stop("loyalty") == 0
    try:
        answers = [(await house.first.call([hurried]))[0].undecided.cause for _ in range(2)]
    finally:
        await house.suite.start("loyalty")

    # Only of the first, the gateway may not know yet whether loyalty has heard of it.
    never_reached = {pb.Undecided.CAUSE_EXPIRED, pb.Undecided.CAUSE_UNAVAILABLE}
    assert answers[0] in {*never_reached, pb.Undecided.CAUSE_ANSWER_LOST}
    assert answers[1] in never_reached
    booked = await house.first.till.settle(operation)
    assert booked.HasField("captured")
    member = await house.ledgers[0].member(operation.capture.card)
    assert member.state.points == booked.captured.member.points


async def test_a_till_hears_in_its_own_time_that_loyalty_stands_still(house: House) -> None:
    """What may have reached the ledger is answered so, and is booked once in the end."""
    operation = house.purchase().capture()
    hurried = pb.Operation()
    hurried.CopyFrom(operation)
    hurried.timeout_ms = SHORT_MS
    before = await house.ledgers[0].overview()
    loyalty = house.suite.processes["loyalty"].pid

    os.kill(loyalty, signal.SIGSTOP)
    try:
        (answer,) = await house.first.call([hurried])
    finally:
        os.kill(loyalty, signal.SIGCONT)

    assert answer.undecided.cause == pb.Undecided.CAUSE_ANSWER_LOST
    booked = await house.first.till.settle(operation)
    assert booked.HasField("captured")
    assert (await house.ledgers[0].overview()).captures == before.captures + 1


@pytest.mark.parametrize("language", ["de", "en"])
async def test_points_that_a_basket_earns_pay_for_this_very_basket(
    house: House, language: str
) -> None:
    """A member without a single point redeems as many as possible."""
    member = await house.newcomer(language=language)
    ledger, till = house.ledgers[0], house.first.till
    basket = house.purchase().basket
    before = await ledger.overview()

    offer = (await till.quote(member.card, basket)).quoted
    assert (offer.member.points, offer.member.available) == (0, 0)
    captured = (await till.capture(member.card, basket, redeem="maximum")).captured

    assert captured.points_redeemed == offer.points_redeemable > 0
    assert captured.points_redeemed_from_basket == captured.points_redeemed
    assert captured.points_earned == offer.points_earned_at_maximum >= captured.points_redeemed
    assert captured.discount_minor == offer.discount_minor
    assert sum(each.discount_minor for each in captured.line_discounts) == captured.discount_minor
    assert sum(each.discount_minor for each in captured.vat_discounts) == captured.discount_minor
    assert captured.member.points == captured.points_earned - captured.points_redeemed
    word = {"de": "Punkte", "en": "points"}[language]
    assert any(word in line for line in captured.receipt_lines), captured.receipt_lines

    state = (await ledger.member(member.card)).state
    assert (state.points, state.available) == (captured.member.points, captured.member.points)
    after = await ledger.overview()
    assert after.same_basket_redemptions == before.same_basket_redemptions + 1
    assert after.redeemed_points == before.redeemed_points + captured.points_redeemed


async def test_one_point_more_than_the_basket_affords_is_refused(house: House) -> None:
    member = await house.newcomer()
    till, basket = house.first.till, house.purchase().basket
    most = (await till.quote(member.card, basket)).quoted.points_redeemable

    refused = (await till.capture(member.card, basket, redeem=most + 1)).refused
    assert (refused.reason, refused.points_maximum) == (pb.REASON_EXCEEDS_AVAILABLE, most)

    captured = (await till.capture(member.card, basket, redeem=most)).captured
    assert captured.points_redeemed == most


async def test_the_books_balance_after_all_that(house: House) -> None:
    found = await house.suite.verify()

    assert found["ok"], found["problems"]
