"""Lots carry the expiry: soonest first, one a day, never overdrawn."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.lots import Lot, LotMove, apply, take

MARCH, APRIL, MAY = date(2027, 3, 31), date(2027, 4, 30), date(2027, 5, 31)


def test_a_lot_is_all_points_that_end_on_one_day() -> None:
    lots = apply((Lot(MARCH, 10),), [LotMove(MARCH, 5), LotMove(APRIL, 7), LotMove(APRIL, 1)])

    assert lots == (Lot(MARCH, 15), Lot(APRIL, 8))


def test_lots_stand_in_the_order_in_which_they_end() -> None:
    assert apply((Lot(MAY, 1),), [LotMove(MARCH, 1), LotMove(APRIL, 1)]) == (
        Lot(MARCH, 1),
        Lot(APRIL, 1),
        Lot(MAY, 1),
    )


def test_an_emptied_lot_is_gone() -> None:
    assert apply((Lot(MARCH, 10), Lot(APRIL, 5)), [LotMove(MARCH, -10)]) == (Lot(APRIL, 5),)
    assert apply((Lot(MARCH, 10),), [LotMove(MARCH, -10)]) == ()


@pytest.mark.parametrize("moves", [[LotMove(MARCH, -11)], [LotMove(APRIL, -1)]])
def test_a_lot_cannot_be_overdrawn(moves: list[LotMove]) -> None:
    with pytest.raises(AssertionError):
        apply((Lot(MARCH, 10),), moves)


def test_points_are_taken_where_they_end_first() -> None:
    lots = (Lot(MARCH, 10), Lot(APRIL, 5))

    assert take(lots, 1) == (LotMove(MARCH, -1),)
    assert take(lots, 10) == (LotMove(MARCH, -10),)
    assert take(lots, 11) == (LotMove(MARCH, -10), LotMove(APRIL, -1))
    assert take(lots, 15) == (LotMove(MARCH, -10), LotMove(APRIL, -5))
    assert take(lots, 0) == ()


@pytest.mark.parametrize("lots", [(), (Lot(MARCH, 10),)])
def test_more_than_there_is_cannot_be_taken(lots: tuple[Lot, ...]) -> None:
    with pytest.raises(AssertionError):
        take(lots, 11)


@given(st.lists(st.integers(1, 50), max_size=6), st.data())
def test_taking_leaves_the_rest_and_touches_no_later_lot_too_soon(
    points: list[int], data: st.DataObject
) -> None:
    lots = tuple(Lot(MARCH + timedelta(days=31 * n), each) for n, each in enumerate(points))
    wanted = data.draw(st.integers(0, sum(points)))

    moves = take(lots, wanted)
    left = apply(lots, moves)

    assert -sum(move.points for move in moves) == wanted
    assert sum(lot.points for lot in left) == sum(points) - wanted
    assert left[1:] == tuple(lot for lot in lots if left and lot.expires_on > left[0].expires_on)
