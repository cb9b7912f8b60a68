"""What intake and sender keep: the place in the feed, and every delivery until it is done."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    any_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.database import Database
from services.notifier.delivery import Answer, Dead, Delivered, Outcome, Retry
from services.notifier.events import Event
from services.notifier.schema import (
    State,
    attempt,
    cursor,
    delivery,
    endpoint,
    event,
    figures,
    is_in_line,
    is_waiting,
    ledger,
    numbers,
)

_US = 1_000_000
NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """How far a bucket has been taken in."""

    sequence: int
    chain_hash: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which ledger intake stands; epoch 0 and no buckets before the first message."""

    epoch: int
    heads: Mapping[int, Head]


@dataclass(frozen=True, slots=True)
class Taken:
    """What one transaction of intake stores: the new heads, and the events among their entries."""

    heads_before: Mapping[int, Head]
    heads: Mapping[int, Head]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose turn it is."""

    number: int
    bucket: int
    member_id: str
    tries: int  # so far, since it was put in line
    taken_in_us: int
    delivery_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt."""

    number: int
    endpoint_id: int
    at_us: int
    answer: Answer
    outcome: Outcome
    taken_in_us: int = 0


@dataclass(frozen=True, slots=True)
class _Counts:
    """Attempts that were made of a delivery: in all, and since it was put in line."""

    attempts: int
    tries: int


class MovedMeanwhileError(Exception):
    """Somebody else has moved the cursor: read the place again and follow from there."""


