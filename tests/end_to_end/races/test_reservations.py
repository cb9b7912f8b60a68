"""A reservation ends once, however many want to end it."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end import outcome
from tests.end_to_end.moved import name_of
from tests.end_to_end.races.twins import (
    Twins,
    a_basket,
    a_capture,
    a_reserve,
    with_new_receipt,
)

CAPTURES = 100
POINTS, RESERVED, TOTAL_MINOR = 1_000, 400, 5_000


async def test_one_of_a_hundred_captures_takes_a_reservation(
    twins: Twins, scaled: Callable[[int], int], request: pytest.FixtureRequest
) -> None:
    """Each of another receipt; those who come too late are told that it has ended."""
    rounds = scaled(100)
    for member in await twins.suite.enrol(rounds, opening_points=POINTS):
        basket = a_basket(TOTAL_MINOR)
        (reserved,) = await twins.at_once([a_reserve(member.card, basket, RESERVED)])
        captures = [
            a_capture(
                member.card,
                with_new_receipt(basket),
                redeem=RESERVED,
                reservation_id=reserved.operation_id,
            )
            for _ in range(CAPTURES)
        ]

        decisions = await twins.at_once(captures)

        assert Counter(map(name_of, decisions)) == {
            "captured": 1,
            "REASON_RESERVATION_ENDED": CAPTURES - 1,
        }
        (taken,) = [each.captured for each in decisions if each.HasField("captured")]
        for ledger in twins.ledgers:
            state = (await ledger.member(member.card)).state
            assert (state.points, state.held) == (POINTS - RESERVED + taken.points_earned, 0)
            assert state.points == taken.member.points
    outcome.tell(f"{request.node.name}: {rounds} rounds, {rounds} of {rounds * CAPTURES} taken")
