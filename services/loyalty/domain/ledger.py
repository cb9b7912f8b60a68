"""The chart of accounts, and the one way in which points move: a transfer between two of them.

A transfer stays inside one bucket and is never changed or deleted, so each bucket's accounts sum
to zero (I1).
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Account(Enum):
    """Where points can be. The first three exist once per member, the others once per bucket."""

    POINTS = "points"  # spendable; the sum of the member's open lots
    PENDING = "pending"  # earned, not yet spendable
    RECEIVABLE = "receivable"  # what a clawback could not take; never positive
    ISSUED = "issued"  # where points come from; never positive
    REDEEMED = "redeemed"  # where they go when they pay
    EXPIRED = "expired"
    ADJUSTED = "adjusted"  # corrections by staff
    FORFEITED = "forfeited"  # left over by members who were erased
    LOSS = "loss"  # spent offline beyond what was there
    IN_TRANSIT = "in_transit"  # between two buckets; zero over all of them

    __hash__ = object.__hash__  # there is one of each; an enum's own is written in Python


MEMBER_ACCOUNTS = (Account.POINTS, Account.PENDING, Account.RECEIVABLE)
PROGRAMME_ACCOUNTS = (
    Account.ISSUED,
    Account.REDEEMED,
    Account.EXPIRED,
    Account.ADJUSTED,
    Account.FORFEITED,
    Account.LOSS,
    Account.IN_TRANSIT,
)


class Transfer(NamedTuple):
    """`points` (1 or more) leave `source` and arrive at `target`, in one bucket."""

    source: Account
    target: Account
    points: int


def transfers(*legs: tuple[Account, Account, int]) -> tuple[Transfer, ...]:
    """The legs (source, target, points) that move anything; a leg of no points is no transfer."""
    moving = tuple([Transfer(source, target, points) for source, target, points in legs if points])
    assert all(leg.points > 0 for leg in moving), "points move forward; a reversal swaps accounts"
    return moving


def moved(legs: Iterable[Transfer]) -> dict[Account, int]:
    """What the transfers add to each account they touch; the values sum to zero."""
    change: dict[Account, int] = {}
    for source, target, points in legs:
        change[source] = change.get(source, 0) - points
        change[target] = change.get(target, 0) + points
    return change
