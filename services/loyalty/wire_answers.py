"""Answers → the bytes of till messages. The same journalled decision renders the same for ever.

Fields stand in the order of their numbers in the contract, so that the bytes are protobuf's own.
"""

from functools import lru_cache
from typing import Final, assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.answers import Answer, Cause
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
from services.loyalty.domain.receipt import receipt_lines
from services.loyalty.domain.redemption import Limit
from services.loyalty.quotes import Found, Identified, Quoted, Reply
from services.loyalty.wire_bytes import Field, fields_of

Outcome = Answer | Reply | Refused

# Numbers of the contract.
LIMITS: dict[Limit, int] = {limit: pb.Limit.Value(f"LIMIT_{limit.name}") for limit in Limit}
REASONS: dict[Refusal, int] = {
    refusal: pb.Reason.Value(name)
    for refusal in Refusal
    if (name := f"REASON_{refusal.name}") in set(pb.Reason.keys())  # others never reach a till
}
REMEDIES = {
    Cause.OVERLOADED: "too much is under way; repeat later under the same id",
    Cause.UNAVAILABLE: "a fault kept this from being decided; ask for its status, or abandon it",
    Cause.EXPIRED: "its time was over before its turn; repeat under the same id, or abandon it",
    Cause.ANSWER_LOST: "it may be booked: ask for its status, repeat it, or abandon it",
}

_ABANDONED: Final = fields_of(pb.Abandoned)
_CAPTURED: Final = fields_of(pb.Captured)
_DECISION: Final = fields_of(pb.Decision)
_ENROLLED: Final = fields_of(pb.Enrolled)
_IDENTIFIED: Final = fields_of(pb.Identified)
_LINE: Final = fields_of(pb.LineDiscount)
_LINE_REFUND: Final = fields_of(pb.LineRefund)
_MEMBER: Final = fields_of(pb.MemberSummary)
_QUOTED: Final = fields_of(pb.Quoted)
_REFUSED: Final = fields_of(pb.Refused)
_RELEASED: Final = fields_of(pb.Released)
_RESERVED: Final = fields_of(pb.Reserved)
_RETURNED: Final = fields_of(pb.Returned)
_STATUS_FOUND: Final = fields_of(pb.StatusFound)
_UNDECIDED: Final = fields_of(pb.Undecided)
_RATE: Final = fields_of(pb.VatDiscount)
_VAT_REFUND: Final = fields_of(pb.VatRefund)
_VOIDED: Final = fields_of(pb.Voided)
_TIME: Final = fields_of(Timestamp)


def decision_bytes(operation_id: str, outcome: Outcome) -> bytes:
    """A till's Decision with the outcome of an operation."""
    field = _DECISION
    head = field["operation_id"].text(operation_id)
    if isinstance(outcome, Refused):  # of form: no ledger was asked, so it has no time
        return head + field["refused"].block(_refused(outcome))
    if outcome.cause is not None:
        return head + field["undecided"].block(_undecided(outcome.cause))
    if outcome.effective_at_us:
        head += field["effective_at"].block(_time(outcome.effective_at_us))
    if isinstance(outcome, Answer):
        assert outcome.decision is not None
        return head + _booked(outcome.decision, outcome.original)
    assert outcome.result is not None
    return head + _told(outcome.result)


def _booked(decision: Decision, original: Answer | None) -> bytes:
    field = _DECISION
    match decision:
        case Captured():
            return field["captured"].block(_captured(decision))
        case Refused():
            return field["refused"].block(_refused(decision))
        case Reserved():
            return field["reservation"].block(_reserved(decision))
        case Released():
            return field["released"].block(_released(decision))
        case Voided():
            return field["voided"].block(_voided(decision))
        case Returned():
            return field["returned"].block(_returned(decision))
        case Enrolled():
            return field["enrolled"].block(_ENROLLED["member"].block(_member(decision.member)))
        case Burnt():
            return field["abandoned"].block(_ABANDONED["abandoned"].number(1))
        case AlreadyDecided():
            assert original is not None
            stands = decision_bytes(decision.target_id, original)
            return field["abandoned"].block(_ABANDONED["decision"].block(stands))
        case LegBooked():
            raise AssertionError("a second row has no id that a till could name")
        case _:
            return _unasked(decision)


