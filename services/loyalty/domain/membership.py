"""Members, their cards, and what staff order: enrolling, blocking, lost cards, corrections,
erasure.
"""

from datetime import date

from services.loyalty.domain import lots
from services.loyalty.domain.card import card_digest
from services.loyalty.domain.command import Adjust, ChangeCards, Enrol, Erase, SetBlocked
from services.loyalty.domain.decision import (
    Adjusted,
    BlockedSet,
    CardsChanged,
    Enrolled,
    Entry,
    Erased,
    Kind,
    Refusal,
    Refused,
    entry_without_points,
    summary,
)
from services.loyalty.domain.expiry import expires_on
from services.loyalty.domain.ledger import Account, Transfer, transfers
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member, Status, everything_out
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.tiers import first_tier

MEMBER_UNKNOWN = Refused(Refusal.MEMBER_UNKNOWN, "member_id", "there is no member with this id")


def enrol(command: Enrol, *, programme: Programme, today: date, now_us: int) -> Entry:
    """A new member with a first card, and the points that they bring along. That the card and the
    id are free is the writer's to know.
    """
    opening = command.opening_points
    lot = LotMove(expires_on(today, programme.expiry_months, programme.expiry_ends), opening)
    moves = (lot,) if opening else ()
    member = Member(
        member_id=command.member_id,
        version=1,
        status=Status.ACTIVE,
        language=command.language,
        tier=first_tier(programme),
        points=opening,
        pending=0,
        receivable=0,
        held=0,
        lots=lots.apply((), moves),
        cards=(command.card,),
        enrolled_at_us=now_us,
        last_sequence=0,
    )
    facts: dict[str, object] = {"card": card_digest(command.card).hex()}
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.ENROL,
        accepted=True,
        decision=Enrolled(member=summary(member)),
        transfers=transfers(Transfer(Account.ADJUSTED, Account.POINTS, opening)),
        lot_moves=moves,
        facts=facts,
        member=member,
    )


def out_of_reach(member: Member | None) -> Refused | None:
    """Why nobody can order anything for this member any more."""
    if member is None:
        return MEMBER_UNKNOWN
    if member.status is Status.MERGED:
        return Refused(
            Refusal.MEMBER_MERGED,
            "member_id",
            f"this member went on into {member.merged_into}; use that id",
        )
    return None


def set_blocked(member: Member, command: SetBlocked) -> Entry:
    """Blocks a member, or ends it. Setting what is set already is accepted and journalled: it was
    ordered.
    """
    if member.status is Status.ERASED:
        return erased_entry(member, command.operation_id, Kind.BLOCK)
    after = member.changed(status=Status.BLOCKED if command.blocked else Status.ACTIVE)
    return entry_without_points(
        command.operation_id,
        Kind.BLOCK if command.blocked else Kind.UNBLOCK,
        BlockedSet(member=summary(after), blocked=command.blocked, reason=command.reason),
        facts={"reason": command.reason},
        member=after,
    )


def change_cards(member: Member, command: ChangeCards) -> Entry | Refused:
    """A lost card is no longer accepted, a new one is. That the new one is free is the writer's to
    know; a card once given up stays nobody's.
    """
    if member.status is Status.ERASED:
        return erased_entry(member, command.operation_id, Kind.CARDS)
    if command.lost_card and command.lost_card not in member.cards:
        return Refused(
            Refusal.CARD_UNKNOWN, "lost_card", "this is none of the member's cards; check it"
        )
    kept = [card for card in member.cards if card != command.lost_card]
    new = [command.new_card] if command.new_card else []
    after = member.changed(cards=(*kept, *new))
    facts: dict[str, object] = {"reason": command.reason}
    if command.lost_card:
        facts["lost_card"] = card_digest(command.lost_card).hex()
    if command.new_card:
        facts["card"] = card_digest(command.new_card).hex()
    decision = CardsChanged(member=summary(after), reason=command.reason)
    return entry_without_points(
        command.operation_id, Kind.CARDS, decision, facts=facts, member=after
    )


def adjust(member: Member, command: Adjust, *, programme: Programme, today: date) -> Entry:
    """Points by hand. Given ones pay what is owed first and live as long as earned ones; taken
    ones go soonest expiry first, and never below what is available.
    """
    if member.status is Status.ERASED:
        return erased_entry(member, command.operation_id, Kind.ADJUST)
    facts: dict[str, object] = {
        "programme_version": programme.version,
        "reason_code": command.reason_code,
        "reason": command.reason,
        "available_before": member.available,
    }
    if -command.points > member.available:
        refused = Refused(
            Refusal.EXCEEDS_AVAILABLE,
            "points",
            f"under a new id, take at most {member.available} points",
            points_maximum=member.available,
        )
        return entry_without_points(
            command.operation_id, Kind.ADJUST, refused, facts=facts, member=member
        )
    given, taken = max(0, command.points), max(0, -command.points)
    settled = min(given, member.owed)
    added = given - settled
    last_day = expires_on(today, programme.expiry_months, programme.expiry_ends)
    moves = (LotMove(last_day, added),) if added else lots.take(member.lots, taken)
    after = member.changed(
        points=member.points + added - taken,
        lots=lots.apply(member.lots, moves),
        receivable=member.receivable + settled,
    )
    decision = Adjusted(
        member=summary(after),
        points=command.points,
        reason_code=command.reason_code,
        reason=command.reason,
    )
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.ADJUST,
        accepted=True,
        decision=decision,
        transfers=transfers(
            Transfer(Account.ADJUSTED, Account.RECEIVABLE, settled),
            Transfer(Account.ADJUSTED, Account.POINTS, added),
            Transfer(Account.POINTS, Account.ADJUSTED, taken),
        ),
        lot_moves=moves,
        facts=facts,
        member=after,
    )


def erase(member: Member, command: Erase) -> Entry:
    """Forgets who held the points: what is left is forfeited, what was owed is written off, open
    reservations end, and no card leads to the member any more.
    """
    if member.status is Status.ERASED:
        return erased_entry(member, command.operation_id, Kind.ERASE)
    lot_moves, pending_moves = everything_out(member)
    after = member.emptied(Status.ERASED)
    forfeited = member.points + member.pending
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.ERASE,
        accepted=True,
        decision=Erased(member=summary(after), points_forfeited=forfeited, reason=command.reason),
        transfers=transfers(
            Transfer(Account.POINTS, Account.FORFEITED, member.points),
            Transfer(Account.PENDING, Account.FORFEITED, member.pending),
            Transfer(Account.LOSS, Account.RECEIVABLE, member.owed),
        ),
        lot_moves=lot_moves,
        facts={"reason": command.reason},
        member=after,
        pending_moves=pending_moves,
        ended=tuple([r.reservation_id for r in member.reservations]),
    )


def erased_entry(member: Member, operation_id: str, kind: Kind) -> Entry:
    """The journalled refusal of whatever is asked for somebody who was erased."""
    refused = Refused(
        Refusal.MEMBER_ERASED, "member_id", "this member was erased; enrol a new one if need be"
    )
    return entry_without_points(operation_id, kind, refused, facts={}, member=member)
