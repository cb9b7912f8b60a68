"""Points set aside for a basket before it is paid, and given up again.

Of the points reserved, `held` lowers what every till sees as available; `promised` is still to be
earned by the basket itself and is nobody else's to take.
"""

from services.loyalty.domain.capture import usable_points, without
from services.loyalty.domain.card import accepts, card_not_accepted
from services.loyalty.domain.command import Maximum, Release, Reserve
from services.loyalty.domain.decision import (
    JOURNALLED,
    Entry,
    Kind,
    Refusal,
    Refused,
    Released,
    Reserved,
    entry_without_points,
    summary,
)
from services.loyalty.domain.life import State
from services.loyalty.domain.member import Member, Reservation
from services.loyalty.domain.payment import discount_of, member_weight, points_to_redeem
from services.loyalty.domain.programme import Programme

RESERVATION_UNKNOWN = Refused(
    Refusal.RESERVATION_UNKNOWN,
    "release.reservation_id",
    "no points were reserved under this id; it is the id of the operation that reserved",
)


def reserve(
    member: Member, command: Reserve, *, programme: Programme, now_us: int
) -> Entry | Refused:
    """A reservation that ends by itself `programme.reservation_s` from now, in place of the one
    that the basket had. Decided by the rules of a capture at this moment.
    """
    if not accepts(member, command.card):
        return card_not_accepted("reserve")
    before = member.reservation_of(command.basket.basket_id)
    usable = usable_points(member, before)
    weight = member_weight(member, command.basket, programme)
    points = points_to_redeem(
        command.redeem,
        available=usable,
        owed=member.owed,
        weight=weight,
        total_minor=command.basket.total_minor,
        programme=programme,
        field="reserve.redeem_points",
    )
    if points == 0:
        points = Refused(
            Refusal.EXCEEDS_AVAILABLE, "reserve.redeem_maximum", "nothing can be redeemed now"
        )
    facts = _facts(member, command, weight=weight, programme=programme)
    if isinstance(points, Refused):
        if points.reason not in JOURNALLED:
            return points
        return entry_without_points(
            command.operation_id, Kind.RESERVE, points, facts=facts, member=member
        )
    held = min(points, usable)
    reservation = Reservation(
        reservation_id=command.operation_id,
        basket_id=command.basket.basket_id,
        held=held,
        promised=points - held,
        expires_at_us=now_us + programme.reservation_s * 1_000_000,
    )
    others = without(member.reservations, before) if before is not None else member.reservations
    after = member.changed(reservations=(*others, reservation))
    assert after.available >= 0, "held more than was available"
    discount = discount_of(points, command.basket, programme)
    return entry_without_points(
        command.operation_id,
        Kind.RESERVE,
        Reserved(
            member=summary(after),
            points_held=held,
            points_promised=reservation.promised,
            discount_minor=discount.minor,
            line_discounts=discount.line_discounts,
            vat_discounts=discount.vat_discounts,
            expires_at_us=reservation.expires_at_us,
        ),
        facts=facts,
        member=after,
        ended=(before.reservation_id,) if before is not None else (),
    )


def release(member: Member, command: Release, *, named: State) -> Entry | Refused:
    """Ends a live reservation. `named` is what became of it, if it is not live any more."""
    live = [r for r in member.reservations if r.reservation_id == command.reservation_id]
    if not live:
        if named is State.NEW:
            return RESERVATION_UNKNOWN
        return entry_without_points(
            command.operation_id,
            Kind.RELEASE,
            Refused(
                Refusal.RESERVATION_ENDED,
                "release.reservation_id",
                f"this reservation is {named.value} already; there is nothing to release",
            ),
            facts={"reservation_named": command.reservation_id},
            member=member,
        )
    reservation = live[0]
    after = member.changed(reservations=without(member.reservations, reservation))
    return entry_without_points(
        command.operation_id,
        Kind.RELEASE,
        Released(
            member=summary(after),
            reservation_id=reservation.reservation_id,
            points_held=reservation.held,
            timed_out=False,
        ),
        facts={"basket_id": reservation.basket_id},
        member=after,
        ended=(reservation.reservation_id,),
    )


def _facts(
    member: Member, command: Reserve, *, weight: int, programme: Programme
) -> dict[str, object]:
    asked = command.redeem.value if isinstance(command.redeem, Maximum) else command.redeem
    return {
        "programme_version": programme.version,
        "basket_id": command.basket.basket_id,
        "total_minor": command.basket.total_minor,
        "rated_weight": weight,
        "available_before": member.available,
        "tier": member.tier,
        "redeem_asked": asked,
    }
