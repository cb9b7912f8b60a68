"""Decisions, movements and states as the JSON that the journal keeps, and back.

The texts are hashed and answered from for ever: keys are only ever added, and what is read back
renders the same answer byte for byte.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, assert_never

import orjson

from services.loyalty.domain.days import day_from_text, day_text
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
    Entry,
    Erased,
    Expired,
    LegBooked,
    LineRefund,
    Merged,
    OfMember,
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
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import (
    NO_STANDING,
    Member,
    PendingLot,
    Reservation,
    Standing,
)
from services.loyalty.domain.value import value


def decision_json(decision: Decision) -> str:
    return orjson.dumps(_decision(decision)).decode()


def _decision(decision: Decision) -> Mapping[str, Any]:
    match decision:
        case Captured():
            return _captured(decision)
        case Refused():
            return {
                "result": "refused",
                "reason": decision.reason.value,
                "field": decision.field,
                "remedy": decision.remedy,
                "points_maximum": decision.points_maximum,
            }
        case Burnt():
            return {"result": "abandoned", "target_id": decision.target_id}
        case AlreadyDecided():
            return {"result": "already_decided", "target_id": decision.target_id}
        case LegBooked():
            return {"result": "leg", "main_id": decision.main_id}
        case _:
            return {
                "result": _result_of(decision),
                "member": _summary(decision.member),
                **_figures_of(decision),
            }


def _captured(decision: Captured) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "result": "captured",
        "member": _summary(decision.member),
        "points_earned": decision.points_earned,
        "points_redeemed": decision.points_redeemed,
        "points_redeemed_from_basket": decision.points_redeemed_from_basket,
        "discount_minor": decision.discount_minor,
        "line_discounts": decision.line_discounts,
        "vat_discounts": _vat_shares(decision.vat_discounts),
        "currency": decision.currency,
        "receipt_version": decision.receipt_version,
    }
    if decision.points_pending:
        found["points_pending"] = decision.points_pending
    if decision.points_settled:
        found["points_settled"] = decision.points_settled
    return found


_RESULTS: Mapping[type[OfMember], str] = {
    Reserved: "reserved",
    Voided: "voided",
    Returned: "returned",
    Enrolled: "enrolled",
    Adjusted: "adjusted",
    Merged: "merged",
    CardsChanged: "cards_changed",
    Erased: "erased",
    Settled: "settled",
    Activated: "activated",
    Expired: "expired",
    Announced: "announced",
    TierMoved: "tier_moved",
}


def _result_of(decision: OfMember) -> str:
    if isinstance(decision, Released):
        return "timed_out" if decision.timed_out else "released"
    if isinstance(decision, BlockedSet):
        return "blocked" if decision.blocked else "unblocked"
    return _RESULTS[type(decision)]


def _figures_of(decision: OfMember) -> Mapping[str, Any]:
    """Everything but the member."""
    match decision:
        case Reserved():
            return {
                "points_held": decision.points_held,
                "points_promised": decision.points_promised,
                "discount_minor": decision.discount_minor,
                "line_discounts": decision.line_discounts,
                "vat_discounts": _vat_shares(decision.vat_discounts),
                "expires_at_us": decision.expires_at_us,
            }
        case Released():
            return {
                "reservation_id": decision.reservation_id,
                "points_held": decision.points_held,
            }
        case Voided():
            return _taken_back(decision)
        case Returned():
            return {
                "refund_minor": decision.refund_minor,
                "discount_minor": decision.discount_minor,
                "line_refunds": [
                    (r.line_id, r.quantity_milli, r.refund_minor, r.discount_minor)
                    for r in decision.line_refunds
                ],
                "vat_refunds": [
                    (r.vat_rate_key, r.refund_minor, r.discount_minor) for r in decision.vat_refunds
                ],
                **_taken_back(decision),
                "complete": decision.complete,
            }
        case Adjusted():
            return {
                "points": decision.points,
                "reason_code": decision.reason_code,
                "reason": decision.reason,
            }
        case Merged():
            return {"merged_id": decision.merged_id, "reason": decision.reason}
        case CardsChanged() | BlockedSet():
            return {"reason": decision.reason}
        case Erased():
            return {"points_forfeited": decision.points_forfeited, "reason": decision.reason}
        case Activated():
            return {"points_activated": decision.points_activated}
        case Expired():
            return {"points_expired": decision.points_expired}
        case Announced():
            return {
                "points": decision.points,
                "expires_on": day_text(decision.expires_on),
                "days_ahead": decision.days_ahead,
            }
        case TierMoved():
            return {"tier_before": decision.tier_before}
        case Enrolled() | Settled():
            return {}
        case _:
            assert_never(decision)


def _taken_back(decision: Voided | Returned) -> Mapping[str, int]:
    return {
        "points_restored": decision.points_restored,
        "points_taken_back": decision.points_taken_back,
        "points_owed": decision.points_owed,
        "points_let_go": decision.points_let_go,
    }


def _vat_shares(shares: tuple[VatShare, ...]) -> list[tuple[str, int, int, int]]:
    return [
        (share.vat_rate_key, share.discount_minor, share.gross_minor, share.gross_after_minor)
        for share in shares
    ]


def decision_from_json(text: str) -> Decision:
    found = orjson.loads(text)
    result = found.pop("result")
    match result:
        case "refused":
            return Refused(
                Refusal(found["reason"]), found["field"], found["remedy"], found["points_maximum"]
            )
        case "abandoned":
            return Burnt(found["target_id"])
        case "already_decided":
            return AlreadyDecided(found["target_id"])
        case "leg":
            return LegBooked(found["main_id"])
    read = _READERS.get(result)
    if read is None:
        raise ValueError(f"the journal holds a decision of the unknown kind {result!r}")
    return read(Summary(*found.pop("member")), found)


def _discounts_from(found: dict[str, Any]) -> dict[str, Any]:
    return {
        **found,
        "line_discounts": tuple([(line, minor) for line, minor in found["line_discounts"]]),
        "vat_discounts": tuple([VatShare(*share) for share in found["vat_discounts"]]),
    }


def _returned_from(member: Summary, found: dict[str, Any]) -> Returned:
    lines = tuple([LineRefund(*refund) for refund in found.pop("line_refunds")])
    rates = tuple([VatRefund(*refund) for refund in found.pop("vat_refunds")])
    return Returned(member=member, line_refunds=lines, vat_refunds=rates, **found)


def _announced_from(member: Summary, found: dict[str, Any]) -> Announced:
    last_day = day_from_text(found["expires_on"])
    return Announced(member, found["points"], last_day, found["days_ahead"])


_READERS: Mapping[str, Callable[[Summary, dict[str, Any]], Decision]] = {
    "captured": lambda member, found: Captured(member=member, **_discounts_from(found)),
    "reserved": lambda member, found: Reserved(member=member, **_discounts_from(found)),
    "released": lambda member, found: Released(member=member, timed_out=False, **found),
    "timed_out": lambda member, found: Released(member=member, timed_out=True, **found),
    "voided": lambda member, found: Voided(member=member, **found),
    "returned": _returned_from,
    "enrolled": lambda member, _: Enrolled(member),
    "adjusted": lambda member, found: Adjusted(member=member, **found),
    "merged": lambda member, found: Merged(member=member, **found),
    "cards_changed": lambda member, found: CardsChanged(member=member, **found),
    "blocked": lambda member, found: BlockedSet(member=member, blocked=True, **found),
    "unblocked": lambda member, found: BlockedSet(member=member, blocked=False, **found),
    "erased": lambda member, found: Erased(member=member, **found),
    "settled": lambda member, _: Settled(member),
    "activated": lambda member, found: Activated(member=member, **found),
    "expired": lambda member, found: Expired(member=member, **found),
    "announced": _announced_from,
    "tier_moved": lambda member, found: TierMoved(member=member, **found),
}


def _summary(member: Summary) -> list[Any]:
    return [
        member.member_id,
        member.version,
        member.points,
        member.available,
        member.language,
        member.pending,
        member.tier,
    ]


def movements_json(entry: Entry) -> str:
    """`transfers`: [from account, to account, points]; `lots`: [last day, points added or
    taken]; where there are any, `pending`: [first day, last day, points], and `ended`: the
    reservations that the entry ends.
    """
    movements: dict[str, Any] = {  # `_value_`: as in store.py
        "transfers": [(t.source._value_, t.target._value_, t.points) for t in entry.transfers],
        "lots": entry_lots(entry),
    }
    if entry.pending_moves:
        movements["pending"] = _pending(entry.pending_moves)
    if entry.ended:
        movements["ended"] = entry.ended
    return orjson.dumps(movements).decode()


def entry_lots(entry: Entry) -> list[tuple[str, int]]:
    return [(day_text(move.expires_on), move.points) for move in entry.lot_moves]


def facts_json(facts: Mapping[str, object]) -> str:
    return orjson.dumps(facts).decode()


def after_json(member: Member | None) -> str:
    """The member's whole state after the row, so that an event can be built from this row alone."""
    return "{}" if member is None else orjson.dumps(after_of(member)).decode()


