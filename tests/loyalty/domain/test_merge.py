"""Two members become one: everything goes on, nothing is lost or made, each bucket balanced."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.loyalty.domain.decision import Entry, Kind, LegBooked, Merged, Refusal, Refused
from services.loyalty.domain.ledger import Account, moved
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import (
    Member,
    PendingLot,
    Reservation,
    Standing,
    Status,
)
from services.loyalty.domain.merge import merge
from services.loyalty.domain.programme import Programme, Tier
from tests.loyalty.commands import a_merge
from tests.loyalty.domain.members import MEMBER_ID, a_member
from tests.loyalty.examples import a_programme

TODAY = date(2026, 11, 20)
OTHER_ID = "0198c6f4-0000-7000-8000-000000000002"
EARLY, LATE = date(2027, 3, 31), date(2029, 11, 30)


def other(*lots: tuple[str, int], **changes: Any) -> Member:
    return a_member(*lots, **{"member_id": OTHER_ID, "cards": ("2",), **changes})


def merged(
    survivor: Member, gone: Member, programme: Programme | None = None
) -> tuple[Entry, Entry]:
    result = merge(
        survivor,
        gone,
        a_merge(survivor.member_id, gone.member_id),
        programme=programme or a_programme(),
        today=TODAY,
    )
    assert isinstance(result, tuple), result
    return result


def after(entry: Entry) -> Member:
    assert entry.member is not None
    return entry.member


def test_everything_goes_on_to_the_survivor() -> None:
    survivor = a_member(("2027-03-31", 100), cards=("1",))
    gone = replace(
        other(("2027-03-31", 20), ("2029-11-30", 30)),
        pending=5,
        pending_lots=(PendingLot(TODAY, LATE, 5),),
        receivable=-7,
        held=10,
        reservations=(Reservation("r", "b", 10, 0, 99),),
    )

    main, leg = merged(survivor, gone)

    whole = after(main)
    assert whole.lots == (Lot(EARLY, 120), Lot(LATE, 30))
    assert (whole.points, whole.pending, whole.owed, whole.held) == (150, 5, 7, 10)
    assert (whole.cards, whole.available) == (("1", "2"), 140)
    assert isinstance(main.decision, Merged)
    empty = after(leg)
    assert (empty.points, empty.pending, empty.owed, empty.held) == (0, 0, 0, 0)
    assert (empty.status, empty.merged_into) == (Status.MERGED, MEMBER_ID)
    assert (empty.cards, empty.lots, empty.reservations) == ((), (), ())
    assert isinstance(leg.decision, LegBooked)
    assert leg.decision.main_id == main.operation_id
    assert (main.kind, leg.kind) == (Kind.MERGE, Kind.MERGED)


def test_what_leaves_one_bucket_arrives_in_the_other() -> None:
    gone = replace(other(("2027-03-31", 50)), receivable=-7)

    main, leg = merged(a_member(), gone)

    there, here = moved(main.transfers), moved(leg.transfers)
    assert sum(there.values()) == sum(here.values()) == 0
    assert there[Account.IN_TRANSIT] + here[Account.IN_TRANSIT] == 0
    assert (there[Account.POINTS], there[Account.RECEIVABLE]) == (50, -7)
    assert (here[Account.POINTS], here[Account.RECEIVABLE]) == (-50, 7)


@pytest.mark.parametrize(
    ("one", "two", "status"),
    [
        (Status.ACTIVE, Status.ACTIVE, Status.ACTIVE),
        (Status.ACTIVE, Status.BLOCKED, Status.BLOCKED),
        (Status.BLOCKED, Status.ACTIVE, Status.BLOCKED),
    ],
)
def test_a_block_survives(one: Status, two: Status, status: Status) -> None:
    main, _ = merged(a_member(status=one), other(status=two))

    assert after(main).status is status


def test_the_better_tier_survives_and_what_both_counted_adds_up() -> None:
    programme = a_programme(tiers=(Tier("base", 0, 100), Tier("gold", 100, 150)))
    november = 12 * 2026 + 10
    counted = replace(a_member(), standing=Standing(None, ((november, 60),)))
    also = replace(other(), standing=Standing(None, ((november, 40),)))

    main, _ = merged(counted, also, programme)

    assert after(main).tier == "gold"
    assert after(main).standing.qualifying == ((november, 100),)


@pytest.mark.parametrize(
    ("survivor", "gone", "reason", "field"),
    [
        (None, other(), Refusal.MEMBER_UNKNOWN, "survivor_id"),
        (a_member(), None, Refusal.MEMBER_UNKNOWN, "merged_id"),
        (a_member(status=Status.MERGED), other(), Refusal.MEMBER_MERGED, "survivor_id"),
        (a_member(), other(status=Status.MERGED), Refusal.MEMBER_MERGED, "merged_id"),
    ],
)
def test_whoever_is_not_there_is_named(
    survivor: Member | None, gone: Member | None, reason: Refusal, field: str
) -> None:
    result = merge(
        survivor, gone, a_merge(MEMBER_ID, OTHER_ID), programme=a_programme(), today=TODAY
    )

    assert isinstance(result, Refused)
    assert (result.reason, result.field) == (reason, field)


@pytest.mark.parametrize("erased", ["survivor", "gone"])
def test_an_erased_member_is_merged_with_nobody(erased: str) -> None:
    status = {erased: Status.ERASED}
    result = merge(
        a_member(status=status.get("survivor", Status.ACTIVE)),
        other(status=status.get("gone", Status.ACTIVE)),
        a_merge(MEMBER_ID, OTHER_ID),
        programme=a_programme(),
        today=TODAY,
    )

    assert isinstance(result, Entry)
    assert not result.accepted
    assert after(result).member_id == MEMBER_ID


def test_nobody_is_merged_with_themselves() -> None:
    result = merge(
        a_member(), a_member(), a_merge(MEMBER_ID, MEMBER_ID), programme=a_programme(), today=TODAY
    )

    assert isinstance(result, Refused)
    assert result.reason is Refusal.MEMBER_SAME
