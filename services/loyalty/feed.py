"""The journal in order, for whoever follows: gap-free per bucket, from any position, nothing
marked or deleted.

A bucket's head is read before its rows. Rows and head are committed together under the bucket's
lock, so every sequence up to the head is visible, whichever process wrote it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc
import orjson
from sqlalchemy import Row, Select, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.loyalty.v1 import feed_pb2 as pb
from bonpunkt.loyalty.v1 import feed_pb2_grpc
from services.loyalty import schema
from services.loyalty.installation import Installation
from services.loyalty.office.instants import timestamp

ROWS_A_BUCKET_MAX = 200
POLL_S = 0.05  # how soon a follower sees what another process committed

_journal = schema.journal


class Signal:
    """Wakes everybody who waits, each time something was committed here."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.closed = False

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def close(self) -> None:
        """Ends all followers' streams, so that the server need not wait for them when it stops."""
        self.closed = True
        self.notify()

    async def wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            pass


class FeedServicer(feed_pb2_grpc.FeedServiceServicer):
    def __init__(self, engine: AsyncEngine, installation: Installation, signal: Signal) -> None:
        self._engine, self._installation, self._signal = engine, installation, signal

    async def Follow(
        self, request: pb.FollowRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.FollowResponse]:
        epoch = self._installation.epoch
        if request.epoch not in (0, epoch):
            await context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"epoch: the ledger is in epoch {epoch}, your positions are of {request.epoch}; "
                "it was restored, so compare your positions with its heads before you go on",
            )
        positions = dict.fromkeys(range(self._installation.bucket_count), 0)
        for position in request.after:
            if position.bucket not in positions:
                await context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"after: there is no bucket {position.bucket}; there are {len(positions)}",
                )
            positions[position.bucket] = position.sequence
        yield pb.FollowResponse(epoch=epoch, bucket_count=len(positions))
        async for rows in self._follow(positions):
            entries = [entry_to_wire(row) for row in rows]
            yield pb.FollowResponse(epoch=epoch, bucket_count=len(positions), entries=entries)

    async def _follow(self, positions: dict[int, int]) -> AsyncIterator[Sequence[Row[Any]]]:
        while not self._signal.closed:
            rows = await self._next(positions)
            if not rows:
                await self._signal.wait(POLL_S)
                continue
            for row in rows:
                positions[row.bucket] = row.sequence
            yield rows

    async def _next(self, positions: Mapping[int, int]) -> Sequence[Row[Any]]:
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            heads = await connection.execute(
                select(schema.bucket.c.bucket, schema.bucket.c.sequence)
            )
            late = [(b, positions[b]) for b, sequence in heads if sequence > positions[b]]
            if not late:
                return ()
            return (await connection.execute(_rows_after(late))).all()


def _rows_after(late: Sequence[tuple[int, int]]) -> Any:
    """The next rows of each bucket that has some, in order within the bucket."""

    def of_bucket(bucket: int, sequence: int) -> Select[Any]:
        rows = (
            select(_journal)
            .where(_journal.c.bucket == bucket, _journal.c.sequence > sequence)
            .order_by(_journal.c.sequence)
            .limit(ROWS_A_BUCKET_MAX)
            .subquery()
        )
        return select(rows)

    return union_all(*[of_bucket(bucket, sequence) for bucket, sequence in late])


def entry_to_wire(row: Row[Any]) -> pb.JournalEntry:
    """A journal row as followers and staff see it."""
    decision = orjson.loads(row.decision)
    return pb.JournalEntry(
        bucket=row.bucket,
        sequence=row.sequence,
        operation_id=row.operation_id,
        kind=row.kind,
        accepted=row.accepted,
        member_id=row.member_id or "",
        member_version=row.member_version,
        state=state_to_wire(orjson.loads(row.after)) if row.member_id else None,
        points_earned=decision.get("points_earned", 0),
        points_redeemed=decision.get("points_redeemed", 0),
        points_expired=decision.get("points_expired", 0),
        terminal_id=row.terminal_id,
        store_id=row.store_id,
        actor=row.actor,
        effective_at=timestamp(row.effective_at_us),
        occurred_at=timestamp(row.occurred_at_us) if row.occurred_at_us is not None else None,
        chain_hash=row.chain_hash,
        expiry_notice=_notice(decision) if decision.get("result") == "announced" else None,
    )


def _notice(decision: Mapping[str, Any]) -> pb.ExpiryNotice:
    return pb.ExpiryNotice(
        points=decision["points"],
        expires_on=decision["expires_on"],
        days_ahead=decision["days_ahead"],
    )


def state_to_wire(after: Mapping[str, Any]) -> pb.MemberState:
    """From the keys of `record.after_json`."""
    expiring_on, expiring_points = after["expiring"] or ("", 0)
    return pb.MemberState(
        points=after["points"],
        available=after["points"] - after["held"],
        pending=after["pending"],
        receivable=after["receivable"],
        held=after["held"],
        status=after["status"],
        tier=after["tier"],
        expiring_points=expiring_points,
        expiring_on=expiring_on,
        language=after["language"],
        merged_into=after.get("more", {}).get("merged_into", ""),
    )
