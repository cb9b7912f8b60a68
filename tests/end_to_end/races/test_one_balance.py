"""Many tills are after the points of one member: what is there is spent once."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end import outcome
from tests.end_to_end.moved import name_of
from tests.end_to_end.races.twins import Twins, a_basket, a_capture, a_release, a_reserve
from tests.servers.suite import Member

POINTS, SPENT_AT_ONCE = 1_000, 100
TEN_WIN = {"captured": 10, "REASON_EXCEEDS_AVAILABLE": 54}


async def _has(twins: Twins, member: Member, *, points: int, available: int) -> None:
    """Whichever process is asked."""
    for ledger in twins.ledgers:
        state = (await ledger.member(member.card)).state
        assert (state.points, state.available) == (points, available)


async def test_sixty_four_clients_spend_a_thousand_points_in_ten_redemptions(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    """The basket is paid in full, so that it earns nothing that could pay for an eleventh."""
    rounds = scaled(200)
    wins = 0
    for member in await twins.suite.enrol(rounds, opening_points=POINTS):
        captures = [
            a_capture(member.card, a_basket(SPENT_AT_ONCE), redeem=SPENT_AT_ONCE)
            for _ in twins.tills
        ]

        decisions = await twins.at_once(captures)

        assert Counter(map(name_of, decisions)) == TEN_WIN
        won = [each.captured for each in decisions if each.HasField("captured")]
        left = sorted(each.member.points for each in won)
        assert left == list(range(0, POINTS, SPENT_AT_ONCE))
        assert {(each.points_earned, each.points_redeemed) for each in won} == {(0, 100)}
        assert {e.refused.points_maximum for e in decisions if e.HasField("refused")} == {0}
        await _has(twins, member, points=0, available=0)
        wins += len(won)
    outcome.tell(f"{request.node.name}: {rounds} rounds, {wins} wins of {rounds * 64} attempts")


async def test_sixty_four_clients_hold_a_thousand_points_in_ten_reservations(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    """And given up again, at tills of the other gateway, all of them are there again."""
    rounds = scaled(100)
    for member in await twins.suite.enrol(rounds, opening_points=POINTS):
        reserves = [
            a_reserve(member.card, a_basket(SPENT_AT_ONCE), SPENT_AT_ONCE) for _ in twins.tills
        ]

        decisions = await twins.at_once(reserves)

        assert Counter(map(name_of, decisions)) == {
            "reservation": 10,
            "REASON_EXCEEDS_AVAILABLE": 54,
        }
        await _has(twins, member, points=POINTS, available=0)
        held = [each.operation_id for each in decisions if each.HasField("reservation")]
        released = await twins.at_once([a_release(each) for each in held])
        assert Counter(map(name_of, released)) == {"released": 10}
        await _has(twins, member, points=POINTS, available=POINTS)
    outcome.tell(f"{request.node.name}: {rounds} rounds, {rounds * 10} holds")
