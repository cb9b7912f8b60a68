"""A paid basket: what it earns and what it redeems, decided together.

The order of one capture: expiry has been settled → the card is accepted → the basket is weighed
once → points to redeem are fixed → what is left to pay earns → transfers and lots. Points that
this basket earns may pay for this basket.
"""

from datetime import date

from services.loyalty.domain import lots
from services.loyalty.domain.decision import (
    JOURNALLED,
    Capture,
    Captured,
    Entry,
    Kind,
    Maximum,
    Refusal,
    Refused,
    summary,
)
from services.loyalty.domain.discount import VatShare, split_over_lines, split_over_vat_rates
from services.loyalty.domain.earn import rated_weight
from services.loyalty.domain.expiry import expires_on
from services.loyalty.domain.ledger import Account, Transfer, transfers
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member, Status
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.receipt import TEMPLATE_VERSION
from services.loyalty.domain.redemption import (
    discount_minor,
    earned_when_redeeming,
    redeemable_maximum,
    redemption_refusal,
    share_cap_points,
)

CARD_NOT_ACCEPTED = Refused(
    Refusal.CARD_NOT_ACCEPTED,
    "capture.card",
    "this card takes no part; check the number, or go on without a card",
)


def capture(
    member: Member, command: Capture, *, programme: Programme, today: date
) -> Entry | Refused:
    """The journal row of this purchase, or a refusal that leaves no row.

    `member` is settled as of `today` (a date in the programme's time zone).
    """
    if member.status is not Status.ACTIVE or command.card not in member.cards:
        return CARD_NOT_ACCEPTED
    total_minor = command.basket.total_minor
    weight = rated_weight(command.basket, programme)
    redeemed = _points_to_redeem(member, command, weight=weight, programme=programme)
    if isinstance(redeemed, Refused):
        if redeemed.reason not in JOURNALLED:
            return redeemed
        return _refusal_entry(member, command, redeemed, weight=weight, programme=programme)
    earned = earned_when_redeeming(redeemed, weight, total_minor, programme)
    return _entry(
        member,
        command,
        earned=earned,
        redeemed=redeemed,
        weight=weight,
        programme=programme,
        today=today,
    )


def _points_to_redeem(
    member: Member, command: Capture, *, weight: int, programme: Programme
) -> int | Refused:
    if command.redeem is None:
        return 0
    total_minor, available = command.basket.total_minor, member.available
    if command.redeem is Maximum.MAXIMUM:
        return redeemable_maximum(
            available=available, weight=weight, total_minor=total_minor, programme=programme
        )
    refusal = redemption_refusal(
        command.redeem,
        available=available,
        weight=weight,
        total_minor=total_minor,
        programme=programme,
    )
    if refusal is None:
        return command.redeem
    most = redeemable_maximum(
        available=available, weight=weight, total_minor=total_minor, programme=programme
    )
    return Refused(
        Refusal(refusal.value),
        "capture.redeem_points",
        _remedy(Refusal(refusal.value), most=most, programme=programme),
        points_maximum=most,
    )


def _remedy(reason: Refusal, *, most: int, programme: Programme) -> str:
    if reason is Refusal.REDEMPTION_BELOW_MINIMUM:
        return f"redeem {programme.redeem_minimum} points or more, or none"
    if reason is Refusal.REDEMPTION_NOT_A_STEP:
        return f"redeem a multiple of {programme.redeem_step} points"
    return f"under a new id, redeem at most {most} points"


def _refusal_entry(
    member: Member, command: Capture, refused: Refused, *, weight: int, programme: Programme
) -> Entry:
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.CAPTURE,
        accepted=False,
        decision=refused,
        transfers=(),
        lot_moves=(),
        facts=_facts(member, command, weight=weight, programme=programme),
        member=member,
    )


def _entry(
    member: Member,
    command: Capture,
    *,
    earned: int,
    redeemed: int,
    weight: int,
    programme: Programme,
    today: date,
) -> Entry:
    earned_lot = LotMove(expires_on(today, programme.expiry_months), earned)
    with_earned = lots.apply(member.lots, (earned_lot,)) if earned else member.lots
    taken = lots.take(with_earned, redeemed) if redeemed else ()
    after = member.changed(
        points=member.points + earned - redeemed,
        lots=lots.apply(with_earned, taken) if taken else with_earned,
    )
    assert after.available >= 0, "redeemed more than was available"
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.CAPTURE,
        accepted=True,
        decision=_captured(
            member, after, command, earned=earned, redeemed=redeemed, programme=programme
        ),
        transfers=transfers(
            Transfer(Account.ISSUED, Account.POINTS, earned),
            Transfer(Account.POINTS, Account.REDEEMED, redeemed),
        ),
        lot_moves=((earned_lot, *taken) if earned else taken),
        facts=_facts(member, command, weight=weight, programme=programme),
        member=after,
    )


def _captured(
    before: Member,
    after: Member,
    command: Capture,
    *,
    earned: int,
    redeemed: int,
    programme: Programme,
) -> Captured:
    paid_minor = discount_minor(redeemed, programme)
    line_discounts: tuple[tuple[str, int], ...] = ()
    vat_discounts: tuple[VatShare, ...] = ()
    if paid_minor:
        shares = split_over_lines(paid_minor, command.basket)
        line_discounts = tuple(
            (line.line_id, share)
            for line, share in zip(command.basket.line_items, shares, strict=True)
            if share
        )
        vat_discounts = split_over_vat_rates(shares, command.basket)
    return Captured(
        member=summary(after),
        points_earned=earned,
        points_redeemed=redeemed,
        points_redeemed_from_basket=max(0, redeemed - before.available),
        discount_minor=paid_minor,
        line_discounts=line_discounts,
        vat_discounts=vat_discounts,
        currency=command.basket.currency,
        receipt_version=TEMPLATE_VERSION,
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
    return facts
