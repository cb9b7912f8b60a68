"""What time alone does to a member. Every decision runs this first; the nightly job merely touches
the idle. docs/decisions/0019-what-time-does.md has the reasons.

A member who is looked at late is led through everything in the order in which it fell due, and so
ends exactly where a look at every instant would have led. Announcements alone are made as of now:
nobody is told today what was worth telling last month.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from uuid import UUID

from services.loyalty.domain import lots, tiers
from services.loyalty.domain.days import (
    ONE_DAY,
    days_before_us,
    end_of_day_us,
    start_of_day_us,
)
from services.loyalty.domain.decision import (
    Activated,
    Announced,
    Decision,
    Entry,
    Expired,
    Kind,
    Released,
    TierMoved,
    summary,
)
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import Lot, LotMove
from services.loyalty.domain.member import Member, PendingMove, Status, apply_pending
from services.loyalty.domain.programme import Programme

NEVER_US = 2**63 - 1
OVER = (Status.MERGED, Status.ERASED)  # time passes these by

Settled = tuple[Member, Entry]


def settle_due(
    member: Member, *, programme: Programme, now_us: int, today: date
) -> tuple[Member, tuple[Entry, ...]]:
    """The member as of `now_us` (UTC; `today` is its day in the programme's time zone), and a
    journal row for each effect.

    Pure and repeatable: settled twice, the second time finds nothing to do.
    """
    if now_us < member.due_at_us or member.status in OVER:
        return member, ()
    entries: list[Entry] = []
    while True:
        at_us, effect = min(
            [(at_us(member, programme), effect) for at_us, effect in EFFECTS],
            key=lambda due: due[0],  # the first of those due at once
        )
        if at_us > now_us:
            break
        member, entry = effect(member, programme)
        entries.append(entry)
    for lot, days in _announceable(member, today, programme):
        member, entry = _announce(member, lot, days, today, programme)
        entries.append(entry)
    return member, tuple(entries)


def due_at_us(member: Member, *, programme: Programme) -> int:
    """The earliest instant at which `settle_due` does anything, NEVER_US if there is none. It may
    have passed already: a reservation that ends lets points go that it had kept past their day.
    """
    if member.status in OVER:
        return NEVER_US
    return min(
        _timeout_at_us(member, programme),
        _activation_at_us(member, programme),
        _tier_end_us(member, programme),
        _expiry_at_us(member, programme),
        _announcement_at_us(member, programme),
    )


# --- reservations ---------------------------------------------------------------------------


def _timeout_at_us(member: Member, _programme: Programme) -> int:
    if not member.reservations:
        return NEVER_US
    return min([reservation.expires_at_us for reservation in member.reservations])


def _time_out(member: Member, _programme: Programme) -> Settled:
    over = min(member.reservations, key=lambda reservation: reservation.expires_at_us)
    after = member.changed(reservations=tuple([r for r in member.reservations if r is not over]))
    decision = Released(summary(after), over.reservation_id, over.held, timed_out=True)
    return after, _entry(
        member,
        after,
        Kind.TIMEOUT,
        decision,
        effect=f"timeout {over.reservation_id}",
        facts={"basket_id": over.basket_id, "expires_at_us": over.expires_at_us},
        ended=(over.reservation_id,),
    )


# --- pending points -------------------------------------------------------------------------


def _activation_at_us(member: Member, programme: Programme) -> int:
    if not member.pending_lots:
        return NEVER_US
    return start_of_day_us(member.pending_lots[0].activates_on, programme.time_zone)


def _activate(member: Member, _programme: Programme) -> Settled:
    """All that becomes spendable on one day. What the member owes was netted when it was earned."""
    day = member.pending_lots[0].activates_on
    due = [lot for lot in member.pending_lots if lot.activates_on == day]
    points = sum([lot.points for lot in due])
    pending_moves = tuple([PendingMove(day, lot.expires_on, -lot.points) for lot in due])
    moves = tuple([LotMove(lot.expires_on, lot.points) for lot in due])
    after = member.changed(
        points=member.points + points,
        lots=lots.apply(member.lots, moves),
        pending_lots=apply_pending(member.pending_lots, pending_moves),
    )
    return after, _entry(
        member,
        after,
        Kind.ACTIVATE,
        Activated(summary(after), points_activated=points),
        effect=f"activate {day}",
        facts={"activates_on": day.isoformat()},
        transfers=(Transfer(Account.PENDING, Account.POINTS, points),),
        lot_moves=moves,
        pending_moves=pending_moves,
    )


# --- expiry ---------------------------------------------------------------------------------


def _free(member: Member) -> Sequence[Lot]:
    """What the open lots have beyond the points that are held, which are always the soonest. Those
    neither expire nor are announced while their reservation lives.
    """
    held = member.held
    if not held:
        return member.lots
    free: list[Lot] = []
    for lot in member.lots:
        if lot.points > held:
            free.append(Lot(lot.expires_on, lot.points - held))
        held = max(0, held - lot.points)
    return free


def _expiry_at_us(member: Member, programme: Programme) -> int:
    free = _free(member)
    return end_of_day_us(free[0].expires_on, programme.time_zone) if free else NEVER_US


def _expire(member: Member, _programme: Programme) -> Settled:
    """Lots can be redeemed on their last day and expire after it."""
    expires_on, points = _free(member)[0]
    moves = (LotMove(expires_on, -points),)
    after = member.changed(points=member.points - points, lots=lots.apply(member.lots, moves))
    assert after.available >= 0, "held points never expire"
    facts: dict[str, object] = {"expires_on": expires_on.isoformat()}
    if member.held:
        facts["held"] = member.held
    return after, _entry(
        member,
        after,
        Kind.EXPIRE,
        Expired(summary(after), points_expired=points),
        effect=f"expire {expires_on}",
        facts=facts,
        transfers=(Transfer(Account.POINTS, Account.EXPIRED, points),),
        lot_moves=moves,
    )


# --- tiers ----------------------------------------------------------------------------------


def _tier_end_us(member: Member, programme: Programme) -> int:
    until = member.standing.until
    if until is None or not programme.tiers:
        return NEVER_US
    return end_of_day_us(until, programme.time_zone)


def _leave_tier(member: Member, programme: Programme) -> Settled:
    """Down to what the member qualifies for on the day after the tier's last."""
    until = member.standing.until
    assert until is not None, "only a tier that ends can be left"
    on = until + ONE_DAY
    tier, standing = tiers.fallen(member, on=on, programme=programme)
    after = member.changed(tier=tier, standing=standing)
    return after, _entry(
        member,
        after,
        Kind.TIER,
        TierMoved(summary(after), tier_before=member.tier),
        effect=f"tier {until}",
        facts={
            "programme_version": programme.version,
            "until": until.isoformat(),
            "qualifying_points": tiers.qualifying_points(standing, today=on, programme=programme),
        },
    )


# --- announcements --------------------------------------------------------------------------


def _told(member: Member, days: int) -> date:
    """Up to this day of expiry nothing is to be told any more `days` days ahead: it was, or it
    was told later than that.
    """
    if not member.announced:
        return date.min
    return max([day for stage, day in member.announced if stage <= days], default=date.min)


def _announcement_at_us(member: Member, programme: Programme) -> int:
    earliest_us = NEVER_US
    for days in programme.announce_days:
        told = _told(member, days)
        for lot in _free(member):
            if lot.expires_on > told:
                at_us = days_before_us(lot.expires_on, days, programme.time_zone)
                earliest_us = min(earliest_us, at_us)
                break
    return earliest_us


def _announceable(member: Member, today: date, programme: Programme) -> Iterator[tuple[Lot, int]]:
    """Lots that end soon, soonest first, and how many days ahead their announcement is: of those
    that apply `today` the nearest, unless it was told.
    """
    for lot in _free(member):
        left = (lot.expires_on - today).days
        applying = [days for days in programme.announce_days if days >= left]
        if not applying:
            return
        if left >= 0 and lot.expires_on > _told(member, applying[-1]):
            yield lot, applying[-1]


def _announce(member: Member, lot: Lot, days: int, today: date, programme: Programme) -> Settled:
    told = {stage: day for stage, day in member.announced if day >= today}
    told[days] = lot.expires_on
    after = member.changed(announced=tuple(sorted(told.items(), reverse=True)))
    return after, _entry(
        member,
        after,
        Kind.ANNOUNCE,
        Announced(summary(after), lot.points, lot.expires_on, days_ahead=days),
        effect=f"announce {days} {lot.expires_on}",
        facts={"programme_version": programme.version},
    )


# --- rows -----------------------------------------------------------------------------------

# When, and what then; of those that are due at once the upper goes first.
EFFECTS = (
    (_timeout_at_us, _time_out),
    (_activation_at_us, _activate),
    (_tier_end_us, _leave_tier),
    (_expiry_at_us, _expire),
)


def _entry(
    before: Member,
    after: Member,
    kind: Kind,
    decision: Decision,
    *,
    effect: str,
    facts: dict[str, object],
    transfers: tuple[Transfer, ...] = (),
    lot_moves: tuple[LotMove, ...] = (),
    pending_moves: tuple[PendingMove, ...] = (),
    ended: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        operation_id=derived_id(before.member_id, f"{effect} {before.version}"),
        kind=kind,
        accepted=True,
        decision=decision,
        transfers=transfers,
        lot_moves=lot_moves,
        facts=facts,
        member=after,
        pending_moves=pending_moves,
        ended=ended,
    )


def derived_id(member_id: str, effect: str) -> str:
    """The operation id of an effect that nobody asked for: the same effect always gets the same id
    (UUID version 8).
    """
    digest = hashlib.sha256(f"{member_id} {effect}".encode()).digest()[:16]
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | (8 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return str(UUID(int=number))