def after_of(member: Member) -> dict[str, Any]:
    """The keys of `after_json`; `expiring` is the lot that goes first: [last day, points]. `more`
    is there where the member has any of `more_of`.
    """
    soonest = member.lots[0] if member.lots else None
    after: dict[str, Any] = {
        "points": member.points,
        "pending": member.pending,
        "receivable": member.receivable,
        "held": member.held,
        "status": member.status._value_,  # as in store.py
        "tier": member.tier,
        "language": member.language,
        "expiring": [day_text(soonest.expires_on), soonest.points] if soonest else None,
        "due_at_us": member.due_at_us,
    }
    more = more_of(member)
    if more:
        after["more"] = more
    return after


def more_of(member: Member) -> dict[str, Any]:
    """What few members have, as the `more` of their row: each key only if there is something."""
    more: dict[str, Any] = {}
    if member.pending_lots:
        more["pending"] = _pending(member.pending_lots)
    if member.reservations:
        more["reservations"] = [tuple(reservation) for reservation in member.reservations]
    if member.standing.until is not None:
        more["tier_until"] = day_text(member.standing.until)
    if member.standing.qualifying:
        more["qualifying"] = member.standing.qualifying
    if member.announced:
        more["announced"] = [(days, day_text(day)) for days, day in member.announced]
    if member.merged_into:
        more["merged_into"] = member.merged_into
    return more


