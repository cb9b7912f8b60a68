"""A member's account for a period: what they had, every movement, what they had then.

Movements are the transfers of the member's journal rows, walked along their links. They are checked
against the balance that each row recorded: a statement that does not add up is never given out.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS, Account, Transfer, moved
from services.loyalty.journal_reading import member_history
from services.loyalty.keys import member_bucket
from services.loyalty.office.audit import reading
from services.loyalty.office.instants import timestamp

PAGE_SIZE = 200
LINES_MAX = 20_000  # more would not fit into one message


class Balances(NamedTuple):
    """One number for each account that a member has, in the order of `MEMBER_ACCOUNTS`."""

    points: int = 0
    pending: int = 0
    receivable: int = 0

    def plus(self, other: "Balances") -> "Balances":
        return Balances(*[mine + theirs for mine, theirs in zip(self, other, strict=True)])


NOTHING = Balances()


class Movement(NamedTuple):
    row: Row[Any]
    change: Balances
    balance: Balances  # after it


class Statement(NamedTuple):
    """opening + all changes = closing, account by account; movements are oldest first."""

    opening: Balances
    movements: Sequence[Movement]
    closing: Balances


class TooManyMovementsError(Exception):
    """The period has more movements than one answer can hold."""


class BrokenLedgerError(Exception):
    """A journal row's transfers do not lead to the balance that it recorded."""


async def read_statement(
    engine: AsyncEngine, member_id: str, *, from_us: int, until_us: int
) -> Statement | None:
    """From `from_us` to before `until_us`; None if there is no such member.

    Raises TooManyMovementsError, and BrokenLedgerError naming the row.
    """
    bucket, table = member_bucket(member_id), schema.member
    async with reading(engine).connect() as connection:
        newest = await connection.scalar(
            select(table.c.last_sequence).where(
                table.c.bucket == bucket, table.c.member_id == member_id
            )
        )
        if newest is None:
            return None
        opening, rows = NOTHING, []
        async for row in _newest_first(connection, bucket, newest):
            if row.effective_at_us < from_us:
                opening = _recorded(row)
                break
            if row.effective_at_us < until_us:
                rows.append(row)
                if len(rows) > LINES_MAX:
                    raise TooManyMovementsError
    return _added_up(opening, reversed(rows))


async def _newest_first(
    connection: AsyncConnection, bucket: int, newest: int
) -> AsyncIterator[Row[Any]]:
    start = newest
    while start:
        page = (await connection.execute(member_history(bucket, start, PAGE_SIZE))).all()
        for row in page:
            yield row
        start = page[-1].member_previous


def _added_up(opening: Balances, oldest_first: Iterable[Row[Any]]) -> Statement:
    movements: list[Movement] = []
    balance = opening
    for row in oldest_first:
        change = _change(row)
        balance = balance.plus(change)
        if balance != _recorded(row):
            raise BrokenLedgerError(f"{row.bucket}/{row.sequence}")
        if change != NOTHING:
            movements.append(Movement(row, change, balance))
    return Statement(opening, movements, balance)


def _change(row: Row[Any]) -> Balances:
    """What the row's transfers add to the member's accounts."""
    legs = orjson.loads(row.movements)["transfers"]
    change = moved([Transfer(Account(source), Account(target), n) for source, target, n in legs])
    return Balances(*[change.get(account, 0) for account in MEMBER_ACCOUNTS])


def _recorded(row: Row[Any]) -> Balances:
    """What the member had after the row, as it says itself."""
    after = orjson.loads(row.after)
    return Balances(*[after[account.value] for account in MEMBER_ACCOUNTS])


def statement_to_wire(statement: Statement, *, time_zone: str) -> pb.GetStatementResponse:
    return pb.GetStatementResponse(
        opening=_balances(statement.opening),
        lines=[_line(movement) for movement in statement.movements],
        closing=_balances(statement.closing),
        time_zone=time_zone,
    )


def _line(movement: Movement) -> pb.StatementLine:
    row = movement.row
    return pb.StatementLine(
        bucket=row.bucket,
        sequence=row.sequence,
        operation_id=row.operation_id,
        kind=row.kind,
        effective_at=timestamp(row.effective_at_us),
        store_id=row.store_id,
        terminal_id=row.terminal_id,
        receipt_number=orjson.loads(row.facts).get("receipt_number", ""),
        change=_balances(movement.change),
        balance=_balances(movement.balance),
    )


def _balances(balances: Balances) -> pb.Balances:
    return pb.Balances(**balances._asdict())
