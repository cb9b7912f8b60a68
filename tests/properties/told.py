"""What the ledger says, in the model's words; and what an answer has to add up to in itself."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

from services.loyalty.domain.decision import (
    Adjusted,
    BlockedSet,
    Captured,
    Decision,
    Erased,
    Refused,
    Released,
    Reserved,
    Returned,
    Summary,
    Voided,
)
from services.loyalty.domain.member import Member
from services.loyalty.domain.programme import Clawback, Ends, Programme, Tier, TierPeriod
from services.loyalty.quotes import Identified, Quoted, Reply
from tests.loyalty.examples import a_programme
from tests.properties.modelled import Figures, No, Outcome
from tests.properties.reckoning import Rules


def programme_of(rules: Rules) -> Programme:
    """The rules as the service reads them."""
    plain = {each.name: getattr(rules, each.name) for each in fields(rules)}
    plain["expiry_ends"] = Ends(rules.expiry_ends)
    plain["clawback"] = Clawback(rules.clawback)
    plain["tier_period"] = TierPeriod(rules.tier_period)
    plain["tiers"] = tuple([Tier(*tier) for tier in rules.tiers])
    return a_programme(**plain)


def told(decision: Decision) -> Outcome:
    """The figures of a decision, or its refusal."""
    if isinstance(decision, Refused):
        return No(decision.reason.name, decision.points_maximum)
    figures = _figures(decision)
    member = getattr(decision, "member", None)
    return {"result": type(decision).__name__, **figures, **(_summary(member) if member else {})}


def _summary(member: Summary) -> Figures:
    return {
        "points": member.points,
        "available": member.available,
        "pending": member.pending,
        "tier": member.tier,
    }


def _figures(decision: Decision) -> Figures:
    match decision:
        case Captured():
            _adds_up(decision)
            return {
                "earned": decision.points_earned,
                "redeemed": decision.points_redeemed,
                "from_basket": decision.points_redeemed_from_basket,
                "waiting": decision.points_pending,
                "paid_back": decision.points_settled,
                "discount": decision.discount_minor,
                "discounts": dict(decision.line_discounts),
            }
        case Reserved():
            _adds_up(decision)
            return {
                "held": decision.points_held,
                "promised": decision.points_promised,
                "discount": decision.discount_minor,
                "discounts": dict(decision.line_discounts),
                "until": _time(decision.expires_at_us),
            }
        case Released():
            return {"held": decision.points_held}
        case Voided():
            return _taken_back(decision)
        case Returned():
            _refunds_add_up(decision)
            return {
                "refund": decision.refund_minor,
                "discount": decision.discount_minor,
                "complete": decision.complete,
                **_taken_back(decision),
            }
        case Adjusted():
            return {"by": decision.points}
        case BlockedSet():
            return {"blocked": decision.blocked}
        case Erased():
            return {"forfeited": decision.points_forfeited}
        case _:
            return {}


def _taken_back(decision: Voided | Returned) -> Figures:
    return {
        "restored": decision.points_restored,
        "taken_back": decision.points_taken_back,
        "owed": decision.points_owed,
        "let_go": decision.points_let_go,
    }


def _adds_up(decision: Captured | Reserved) -> None:
    assert sum(minor for _, minor in decision.line_discounts) == decision.discount_minor
    assert sum(vat.discount_minor for vat in decision.vat_discounts) == decision.discount_minor
    for vat in decision.vat_discounts:
        assert vat.gross_after_minor == vat.gross_minor - vat.discount_minor


def _refunds_add_up(decision: Returned) -> None:
    for refunds in (decision.line_refunds, decision.vat_refunds):
        assert sum(each.refund_minor for each in refunds) == decision.refund_minor
        assert sum(each.discount_minor for each in refunds) == decision.discount_minor
    for vat in decision.vat_refunds:
        low, high = sorted((0, vat.refund_minor))
        assert low <= vat.discount_minor <= high, f"more discount than refund: {vat}"


def told_question(reply: Reply) -> Outcome:
    """What `identify` and `quote` answer."""
    match reply.result:
        case Identified():
            return {"result": "Identified", **_summary(reply.result.member)}
        case Quoted():
            quote = reply.result.quote
            return {
                "result": "Quoted",
                "earned": quote.points_earned,
                "redeemable": quote.points_redeemable,
                "discount": quote.discount_minor,
                "earned_at_maximum": quote.points_earned_at_maximum,
                **_summary(reply.result.member),
            }
        case Refused():
            return No(reply.result.reason.name)
        case _:
            raise AssertionError(reply)


def standing_of(member: Member, *, counting_from: int) -> Figures:
    """Everything about a member but versions, languages and announcements."""
    standing = member.standing
    return {
        "status": member.status.value,
        "cards": list(member.cards),
        "points": member.points,
        "pending": member.pending,
        "owed": member.owed,
        "held": member.held,
        "available": member.available,
        "lots": {lot.expires_on: lot.points for lot in member.lots},
        "waiting": {(lot.activates_on, lot.expires_on): lot.points for lot in member.pending_lots},
        "holds": [
            (hold.reservation_id, hold.basket_id, hold.held, hold.promised,
             _time(hold.expires_at_us))
            for hold in member.reservations
        ],
        "tier": member.tier,
        "tier_until": standing.until,
        "qualifying": sum(n for month, n in standing.qualifying if month >= counting_from),
        "merged_into": member.merged_into,
    }  # fmt: skip


def _time(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