def delivery_id(*, key: str, epoch: int, bucket: int, sequence: int) -> str:
    """The header `webhook-id`: the same over all attempts, also after a restore of the database."""
    return f"msg_{key}_{epoch}_{bucket}_{sequence}"


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self) -> Place:
        async with self._database.reading() as connection:
            epoch = await connection.scalar(select(ledger.c.epoch))
            rows = await connection.execute(select(cursor))
            heads = {row.bucket: Head(row.sequence, row.chain_hash) for row in rows}
        return Place(epoch=epoch or 0, heads=heads)

    async def adopt(self, *, epoch: int, bucket_count: int) -> Place:
        """The first ledger that this database follows, from its first entries on."""
        heads = {bucket: Head(0, NO_HASH) for bucket in range(bucket_count)}
        async with self._database.writing() as connection:
            values = {"only": 1, "epoch": epoch, "bucket_count": bucket_count}
            await connection.execute(insert(ledger), values)
            await connection.execute(insert(cursor), _cursor_rows(heads))
        return Place(epoch=epoch, heads=heads)

    async def take_in(self, taken: Taken, *, now_us: int) -> set[int]:
        """Stores cursor and deliveries in one transaction, so that intake is exactly once.

        Returns the endpoints that have something new. MovedMeanwhileError if the cursor is not
        where this batch began.
        """
        async with self._database.writing() as connection:
            locked = await connection.execute(
                self._cursors_locked(), {"among": self._among(taken.heads_before)}
            )
            sequences = {row.bucket: row.sequence for row in locked}
            if sequences != {b: head.sequence for b, head in taken.heads_before.items()}:
                raise MovedMeanwhileError
            rows = await _delivery_rows(connection, taken.events, now_us=now_us)
            if rows:
                for number, row in zip(
                    await self._numbers(connection, len(rows)), rows, strict=True
                ):
                    row["number"] = number
                wanted = {(row["bucket"], row["sequence"]) for row in rows}
                await connection.execute(insert(event), _event_rows(taken.events, wanted))
                await connection.execute(insert(delivery), rows)
            statement = update(cursor).where(cursor.c.bucket == bindparam("at_bucket"))
            moved = [{"at_bucket": row.pop("bucket"), **row} for row in _cursor_rows(taken.heads)]
            await connection.execute(statement, moved)
            new = Counter(int(str(row["endpoint_id"])) for row in rows)
            await count(connection, {e: {State.PENDING: n} for e, n in new.items()})
        return set(new)

    def _cursors_locked(self) -> Select[Any]:
        """The cursors of the buckets `among`, ascending, kept from other processes."""
        mine = _is_among(cursor.c.bucket, is_sqlite=self._database.is_sqlite)
        columns = select(cursor.c.bucket, cursor.c.sequence)
        return columns.where(mine).order_by(cursor.c.bucket).with_for_update()

    async def _numbers(self, connection: AsyncConnection, count: int) -> list[int]:
        """So many new delivery numbers, ascending; drawn under the lock of the cursors."""
        if self._database.is_sqlite:
            last = await connection.scalar(select(func.max(delivery.c.number))) or 0
            return list(range(last + 1, last + 1 + count))
        series = func.generate_series(1, count).table_valued("one")
        drawn = await connection.scalars(select(numbers.next_value()).select_from(series))
        return sorted(drawn)

    async def due(
        self,
        endpoint_id: int,
        *,
        key: str,
        now_us: int,
        limit: int,
        buckets: Collection[int] | None = None,
    ) -> list[Due]:
        """What to attempt now, the longest due first; of each member only the earliest pending.

        Only of these buckets, where several processes share the sending.
        """
        statement = self._of_buckets(_due(endpoint_id, now_us=now_us, limit=limit), buckets)
        async with self._database.reading() as connection:
            rows = await connection.execute(statement, self._parameters(buckets))
            return [
                Due(
                    number=row.number,
                    bucket=row.bucket,
                    member_id=row.member_id,
                    tries=row.tries,
                    taken_in_us=row.created_at_us,
                    delivery_id=delivery_id(
                        key=key, epoch=row.epoch, bucket=row.bucket, sequence=row.sequence
                    ),
                    body=row.body,
                )
                for row in rows
            ]

    async def next_due_us(
        self, endpoint_id: int, *, after_us: int, buckets: Collection[int] | None = None
    ) -> int | None:
        """When the next waiting delivery (of these buckets) becomes due; None if none waits."""
        statement = select(func.min(delivery.c.next_attempt_us)).where(
            delivery.c.endpoint_id == endpoint_id,
            is_waiting(delivery),
            delivery.c.next_attempt_us > after_us,
        )
        statement = self._of_buckets(statement, buckets)
        async with self._database.reading() as connection:
            found: int | None = await connection.scalar(statement, self._parameters(buckets))
        return found

    def _of_buckets(self, statement: Select[Any], buckets: Collection[int] | None) -> Select[Any]:
        if buckets is None:
            return statement
        return statement.where(_is_among(delivery.c.bucket, is_sqlite=self._database.is_sqlite))

    def _parameters(self, buckets: Collection[int] | None) -> dict[str, object]:
        return {} if buckets is None else {"among": self._among(buckets)}

    async def record(self, results: Sequence[Result]) -> None:
        """Stores what became of many attempts, in one transaction.

        What another process has finished meanwhile is left as it is: two send the same delivery
        when one of them is held for dead but is not.
        """
        async with self._database.writing() as connection:
            counted = await self._pending_counted(connection, results)
            results = [each for each in results if each.number in counted]
            delivered = [each for each in results if isinstance(each.outcome, Delivered)]
            failed = [each for each in results if not isinstance(each.outcome, Delivered)]
            if delivered:
                await self._record_delivered(connection, delivered)
            if failed:
                await connection.execute(_FAILED, [_failed_row(each, counted) for each in failed])
                rows = [_attempt_row(each, counted) for each in failed]
                await connection.execute(insert(attempt), rows)
            await count(connection, _changes(results))

    async def _pending_counted(
        self, connection: AsyncConnection, results: Sequence[Result]
    ) -> dict[int, _Counts]:
        """Those that are pending still, with this attempt counted; locked, by number."""
        columns = select(delivery.c.number, delivery.c.attempts, delivery.c.tries)
        among = _is_among(delivery.c.number, is_sqlite=self._database.is_sqlite)
        pending = delivery.c.state == State.PENDING.value
        statement = columns.where(among, pending).order_by(delivery.c.number).with_for_update()
        values = self._among([each.number for each in results])
        found = await connection.execute(statement, {"among": values})
        return {row.number: _Counts(row.attempts + 1, row.tries + 1) for row in found}

    async def _record_delivered(
        self, connection: AsyncConnection, delivered: Sequence[Result]
    ) -> None:
        """One statement for all of a status: nearly always one statement for all."""
        for status in {each.answer.status for each in delivered}:
            group = [each for each in delivered if each.answer.status == status]
            statement = update(delivery).where(
                _is_among(delivery.c.number, is_sqlite=self._database.is_sqlite)
            )
            values = {
                "state": State.DELIVERED.value,
                "attempts": delivery.c.attempts + 1,
                "tries": delivery.c.tries + 1,
                "last_attempt_us": max(each.at_us for each in group),
                "last_status": status,
                "last_error": "",
            }
            among = self._among([each.number for each in group])
            await connection.execute(statement.values(values), {"among": among})

    def _among(self, values: Iterable[int]) -> object:
        """The parameter of `_is_among`."""
        return f"[{','.join(map(str, values))}]" if self._database.is_sqlite else list(values)


def _is_among(column: ColumnElement[int], *, is_sqlite: bool) -> ColumnElement[bool]:
    """`column` is in the parameter `among`: one text of SQL for any number of values."""
    if is_sqlite:
        return column.in_(select(func.json_each(bindparam("among")).table_valued("value").c.value))
    return column == any_(bindparam("among", type_=ARRAY(BigInteger)))


def _due(endpoint_id: int, *, now_us: int, limit: int) -> Select[Any]:
    """A member's turn is a sub-select: a join might be planned over everything pending."""
    other = delivery.alias("other")
    turn = (
        select(func.min(other.c.number))
        .where(
            other.c.endpoint_id == delivery.c.endpoint_id,
            other.c.member_id == delivery.c.member_id,
            is_in_line(other),
        )
        .scalar_subquery()
    )
    return (
        select(
            delivery.c.number,
            delivery.c.member_id,
            delivery.c.tries,
            delivery.c.created_at_us,
            delivery.c.epoch,
            delivery.c.bucket,
            delivery.c.sequence,
            event.c.body,
        )
        .join(
            event,
            (event.c.epoch == delivery.c.epoch)
            & (event.c.bucket == delivery.c.bucket)
            & (event.c.sequence == delivery.c.sequence),
        )
        .where(
            delivery.c.endpoint_id == endpoint_id,
            is_waiting(delivery),
            delivery.c.next_attempt_us <= now_us,
            delivery.c.number == turn,
        )
        .order_by(delivery.c.next_attempt_us)
        .limit(limit)
    )


