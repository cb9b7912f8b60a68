"""A paid basket: what it earns and what it redeems, decided together.

The order of one capture: what is due has been settled → the card, or the basket's reservation, is
accepted → the basket is weighed once → points to redeem are fixed → what is left to pay earns →
transfers and lots. Points that this basket earns may pay for this basket.
"""

from dataclasses import replace
from datetime import date, timedelta

from services.loyalty.domain import lots, tiers
from services.loyalty.domain.card import accepts, card_not_accepted
from services.loyalty.domain.command import Capture, Maximum
from services.loyalty.domain.decision import (
    JOURNALLED,
    Captured,
    Entry,
    Kind,
    Refusal,
    Refused,
    entry_without_points,
    summary,
)
from services.loyalty.domain.earn import rated_weight
from services.loyalty.domain.expiry import expires_on
from services.loyalty.domain.ledger import Account, transfers
from services.loyalty.domain.life import Event, State, may
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import (
    Member,
    PendingMove,
    Reservation,
    Standing,
    apply_pending,
)
from services.loyalty.domain.payment import (
    discount_of,
    member_weight,
    points_to_redeem,
    weight_in_tier,
)
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.receipt import TEMPLATE_VERSION
from services.loyalty.domain.redemption import earned_when_redeeming, share_cap_points
from services.loyalty.domain.value import value

RESERVATION_UNKNOWN = Refused(
    Refusal.RESERVATION_UNKNOWN,
    "capture.reservation_id",
    "no points were reserved under this id for this basket; check the id, or leave it out",
)


@value
class Points:
    """What becomes of the points of one basket. `earned` is what settles a debt, is spendable, or
    waits.
    """

    earned: int
    redeemed: int
    from_basket: int  # of those redeemed: earned by this very basket
    settled: int
    spendable: int
    waiting: int


def capture(
    member: Member,
    command: Capture,
    *,
    programme: Programme,
    today: date,
    named: State = State.NEW,
) -> Entry | Refused:
    """The journal row of this purchase, or a refusal that leaves no row.

    `member` is settled as of `today` (a date in the programme's time zone). `named` is what became
    of the reservation that the command names, if it is not live any more.
    """
    reservation = member.reservation_of(command.basket.basket_id) if member.reservations else None
    if command.reservation_id:
        if reservation is None or reservation.reservation_id != command.reservation_id:
            if named is State.NEW:
                return RESERVATION_UNKNOWN
            if not may(named, Event.CAPTURE):
                weight = member_weight(member, command.basket, programme)
                return _refusal_entry(
                    member, command, _ended(named), weight=weight, programme=programme
                )
    elif named is not State.NEW:
        raise AssertionError("the state of a reservation that nobody named")
    if reservation is None and not accepts(member, command.card):
        return card_not_accepted("capture")
    untiered = rated_weight(command.basket, programme)
    weight = weight_in_tier(untiered, member.tier, programme)
    redeemed = _points_to_redeem(member, command, reservation, weight=weight, programme=programme)
    if isinstance(redeemed, Refused):
        if redeemed.reason not in JOURNALLED:
            return redeemed
        return _refusal_entry(member, command, redeemed, weight=weight, programme=programme)
    earned = earned_when_redeeming(redeemed, weight, command.basket.total_minor, programme)
    return _entry(
        member,
        command,
        reservation,
        _divided(member, reservation, earned=earned, redeemed=redeemed, programme=programme),
        untiered=untiered,
        weight=weight,
        programme=programme,
        today=today,
    )


def _ended(state: State) -> Refused:
    return Refused(
        Refusal.RESERVATION_ENDED,
        "capture.reservation_id",
        f"this reservation is {state.value}; capture under a new id without it",
    )


def _points_to_redeem(
    member: Member,
    command: Capture,
    reservation: Reservation | None,
    *,
    weight: int,
    programme: Programme,
) -> int | Refused:
    points = points_to_redeem(
        command.redeem,
        available=usable_points(member, reservation),
        owed=member.owed,
        weight=weight,
        total_minor=command.basket.total_minor,
        programme=programme,
        field="capture.redeem_points",
    )
    if reservation is None or accepts(member, command.card):
        return points
    return _no_more_than_reserved(points, command, reservation)


def _no_more_than_reserved(
    points: int | Refused, command: Capture, reservation: Reservation
) -> int | Refused:
    """A member who was blocked meanwhile finishes the redemption that had begun, and no other."""
    most = reservation.points
    if isinstance(points, Refused):
        return replace(points, points_maximum=min(points.points_maximum, most))
    if points <= most:
        return points
    if command.redeem is Maximum.MAXIMUM:
        return most
    return Refused(
        Refusal.EXCEEDS_AVAILABLE,
        "capture.redeem_points",
        f"the card takes no part any more; redeem the {most} points that were reserved",
        points_maximum=most,
    )


def usable_points(member: Member, reservation: Reservation | None) -> int:
    """What a basket may use: what is available, and what its own reservation holds."""
    return member.available + (reservation.held if reservation is not None else 0)


