"""The model's receipts on their way back: void, and return by line and quantity.

Decided from what was recorded; of the rules of today only those that say how late a void may come,
what becomes of points that are not there any more, and how long a point of an expired lot lives.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.properties import reckoning
from tests.properties.model import Model
from tests.properties.modelled import Figures, Member, No, Outcome, Receipt
from tests.properties.reckoning import Line, Rules


def void(model: Model, receipt: Receipt | None, business_date: str) -> Outcome:
    if receipt is None:
        return No("RECEIPT_UNKNOWN")
    member = model.follow(receipt.member_id)
    if receipt.voided:
        return No("RECEIPT_VOIDED")
    if receipt.back:
        return No("RECEIPT_RETURNED")
    other_day = model.rules.void_hours is None and business_date != receipt.business_date
    if other_day or model.now > void_until(model, receipt):
        return No("VOID_TOO_LATE")
    if member.status == "erased":
        return No("MEMBER_ERASED")
    figures = _take_back(
        model, member, receipt, receipt.redeemed, receipt.earned, receipt.qualifying
    )
    receipt.voided = True
    return {"result": "Voided", **figures, **member.figures()}


def void_until(model: Model, receipt: Receipt) -> datetime:
    """The last instant. Where the business date decides, a till's word for it is taken for one day
    and a half.
    """
    hours = model.rules.void_hours
    return receipt.at + timedelta(hours=36 if hours is None else hours)


def give_back(
    model: Model,
    receipt: Receipt | None,
    wanted: Sequence[tuple[str, int]],
    printed: tuple[str, str, str],
) -> Outcome:
    """`wanted` are thousandths by line, 0 for what is left of it; none: all that is left."""
    if receipt is None:
        return No("RECEIPT_UNKNOWN")
    lines = {line.line_id: line for line in receipt.lines}
    for line_id, quantity in wanted:
        if line_id not in lines or quantity * lines[line_id].quantity_milli < 0:
            return No("MALFORMED")
    if receipt.voided:
        return No("RECEIPT_VOIDED")
    if receipt.complete:
        return No("EXCEEDS_RETURNABLE")
    after = _after_return(receipt, wanted)
    if after is None:
        return No("EXCEEDS_RETURNABLE")
    refund = sum(gross for _, gross in after.values()) - _gross(receipt.back)
    if refund < 0:
        return No("MALFORMED")
    member = model.follow(receipt.member_id)
    if member.status == "erased":
        return No("MEMBER_ERASED")
    if printed in model.printed:
        return No("RECEIPT_REUSED")
    model.printed[printed] = ""
    discount = _discount_back(receipt, after)
    claims = _claims(receipt, after, model.rules)
    receipt.back, receipt.discount_back = after, receipt.discount_back + discount
    figures = _take_back(model, member, receipt, *claims)
    return {
        "result": "Returned",
        "refund": refund,
        "discount": discount,
        "complete": receipt.complete,
        **figures,
        **member.figures(),
    }


def _after_return(
    receipt: Receipt, wanted: Sequence[tuple[str, int]]
) -> dict[str, tuple[int, int]] | None:
    """Quantity and gross that are back by line with this return; None: more than is left."""
    after = dict(receipt.back)
    for line in receipt.lines:
        before, _ = receipt.back.get(line.line_id, (0, 0))
        over = line.line_id in receipt.back and before == line.quantity_milli
        left = line.quantity_milli - before
        quantity = dict(wanted).get(line.line_id, None if wanted or over else left)
        if quantity is None:
            continue
        if over or abs(quantity) > abs(left):
            return None
        whole = before + (quantity or left)
        gross = line.total_minor
        if whole != line.quantity_milli:
            gross = reckoning.part(line.total_minor, whole, line.quantity_milli)
        after[line.line_id] = (whole, gross)
    return after


def _take_back(
    model: Model, member: Member, receipt: Receipt, restored: int, claimed: int, counted: int
) -> Figures:
    """Redeemed points go back to where they came from, then earned ones are taken: first those
    that the receipt had earned and spent at once, then what of it still waits, then what is
    available; what is not there is owed, or let go.
    """
    policy = model.rules.clawback
    _restore(model, member, receipt, restored)
    spent_at_once = min(receipt.from_basket, receipt.restored) - receipt.netted
    netted = min(claimed, spent_at_once, member.available)
    own = receipt.waited - receipt.claimed_waiting
    waiting = min(claimed - netted, own, member.waiting[receipt.waits])
    member.waiting = +(member.waiting - Counter({receipt.waits: waiting}))
    rest = claimed - waiting
    taken = min(rest, netted if policy == "only_pending" else member.available)
    member.take(taken, sorted(member.lots, key=lambda day: (day != receipt.filled, day)))
    owed = rest - taken if policy == "unlimited" else 0
    member.owed += owed
    receipt.claimed += claimed
    receipt.claimed_waiting += waiting
    receipt.netted += netted
    receipt.qualifying_back += counted
    model.books["redeemed"] -= restored
    model.books["issued"] += waiting + taken + owed
    member.count(-counted, on=receipt.day, today=model.today, rules=model.rules)
    return {
        "restored": restored,
        "taken_back": waiting + taken,
        "owed": owed,
        "let_go": rest - taken - owed,
    }


def _restore(model: Model, member: Member, receipt: Receipt, points: int) -> None:
    """One point after the other, those that live longest first; where a lot's last day has
    passed, the days of grace begin.
    """
    latest_first = sorted(receipt.from_lots.elements(), reverse=True)
    for day in latest_first[receipt.restored : receipt.restored + points]:
        late = day < model.today
        into = model.today + timedelta(days=model.rules.return_grace_days) if late else day
        member.lots[into] += 1
    receipt.restored += points


def _gross(back: dict[str, tuple[int, int]]) -> int:
    return sum(gross for _, gross in back.values())


def _came_back(
    shares: Sequence[int], lines: Sequence[Line], back: dict[str, tuple[int, int]]
) -> int:
    """⌊recorded × returned gross ÷ gross⌋, cumulative a line, over all lines."""
    return sum(
        reckoning.part(share, back.get(line.line_id, (0, 0))[1], line.total_minor)
        for share, line in zip(shares, lines, strict=True)
    )


def _claims(
    receipt: Receipt, after: dict[str, tuple[int, int]], rules: Rules
) -> tuple[int, int, int]:
    """What a return asks for: points redeemed, earned, and counted towards a tier. Coupons that
    stay behind never make it more than was recorded, nor take back what had come back.
    """
    weights = [reckoning.weight(line, rules) for line in receipt.lines]
    hangs_on = (
        (receipt.redeemed, receipt.discounts, receipt.restored),
        (receipt.earned, weights, receipt.claimed),
        (receipt.qualifying, weights, receipt.qualifying_back),
    )
    claims = []
    for recorded, weighed, before in hangs_on:
        shares = reckoning.by_largest_remainder(recorded, weighed)
        came_back = _came_back(shares, receipt.lines, after)
        claims.append(max(before, min(recorded, came_back)) - before)
    return claims[0], claims[1], claims[2]


def _discount_back(receipt: Receipt, after: dict[str, tuple[int, int]]) -> int:
    """How much of the refund points had paid: never more than the refund, and never so little that
    more money came back than was paid.
    """
    recorded, before = sum(receipt.discounts), receipt.discount_back
    paid = reckoning.total(receipt.lines) - recorded
    refunded = _gross(after)
    least = max(before, min(recorded, refunded - paid))
    most = min(recorded, before + refunded - _gross(receipt.back))
    came_back = _came_back(receipt.discounts, receipt.lines, after)
    return max(least, min(came_back, most)) - before
