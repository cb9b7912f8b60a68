"""Erasing a person: log, ledger, key, rows, tombstone; in this order, each step harmless to repeat.

1. the erasure log has it, outside of every backup: from here on it is carried out;
2. the ledger forfeits the points and forgets the cards (journal kind "erase", once per id);
3. the data key is destroyed: no copy of the row can be read any more;
4. one transaction deletes rows, indexes and baskets and leaves tombstone and audit entry.

Broken off anywhere, the same erasure again goes on where it was; `repeat` does so for the whole
log.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from sqlalchemy import delete, insert, select, tuple_, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema
from services.loyalty.answers import Answer
from services.loyalty.domain.command import Command, Erase, Origin
from services.loyalty.domain.decision import Erased, Refused
from services.loyalty.domain.member import Status
from services.loyalty.identity.erasure_log import Erasure, ErasureLog, Event
from services.loyalty.identity.history import history, with_merged
from services.loyalty.identity.schema import identity, identity_tombstone
from services.loyalty.identity.vault import Tombstone, Vault, delete_person, find_tombstone
from services.loyalty.keys import member_bucket
from services.loyalty.office.audit import append_audit, lock_audit, reading
from services.loyalty.office.instants import micros
from services.loyalty.office.schema import adjustment
from services.loyalty.wire_forms import command_fingerprint

TIMEOUT_S = 10.0
MEMBERS_A_QUERY = 500


class Ledger(Protocol):
    """What an erasure needs of it."""

    async def commit(self, command: Command, *, timeout_s: float) -> Answer: ...


class NotDecidedError(Exception):
    """The ledger did not answer in time; the erasure stands in the log and has to be repeated."""


@dataclass(frozen=True, slots=True)
class Done:
    """The tombstone, and what was forfeited (0 where the ledger no longer tells)."""

    tombstone: Tombstone
    points_forfeited: int


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int
    repeated_here: int


class Eraser:
    def __init__(self, vault: Vault, log: ErasureLog, ledger: Ledger) -> None:
        self._vault, self._log, self._ledger = vault, log, ledger
        self._reading = reading(vault.engine)

    async def erase(self, erasure: Erasure) -> Done | Refused | None:
        """None if there is no such member. NotDecidedError if it has to be repeated.

        Somebody who is erased already keeps their first tombstone, whatever the id.
        """
        status = await self._status(erasure.member_id)
        if status is None:
            return None
        if status == Status.MERGED.value:  # the ledger says who the survivor is
            return await self._forfeit(erasure)
        head = await asyncio.to_thread(self._log.append, erasure)
        return await self._carry_out(erasure, status, detail=f"log {head[:16]}")

    async def repeat(self) -> AsyncIterator[Progress]:
        """Carries out every erasure of the log that is not wholly done here, oldest first."""
        erasures = await asyncio.to_thread(self._log.read)
        repeated = 0
        yield Progress(0, len(erasures), 0)
        for done, erasure in enumerate(erasures, start=1):
            if not await self._is_done(erasure.member_id):
                status = await self._status(erasure.member_id)
                await self._carry_out(erasure, status, detail="repeated from the log")
                repeated += 1
            yield Progress(done, len(erasures), repeated)

    async def count_open(self) -> int:
        """People of the log who are still known in this database: it was restored."""
        erasures = await asyncio.to_thread(self._log.read)
        members = sorted({erasure.member_id for erasure in erasures})
        known: set[str] = set()
        async with self._reading.connect() as connection:
            for first in range(0, len(members), MEMBERS_A_QUERY):
                known |= await _still_known(connection, members[first : first + MEMBERS_A_QUERY])
        return len(known)

    async def _carry_out(
        self, erasure: Erasure, status: str | None, *, detail: str
    ) -> Done | Refused:
        """`status` None: the ledger was restored to before the member; their data goes all the
        same.
        """
        if status not in (None, Status.ERASED.value):
            refused = await self._forfeit(erasure)
            if refused is not None:
                await asyncio.to_thread(self._log.append, erasure, Event.REFUSED)
                return refused
        async with self._reading.connect() as connection:
            members = await with_merged(connection, erasure.member_id)
        await self._vault.keys.destroy(*members)
        async with self._vault.engine.begin() as connection:
            tombstone = await self._bury(connection, erasure, members, detail)
        return Done(tombstone, await self._forfeited(erasure.member_id))

    async def _forfeit(self, erasure: Erasure) -> Refused | None:
        """Books it in the ledger, at most once; None if it is booked."""
        command = Erase(
            operation_id=erasure.operation_id,
            fingerprint=command_fingerprint("erase", erasure.member_id, erasure.ground),
            origin=Origin(actor=erasure.actor),
            member_id=erasure.member_id,
            reason=erasure.ground,
        )
        answer = await self._ledger.commit(command, timeout_s=TIMEOUT_S)
        if isinstance(answer.decision, Refused):
            # another erasure of the same member may have been faster: then this one is done
            if await self._status(erasure.member_id) == Status.ERASED.value:
                return None
            return answer.decision
        if not isinstance(answer.decision, Erased):
            raise NotDecidedError("not decided in time; repeat the call with the same id")
        return None

    async def _bury(
        self,
        connection: AsyncConnection,
        erasure: Erasure,
        members: Sequence[str],
        detail: str,
    ) -> Tombstone:
        """Deletes all that is left, under the lock that every writer of the vault takes."""
        await lock_audit(connection)
        # a change that was under way since the key was destroyed may have made a new one
        await self._vault.keys.destroy(*members)
        for member_id in members:
            await delete_person(connection, member_id)
            await _delete_baskets(connection, member_id)
        await connection.execute(  # what staff typed; that they did stays
            update(adjustment).where(adjustment.c.member_id.in_(members)).values(reason="")
        )
        tombstone = await find_tombstone(connection, erasure.member_id)
        if tombstone is None:
            await connection.execute(
                insert(identity_tombstone),
                [_tombstone_row(erasure, m) for m in await _without_tombstone(connection, members)],
            )
            tombstone = await find_tombstone(connection, erasure.member_id)
            assert tombstone is not None
        await append_audit(
            connection,
            at=self._vault.clock(),
            actor=erasure.actor,
            action="identity.erase",
            subject=erasure.member_id,
            detail=f"{erasure.ground}; {detail}",
        )
        return tombstone

    async def _status(self, member_id: str) -> str | None:
        table = schema.member
        async with self._reading.connect() as connection:
            found: str | None = await connection.scalar(
                select(table.c.status).where(
                    table.c.bucket == member_bucket(member_id), table.c.member_id == member_id
                )
            )
        return found

    async def _is_done(self, member_id: str) -> bool:
        async with self._reading.connect() as connection:
            buried = await find_tombstone(connection, member_id) is not None
            members = await with_merged(connection, member_id)
            left = await connection.scalar(
                select(identity.c.member_id).where(identity.c.member_id.in_(members)).limit(1)
            )
        done = buried and left is None and not await self._vault.keys.has(*members)
        return done and await self._status(member_id) in (None, Status.ERASED.value)

    async def _forfeited(self, member_id: str) -> int:
        async with self._reading.connect() as connection:
            async for rows in history(connection, member_id):
                for row in rows:
                    decision = orjson.loads(row.decision)
                    if row.accepted and "points_forfeited" in decision:
                        return int(decision["points_forfeited"])
        return 0


async def _still_known(connection: AsyncConnection, members: Sequence[str]) -> set[str]:
    """Those who have data in the vault, or points in the ledger."""
    places = [(member_bucket(member_id), member_id) for member_id in members]
    member = schema.member
    in_vault = select(identity.c.member_id).where(
        tuple_(identity.c.bucket, identity.c.member_id).in_(places)
    )
    in_ledger = select(member.c.member_id).where(
        tuple_(member.c.bucket, member.c.member_id).in_(places),
        member.c.status != Status.ERASED.value,
    )
    found = await connection.scalars(union(in_vault, in_ledger))
    return {str(member_id) for member_id in found}


async def _delete_baskets(connection: AsyncConnection, member_id: str) -> None:
    """Line items tell a lot about a person; the journal keeps their hash."""
    table = schema.basket
    async for rows in history(connection, member_id):
        sequences = [row.sequence for row in rows]
        await connection.execute(
            delete(table).where(
                table.c.bucket == member_bucket(member_id), table.c.sequence.in_(sequences)
            )
        )


async def _without_tombstone(connection: AsyncConnection, members: Sequence[str]) -> list[str]:
    return [m for m in members if await find_tombstone(connection, m) is None]


def _tombstone_row(erasure: Erasure, member_id: str) -> dict[str, Any]:
    return {
        "bucket": member_bucket(member_id),
        "member_id": member_id,
        "operation_id": erasure.operation_id,
        "erased_at_us": micros(erasure.at),
        "ground": erasure.ground,
        "actor": erasure.actor,
    }
