"""What a till hears: every outcome has its message, and nothing is left to guess."""

from dataclasses import replace
from datetime import date

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.answers import Answer, Cause
from services.loyalty.domain.decision import (
    JOURNALLED,
    Activated,
    Adjusted,
    AlreadyDecided,
    Announced,
    BlockedSet,
    Burnt,
    Captured,
    CardsChanged,
    Decision,
    Enrolled,
    Erased,
    Expired,
    LegBooked,
    LineRefund,
    Merged,
    Refusal,
    Refused,
    Released,
    Reserved,
    Returned,
    Settled,
    Summary,
    TierMoved,
    VatRefund,
    Voided,
)
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.redemption import Limit, Quote
from services.loyalty.quotes import Found, Identified, Quoted, Reply
from services.loyalty.wire_answers import LIMITS, REASONS, REMEDIES, Outcome, decision_bytes
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
RESERVED = Reserved(
    member=MEMBER,
    points_held=40,
    points_promised=10,
    discount_minor=50,
    line_discounts=(("1", 30), ("2", 20)),
    vat_discounts=(VatShare("DE_7", 30, 600, 570), VatShare("DE_19", 20, 400, 380)),
    expires_at_us=AT_US + 600_000_000,
)
RETURNED = Returned(
    member=MEMBER,
    refund_minor=1000,
    discount_minor=50,
    line_refunds=(LineRefund("1", 1000, 600, 30), LineRefund("2", 475, 400, 20)),
    vat_refunds=(VatRefund("DE_7", 600, 30), VatRefund("DE_19", 400, 20)),
    points_restored=47,
    points_taken_back=4,
    points_owed=3,
    points_let_go=2,
    complete=True,
)
# Refusals of what only staff may do: they hear them by other messages.
NEVER_AT_A_TILL = {
    Refusal.CARD_UNKNOWN,
    Refusal.MEMBER_EXISTS,
    Refusal.MEMBER_UNKNOWN,
    Refusal.MEMBER_MERGED,
    Refusal.MEMBER_SAME,
}


def decided(operation_id: str, outcome: Outcome) -> pb.Decision:
    """What a till reads."""
    return pb.Decision.FromString(decision_bytes(operation_id, outcome))


def test_a_capture_is_told_whole() -> None:
    message = decided("id", Answer(CAPTURED, AT_US))

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


def test_a_capture_is_answered_as_before_there_were_reservations_and_tiers() -> None:
    """Byte for byte, as 0.1.0 answered it: rows of that time say nothing of what is newer."""
    told = decision_bytes("0198c6f4-0000-7000-8000-000000000001", Answer(CAPTURED, AT_US))

    assert told.hex() == (
        "0a2430313938633666342d303030302d373030302d383030302d303030303030303030303031120908b0d080d8"
        "0610e80762b4010a310a2430313938633666342d303030302d373030302d383030302d30303030303030303030"
        "303210041882012078"
        "2a026465100918322003283232050a0131101e32050a013210143a0e0a0444455f3710"
        "1e18d80420ba043a0f0a0544455f3139101418900320fc0242244d69742050756e6b74656e2062657a61686c74"
        "3a2035302050203d20302c353020455552420e476573616d6d656c743a20392050421250756e6b74657374616e"
        "643a203133302050"
    )


def test_what_of_the_points_earned_cannot_be_spent_yet_is_told() -> None:
    member = Summary(MEMBER.member_id, 4, 130, 120, "de", pending=5, tier="gold")
    captured = replace(CAPTURED, member=member, points_pending=5, points_settled=3)

    told = decided("id", Answer(captured, AT_US)).captured

    assert (told.points_earned, told.points_pending, told.points_settled) == (9, 5, 3)
    assert (told.member.pending, told.member.tier) == (5, "gold")


def test_a_reservation_is_told_whole() -> None:
    message = decided("id", Answer(RESERVED, AT_US))

    told = message.reservation
    assert message.effective_at.seconds == 1_795_172_400
    assert (told.points, told.points_held, told.points_promised) == (50, 40, 10)
    assert told.member.member_id == MEMBER.member_id
    assert told.discount_minor == 50
    assert [(d.line_id, d.discount_minor) for d in told.line_discounts] == [("1", 30), ("2", 20)]
    assert [
        (v.vat_rate_key, v.discount_minor, v.gross_minor, v.gross_after_minor)
        for v in told.vat_discounts
    ] == [("DE_7", 30, 600, 570), ("DE_19", 20, 400, 380)]
    assert (told.expires_at.seconds, told.expires_at.nanos) == (1_795_173_000, 1000)


def test_the_end_of_a_reservation_is_told() -> None:
    released = Released(MEMBER, "reservation", points_held=40, timed_out=False)

    told = decided("id", Answer(released, AT_US)).released

    assert (told.points_held, told.member.available) == (40, 120)


def test_a_void_is_told_whole() -> None:
    voided = Voided(MEMBER, points_restored=50, points_taken_back=4, points_owed=3, points_let_go=2)

    told = decided("id", Answer(voided, AT_US)).voided

    assert (told.points_restored, told.points_taken_back) == (50, 4)
    assert (told.points_owed, told.points_let_go) == (3, 2)
    assert told.member.member_id == MEMBER.member_id


