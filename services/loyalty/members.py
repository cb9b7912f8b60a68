"""Members as committed, and as staff see them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain import tiers
from services.loyalty.domain.member import Member, Status
from services.loyalty.domain.programme import Programme
from services.loyalty.feed import state_to_wire
from services.loyalty.keys import Key, card_key, member_bucket
from services.loyalty.office.audit import reading
from services.loyalty.office.instants import timestamp
from services.loyalty.record import after_of
from services.loyalty.store import MEMBER_COLUMNS, member_from_row


class Members:
    """Looks members up; waits for no writer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    async def by_id(self, member_id: str) -> Member | None:
        """Exactly this member, also one who went on into another."""
        async with self._reading.connect() as connection:
            return await member_in(connection, member_id)

    async def by_card(self, card: str) -> Member | None:
        """Whose the card is now: after a merge that is the member who went on."""
        async with self._reading.connect() as connection:
            row = await _located(connection, card_key(card))
            if row is None or row.member_id is None:
                return None
            member = await member_in(connection, str(row.member_id))
            while member is not None and member.status is Status.MERGED:
                member = await member_in(connection, member.merged_into)
            return member

    async def is_taken(self, key: Key) -> bool:
        """Whether the ledger knows the key already."""
        async with self._reading.connect() as connection:
            return await _located(connection, key) is not None


async def member_in(connection: AsyncConnection, member_id: str) -> Member | None:
    """Exactly this member, as the transaction of `connection` sees them."""
    table = schema.member
    found = await connection.execute(
        select(*[table.c[name] for name in MEMBER_COLUMNS]).where(
            table.c.bucket == member_bucket(member_id), table.c.member_id == member_id
        )
    )
    row = found.one_or_none()
    return member_from_row(row) if row is not None else None


async def _located(connection: AsyncConnection, key: Key) -> Row[Any] | None:
    table = schema.locator
    found = await connection.execute(
        select(table.c.member_id).where(
            table.c.bucket == key.bucket, table.c.kind == key.kind, table.c.key == key.key
        )
    )
    return found.one_or_none()


def member_to_wire(member: Member, *, programme: Programme, today: date) -> pb.GetMemberResponse:
    """`today` in the programme's time zone: what counts towards a tier depends on it."""
    standing = member.standing
    following = _next_tier(member, programme)
    return pb.GetMemberResponse(
        member_id=member.member_id,
        bucket=member_bucket(member.member_id),
        member_version=member.version,
        state=state_to_wire(after_of(member)),
        cards=member.cards,
        lots=[
            pb.Lot(expires_on=lot.expires_on.isoformat(), points=lot.points) for lot in member.lots
        ],
        enrolled_at=timestamp(member.enrolled_at_us),
        pending_lots=[
            pb.PendingLot(
                activates_on=lot.activates_on.isoformat(),
                expires_on=lot.expires_on.isoformat(),
                points=lot.points,
            )
            for lot in member.pending_lots
        ],
        reservations=_reservations(member),
        tier_until=standing.until.isoformat() if standing.until is not None else "",
        qualifying_points=tiers.qualifying_points(standing, today=today, programme=programme),
        next_tier=following[0],
        next_tier_from_points=following[1],
    )


def _reservations(member: Member) -> Sequence[pb.Reservation]:
    return [
        pb.Reservation(
            reservation_id=reservation.reservation_id,
            basket_id=reservation.basket_id,
            points_held=reservation.held,
            points_promised=reservation.promised,
            expires_at=timestamp(reservation.expires_at_us),
        )
        for reservation in member.reservations
    ]


def _next_tier(member: Member, programme: Programme) -> tuple[str, int]:
    """The tier above the member's and what it takes; none above the highest or an unknown one."""
    names = [tier.name for tier in programme.tiers]
    if member.tier not in names[:-1]:
        return "", 0
    following = programme.tiers[names.index(member.tier) + 1]
    return following.name, following.from_points
