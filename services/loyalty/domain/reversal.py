"""Taking back a captured receipt: whole and at once (void), or by line and quantity (return).

Decided from what was recorded; the rules of today say only how late a void may come, what becomes
of points that are not there any more, and how long a point lives whose lot has expired meanwhile.
A blocked member's receipt can be voided and returned like any other.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from services.loyalty.domain.allocation import Allocation, allocate
from services.loyalty.domain.clawback import Booking, Claim, book
from services.loyalty.domain.command import ReturnItems, VoidReceipt
from services.loyalty.domain.decision import (
    JOURNALLED,
    Entry,
    Kind,
    LegBooked,
    Refusal,
    Refused,
    Returned,
    Voided,
    entry_without_points,
    summary,
)
from services.loyalty.domain.due import derived_id
from services.loyalty.domain.life import LIFE, Event, State, may
from services.loyalty.domain.member import Member, Status
from services.loyalty.domain.original import Original, Reversal
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.returnable import coming_back, receipt_voided
from services.loyalty.domain.value import value

HOUR_US = 3_600_000_000
# A till names its own business date, and its clock is never the truth: whatever it says, a
# business day ends so many hours of loyalty's clock after the capture.
BUSINESS_DAY_HOURS_MAX = 36


@value
class Reversing:
    """The row of the member, that of the receipt's bucket if it is another and anything moved, and
    what is stored of the receipt after it.
    """

    entry: Entry
    leg: Entry | None
    reversal: Reversal


def void(
    member: Member,
    command: VoidReceipt,
    original: Original,
    so_far: Reversal,
    *,
    bucket: int,
    programme: Programme,
    today: date,
    now_us: int,
) -> Reversing | Entry:
    """The whole receipt taken back; an entry alone is a refusal.

    `member` has the receipt's points now (after a merge, not who had them then), lives in `bucket`
    and is settled as of `now_us`, on `today` in the programme's time zone.
    """
    refused = _void_refusal(command, original, so_far, programme=programme, now_us=now_us)
    refused = refused or _erased(member, "void_receipt")
    if refused is not None:
        facts = {**_till_facts(command), "captured_at_us": original.effective_at_us}
        return _refusal_entry(member, command, Kind.VOID, refused, original, facts)
    captured = original.captured
    claim = Claim(
        points_restored=captured.points_redeemed,
        points_taken_back=captured.points_earned,
        qualifying_points=original.qualifying_points,
    )
    booking = book(member, original, so_far, claim, bucket=bucket, programme=programme, today=today)
    decision = Voided(
        member=summary(booking.after),
        points_restored=claim.points_restored,
        points_taken_back=booking.taken_back,
        points_owed=booking.owed,
        points_let_go=booking.let_go,
    )
    reversal = replace(
        _with_claim(so_far, claim, booking), voided=True, discount_minor=captured.discount_minor
    )
    assert LIFE[so_far.state, Event.VOID] is reversal.state, "a void that the life does not know"
    return _reversing(command, Kind.VOID, decision, original, reversal, booking, programme)


def give_back(
    member: Member,
    command: ReturnItems,
    original: Original,
    so_far: Reversal,
    *,
    bucket: int,
    programme: Programme,
    today: date,
) -> Reversing | Entry | Refused:
    """Lines of the receipt taken back, as often as something is left; an entry alone is a refusal
    for ever, a refusal alone is one of form. Arguments as for `void`.
    """
    pieces = coming_back(command, original, so_far)
    if isinstance(pieces, Refused):
        return _refused_return(member, command, pieces, original)
    erased = _erased(member, "return_items")
    if erased is not None:
        return _refused_return(member, command, erased, original)
    allocation = allocate(original, so_far, pieces)
    claim = Claim(
        points_restored=allocation.points_restored,
        points_taken_back=allocation.points_taken_back,
        qualifying_points=allocation.qualifying_points,
    )
    booking = book(member, original, so_far, claim, bucket=bucket, programme=programme, today=today)
    reversal = replace(
        _with_claim(so_far, claim, booking),
        complete=allocation.complete,
        lines=allocation.lines,
        discount_minor=so_far.discount_minor + allocation.discount_minor,
    )
    event = Event.RETURN_THE_REST if reversal.complete else Event.RETURN
    assert LIFE[so_far.state, event] is reversal.state, "a return that the life does not know"
    decision = _returned(allocation, booking)
    return _reversing(command, Kind.RETURN, decision, original, reversal, booking, programme)


def _refused_return(
    member: Member, command: ReturnItems, refused: Refused, original: Original
) -> Entry | Refused:
    if refused.reason not in JOURNALLED:
        return refused
    facts = {**_till_facts(command), "lines": command.lines}
    return _refusal_entry(member, command, Kind.RETURN, refused, original, facts)


def _returned(allocation: Allocation, booking: Booking) -> Returned:
    return Returned(
        member=summary(booking.after),
        refund_minor=allocation.refund_minor,
        discount_minor=allocation.discount_minor,
        line_refunds=allocation.line_refunds,
        vat_refunds=allocation.vat_refunds,
        points_restored=allocation.points_restored,
        points_taken_back=booking.taken_back,
        points_owed=booking.owed,
        points_let_go=booking.let_go,
        complete=allocation.complete,
    )


def _with_claim(so_far: Reversal, claim: Claim, booking: Booking) -> Reversal:
    return replace(
        so_far,
        points_restored=so_far.points_restored + claim.points_restored,
        points_taken_back=so_far.points_taken_back + claim.points_taken_back,
        points_from_pending=so_far.points_from_pending + booking.from_pending,
        points_netted=so_far.points_netted + booking.netted,
        qualifying_points=so_far.qualifying_points + claim.qualifying_points,
    )


# --- why not --------------------------------------------------------------------------------


def _void_refusal(
    command: VoidReceipt,
    original: Original,
    so_far: Reversal,
    *,
    programme: Programme,
    now_us: int,
) -> Refused | None:
    if so_far.state is State.VOIDED:
        return receipt_voided("void_receipt.receipt")
    if not may(so_far.state, Event.VOID):
        return Refused(
            Refusal.RECEIPT_RETURNED,
            "void_receipt.receipt",
            "something on this receipt came back before; return the rest instead",
        )
    if _is_too_late(command, original, programme=programme, now_us=now_us):
        return Refused(
            Refusal.VOID_TOO_LATE,
            "void_receipt.business_date",
            "the time for voiding this receipt is over; return its goods instead",
        )
    return None


def _is_too_late(
    command: VoidReceipt, original: Original, *, programme: Programme, now_us: int
) -> bool:
    """Past the programme's cut-off, by loyalty's clock; without one, past the business day."""
    passed_us = now_us - original.effective_at_us
    if programme.void_hours is not None:
        return passed_us > programme.void_hours * HOUR_US
    same_day = command.business_date == original.business_date
    return not same_day or passed_us > BUSINESS_DAY_HOURS_MAX * HOUR_US


def _erased(member: Member, path: str) -> Refused | None:
    assert member.status is not Status.MERGED, "a merged member has no points any more"
    if member.status is not Status.ERASED:
        return None
    return Refused(
        Refusal.MEMBER_ERASED,
        f"{path}.receipt",
        "the member was erased; refund what was paid in money, without points",
    )


# --- rows -----------------------------------------------------------------------------------


def _reversing(
    command: VoidReceipt | ReturnItems,
    kind: Kind,
    decision: Voided | Returned,
    original: Original,
    reversal: Reversal,
    booking: Booking,
    programme: Programme,
) -> Reversing:
    facts: dict[str, object] = {
        **_receipt_facts(original),
        **_till_facts(command),
        "programme_version": programme.version,
        "clawback": programme.clawback.value,
        "points_earned": original.captured.points_earned,
        "points_redeemed": original.captured.points_redeemed,
        "points_restored_so_far": reversal.points_restored,
        "points_taken_back_so_far": reversal.points_taken_back,
        "discount_so_far_minor": reversal.discount_minor,
        "qualifying_so_far": reversal.qualifying_points,
    }
    entry = Entry(
        operation_id=command.operation_id,
        kind=kind,
        accepted=True,
        decision=decision,
        transfers=booking.transfers,
        lot_moves=booking.lot_moves,
        facts=facts,
        member=booking.after,
        pending_moves=booking.pending_moves,
    )
    return Reversing(entry, _leg(command, original, booking), reversal)


def _leg(command: VoidReceipt | ReturnItems, original: Original, booking: Booking) -> Entry | None:
    """The row in the receipt's bucket, where the accounts are that the receipt had moved."""
    if not booking.leg:
        return None
    return Entry(
        operation_id=derived_id(command.operation_id, "leg"),
        kind=Kind.LEG,
        accepted=True,
        decision=LegBooked(main_id=command.operation_id),
        transfers=booking.leg,
        lot_moves=(),
        facts={**_receipt_facts(original), "member_id": booking.after.member_id},
        member=None,
    )


def _refusal_entry(
    member: Member,
    command: VoidReceipt | ReturnItems,
    kind: Kind,
    refused: Refused,
    original: Original,
    facts: Mapping[str, object],
) -> Entry:
    facts = {**_receipt_facts(original), **facts}
    return entry_without_points(command.operation_id, kind, refused, facts=facts, member=member)


def _receipt_facts(original: Original) -> dict[str, object]:
    return {
        "receipt": [original.bucket, original.sequence],
        "capture_id": original.operation_id,
    }


def _till_facts(command: VoidReceipt | ReturnItems) -> dict[str, object]:
    facts: dict[str, object] = {
        "business_date": command.business_date,
        "cashier": command.cashier,
    }
    if isinstance(command, ReturnItems):
        facts["receipt_number"] = command.receipt_number
    return facts