def _unasked(
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
) -> bytes:
    """Of staff and of time: a till that names such an id learns only who it was about. (The ids of
    what time did are no ids for tills to name.)
    """
    return _identified(decision.member)


def _told(result: Identified | Quoted | Found | Refused) -> bytes:
    match result:
        case Identified():
            return _identified(result.member)
        case Quoted():
            return _DECISION["quoted"].block(_quoted(result))
        case Found():
            return _DECISION["status_found"].block(_found(result))
        case Refused():
            return _DECISION["refused"].block(_refused(result))
        case _:
            assert_never(result)


def _identified(member: Summary) -> bytes:
    return _DECISION["identified"].block(_IDENTIFIED["member"].block(_member(member)))


def _captured(decision: Captured) -> bytes:
    field = _CAPTURED
    redeemed = b""
    if decision.points_redeemed:
        redeemed = (
            field["points_redeemed"].number(decision.points_redeemed)
            + field["points_redeemed_from_basket"].number(decision.points_redeemed_from_basket)
            + field["discount_minor"].number(decision.discount_minor)
            + _discounts(field, decision.line_discounts, decision.vat_discounts)
        )
    receipt = receipt_lines(
        version=decision.receipt_version,
        language=decision.member.language,
        points_earned=decision.points_earned,
        points_redeemed=decision.points_redeemed,
        discount_minor=decision.discount_minor,
        points_after=decision.member.points,
        currency=decision.currency,
    )
    return b"%b%b%b%b%b%b" % (
        field["member"].block(_member(decision.member)),
        field["points_earned"].number(decision.points_earned),
        redeemed,
        b"".join([field["receipt_lines"].block(line.encode()) for line in receipt]),
        field["points_pending"].number(decision.points_pending),
        field["points_settled"].number(decision.points_settled),
    )


def _reserved(decision: Reserved) -> bytes:
    field = _RESERVED
    return b"%b%b%b%b%b%b%b" % (
        field["member"].block(_member(decision.member)),
        field["points"].number(decision.points),
        field["points_held"].number(decision.points_held),
        field["points_promised"].number(decision.points_promised),
        field["discount_minor"].number(decision.discount_minor),
        _discounts(field, decision.line_discounts, decision.vat_discounts),
        field["expires_at"].block(_time(decision.expires_at_us)),
    )


def _discounts(
    field: dict[str, Field],
    line_discounts: tuple[tuple[str, int], ...],
    vat_discounts: tuple[VatShare, ...],
) -> bytes:
    """By line and by VAT rate, as fields of a capture or of a reservation."""
    line_id, off = _LINE["line_id"], _LINE["discount_minor"]
    by_line, by_rate = field["line_discounts"], field["vat_discounts"]
    parts = [
        by_line.block(line_id.text(line) + off.number(minor)) for line, minor in line_discounts
    ]
    for share in vat_discounts:
        rate = b"%b%b%b%b" % (
            _RATE["vat_rate_key"].text(share.vat_rate_key),
            _RATE["discount_minor"].number(share.discount_minor),
            _RATE["gross_minor"].number(share.gross_minor),
            _RATE["gross_after_minor"].number(share.gross_after_minor),
        )
        parts.append(by_rate.block(rate))
    return b"".join(parts)


def _released(decision: Released) -> bytes:
    field = _RELEASED
    return field["member"].block(_member(decision.member)) + field["points_held"].number(
        decision.points_held
    )


def _voided(decision: Voided) -> bytes:
    field = _VOIDED
    return b"%b%b%b%b%b" % (
        field["member"].block(_member(decision.member)),
        field["points_restored"].number(decision.points_restored),
        field["points_taken_back"].number(decision.points_taken_back),
        field["points_owed"].number(decision.points_owed),
        field["points_let_go"].number(decision.points_let_go),
    )


