"""Members are opened with a card, blocked by order, and forgotten without a point left over."""

from dataclasses import replace
from datetime import date

import pytest

from services.loyalty.domain.card import card_digest
from services.loyalty.domain.decision import (
    BlockedSet,
    Enrolled,
    Entry,
    Erased,
    Kind,
    Refusal,
    Refused,
)
from services.loyalty.domain.ledger import Account, moved
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import (
    Member,
    PendingLot,
    Reservation,
    Status,
)
from services.loyalty.domain.membership import (
    adjust,
    change_cards,
    enrol,
    erase,
    out_of_reach,
    set_blocked,
)
from services.loyalty.domain.programme import Programme, Tier
from tests.loyalty.commands import a_change_of_cards, an_adjustment, an_erasure
from tests.loyalty.domain.members import MEMBER_ID, a_member
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import a_block, an_enrolment

TODAY = date(2026, 11, 20)


def enrolled(programme: Programme | None = None, *, opening_points: int = 0) -> Entry:
    command = replace(
        an_enrolment("1", member_id=MEMBER_ID, language="fr"), opening_points=opening_points
    )
    return enrol(command, programme=programme or a_programme(), today=TODAY, now_us=17)


def refusal_of(result: Entry | Refused | None) -> Refusal:
    decision = result.decision if isinstance(result, Entry) else result
    assert isinstance(decision, Refused), result
    return decision.reason


def test_a_new_member_has_a_card_and_no_points() -> None:
    entry = enrolled()

    member = entry.member
    assert member is not None
    assert (member.member_id, member.cards, member.language) == (MEMBER_ID, ("1",), "fr")
    assert (member.version, member.points, member.available, member.lots) == (1, 0, 0, ())
    assert (member.status, member.enrolled_at_us) == (Status.ACTIVE, 17)
    assert (entry.kind, entry.accepted, entry.transfers) == (Kind.ENROL, True, ())
    assert entry.facts == {"card": card_digest("1").hex()}
    assert isinstance(entry.decision, Enrolled)
    assert entry.decision.member.version == 1


def test_points_brought_along_live_as_long_as_earned_ones() -> None:
    entry = enrolled(opening_points=40)

    assert entry.transfers == ((Account.ADJUSTED, Account.POINTS, 40),)
    assert entry.lot_moves == (LotMove(date(2029, 11, 30), 40),)


def test_a_new_member_begins_in_the_first_tier() -> None:
    programme = a_programme(tiers=(Tier("bronze", 0, 100), Tier("silver", 10, 110)))

    for entry, tier in ((enrolled(programme), "bronze"), (enrolled(), "base")):
        assert entry.member is not None
        assert entry.member.tier == tier


@pytest.mark.parametrize(
    ("blocked", "kind", "status"),
    [(True, Kind.BLOCK, Status.BLOCKED), (False, Kind.UNBLOCK, Status.ACTIVE)],
)
@pytest.mark.parametrize("before", [Status.ACTIVE, Status.BLOCKED])
def test_what_is_ordered_is_journalled_also_when_it_is_so_already(
    blocked: bool, kind: Kind, status: Status, before: Status
) -> None:
    member = a_member(("2027-03-31", 10), status=before)

    entry = set_blocked(member, a_block(MEMBER_ID, blocked=blocked))

    assert (entry.kind, entry.accepted, entry.transfers) == (kind, True, ())
    assert entry.member is not None
    assert (entry.member.status, entry.member.version) == (status, member.version + 1)
    assert (entry.member.points, entry.member.lots) == (member.points, member.lots)
    assert isinstance(entry.decision, BlockedSet)
    assert entry.decision.blocked is blocked
    assert entry.facts == {"reason": entry.decision.reason}


def test_nobody_and_whoever_went_on_are_out_of_reach() -> None:
    merged = replace(a_member(status=Status.MERGED), merged_into="somebody")

    assert refusal_of(out_of_reach(None)) is Refusal.MEMBER_UNKNOWN
    refused = out_of_reach(merged)
    assert refusal_of(refused) is Refusal.MEMBER_MERGED
    assert refused is not None
    assert "somebody" in refused.remedy
    assert out_of_reach(a_member(status=Status.ERASED)) is None  # is told by the entry


@pytest.mark.parametrize(
    "order",
    [
        lambda member: set_blocked(member, a_block(MEMBER_ID)),
        lambda member: change_cards(member, a_change_of_cards(MEMBER_ID, new="2")),
        lambda member: adjust(
            member, an_adjustment(MEMBER_ID, 5), programme=a_programme(), today=TODAY
        ),
        lambda member: erase(member, an_erasure(MEMBER_ID)),
    ],
)
def test_nothing_can_be_ordered_for_somebody_who_was_erased(order: object) -> None:
    member = a_member(status=Status.ERASED)

    entry = order(member)  # type: ignore[operator]

    assert refusal_of(entry) is Refusal.MEMBER_ERASED
    assert (entry.accepted, entry.member, entry.transfers) == (False, member, ())


def owing(points: int, owed: int) -> Member:
    return replace(a_member(("2027-03-31", points)), receivable=-owed)


def test_given_points_pay_what_is_owed_first() -> None:
    entry = adjust(owing(0, 30), an_adjustment(MEMBER_ID, 50), programme=a_programme(), today=TODAY)

    assert entry.transfers == (
        (Account.ADJUSTED, Account.RECEIVABLE, 30),
        (Account.ADJUSTED, Account.POINTS, 20),
    )
    assert entry.member is not None
    assert (entry.member.points, entry.member.owed) == (20, 0)


@pytest.mark.parametrize(("taken", "accepted"), [(60, True), (61, False)])
def test_no_more_is_taken_than_is_available(taken: int, accepted: bool) -> None:
    member = replace(a_member(("2027-03-31", 100)), held=40)

    entry = adjust(member, an_adjustment(MEMBER_ID, -taken), programme=a_programme(), today=TODAY)

    assert entry.accepted is accepted
    assert (entry.transfers != ()) is accepted
    if not accepted:
        assert refusal_of(entry) is Refusal.EXCEEDS_AVAILABLE


def test_a_member_may_have_several_cards() -> None:
    entry = change_cards(a_member(cards=("1", "2")), a_change_of_cards(MEMBER_ID, lost="1"))

    assert isinstance(entry, Entry)
    assert entry.member is not None
    assert entry.member.cards == ("2",)


def test_erasing_leaves_nothing_behind_and_the_books_even() -> None:
    member = replace(
        a_member(("2027-03-31", 60), ("2027-04-30", 40)),
        receivable=-7,
        pending=5,
        pending_lots=(PendingLot(date(2026, 12, 1), date(2029, 11, 30), 5),),
        held=10,
        reservations=(Reservation("r-1", "b-1", 10, 0, 99),),
    )

    entry = erase(member, an_erasure(MEMBER_ID))

    after = entry.member
    assert after is not None
    assert (after.points, after.pending, after.receivable, after.held) == (0, 0, 0, 0)
    assert (after.lots, after.pending_lots, after.cards) == ((), (), ())
    assert after.status is Status.ERASED
    assert entry.ended == ("r-1",)
    assert isinstance(entry.decision, Erased)
    assert entry.decision.points_forfeited == 105
    change = moved(entry.transfers)
    assert change == {
        Account.POINTS: -100,
        Account.PENDING: -5,
        Account.FORFEITED: 105,
        Account.RECEIVABLE: 7,
        Account.LOSS: -7,
    }
