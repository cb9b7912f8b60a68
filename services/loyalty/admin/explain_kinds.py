"""Journal entries that are no purchase, in plain words: reservations, returns, what staff order,
what time does.

Each function tells one kind; `entry` is the entry, the other words are its decision and its facts.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import flask_babel

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from services.loyalty.admin.language import day, gettext, money, points

Facts = Mapping[str, Any]
Story = Iterator[str]


def told_of_kind(entry: JournalEntry, decision: Facts, facts: Facts, *, currency: str) -> Story:
    """The story of an accepted entry; nothing for a kind that this page does not know."""
    if entry.kind in _OF_TILLS:
        yield from _OF_TILLS[entry.kind](decision, facts, currency)
    elif entry.kind in _OF_OTHERS:
        yield from _OF_OTHERS[entry.kind](entry, decision, facts)
    if decision.get("reason"):
        yield gettext("Reason given: “%(reason)s”.", reason=str(decision["reason"]))
    for key in ("target_id", "main_id"):
        if decision.get(key):
            yield gettext("The operation: %(id)s.", id=str(decision[key]))


# --- at the till ----------------------------------------------------------------------------


def asked_for(asked: object) -> str:
    if isinstance(asked, int):
        return gettext("The till asked to redeem %(points)s points.", points=points(asked))
    return gettext("The till asked to redeem as many points as possible.")


def _reserved(decision: Facts, facts: Facts, currency: str) -> Story:
    held, promised = _number(decision, "points_held"), _number(decision, "points_promised")
    total = money(_number(facts, "total_minor"), currency)
    yield gettext("The basket came to %(total)s.", total=total)
    yield asked_for(facts.get("redeem_asked"))
    yield gettext(
        "%(points)s points were set aside until %(until)s: no other till can spend them.",
        points=points(held),
        until=_time(_number(decision, "expires_at_us")),
    )
    if promised:
        yield gettext(
            "%(points)s more are still to be earned by this very basket.", points=points(promised)
        )
    yield gettext(
        "Together they will pay %(paid)s.",
        paid=money(_number(decision, "discount_minor"), currency),
    )


def _released(decision: Facts, _: Facts, __: str) -> Story:
    yield gettext(
        "The till gave the reservation up. %(points)s points are available again.",
        points=points(_number(decision, "points_held")),
    )


def _timed_out(decision: Facts, _: Facts, __: str) -> Story:
    yield gettext(
        "Nobody paid in time, so the reservation ended by itself. %(points)s points are available "
        "again.",
        points=points(_number(decision, "points_held")),
    )


def _voided(decision: Facts, _: Facts, __: str) -> Story:
    yield gettext("The receipt was taken back as a whole.")
    yield from _taken_back(decision)


def _returned(decision: Facts, _: Facts, currency: str) -> Story:
    refund, discount = _number(decision, "refund_minor"), _number(decision, "discount_minor")
    yield gettext("Goods worth %(total)s came back.", total=money(refund, currency))
    if discount:
        yield gettext(
            "%(paid)s of that had been paid with points and goes back as points, %(rest)s is paid "
            "out.",
            paid=money(discount, currency),
            rest=money(refund - discount, currency),
        )
    else:
        yield gettext("All of that is paid out: no points had paid for it.")
    yield from _taken_back(decision)
    if decision.get("complete"):
        yield gettext("Nothing of the receipt is left to return.")


def _taken_back(decision: Facts) -> Story:
    restored, taken = _number(decision, "points_restored"), _number(decision, "points_taken_back")
    owed, let_go = _number(decision, "points_owed"), _number(decision, "points_let_go")
    if restored:
        yield gettext(
            "%(points)s redeemed points went back to the member, with the last day that they had.",
            points=points(restored),
        )
    if taken:
        yield gettext(
            "%(points)s points that the receipt had earned were taken back.", points=points(taken)
        )
    if owed:
        yield gettext(
            "%(points)s more were spent already: the member owes them, and the next points earned "
            "pay them.",
            points=points(owed),
        )
    if let_go:
        yield gettext(
            "%(points)s more were spent already and were let go, as the programme has it.",
            points=points(let_go),
        )


_OF_TILLS: Mapping[str, Callable[[Facts, Facts, str], Story]] = {
    "reserve": _reserved,
    "release": _released,
    "timeout": _timed_out,
    "void": _voided,
    "return": _returned,
}


# --- by staff and by time -------------------------------------------------------------------


def _enrolled(entry: JournalEntry, _: Facts, __: Facts) -> Story:
    yield gettext("The member joined the programme.")
    if entry.state.points:
        yield gettext(
            "They brought %(points)s points along from another programme.",
            points=points(entry.state.points),
        )


def _adjusted(entry: JournalEntry, decision: Facts, _: Facts) -> Story:
    count, code = _number(decision, "points"), str(decision.get("reason_code", ""))
    if count > 0:
        yield gettext(
            "%(points)s points were given by hand (%(code)s).", points=points(count), code=code
        )
    else:
        yield gettext(
            "%(points)s points were taken away by hand (%(code)s).",
            points=points(-count),
            code=code,
        )
    if ", approved by " in entry.actor:
        asked, _sep, approved = entry.actor.partition(", approved by ")
        yield gettext(
            "%(asked)s asked for it, and %(approved)s approved.", asked=asked, approved=approved
        )


def _merged_with(_: JournalEntry, __: Facts, ___: Facts) -> Story:
    yield gettext(
        "Another member went on into this one: their points, cards and reservations are here now."
    )


def _went_on(_: JournalEntry, __: Facts, ___: Facts) -> Story:
    yield gettext(
        "This member went on into another one, with all points, cards and reservations. Old cards "
        "and receipts lead there."
    )


def _cards(_: JournalEntry, __: Facts, facts: Facts) -> Story:
    if "lost_card" in facts:
        yield gettext("A card is lost: no till accepts it any more.")
    if "card" in facts:
        yield gettext("A new card was handed out.")


def _erased(_: JournalEntry, decision: Facts, __: Facts) -> Story:
    yield gettext(
        "The person was erased: %(points)s points were forfeited, and no card leads to this member "
        "any more.",
        points=points(_number(decision, "points_forfeited")),
    )


def _activated(_: JournalEntry, decision: Facts, facts: Facts) -> Story:
    yield gettext(
        "%(points)s points had waited since they were earned. From %(day)s on they can be "
        "redeemed.",
        points=points(_number(decision, "points_activated")),
        day=day(str(facts.get("activates_on", ""))),
    )


def _expired(_: JournalEntry, decision: Facts, facts: Facts) -> Story:
    yield gettext(
        "%(points)s points could be redeemed until %(day)s. Nobody did, so they expired.",
        points=points(_number(decision, "points_expired")),
        day=day(str(facts.get("expires_on", ""))),
    )


def _announced(_: JournalEntry, decision: Facts, __: Facts) -> Story:
    yield gettext(
        "%(points)s points can be redeemed until %(day)s only. The member is told %(days)s days "
        "ahead.",
        points=points(_number(decision, "points")),
        day=day(str(decision.get("expires_on", ""))),
        days=points(_number(decision, "days_ahead")),
    )


def _tier_moved(entry: JournalEntry, decision: Facts, facts: Facts) -> Story:
    yield gettext(
        "The tier %(before)s lasted until %(day)s. With %(points)s qualifying points the tier is "
        "%(after)s now.",
        before=str(decision.get("tier_before", "")),
        day=day(str(facts.get("until", ""))),
        points=points(_number(facts, "qualifying_points")),
        after=entry.state.tier,
    )


def _leg(_: JournalEntry, __: Facts, ___: Facts) -> Story:
    yield gettext(
        "The other half of an operation that touched two buckets of the ledger: each keeps its own "
        "balance."
    )


def _blocked(_: JournalEntry, __: Facts, ___: Facts) -> Story:
    yield gettext("Blocked: the member's cards are turned away at every till.")


def _unblocked(_: JournalEntry, __: Facts, ___: Facts) -> Story:
    yield gettext("No longer blocked: the member's cards are accepted again.")


def _abandoned(_: JournalEntry, decision: Facts, __: Facts) -> Story:
    if decision.get("result") == "already_decided":
        yield gettext("A till gave up an operation that had been decided: that decision stands.")
    else:
        yield gettext(
            "A till gave up an operation: nothing was booked under it, and nothing ever will."
        )


_OF_OTHERS: Mapping[str, Callable[[JournalEntry, Facts, Facts], Story]] = {
    "enrol": _enrolled,
    "adjust": _adjusted,
    "merge": _merged_with,
    "merged": _went_on,
    "cards": _cards,
    "block": _blocked,
    "unblock": _unblocked,
    "erase": _erased,
    "activate": _activated,
    "expire": _expired,
    "announce": _announced,
    "tier": _tier_moved,
    "leg": _leg,
    "abandon": _abandoned,
}


# --- refusals -------------------------------------------------------------------------------


def refused(entry: JournalEntry, decision: Facts, facts: Facts) -> Story:
    reason = str(decision.get("reason", ""))
    if reason == "exceeds_available":
        yield from _exceeds_available(entry, decision, facts)
    else:
        yield _why(reason)
        yield gettext("So it was refused, and nothing was booked.")
    if decision.get("remedy"):
        yield gettext("What was answered: “%(remedy)s”.", remedy=str(decision["remedy"]))


def _exceeds_available(entry: JournalEntry, decision: Facts, facts: Facts) -> Story:
    before = points(_number(facts, "available_before"))
    if entry.kind == "adjust":
        yield gettext(
            "More was to be taken away than the %(before)s points that were available. So it was "
            "refused, and nothing was booked.",
            before=before,
        )
        return
    yield asked_for(facts.get("redeem_asked"))
    yield gettext(
        "Only %(before)s were available before, and with those of this basket at most "
        "%(most)s could be redeemed. So it was refused, and nothing was booked.",
        before=before,
        most=points(_number(decision, "points_maximum")),
    )


def _why(reason: str) -> str:
    known = {
        "reservation_ended": gettext("The reservation had ended before."),
        "receipt_voided": gettext("The receipt had been voided before."),
        "receipt_returned": gettext(
            "Something of the receipt had come back before, so it could not be voided any more."
        ),
        "void_too_late": gettext("The programme's time for voiding the receipt was over."),
        "exceeds_returnable": gettext("More was to come back than was left of a line."),
        "receipt_too_old": gettext("The line items of so old a receipt are no longer kept."),
        "member_erased": gettext("The person behind this member was erased."),
    }
    return known.get(reason) or gettext("The reason: %(reason)s.", reason=reason)


def _number(found: Facts, name: str) -> int:
    return int(found.get(name) or 0)


def _time(at_us: int) -> str:
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return str(flask_babel.format_datetime(at, "medium"))
