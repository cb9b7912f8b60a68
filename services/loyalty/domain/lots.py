"""Lots carry the expiry. A lot is all points of a member that expire on the same day.

Months of earning thus share few lots (a programme of 36 months has at most 37 open ones), and a
return finds the lot that it came from by its day.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple


class Lot(NamedTuple):
    """`points` (1 or more while open) that can be redeemed up to and on `expires_on`."""

    expires_on: date
    points: int


class LotMove(NamedTuple):
    """What an operation added to (positive) or took from (negative) a lot."""

    expires_on: date
    points: int


def apply(lots: tuple[Lot, ...], moves: Iterable[LotMove]) -> tuple[Lot, ...]:
    """The open lots after `moves`, soonest expiry first; an emptied lot is gone.

    No lot may go below zero: decisions take only what is there.
    """
    points = dict(lots)
    for expires_on, change in moves:
        points[expires_on] = points.get(expires_on, 0) + change
    after = [Lot(day, left) for day, left in sorted(points.items()) if left]
    assert all(lot.points > 0 for lot in after), "a lot was overdrawn"
    return tuple(after)


def take(lots: tuple[Lot, ...], points: int) -> tuple[LotMove, ...]:
    """Takes `points` from the lots that expire first. There must be enough."""
    moves: list[LotMove] = []
    for lot in lots:
        if not points:
            break
        taken = min(points, lot.points)
        moves.append(LotMove(lot.expires_on, -taken))
        points -= taken
    assert points == 0, "more points were taken than the lots hold"
    return tuple(moves)
