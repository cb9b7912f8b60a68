"""From what somebody wants to the operation that they send, and to the question for the model.

Tills speak through the contract's messages, as bytes would; their clocks go wrong. Staff order by
commands, as the services of loyalty make them from theirs.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain import command as commands
from tests.loyalty.commands import an_opening
from tests.properties import intents, taking_back
from tests.properties.intents import Intent
from tests.properties.modelled import Receipt, Redeem, RedeemSome
from tests.properties.reckoning import Line, total
from tests.properties.shop import REASON, Basket, Printed, Shop, at
from tests.properties.world import Step

WRONG = "capture, wrong reservation"


def step_for(shop: Shop, wish: Intent, misprint: Printed | None = None) -> Step:
    """`misprint`: what a receipt of this step shows, though another shows it already."""
    shop.misprint = misprint
    return STEPS[type(wish)](shop, wish)


def _enrol(shop: Shop, wish: intents.Enrol) -> Step:
    member_id, card = shop.world.new_id(), f"card-{len(shop.cards)}"
    shop.cards.append(card)
    shop.members.append(member_id)
    return _enrolment(shop, "enrol", member_id, card, wish.opening)


def _enrol_again(shop: Shop, wish: intents.EnrolAgain) -> Step:
    if wish.same_id:
        return _enrolment(shop, "enrol", at(shop.members, wish.who), "unheard of", 10)
    return _enrolment(shop, "enrol", shop.world.new_id(), at(shop.cards, wish.who), 10)


def _enrolment(shop: Shop, kind: str, member_id: str, card: str, opening: int) -> Step:
    command = an_opening(member_id, card, points=opening, operation_id=shop.world.new_id())
    model = shop.world.model
    words = f"enrol {member_id} with {card} and {opening} points"
    return Step(kind, command, lambda: model.enrol(member_id, card, opening), words)


def _buy(shop: Shop, wish: intents.Buy) -> Step:
    named = ""
    if wish.reservation is not None:
        named = shop.reservation(wish.reservation)
    card, lines = shop.card(wish.who), shop.ring_up(wish.articles)
    kind = "capture" if wish.reservation is None else WRONG
    return _captured(shop, kind, card, shop.world.new_id(), lines, wish.redeem, named)


def _pay(shop: Shop, wish: intents.Pay) -> Step:
    basket = shop.reserved(wish.basket)
    lines = basket.lines[: wish.keep] if wish.keep else basket.lines
    if total(lines) < 0:
        lines = basket.lines
    card = basket.card if wish.by_same_card else shop.card(wish.basket)
    named = basket.reservation_id if wish.named else ""
    return _captured(shop, "capture reserved", card, basket.basket_id, lines, wish.redeem, named)


def _captured(
    shop: Shop,
    kind: str,
    card: str,
    basket_id: str,
    lines: Sequence[Line],
    redeem: Redeem,
    named: str,
) -> Step:
    model, operation_id, printed = shop.world.model, shop.world.new_id(), shop.print_receipt()
    named = "" if shop.is_over_elsewhere(named, card) else named
    till, day, number = printed
    basket = shop.basket(lines, basket_id, receipt_number=number, business_date=day)
    command = shop.command(
        operations.capture(
            card, basket, redeem=redeem, reservation_id=named, operation_id=operation_id
        ),
        till,
    )
    shop.captures.append((operation_id, *printed))
    if redeem is not None and kind != WRONG:
        kind += ", the most" if redeem == "maximum" else ", some"
    return Step(
        kind,
        command,
        lambda: model.capture(
            operation_id, card, basket_id, lines, redeem, named=named, printed=printed
        ),
        f"capture {_short(operation_id)} {card} {_receipt(lines)} redeem={redeem}"
        f" basket={_short(basket_id)} reservation={_short(named)}",
        named,
        model.owners.get(card, ""),
    )


def _reserve(shop: Shop, wish: intents.Reserve) -> Step:
    card, lines = shop.card(wish.who), shop.ring_up(wish.articles)
    return _reservation(shop, "reserve", card, shop.world.new_id(), lines, wish.redeem)


def _reserve_again(shop: Shop, wish: intents.ReserveAgain) -> Step:
    basket = shop.reserved(wish.basket)
    lines = shop.ring_up(wish.articles) if wish.articles else basket.lines
    card = basket.card if wish.by_same_card else shop.card(wish.basket)
    return _reservation(shop, "reserve again", card, basket.basket_id, lines, wish.redeem)


def _reservation(
    shop: Shop, kind: str, card: str, basket_id: str, lines: tuple[Line, ...], redeem: RedeemSome
) -> Step:
    model, operation_id = shop.world.model, shop.world.new_id()
    operation = operations.reserve(
        card,
        shop.basket(lines, basket_id),
        redeem=redeem,
        operation_id=operation_id,
    )
    shop.baskets.append(Basket(basket_id, card, lines, operation_id))
    return Step(
        kind,
        shop.command(operation, shop.till()),
        lambda: model.reserve(operation_id, card, basket_id, lines, redeem),
        f"reserve {_short(operation_id)} {card} {_receipt(lines)} redeem={redeem}"
        f" basket={_short(basket_id)}",
        reaches=model.owners.get(card, ""),
    )


def _release(shop: Shop, wish: intents.Release) -> Step:
    model = shop.world.model
    reservation_id = shop.reservation(wish.reservation)
    operation = operations.release(reservation_id, operation_id=shop.world.new_id())
    return Step(
        "release",
        shop.command(operation, shop.till()),
        lambda: model.release(reservation_id),
        f"release {_short(reservation_id)}",
        reservation_id,
        model.reserved.get(reservation_id, ""),
    )


def _void(shop: Shop, wish: intents.Void) -> Step:
    model = shop.world.model
    reference, capture_id = shop.receipt_named(wish.receipt, wish.by_id)
    receipt = model.receipts.get(capture_id)
    day = (model.today + timedelta(days=1)).isoformat()
    if receipt is not None and not wish.other_day:
        day = receipt.business_date  # whatever the calendar says
    operation = operations.void_receipt(
        reference, business_date=day, operation_id=shop.world.new_id()
    )
    return Step(
        "void",
        shop.command(operation, shop.till()),
        lambda: taking_back.void(model, receipt, day),
        f"void {_short(capture_id)} on {day}",
        reaches=shop.whose(capture_id),
    )


def _return(shop: Shop, wish: intents.Return) -> Step:
    reference, capture_id = shop.receipt_named(wish.receipt, wish.by_id)
    receipt = shop.world.model.receipts.get(capture_id)
    wanted = _wanted(receipt, wish.eighths) if receipt else []
    return _returning(shop, reference, capture_id, wanted, shop.print_receipt())


def _returning(
    shop: Shop,
    reference: pb.ReceiptReference,
    capture_id: str,
    wanted: Sequence[tuple[str, int]],
    printed: Printed,
) -> Step:
    model = shop.world.model
    till, day, number = printed
    operation = operations.return_items(
        reference,
        [operations.return_line(*line) for line in wanted],
        receipt_number=number,
        business_date=day,
        operation_id=shop.world.new_id(),
    )
    return Step(
        "return lines" if wanted else "return the rest",
        shop.command(operation, till),
        lambda: taking_back.give_back(model, model.receipts.get(capture_id), wanted, printed),
        f"return of {_short(capture_id)} {wanted or 'everything'}",
        reaches=shop.whose(capture_id),
    )


def _adjust(shop: Shop, wish: intents.Adjust) -> Step:
    model, member_id = shop.world.model, shop.somebody(wish.who)
    known = model.members.get(member_id)
    points = wish.points or (-known.available if known and known.available else -1)
    command = commands.Adjust(
        **shop.order("adjust", member_id, points),
        member_id=member_id,
        points=points,
        reason_code="goodwill",
        reason=REASON,
    )
    kind = "adjust up" if points > 0 else "adjust down"
    words = f"adjust {member_id} by {points}"
    return Step(kind, command, lambda: model.adjust(member_id, points), words)


def _merge(shop: Shop, wish: intents.Merge) -> Step:
    model, into, gone = shop.world.model, shop.somebody(wish.into), shop.somebody(wish.gone)
    command = commands.Merge(
        **shop.order("merge", into, gone), survivor_id=into, merged_id=gone, reason=REASON
    )
    return Step("merge", command, lambda: model.merge(into, gone), f"merge {gone} into {into}")


def _block(shop: Shop, wish: intents.Block) -> Step:
    model, member_id = shop.world.model, shop.somebody(wish.who)
    command = commands.SetBlocked(
        **shop.order("block", member_id, wish.blocked),
        member_id=member_id,
        blocked=wish.blocked,
        reason=REASON,
    )
    kind = "block" if wish.blocked else "unblock"
    return Step(
        kind,
        command,
        lambda: model.set_blocked(member_id, wish.blocked),
        f"{kind} {member_id}",
    )


def _cards(shop: Shop, wish: intents.Cards) -> Step:
    model, member_id = shop.world.model, shop.somebody(wish.who)
    own = model.members[member_id].cards if member_id in model.members else []
    lost = {"own": own[0] if own else "unheard of", "other": "unheard of"}.get(wish.lost, "")
    new = {"fresh": f"card-{len(shop.cards)}", "taken": at(shop.cards, wish.who)}.get(
        wish.new if wish.new or lost else "fresh", ""
    )
    if new == f"card-{len(shop.cards)}":
        shop.cards.append(new)
    command = commands.ChangeCards(
        **shop.order("cards", member_id, lost, new),
        member_id=member_id,
        lost_card=lost,
        new_card=new,
        reason=REASON,
    )
    return Step(
        "cards",
        command,
        lambda: model.change_cards(member_id, lost, new),
        f"cards of {member_id}: lost {lost or 'none'}, new {new or 'none'}",
    )


def _erase(shop: Shop, wish: intents.Erase) -> Step:
    model, member_id = shop.world.model, shop.somebody(wish.who)
    command = commands.Erase(**shop.order("erase", member_id), member_id=member_id, reason=REASON)
    return Step("erase", command, lambda: model.erase(member_id), f"erase {member_id}")


def _nightly(shop: Shop, wish: intents.Nightly) -> Step:
    model, member_id = shop.world.model, shop.somebody(wish.who)
    command = commands.Settle(**shop.order("settle", member_id), member_id=member_id)
    return Step(
        "nightly",
        command,
        lambda: model.nightly(member_id),
        f"settle {member_id}",
        reaches=member_id,
    )


STEPS: Mapping[type[Intent], Callable[[Shop, Any], Step]] = {
    intents.Enrol: _enrol,
    intents.EnrolAgain: _enrol_again,
    intents.Buy: _buy,
    intents.Pay: _pay,
    intents.Reserve: _reserve,
    intents.ReserveAgain: _reserve_again,
    intents.Release: _release,
    intents.Void: _void,
    intents.Return: _return,
    intents.Adjust: _adjust,
    intents.Merge: _merge,
    intents.Block: _block,
    intents.Cards: _cards,
    intents.Erase: _erase,
    intents.Nightly: _nightly,
}


def _short(any_id: str) -> str:
    return any_id[:4] or "none"


def _receipt(lines: Sequence[Line]) -> str:
    return "[" + ", ".join(f"{line.category} {line.total_minor}" for line in lines) + "]"


def _wanted(receipt: Receipt, eighths: Sequence[int]) -> list[tuple[str, int]]:
    """Thousandths by line; 0 for all that is left of it."""
    return [
        (line.line_id, 0 if n == 8 else line.quantity_milli * n // 8)
        for line, n in zip(receipt.lines, eighths, strict=False)
        if n
    ]