def _returned(decision: Returned) -> bytes:
    field = _RETURNED
    money_minor = decision.refund_minor - decision.discount_minor
    lines = [field["line_refunds"].block(_line_refund(line)) for line in decision.line_refunds]
    rates = [field["vat_refunds"].block(_vat_refund(share)) for share in decision.vat_refunds]
    return b"%b%b%b%b%b%b%b%b%b%b%b" % (
        field["member"].block(_member(decision.member)),
        field["refund_minor"].number(decision.refund_minor),
        field["discount_minor"].number(decision.discount_minor),
        field["refund_money_minor"].number(money_minor),
        b"".join(lines),
        b"".join(rates),
        field["points_restored"].number(decision.points_restored),
        field["points_taken_back"].number(decision.points_taken_back),
        field["points_owed"].number(decision.points_owed),
        field["points_let_go"].number(decision.points_let_go),
        field["complete"].number(decision.complete),
    )


def _line_refund(line: LineRefund) -> bytes:
    field = _LINE_REFUND
    return b"%b%b%b%b" % (
        field["line_id"].text(line.line_id),
        field["quantity_milli"].number(line.quantity_milli),
        field["refund_minor"].number(line.refund_minor),
        field["discount_minor"].number(line.discount_minor),
    )


def _vat_refund(share: VatRefund) -> bytes:
    field = _VAT_REFUND
    return b"%b%b%b%b" % (
        field["vat_rate_key"].text(share.vat_rate_key),
        field["refund_minor"].number(share.refund_minor),
        field["discount_minor"].number(share.discount_minor),
        field["refund_money_minor"].number(share.refund_minor - share.discount_minor),
    )


def _quoted(result: Quoted) -> bytes:
    field, offer = _QUOTED, result.quote
    return b"%b%b%b%b%b%b%b%b" % (
        field["member"].block(_member(result.member)),
        field["points_earned"].number(offer.points_earned),
        field["points_redeemable"].number(offer.points_redeemable),
        field["discount_minor"].number(offer.discount_minor),
        field["points_earned_at_maximum"].number(offer.points_earned_at_maximum),
        field["limit"].number(LIMITS[offer.limit]),
        field["points_minimum"].number(result.programme.redeem_minimum),
        field["points_step"].number(result.programme.redeem_step),
    )


def _found(found: Found) -> bytes:
    field = _STATUS_FOUND
    if found.abandoned:
        return field["state"].number(pb.StatusFound.STATE_ABANDONED)
    if found.answer is None:
        return field["state"].number(pb.StatusFound.STATE_UNKNOWN)
    decision = decision_bytes(found.operation_id, found.answer)
    return field["state"].number(pb.StatusFound.STATE_DECIDED) + field["decision"].block(decision)


def _refused(refused: Refused) -> bytes:
    field = _REFUSED
    return b"%b%b%b%b" % (
        field["reason"].number(REASONS[refused.reason]),
        field["field"].text(refused.field),
        field["remedy"].text(refused.remedy),
        field["points_maximum"].number(refused.points_maximum),
    )


def _undecided(cause: Cause) -> bytes:
    return _UNDECIDED["cause"].number(cause.value) + _UNDECIDED["remedy"].text(REMEDIES[cause])


def _member(member: Summary) -> bytes:
    field = _MEMBER
    return b"%b%b%b%b%b%b%b" % (
        field["member_id"].text(member.member_id),
        field["member_version"].number(member.version),
        field["points"].number(member.points),
        field["available"].number(member.available),
        field["language"].text(member.language),
        field["pending"].number(member.pending),
        field["tier"].text(member.tier),
    )


@lru_cache(maxsize=16)  # all decisions of a batch have one
def _time(at_us: int) -> bytes:
    seconds, micros = divmod(at_us, 1_000_000)
    return _TIME["seconds"].number(seconds) + _TIME["nanos"].number(micros * 1000)
