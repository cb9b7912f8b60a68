"""Answers → till messages by protobuf: what the bytes of services/ are held against."""

from typing import assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.answers import Answer
from services.loyalty.domain.decision import (
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
    Merged,
    Refused,
    Released,
    Reserved,
    Returned,
    Settled,
    Summary,
    TierMoved,
    Voided,
)
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.receipt import receipt_lines
from services.loyalty.quotes import Found, Identified, Quoted
from services.loyalty.wire_answers import LIMITS, REASONS, REMEDIES, Outcome


def decision_by_library(operation_id: str, outcome: Outcome) -> pb.Decision:
    """A message of its own with the outcome of an operation."""
    message = pb.Decision()
    write_decision(message, operation_id, outcome)
    return message


def write_decision(into: pb.Decision, operation_id: str, outcome: Outcome) -> None:
    """Writes the outcome of an operation into an empty message.

    In place, because a message that is built first and put into another one is copied.
    """
    into.operation_id = operation_id
    if isinstance(outcome, Refused):  # of form: no ledger was asked, so it has no time
        _write_refused(into.refused, outcome)
        return
    if outcome.cause is not None:
        into.undecided.cause = outcome.cause.value  # type: ignore[assignment]
        into.undecided.remedy = REMEDIES[outcome.cause]
        return
    if outcome.effective_at_us:
        _write_time(into.effective_at, outcome.effective_at_us)
    if isinstance(outcome, Answer):
        assert outcome.decision is not None
        _write_booked(into, outcome.decision, outcome.original)
    else:
        assert outcome.result is not None
        _write_told(into, outcome.result)


def _write_booked(into: pb.Decision, decision: Decision, original: Answer | None) -> None:
    match decision:
        case Captured():
            _write_captured(into.captured, decision)
        case Refused():
            _write_refused(into.refused, decision)
        case Reserved():
            _write_reserved(into.reservation, decision)
        case Released():
            _write_released(into.released, decision)
        case Voided():
            _write_voided(into.voided, decision)
        case Returned():
            _write_returned(into.returned, decision)
        case Enrolled():
            _write_member(into.enrolled.member, decision.member)
        case Burnt():
            into.abandoned.abandoned = True
        case AlreadyDecided():
            assert original is not None
            into.abandoned.abandoned = False
            write_decision(into.abandoned.decision, decision.target_id, original)
        case LegBooked():
            raise AssertionError("a second row has no id that a till could name")
        case _:
            _write_unasked(into, decision)


def _write_unasked(
    into: pb.Decision,
    decision: Adjusted
    | Merged
    | CardsChanged
    | BlockedSet
    | Erased
    | Settled
    | Activated
    | Expired
    | Announced
    | TierMoved,
) -> None:
    """Of staff and of time: a till that names such an id learns only who it was about. (The ids of
    what time did are no ids for tills to name.)
    """
    _write_member(into.identified.member, decision.member)


def _write_told(into: pb.Decision, result: Identified | Quoted | Found | Refused) -> None:
    match result:
        case Identified():
            _write_member(into.identified.member, result.member)
        case Quoted():
            _write_quoted(into.quoted, result)
        case Found():
            _write_found(into.status_found, result)
        case Refused():
            _write_refused(into.refused, result)
        case _:
            assert_never(result)


def _write_captured(into: pb.Captured, decision: Captured) -> None:
    _write_member(into.member, decision.member)
    into.points_earned = decision.points_earned
    if decision.points_pending:
        into.points_pending = decision.points_pending
    if decision.points_settled:
        into.points_settled = decision.points_settled
    into.receipt_lines.extend(
        receipt_lines(
            version=decision.receipt_version,
            language=decision.member.language,
            points_earned=decision.points_earned,
            points_redeemed=decision.points_redeemed,
            discount_minor=decision.discount_minor,
            points_after=decision.member.points,
            currency=decision.currency,
        )
    )
    if not decision.points_redeemed:
        return
    into.points_redeemed = decision.points_redeemed
    into.points_redeemed_from_basket = decision.points_redeemed_from_basket
    into.discount_minor = decision.discount_minor
    _write_discounts(into, decision.line_discounts, decision.vat_discounts)


