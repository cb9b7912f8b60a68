"""Answers → till messages. The same journalled decision renders the same bytes for ever."""

from typing import assert_never

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.decision import (
    AlreadyDecided,
    BlockedSet,
    Burnt,
    Captured,
    Decision,
    Enrolled,
    Expired,
    Refused,
    Summary,
)
from services.loyalty.domain.receipt import receipt_lines
from services.loyalty.feed import timestamp
from services.loyalty.quotes import Found, Identified, Quoted, Reply
from services.loyalty.writer import Answer, Cause

REMEDIES = {
    Cause.OVERLOADED: "too much is under way; repeat later under the same id",
    Cause.UNAVAILABLE: "a fault kept this from being decided; ask for its status, or abandon it",
    Cause.EXPIRED: "its time was over before its turn; repeat under the same id, or abandon it",
    Cause.ANSWER_LOST: "it may be booked: ask for its status, repeat it, or abandon it",
}


def answer_to_wire(operation_id: str, answer: Answer) -> pb.Decision:
    """The answer of an operation that was to be booked."""
    if answer.cause is not None:
        return undecided(operation_id, answer.cause)
    assert answer.decision is not None
    message = pb.Decision(operation_id=operation_id)
    if answer.effective_at_us:
        message.effective_at.CopyFrom(timestamp(answer.effective_at_us))
    _fill(message, answer.decision, answer.original)
    return message


def reply_to_wire(operation_id: str, reply: Reply) -> pb.Decision:
    """The answer of a question."""
    if reply.cause is not None:
        return undecided(operation_id, reply.cause)
    message = pb.Decision(operation_id=operation_id, effective_at=timestamp(reply.effective_at_us))
    match reply.result:
        case Identified(member=member):
            message.identified.member.CopyFrom(_member(member))
        case Quoted():
            message.quoted.CopyFrom(_quoted(reply.result))
        case Found():
            message.status_found.CopyFrom(_found(reply.result))
        case Refused():
            message.refused.CopyFrom(_refused(reply.result))
        case None:
            raise AssertionError("a reply has a result or a cause")
        case _:
            assert_never(reply.result)
    return message


def refusal_to_wire(operation_id: str, refused: Refused) -> pb.Decision:
    """A refusal of form: no ledger was asked, so it has no time."""
    return pb.Decision(operation_id=operation_id, refused=_refused(refused))


def undecided(operation_id: str, cause: Cause) -> pb.Decision:
    return pb.Decision(
        operation_id=operation_id,
        undecided=pb.Undecided(cause=cause.value, remedy=REMEDIES[cause]),  # type: ignore[arg-type]
    )


def _fill(message: pb.Decision, decision: Decision, original: Answer | None) -> None:
    match decision:
        case Captured():
            message.captured.CopyFrom(_captured(decision))
        case Refused():
            message.refused.CopyFrom(_refused(decision))
        case Burnt():
            message.abandoned.abandoned = True
        case AlreadyDecided():
            assert original is not None
            message.abandoned.abandoned = False
            message.abandoned.decision.CopyFrom(answer_to_wire(decision.target_id, original))
        case Enrolled() | BlockedSet() | Expired():
            # of staff and of time: a till that names such an id learns only who it was about
            message.identified.member.CopyFrom(_member(decision.member))
        case _:
            assert_never(decision)


def _captured(decision: Captured) -> pb.Captured:
    return pb.Captured(
        member=_member(decision.member),
        points_earned=decision.points_earned,
        points_redeemed=decision.points_redeemed,
        points_redeemed_from_basket=decision.points_redeemed_from_basket,
        discount_minor=decision.discount_minor,
        line_discounts=[
            pb.LineDiscount(line_id=line_id, discount_minor=minor)
            for line_id, minor in decision.line_discounts
        ],
        vat_discounts=[
            pb.VatDiscount(
                vat_rate_key=share.vat_rate_key,
                discount_minor=share.discount_minor,
                gross_minor=share.gross_minor,
                gross_after_minor=share.gross_after_minor,
            )
            for share in decision.vat_discounts
        ],
        receipt_lines=receipt_lines(
            version=decision.receipt_version,
            language=decision.member.language,
            points_earned=decision.points_earned,
            points_redeemed=decision.points_redeemed,
            discount_minor=decision.discount_minor,
            points_after=decision.member.points,
            currency=decision.currency,
        ),
    )


def _quoted(result: Quoted) -> pb.Quoted:
    offer = result.quote
    return pb.Quoted(
        member=_member(result.member),
        points_earned=offer.points_earned,
        points_redeemable=offer.points_redeemable,
        discount_minor=offer.discount_minor,
        points_earned_at_maximum=offer.points_earned_at_maximum,
        limit=f"LIMIT_{offer.limit.name}",
        points_minimum=result.programme.redeem_minimum,
        points_step=result.programme.redeem_step,
    )


def _found(found: Found) -> pb.StatusFound:
    if found.abandoned:
        return pb.StatusFound(state=pb.StatusFound.STATE_ABANDONED)
    if found.answer is None:
        return pb.StatusFound(state=pb.StatusFound.STATE_UNKNOWN)
    return pb.StatusFound(
        state=pb.StatusFound.STATE_DECIDED,
        decision=answer_to_wire(found.operation_id, found.answer),
    )


def _refused(refused: Refused) -> pb.Refused:
    return pb.Refused(
        reason=f"REASON_{refused.reason.name}",
        field=refused.field,
        remedy=refused.remedy,
        points_maximum=refused.points_maximum,
    )


def _member(member: Summary) -> pb.MemberSummary:
    return pb.MemberSummary(
        member_id=member.member_id,
        member_version=member.version,
        points=member.points,
        available=member.available,
        language=member.language,
    )