async def _delivery_rows(
    connection: AsyncConnection, events: Sequence[Event], *, now_us: int
) -> list[dict[str, object]]:
    """One row an event and endpoint that asked for its type, still without numbers. Endpoints are
    read here, so that one added before this transaction misses nothing; disabled ones get their
    rows for later.
    """
    if not events:
        return []
    found = await connection.execute(
        select(endpoint.c.endpoint_id, endpoint.c.event_types).order_by(endpoint.c.endpoint_id)
    )
    asked = [(row.endpoint_id, frozenset(row.event_types.split())) for row in found]
    return [
        _delivery_row(each, endpoint_id=endpoint_id, now_us=now_us)
        for each in events
        for endpoint_id, types in asked
        if not types or each.event_type in types
    ]


def _delivery_row(of: Event, *, endpoint_id: int, now_us: int) -> dict[str, object]:
    return {
        "endpoint_id": endpoint_id,
        "epoch": of.epoch,
        "bucket": of.bucket,
        "sequence": of.sequence,
        "member_id": of.member_id,
        "state": State.PENDING.value,
        "attempts": 0,
        "tries": 0,
        "created_at_us": now_us,
        "next_attempt_us": now_us,
        "last_attempt_us": None,
        "last_status": 0,
        "last_error": "",
    }


def _event_rows(
    events: Sequence[Event], wanted: set[tuple[object, object]]
) -> list[dict[str, object]]:
    return [
        {
            "epoch": each.epoch,
            "bucket": each.bucket,
            "sequence": each.sequence,
            "member_version": each.member_version,
            "event_type": each.event_type,
            "body": each.body,
        }
        for each in events
        if (each.bucket, each.sequence) in wanted
    ]


def _cursor_rows(heads: Mapping[int, Head]) -> list[dict[str, object]]:
    return [
        {"bucket": bucket, "sequence": head.sequence, "chain_hash": head.chain_hash}
        for bucket, head in sorted(heads.items())
    ]


_FAILED = (
    update(delivery)
    .where(delivery.c.number == bindparam("at_number"))
    .values(
        state=bindparam("to_state"),
        attempts=bindparam("to_attempts"),
        tries=bindparam("to_tries"),
        next_attempt_us=bindparam("to_next_attempt_us"),
        last_attempt_us=bindparam("to_last_attempt_us"),
        last_status=bindparam("to_last_status"),
        last_error=bindparam("to_last_error"),
    )
)


def _failed_row(result: Result, counted: Mapping[int, _Counts]) -> dict[str, object]:
    wait_s = result.outcome.wait_s if isinstance(result.outcome, Retry) else 0
    state = State.DEAD if isinstance(result.outcome, Dead) else State.PENDING
    return {
        "at_number": result.number,
        "to_state": state.value,
        "to_attempts": counted[result.number].attempts,
        "to_tries": counted[result.number].tries,
        "to_next_attempt_us": result.at_us + round(wait_s * _US),
        "to_last_attempt_us": result.at_us,
        "to_last_status": result.answer.status,
        "to_last_error": result.answer.error,
    }


def _attempt_row(result: Result, counted: Mapping[int, _Counts]) -> dict[str, object]:
    return {
        "number": result.number,
        "attempt": counted[result.number].attempts,
        "at_us": result.at_us,
        "status": result.answer.status,
        "error": result.answer.error,
    }


def _changes(results: Iterable[Result]) -> dict[int, Counter[State]]:
    """How many deliveries of each endpoint enter (and, negative, leave) a state."""
    changes: dict[int, Counter[State]] = {}
    for each in results:
        if isinstance(each.outcome, Retry):
            continue
        to = State.DEAD if isinstance(each.outcome, Dead) else State.DELIVERED
        change = changes.setdefault(each.endpoint_id, Counter())
        change[to] += 1
        change[State.PENDING] -= 1
    return changes


async def count(connection: AsyncConnection, changes: Mapping[int, Mapping[State, int]]) -> None:
    """Keeps the figures in step; in the transaction that changes the deliveries."""
    if not changes:
        return
    statement = (
        update(figures)
        .where(figures.c.endpoint_id == bindparam("at_endpoint"))
        .values(
            pending=figures.c.pending + bindparam("plus_pending"),
            delivered=figures.c.delivered + bindparam("plus_delivered"),
            dead=figures.c.dead + bindparam("plus_dead"),
        )
    )
    rows = [
        {
            "at_endpoint": endpoint_id,
            "plus_pending": change.get(State.PENDING, 0),
            "plus_delivered": change.get(State.DELIVERED, 0),
            "plus_dead": change.get(State.DEAD, 0),
        }
        for endpoint_id, change in sorted(changes.items())
    ]
    await connection.execute(statement, rows)