def _write_reserved(into: pb.Reserved, decision: Reserved) -> None:
    _write_member(into.member, decision.member)
    into.points = decision.points
    into.points_held = decision.points_held
    into.points_promised = decision.points_promised
    into.discount_minor = decision.discount_minor
    _write_discounts(into, decision.line_discounts, decision.vat_discounts)
    _write_time(into.expires_at, decision.expires_at_us)


def _write_released(into: pb.Released, decision: Released) -> None:
    _write_member(into.member, decision.member)
    into.points_held = decision.points_held


def _write_voided(into: pb.Voided, decision: Voided) -> None:
    _write_member(into.member, decision.member)
    into.points_restored = decision.points_restored
    into.points_taken_back = decision.points_taken_back
    into.points_owed = decision.points_owed
    into.points_let_go = decision.points_let_go


def _write_returned(into: pb.Returned, decision: Returned) -> None:
    _write_member(into.member, decision.member)
    into.refund_minor = decision.refund_minor
    into.discount_minor = decision.discount_minor
    into.refund_money_minor = decision.refund_minor - decision.discount_minor
    for line in decision.line_refunds:
        into.line_refunds.add(
            line_id=line.line_id,
            quantity_milli=line.quantity_milli,
            refund_minor=line.refund_minor,
            discount_minor=line.discount_minor,
        )
    for share in decision.vat_refunds:
        into.vat_refunds.add(
            vat_rate_key=share.vat_rate_key,
            refund_minor=share.refund_minor,
            discount_minor=share.discount_minor,
            refund_money_minor=share.refund_minor - share.discount_minor,
        )
    into.points_restored = decision.points_restored
    into.points_taken_back = decision.points_taken_back
    into.points_owed = decision.points_owed
    into.points_let_go = decision.points_let_go
    into.complete = decision.complete


def _write_discounts(
    into: pb.Captured | pb.Reserved,
    line_discounts: tuple[tuple[str, int], ...],
    vat_discounts: tuple[VatShare, ...],
) -> None:
    for line_id, minor in line_discounts:
        into.line_discounts.add(line_id=line_id, discount_minor=minor)
    for share in vat_discounts:
        into.vat_discounts.add(
            vat_rate_key=share.vat_rate_key,
            discount_minor=share.discount_minor,
            gross_minor=share.gross_minor,
            gross_after_minor=share.gross_after_minor,
        )


def _write_quoted(into: pb.Quoted, result: Quoted) -> None:
    offer = result.quote
    _write_member(into.member, result.member)
    into.points_earned = offer.points_earned
    into.points_redeemable = offer.points_redeemable
    into.discount_minor = offer.discount_minor
    into.points_earned_at_maximum = offer.points_earned_at_maximum
    into.limit = LIMITS[offer.limit]
    into.points_minimum = result.programme.redeem_minimum
    into.points_step = result.programme.redeem_step


def _write_found(into: pb.StatusFound, found: Found) -> None:
    if found.abandoned:
        into.state = pb.StatusFound.STATE_ABANDONED
    elif found.answer is None:
        into.state = pb.StatusFound.STATE_UNKNOWN
    else:
        into.state = pb.StatusFound.STATE_DECIDED
        write_decision(into.decision, found.operation_id, found.answer)


def _write_refused(into: pb.Refused, refused: Refused) -> None:
    into.reason = REASONS[refused.reason]
    into.field = refused.field
    into.remedy = refused.remedy
    into.points_maximum = refused.points_maximum


def _write_member(into: pb.MemberSummary, member: Summary) -> None:
    into.member_id = member.member_id
    into.member_version = member.version
    into.points = member.points
    into.available = member.available
    into.language = member.language
    if member.pending:
        into.pending = member.pending
    if member.tier:
        into.tier = member.tier


def _write_time(into: Timestamp, at_us: int) -> None:
    into.seconds, micros = divmod(at_us, 1_000_000)
    into.nanos = micros * 1000