def test_a_return_is_told_whole_and_its_parts_add_up() -> None:
    """Per line and per VAT rate, what goes back as money and what as points."""
    told = decided("id", Answer(RETURNED, AT_US)).returned

    assert (told.refund_minor, told.discount_minor, told.refund_money_minor) == (1000, 50, 950)
    assert [
        (line.line_id, line.quantity_milli, line.refund_minor, line.discount_minor)
        for line in told.line_refunds
    ] == [("1", 1000, 600, 30), ("2", 475, 400, 20)]
    assert [
        (vat.vat_rate_key, vat.refund_minor, vat.discount_minor, vat.refund_money_minor)
        for vat in told.vat_refunds
    ] == [("DE_7", 600, 30, 570), ("DE_19", 400, 20, 380)]
    assert sum(vat.refund_money_minor for vat in told.vat_refunds) == told.refund_money_minor
    assert (told.points_restored, told.points_taken_back) == (47, 4)
    assert (told.points_owed, told.points_let_go, told.complete) == (3, 2, True)
    assert told.member.member_id == MEMBER.member_id


def test_a_new_member_is_told() -> None:
    told = decided("id", Answer(Enrolled(MEMBER), AT_US))

    assert told.enrolled.member.member_id == MEMBER.member_id


def test_every_refusal_that_stays_can_be_told_to_a_till() -> None:
    """By Status, a till can ask for what was refused to others; other refusals leave no row."""
    assert set(REASONS) >= JOURNALLED


def test_every_refusal_that_a_till_can_hear_has_its_number() -> None:
    assert set(REASONS) == set(Refusal) - NEVER_AT_A_TILL
    assert {pb.Reason.Name(number) for number in REASONS.values()} == set(pb.Reason.keys()) - {
        "REASON_UNSPECIFIED"
    }


@pytest.mark.parametrize("reason", list(REASONS))
def test_a_refusal_is_told_with_field_remedy_and_maximum(reason: Refusal) -> None:
    """A refusal of form was never at the ledger: it has no time."""
    refused = Refused(reason, "capture.redeem_points", "do this", 17)

    of_form = decided("id", refused)
    booked = decided("id", Answer(refused, AT_US))

    assert of_form.refused == booked.refused
    assert pb.Reason.Name(of_form.refused.reason) == f"REASON_{reason.name}"
    assert (of_form.refused.field, of_form.refused.remedy) == ("capture.redeem_points", "do this")
    assert of_form.refused.points_maximum == 17
    assert (of_form.HasField("effective_at"), booked.HasField("effective_at")) == (False, True)


@pytest.mark.parametrize("cause", Cause)
def test_what_was_not_decided_says_why_and_what_to_do(cause: Cause) -> None:
    for outcome in (Answer(cause=cause), Reply(None, cause=cause)):
        message = decided("id", outcome)

        assert pb.Undecided.Cause.Name(message.undecided.cause) == f"CAUSE_{cause.name}"
        assert message.undecided.remedy == REMEDIES[cause]
        assert not message.HasField("effective_at")


def test_an_abandon_tells_whether_the_id_is_burnt() -> None:
    burnt = decided("id", Answer(Burnt("target"), AT_US))
    original = Answer(CAPTURED, AT_US)
    too_late = decided("id", Answer(AlreadyDecided("target"), AT_US, original=original))

    assert (burnt.abandoned.abandoned, burnt.abandoned.HasField("decision")) == (True, False)
    assert too_late.abandoned.abandoned is False
    assert too_late.abandoned.decision == decided("target", original)


def test_status_tells_three_states_apart() -> None:
    found = {
        state: decided("id", Reply(Found("target", answer, abandoned), AT_US)).status_found
        for state, answer, abandoned in (
            (pb.StatusFound.STATE_UNKNOWN, None, False),
            (pb.StatusFound.STATE_ABANDONED, None, True),
            (pb.StatusFound.STATE_DECIDED, Answer(CAPTURED, AT_US), False),
        )
    }

    assert all(told.state == state for state, told in found.items())
    assert [told.HasField("decision") for told in found.values()] == [False, False, True]
    known = found[pb.StatusFound.STATE_DECIDED]
    assert known.decision == decided("target", Answer(CAPTURED, AT_US))


@pytest.mark.parametrize(
    "decision",
    [
        Adjusted(MEMBER, -5, "goodwill", "why"),
        Merged(MEMBER, "other", "why"),
        CardsChanged(MEMBER, "lost"),
        BlockedSet(MEMBER, True, "why"),
        Erased(MEMBER, 130, "asked for"),
        Settled(MEMBER),
        Activated(MEMBER, 5),
        Expired(MEMBER, 5),
        Announced(MEMBER, 5, date(2026, 12, 31), 30),
        TierMoved(MEMBER, "base"),
    ],
    ids=lambda decision: type(decision).__name__,
)
def test_of_what_no_till_has_asked_for_a_till_learns_only_who(decision: Decision) -> None:
    message = decided("id", Answer(decision, AT_US))

    assert message.WhichOneof("result") == "identified"
    assert message.identified.member.member_id == MEMBER.member_id


def test_the_second_row_of_an_operation_has_no_id_that_a_till_could_name() -> None:
    with pytest.raises(AssertionError, match="second row"):
        decided("id", Answer(LegBooked("main"), AT_US))


def test_a_quote_is_told_whole() -> None:
    offer = Quote(10, 9, 9, 8, Limit.POINTS)
    quoted = Quoted(MEMBER, offer, a_programme(redeem_minimum=6, redeem_step=3))

    told = decided("id", Reply(quoted, AT_US)).quoted

    assert (told.points_earned, told.points_redeemable, told.discount_minor) == (10, 9, 9)
    assert (told.points_earned_at_maximum, told.points_minimum, told.points_step) == (8, 6, 3)
    assert told.limit == pb.LIMIT_POINTS
    assert told.member.points == 130


def test_a_member_is_told() -> None:
    message = decided("id", Reply(Identified(MEMBER), AT_US))

    assert message.identified.member.available == 120


def test_every_limit_has_its_number() -> None:
    assert {pb.Limit.Name(number) for number in LIMITS.values()} == set(pb.Limit.keys()) - {
        "LIMIT_UNSPECIFIED"
    }