def _refusal_entry(
    member: Member, command: Capture, refused: Refused, *, weight: int, programme: Programme
) -> Entry:
    facts = _facts(member, command, weight=weight, programme=programme)
    return entry_without_points(
        command.operation_id, Kind.CAPTURE, refused, facts=facts, member=member
    )


def _divided(
    member: Member,
    reservation: Reservation | None,
    *,
    earned: int,
    redeemed: int,
    programme: Programme,
) -> Points:
    """What was owed is paid first; of the rest what this basket spends at once, or everything in a
    programme without waiting, becomes points, and the remainder waits.
    """
    from_basket = max(0, redeemed - usable_points(member, reservation))
    settled = min(earned, member.owed)
    waiting = earned - settled - from_basket if programme.pending_days else 0
    spendable = earned - settled - waiting
    assert spendable >= from_basket, "redeemed more than was there"
    return Points(earned, redeemed, from_basket, settled, spendable, waiting)


def _entry(
    member: Member,
    command: Capture,
    reservation: Reservation | None,
    points: Points,
    *,
    untiered: int,
    weight: int,
    programme: Programme,
    today: date,
) -> Entry:
    last_day = expires_on(today, programme.expiry_months, programme.expiry_ends)
    earned_lot = LotMove(last_day, points.spendable)
    with_earned = lots.apply(member.lots, (earned_lot,)) if points.spendable else member.lots
    taken = lots.take(with_earned, points.redeemed) if points.redeemed else ()
    pending_moves: tuple[PendingMove, ...] = ()
    if points.waiting:
        activates_on = today + timedelta(days=programme.pending_days)
        pending_moves = (PendingMove(activates_on, last_day, points.waiting),)
    qualifying, tier, standing = _counted(
        member, untiered, command.basket.total_minor, programme=programme, today=today
    )
    after = member.changed(
        points=member.points + points.spendable - points.redeemed,
        lots=lots.apply(with_earned, taken) if taken else with_earned,
        pending_lots=apply_pending(member.pending_lots, pending_moves) if pending_moves else None,
        receivable=member.receivable + points.settled if points.settled else None,
        reservations=without(member.reservations, reservation) if reservation else None,
        tier=tier,
        standing=standing,
    )
    assert after.available >= 0, "redeemed more than was available"
    facts = _facts(member, command, weight=weight, programme=programme)
    if qualifying:
        facts["qualifying_points"] = qualifying
    if reservation is not None:
        facts["reservation"] = [reservation.reservation_id, reservation.held, reservation.promised]
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.CAPTURE,
        accepted=True,
        decision=_captured(after, command, points, programme),
        transfers=transfers(
            (Account.ISSUED, Account.RECEIVABLE, points.settled),
            (Account.ISSUED, Account.POINTS, points.spendable),
            (Account.ISSUED, Account.PENDING, points.waiting),
            (Account.POINTS, Account.REDEEMED, points.redeemed),
        ),
        lot_moves=((earned_lot, *taken) if points.spendable else taken),
        facts=facts,
        member=after,
        pending_moves=pending_moves,
        ended=(reservation.reservation_id,) if reservation is not None else (),
    )


def _counted(
    member: Member, untiered: int, total_minor: int, *, programme: Programme, today: date
) -> tuple[int, str, Standing]:
    """The basket's qualifying points, and the tier and standing with them: at everybody's rate,
    and as if no points paid for it, so that spending never demotes.
    """
    if not programme.tiers:
        return 0, member.tier, member.standing
    qualifying = earned_when_redeeming(0, untiered, total_minor, programme)
    tier, standing = tiers.counted(member, qualifying, on=today, today=today, programme=programme)
    return qualifying, tier, standing


def without(reservations: tuple[Reservation, ...], ended: Reservation) -> tuple[Reservation, ...]:
    return tuple([r for r in reservations if r.reservation_id != ended.reservation_id])


def _captured(after: Member, command: Capture, points: Points, programme: Programme) -> Captured:
    discount = discount_of(points.redeemed, command.basket, programme)
    return Captured(
        member=summary(after),
        points_earned=points.earned,
        points_redeemed=points.redeemed,
        points_redeemed_from_basket=points.from_basket,
        discount_minor=discount.minor,
        line_discounts=discount.line_discounts,
        vat_discounts=discount.vat_discounts,
        currency=command.basket.currency,
        receipt_version=TEMPLATE_VERSION,
        points_pending=points.waiting,
        points_settled=points.settled,
    )


def _facts(
    member: Member, command: Capture, *, weight: int, programme: Programme
) -> dict[str, object]:
    """What the decision rested on: enough to repeat it by hand years later."""
    facts: dict[str, object] = {
        "programme_version": programme.version,
        "total_minor": command.basket.total_minor,
        "rated_weight": weight,
        "available_before": member.available,
        "tier": member.tier,
        "business_date": command.basket.business_date,
        "receipt_number": command.basket.receipt_number,
    }
    if command.redeem is not None:
        facts["redeem_asked"] = (
            command.redeem.value if isinstance(command.redeem, Maximum) else command.redeem
        )
        facts["share_cap_points"] = share_cap_points(command.basket.total_minor, programme)
    if command.reservation_id:
        facts["reservation_named"] = command.reservation_id
    if member.receivable:
        facts["owed_before"] = member.owed
    return facts
