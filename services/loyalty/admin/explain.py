"""A journal entry in plain words: why so many points were earned, redeemed, or not.

Everything told here is in the entry itself, as it was decided upon: nothing is worked out anew
with today's rules. Keys this page does not know are listed as they stand.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.loyalty.v1.journal_pb2 import GetEntryResponse
from services.loyalty.admin.basket import lines_of, vat_of
from services.loyalty.admin.explain_kinds import asked_for, refused, told_of_kind
from services.loyalty.admin.language import gettext, money, points

WEIGHT_PER_MINOR = 100  # facts.rated_weight is minor units times percent

_TOLD_IN_WORDS = {
    "total_minor",
    "rated_weight",
    "available_before",
    "redeem_asked",
    "share_cap_points",
    "programme_version",
    "reason",
    "expires_on",
    "card",
    "tier",
    "business_date",
    "receipt_number",
    "target_id",
    "receipt",
    "merged_id",
    "merged_into",
    "lost_card",
    "reason_code",
    "activates_on",
    "until",
}
_TOLD_OF_DECISION = {
    "result",
    "member",
    "points_earned",
    "points_redeemed",
    "points_redeemed_from_basket",
    "points_expired",
    "discount_minor",
    "line_discounts",
    "vat_discounts",
    "currency",
    "receipt_version",
    "reason",
    "remedy",
    "field",
    "points_maximum",
    "target_id",
    "main_id",
    "merged_id",
    "points",
    "reason_code",
    "points_held",
    "points_promised",
    "points_pending",
    "points_settled",
    "points_activated",
    "points_forfeited",
    "points_restored",
    "points_taken_back",
    "points_owed",
    "points_let_go",
    "refund_minor",
    "line_refunds",
    "vat_refunds",
    "complete",
    "expires_at_us",
    "expires_on",
    "days_ahead",
    "tier_before",
}
# Kinds besides a purchase after which it is told what the member has.
_MOVE_POINTS = {"expire", "void", "return", "adjust", "merge", "activate", "reserve", "release"}
_MOVE_POINTS |= {"timeout"}


def explained(answer: GetEntryResponse, *, currency: str) -> dict[str, Any]:
    """What the template of an entry shows beside the entry itself."""
    decision = _object(answer.decision_json)
    facts = _object(answer.facts_json)
    movements = _object(answer.movements_json)
    basket = json.loads(answer.basket_json) if answer.basket_json else []
    return {
        "sentences": list(
            sentences(
                answer.entry,
                decision=decision,
                facts=facts,
                programme=_object(answer.programme_json),
                currency=currency,
            )
        ),
        "transfers": movements.get("transfers", []),
        "lots": movements.get("lots", []),
        "waiting": movements.get("pending", []),
        "lines": lines_of(basket, decision),
        "vat": vat_of(basket, decision),
        "line_refunds": decision.get("line_refunds", []),
        "vat_refunds": decision.get("vat_refunds", []),
        "discount_minor": decision.get("discount_minor", 0),
        "total_minor": facts.get("total_minor") if answer.entry.kind == "capture" else None,
        "receipt": facts.get("receipt"),
        "other_member": facts.get("merged_id") or facts.get("merged_into"),
        "other_facts": {
            **{k: v for k, v in facts.items() if k not in _TOLD_IN_WORDS and v != ""},
            **{k: v for k, v in decision.items() if k not in _TOLD_OF_DECISION and v != ""},
        },
        "decision": decision,
        "facts": facts,
    }


def sentences(
    entry: JournalEntry,
    *,
    decision: Mapping[str, Any],
    facts: Mapping[str, Any],
    programme: Mapping[str, Any],
    currency: str,
) -> Iterator[str]:
    """The story of the entry, in the order in which it was decided. `currency` is that of today's
    programme, for entries that name no version.
    """
    if decision.get("result") == "refused":
        yield from refused(entry, decision, facts)
    elif entry.kind == "capture":
        yield from _earned(decision, facts)
        yield _rate(decision, facts, programme)
        yield from _settled_and_waiting(decision)
        yield from _redeemed(decision, facts)
        yield from _afterwards(entry)
    else:
        yield from told_of_kind(
            entry, decision, facts, currency=str(programme.get("currency", currency))
        )
        if entry.kind in _MOVE_POINTS:
            yield from _afterwards(entry)


def _earned(decision: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    currency = str(decision.get("currency", ""))
    total_minor = int(facts.get("total_minor", 0))
    yield gettext("The basket came to %(total)s.", total=money(total_minor, currency))
    weight = facts.get("rated_weight")
    if weight is not None:
        yield _rated(int(weight), total_minor, currency)
    paid_minor = int(decision.get("discount_minor", 0))
    if paid_minor:
        yield gettext(
            "Points paid %(paid)s of it, %(rest)s were left to pay.",
            paid=money(paid_minor, currency),
            rest=money(total_minor - paid_minor, currency),
        )


def _rate(
    decision: Mapping[str, Any], facts: Mapping[str, Any], programme: Mapping[str, Any]
) -> str:
    """What was earned, by which rule of the programme of then."""
    earned = points(int(decision.get("points_earned", 0)))
    version = facts.get("programme_version", "?")
    earn = programme.get("earn", {})
    if "minor_per_point" not in earn:
        return gettext(
            "By version %(version)s of the programme this earned %(points)s points, rounded down "
            "once for the whole basket.",
            version=version,
            points=earned,
        )
    rate = money(earn["minor_per_point"], str(decision.get("currency", "")))
    if earn.get("rated") == "net_of_points":
        return gettext(
            "Version %(version)s of the programme gives a point for every %(rate)s that is not "
            "paid with points: %(points)s points, rounded down once for the whole basket.",
            version=version,
            rate=rate,
            points=earned,
        )
    return gettext(
        "Version %(version)s of the programme gives a point for every %(rate)s: %(points)s points, "
        "rounded down once for the whole basket.",
        version=version,
        rate=rate,
        points=earned,
    )


def _settled_and_waiting(decision: Mapping[str, Any]) -> Iterator[str]:
    settled, waiting = decision.get("points_settled"), decision.get("points_pending")
    if settled:
        yield gettext(
            "%(points)s of them paid back what the member owed after a return.",
            points=points(int(settled)),
        )
    if waiting:
        yield gettext(
            "%(points)s of them can be redeemed only later, as the programme has it.",
            points=points(int(waiting)),
        )


def _rated(weight: int, total_minor: int, currency: str) -> str:
    if weight == total_minor * WEIGHT_PER_MINOR:
        return gettext("All of it counts for points.")
    if weight <= 0:
        return gettext("None of it counts for points: the programme leaves these articles out.")
    return gettext(
        "For points it counts like %(rated)s: some categories count more than once, some not at "
        "all.",
        rated=money(weight // WEIGHT_PER_MINOR, currency),
    )


def _redeemed(decision: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    asked = facts.get("redeem_asked")
    if asked is None:
        yield gettext("The till did not ask to redeem points.")
        return
    redeemed = int(decision.get("points_redeemed", 0))
    yield asked_for(asked)
    yield gettext(
        "%(before)s points were available before, and %(earned)s came from this basket.",
        before=points(int(facts.get("available_before", 0))),
        earned=points(int(decision.get("points_earned", 0))),
    )
    if not redeemed:
        yield gettext("That is less than the smallest redemption, so nothing was redeemed.")
        return
    yield gettext(
        "%(points)s points were redeemed; they paid %(paid)s.",
        points=points(redeemed),
        paid=money(int(decision.get("discount_minor", 0)), str(decision.get("currency", ""))),
    )
    from_basket = int(decision.get("points_redeemed_from_basket", 0))
    if from_basket:
        yield gettext(
            "%(points)s of them were earned by this very basket.", points=points(from_basket)
        )
    yield from _limit(asked, redeemed, facts.get("share_cap_points"))


def _limit(asked: object, redeemed: int, share_cap: object) -> Iterator[str]:
    """Why not more: only where the till had asked for the most."""
    if isinstance(asked, int):
        return
    if isinstance(share_cap, int) and redeemed >= share_cap:
        yield gettext(
            "More was not possible: of this basket points may pay at most %(paid)s points' worth.",
            paid=points(share_cap),
        )
    else:
        yield gettext("More was not possible: all points that were there are used.")


def _afterwards(entry: JournalEntry) -> Iterator[str]:
    yield gettext(
        "Afterwards the member had %(points)s points, %(available)s of them available.",
        points=points(entry.state.points),
        available=points(entry.state.available),
    )


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
