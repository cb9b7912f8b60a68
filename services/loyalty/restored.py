"""What a restored ledger tells those who followed it further than its backup reaches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty import schema
from services.loyalty.chain import GENESIS
from services.loyalty.keys import member_bucket
from services.loyalty.office.audit import reading


@dataclass(frozen=True, slots=True)
class RestoredLedger:
    """A ledger that nothing serves: read freely, it does not change."""

    engine: AsyncEngine
    epoch: int

    async def heads(self) -> Mapping[int, int]:
        """The last sequence of each bucket; 0 where nothing was booked."""
        async with reading(self.engine).connect() as connection:
            found = await connection.execute(
                select(schema.bucket.c.bucket, schema.bucket.c.sequence)
            )
            return {row.bucket: row.sequence for row in found}

    async def chain_hash(self, *, bucket: int, sequence: int) -> bytes:
        """The hash that seals everything up to this entry. It has to exist, or be 0."""
        if sequence == 0:
            return GENESIS
        journal = schema.journal
        async with reading(self.engine).connect() as connection:
            found = await connection.execute(
                select(journal.c.chain_hash).where(
                    journal.c.bucket == bucket, journal.c.sequence == sequence
                )
            )
            return bytes(found.scalar_one())

    async def last_sequences(self, member_ids: Iterable[str]) -> Mapping[str, int]:
        """Where the latest entry of each member is, in the member's bucket; who is not known here
        is left out.
        """
        member = schema.member
        found: dict[str, int] = {}
        async with reading(self.engine).connect() as connection:
            for member_id in member_ids:
                last = await connection.scalar(
                    select(member.c.last_sequence).where(
                        member.c.bucket == member_bucket(member_id),
                        member.c.member_id == member_id,
                    )
                )
                if last is not None:
                    found[member_id] = last
        return found


async def connections_of_others(engine: AsyncEngine) -> list[str]:
    """Who else is connected to this database; nobody on SQLite, whose file has one owner."""
    if engine.dialect.name != "postgresql":
        return []
    others = text(
        "SELECT coalesce(nullif(application_name, ''), 'process') || ' ' || pid"
        " FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
    )
    async with engine.connect() as connection:
        return [str(each) for each in await connection.scalars(others)]