def _pending(lots: Iterable[tuple[date, date, int]]) -> list[tuple[str, str, int]]:
    return [(day_text(first), day_text(last), points) for first, last, points in lots]


def more_json(member: Member) -> str:
    more = more_of(member)
    return orjson.dumps(more).decode() if more else "{}"


@value
class More:
    """What few members have, as fields of `Member`."""

    pending_lots: tuple[PendingLot, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    standing: Standing = NO_STANDING
    announced: tuple[tuple[int, date], ...] = ()
    merged_into: str = ""


_NOTHING_MORE = More()


def more_from_json(text: str) -> More:
    """From `more_json`."""
    if text == "{}":
        return _NOTHING_MORE
    more: dict[str, Any] = orjson.loads(text)
    until, qualifying = more.get("tier_until"), more.get("qualifying", ())
    return More(
        tuple(
            [
                PendingLot(day_from_text(first), day_from_text(last), points)
                for first, last, points in more.get("pending", ())
            ]
        ),
        tuple([Reservation(*r) for r in more.get("reservations", ())]),
        Standing(
            day_from_text(until) if until else None,
            tuple([(month, points) for month, points in qualifying]),
        )
        if until or qualifying
        else NO_STANDING,
        tuple([(days, day_from_text(day)) for days, day in more.get("announced", ())]),
        more.get("merged_into", ""),
    )


def lots_json(lots: tuple[Lot, ...]) -> str:
    if not lots:
        return "[]"
    return orjson.dumps([(day_text(lot.expires_on), lot.points) for lot in lots]).decode()


def lots_from_json(text: str) -> tuple[Lot, ...]:
    if text == "[]":
        return ()
    return tuple([Lot(day_from_text(day), points) for day, points in orjson.loads(text)])


def cards_json(cards: tuple[str, ...]) -> str:
    return orjson.dumps(cards).decode()


def cards_from_json(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))
