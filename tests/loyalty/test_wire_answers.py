"""What a till hears: every outcome has its message, and nothing is left to guess."""

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.decision import (
    JOURNALLED,
    AlreadyDecided,
    BlockedSet,
    Burnt,
    Captured,
    Enrolled,
    Expired,
    Refusal,
    Refused,
    Summary,
)
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.redemption import Limit, Quote
from services.loyalty.quotes import Found, Identified, Quoted, Reply
from services.loyalty.wire_answers import LIMITS, REASONS, REMEDIES, decision_to_wire
from services.loyalty.writer import Answer, Cause
from tests.loyalty.examples import a_programme

MEMBER = Summary("0198c6f4-0000-7000-8000-000000000002", 4, 130, 120, "de")
AT_US = 1_795_172_400_000_001
CAPTURED = Captured(
    member=MEMBER,
    points_earned=9,
    points_redeemed=50,
    points_redeemed_from_basket=3,
    discount_minor=50,
    line_discounts=(("1", 30), ("2", 20)),
    vat_discounts=(VatShare("DE_7", 30, 600, 570), VatShare("DE_19", 20, 400, 380)),
    currency="EUR",
    receipt_version=1,
)
# Refusals of enrolments and blocks: staff hear them by other messages.
NEVER_AT_A_TILL = {Refusal.CARD_TAKEN, Refusal.MEMBER_EXISTS, Refusal.MEMBER_UNKNOWN}


def test_a_capture_is_told_whole() -> None:
    message = decision_to_wire("id", Answer(CAPTURED, AT_US))

    told = message.captured
    assert message.operation_id == "id"
    assert (message.effective_at.seconds, message.effective_at.nanos) == (1_795_172_400, 1000)
    assert (told.member.member_id, told.member.member_version) == (MEMBER.member_id, 4)
    assert (told.member.points, told.member.available, told.member.language) == (130, 120, "de")
    assert (told.points_earned, told.points_redeemed, told.discount_minor) == (9, 50, 50)
    assert told.points_redeemed_from_basket == 3
    assert [(d.line_id, d.discount_minor) for d in told.line_discounts] == [("1", 30), ("2", 20)]
    assert [
        (v.vat_rate_key, v.discount_minor, v.gross_minor, v.gross_after_minor)
        for v in told.vat_discounts
    ] == [("DE_7", 30, 600, 570), ("DE_19", 20, 400, 380)]
    assert list(told.receipt_lines) == [
        "Mit Punkten bezahlt: 50 P = 0,50 EUR",
        "Gesammelt: 9 P",
        "Punktestand: 130 P",
    ]


def test_every_refusal_that_a_till_can_hear_has_its_number() -> None:
    assert set(REASONS) == set(Refusal) - NEVER_AT_A_TILL
    assert {pb.Reason.Name(number) for number in REASONS.values()} == set(pb.Reason.keys()) - {
        "REASON_UNSPECIFIED"
    }


@pytest.mark.parametrize("reason", list(REASONS))
def test_a_refusal_is_told_with_field_remedy_and_maximum(reason: Refusal) -> None:
    """A refusal of form was never at the ledger: it has no time."""
    refused = Refused(reason, "capture.redeem_points", "do this", 17)

    of_form = decision_to_wire("id", refused)
    booked = decision_to_wire("id", Answer(refused, AT_US))

    assert of_form.refused == booked.refused
    assert pb.Reason.Name(of_form.refused.reason) == f"REASON_{reason.name}"
    assert (of_form.refused.field, of_form.refused.remedy) == ("capture.redeem_points", "do this")
    assert of_form.refused.points_maximum == 17
    assert (of_form.HasField("effective_at"), booked.HasField("effective_at")) == (False, True)


@pytest.mark.parametrize("cause", Cause)
def test_what_was_not_decided_says_why_and_what_to_do(cause: Cause) -> None:
    for outcome in (Answer(cause=cause), Reply(None, cause=cause)):
        message = decision_to_wire("id", outcome)

        assert pb.Undecided.Cause.Name(message.undecided.cause) == f"CAUSE_{cause.name}"
        assert message.undecided.remedy == REMEDIES[cause]
        assert not message.HasField("effective_at")


def test_an_abandon_tells_whether_the_id_is_burnt() -> None:
    burnt = decision_to_wire("id", Answer(Burnt("target"), AT_US))
    original = Answer(CAPTURED, AT_US)
    too_late = decision_to_wire("id", Answer(AlreadyDecided("target"), AT_US, original=original))

    assert (burnt.abandoned.abandoned, burnt.abandoned.HasField("decision")) == (True, False)
    assert too_late.abandoned.abandoned is False
    assert too_late.abandoned.decision == decision_to_wire("target", original)


def test_status_tells_three_states_apart() -> None:
    found = {
        state: decision_to_wire("id", Reply(Found("target", answer, abandoned), AT_US)).status_found
        for state, answer, abandoned in (
            (pb.StatusFound.STATE_UNKNOWN, None, False),
            (pb.StatusFound.STATE_ABANDONED, None, True),
            (pb.StatusFound.STATE_DECIDED, Answer(CAPTURED, AT_US), False),
        )
    }

    assert all(told.state == state for state, told in found.items())
    assert [told.HasField("decision") for told in found.values()] == [False, False, True]
    decided = found[pb.StatusFound.STATE_DECIDED]
    assert decided.decision == decision_to_wire("target", Answer(CAPTURED, AT_US))


@pytest.mark.parametrize(
    "decision", [Enrolled(MEMBER), BlockedSet(MEMBER, True, "why"), Expired(MEMBER, 5)]
)
def test_a_till_that_names_an_id_of_staff_or_time_learns_only_who(
    decision: Enrolled | BlockedSet | Expired,
) -> None:
    message = decision_to_wire("id", Answer(decision, AT_US))

    assert message.WhichOneof("result") == "identified"
    assert message.identified.member.member_id == MEMBER.member_id


def test_a_quote_is_told_whole() -> None:
    offer = Quote(10, 9, 9, 8, Limit.POINTS)
    quoted = Quoted(MEMBER, offer, a_programme(redeem_minimum=6, redeem_step=3))

    told = decision_to_wire("id", Reply(quoted, AT_US)).quoted

    assert (told.points_earned, told.points_redeemable, told.discount_minor) == (10, 9, 9)
    assert (told.points_earned_at_maximum, told.points_minimum, told.points_step) == (8, 6, 3)
    assert told.limit == pb.LIMIT_POINTS
    assert told.member.points == 130


def test_a_member_is_told() -> None:
    message = decision_to_wire("id", Reply(Identified(MEMBER), AT_US))

    assert message.identified.member.available == 120


def test_every_limit_has_its_number() -> None:
    assert {pb.Limit.Name(number) for number in LIMITS.values()} == set(pb.Limit.keys()) - {
        "LIMIT_UNSPECIFIED"
    }


def test_only_state_refusals_are_journalled() -> None:
    assert {Refusal.EXCEEDS_AVAILABLE} == JOURNALLED
