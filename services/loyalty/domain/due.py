"""What time alone does to a member. Every decision runs this first; the nightly job merely touches
the idle.
"""

import hashlib
from datetime import date
from uuid import UUID

from services.loyalty.domain import lots
from services.loyalty.domain.decision import Entry, Expired, Kind, summary
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.member import Member


def settle_due(member: Member, *, today: date) -> tuple[Member, tuple[Entry, ...]]:
    """The member as of `today` (a date in the programme's time zone), and a journal row for each
    effect.

    Lots can be redeemed on their last day and expire after it. Pure and repeatable: settled twice,
    the second time finds nothing to do.
    """
    if not member.lots or member.lots[0].expires_on >= today:
        return member, ()
    entries: list[Entry] = []
    for lot in member.lots:
        if lot.expires_on >= today:
            break
        member, entry = _expire(member, lot)
        entries.append(entry)
    return member, tuple(entries)


def _expire(member: Member, lot: lots.Lot) -> tuple[Member, Entry]:
    moves = (lots.LotMove(lot.expires_on, -lot.points),)
    after = member.changed(points=member.points - lot.points, lots=lots.apply(member.lots, moves))
    entry = Entry(
        operation_id=derived_id(member.member_id, f"expire {lot.expires_on} {member.version}"),
        kind=Kind.EXPIRE,
        accepted=True,
        decision=Expired(member=summary(after), points_expired=lot.points),
        transfers=(Transfer(Account.POINTS, Account.EXPIRED, lot.points),),
        lot_moves=moves,
        facts={"expires_on": lot.expires_on.isoformat()},
        member=after,
    )
    return after, entry


def derived_id(member_id: str, effect: str) -> str:
    """The operation id of an effect that nobody asked for: the same effect always gets the same id
    (UUID version 8).
    """
    digest = hashlib.sha256(f"{member_id} {effect}".encode()).digest()[:16]
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | (8 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return str(UUID(int=number))
