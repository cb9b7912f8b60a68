"""Decisions, movements and states as the JSON that the journal keeps, and back.

The texts are hashed and answered from for ever: keys are only ever added, and what is read back
renders the same answer byte for byte.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, assert_never

import orjson

from services.loyalty.domain.decision import (
    AlreadyDecided,
    BlockedSet,
    Burnt,
    Captured,
    Decision,
    Enrolled,
    Entry,
    Expired,
    Refusal,
    Refused,
    Summary,
)
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import Member


def decision_json(decision: Decision) -> str:
    return orjson.dumps(_decision(decision)).decode()


def _decision(decision: Decision) -> Mapping[str, Any]:
    match decision:
        case Captured():
            return {
                "result": "captured",
                "member": _summary(decision.member),
                "points_earned": decision.points_earned,
                "points_redeemed": decision.points_redeemed,
                "points_redeemed_from_basket": decision.points_redeemed_from_basket,
                "discount_minor": decision.discount_minor,
                "line_discounts": decision.line_discounts,
                "vat_discounts": [
                    (v.vat_rate_key, v.discount_minor, v.gross_minor, v.gross_after_minor)
                    for v in decision.vat_discounts
                ],
                "currency": decision.currency,
                "receipt_version": decision.receipt_version,
            }
        case Refused():
            return {
                "result": "refused",
                "reason": decision.reason.value,
                "field": decision.field,
                "remedy": decision.remedy,
                "points_maximum": decision.points_maximum,
            }
        case Enrolled():
            return {"result": "enrolled", "member": _summary(decision.member)}
        case Expired():
            return {
                "result": "expired",
                "member": _summary(decision.member),
                "points_expired": decision.points_expired,
            }
        case BlockedSet():
            return {
                "result": "blocked" if decision.blocked else "unblocked",
                "member": _summary(decision.member),
                "reason": decision.reason,
            }
        case Burnt():
            return {"result": "abandoned", "target_id": decision.target_id}
        case AlreadyDecided():
            return {"result": "already_decided", "target_id": decision.target_id}
        case _:
            assert_never(decision)


def decision_from_json(text: str) -> Decision:
    found = orjson.loads(text)
    match found["result"]:
        case "captured":
            return Captured(
                member=_summary_from(found["member"]),
                points_earned=found["points_earned"],
                points_redeemed=found["points_redeemed"],
                points_redeemed_from_basket=found["points_redeemed_from_basket"],
                discount_minor=found["discount_minor"],
                line_discounts=tuple((line, minor) for line, minor in found["line_discounts"]),
                vat_discounts=tuple(VatShare(*share) for share in found["vat_discounts"]),
                currency=found["currency"],
                receipt_version=found["receipt_version"],
            )
        case "refused":
            return Refused(
                Refusal(found["reason"]), found["field"], found["remedy"], found["points_maximum"]
            )
        case "enrolled":
            return Enrolled(_summary_from(found["member"]))
        case "expired":
            return Expired(_summary_from(found["member"]), found["points_expired"])
        case "blocked" | "unblocked":
            return BlockedSet(
                _summary_from(found["member"]), found["result"] == "blocked", found["reason"]
            )
        case "abandoned":
            return Burnt(found["target_id"])
        case "already_decided":
            return AlreadyDecided(found["target_id"])
        case unknown:
            raise ValueError(f"the journal holds a decision of the unknown kind {unknown!r}")


def _summary(member: Summary) -> list[Any]:
    return [member.member_id, member.version, member.points, member.available, member.language]


def _summary_from(found: list[Any]) -> Summary:
    return Summary(*found)


def movements_json(entry: Entry) -> str:
    """`transfers`: [from account, to account, points]; `lots`: [last day, points added or
    taken].
    """
    if not entry.transfers and not entry.lot_moves:
        return '{"transfers":[],"lots":[]}'
    return orjson.dumps(
        {
            "transfers": [(t.source.value, t.target.value, t.points) for t in entry.transfers],
            "lots": entry_lots(entry),
        }
    ).decode()


def entry_lots(entry: Entry) -> list[tuple[str, int]]:
    return [(move.expires_on.isoformat(), move.points) for move in entry.lot_moves]


def facts_json(facts: Mapping[str, object]) -> str:
    return orjson.dumps(facts).decode()


def after_json(member: Member | None) -> str:
    """The member's whole state after the row, so that an event can be built from this row alone."""
    return "{}" if member is None else orjson.dumps(after_of(member)).decode()


def after_of(member: Member) -> dict[str, Any]:
    """The keys of `after_json`; `expiring` is the lot that goes first: [last day, points]."""
    soonest = member.lots[0] if member.lots else None
    return {
        "points": member.points,
        "pending": member.pending,
        "receivable": member.receivable,
        "held": member.held,
        "status": member.status.value,
        "tier": member.tier,
        "language": member.language,
        "expiring": [soonest.expires_on.isoformat(), soonest.points] if soonest else None,
    }


def lots_json(lots: tuple[Lot, ...]) -> str:
    if not lots:
        return "[]"
    return orjson.dumps([(lot.expires_on.isoformat(), lot.points) for lot in lots]).decode()


def lots_from_json(text: str) -> tuple[Lot, ...]:
    if text == "[]":
        return ()
    return tuple(Lot(date.fromisoformat(day), points) for day, points in orjson.loads(text))


def cards_json(cards: tuple[str, ...]) -> str:
    return orjson.dumps(cards).decode()


def cards_from_json(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))
