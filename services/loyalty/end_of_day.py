"""What terminals did on a business date, for tills to compare with their own totals.

A row counts on the business date that its till gave it. One that has none, such as an enrolment,
counts on the day on which it was decided, in the programme's time zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from services.loyalty import schema
from services.loyalty.domain.days import ONE_DAY, end_of_day_us, start_of_day_us
from services.loyalty.journal_reading import Place, first_since, rows_at, rows_between
from services.loyalty.office.audit import reading

# Where rows of a business date are looked for. A till's day may begin before midnight or end after
# it; what came in later than this was no part of what the till closed its day with.
BEFORE, AFTER = ONE_DAY, 2 * ONE_DAY
PAGE_SIZE = 200  # some milliseconds of work, so that no checkout waits longer
KINDS = ("capture", "void", "return", "enrol", "reserve", "release")

_journal = schema.journal
_COLUMNS = (
    _journal.c.sequence,
    _journal.c.kind,
    _journal.c.accepted,
    _journal.c.terminal_id,
    _journal.c.store_id,
    _journal.c.effective_at_us,
    _journal.c.decision,
    _journal.c.facts,
)
_CAPTURED = (_journal.c.bucket, _journal.c.sequence, _journal.c.decision, _journal.c.facts)


@dataclass(slots=True)
class Totals:
    """The figures of `pb.TerminalDay`, under its names."""

    captures: int = 0
    basket_minor: int = 0
    points_earned: int = 0
    points_redeemed: int = 0
    discount_minor: int = 0
    voids: int = 0
    voided_basket_minor: int = 0
    voided_discount_minor: int = 0
    returns: int = 0
    refund_minor: int = 0
    refund_money_minor: int = 0
    points_restored: int = 0
    points_taken_back: int = 0
    enrolments: int = 0
    refusals: int = 0


async def read_end_of_day(
    engine: AsyncEngine, business_date: date, *, time_zone: str, terminal_id: str = ""
) -> pb.GetEndOfDayResponse:
    """By store and terminal; of one terminal if it is named, which need not have done anything."""
    such: list[ColumnElement[bool]] = [_journal.c.kind.in_(KINDS)]
    such.append(
        _journal.c.terminal_id == terminal_id if terminal_id else _journal.c.terminal_id != ""
    )
    first_us = start_of_day_us(business_date - BEFORE, time_zone)
    end_us = end_of_day_us(business_date + AFTER, time_zone)
    day = _Day(business_date.isoformat(), ZoneInfo(time_zone))
    async with reading(engine).connect() as connection:
        buckets = await connection.execute(
            select(schema.bucket.c.bucket, schema.bucket.c.sequence).order_by(
                schema.bucket.c.bucket
            )
        )
        heads = {row.bucket: row.sequence for row in buckets}
        since = await first_since(connection, heads, (first_us, end_us))
        for bucket in heads:
            pages = rows_between(
                connection,
                _COLUMNS,
                bucket=bucket,
                first=since[bucket, first_us],
                end=since[bucket, end_us],
                such=such,
                page_size=PAGE_SIZE,
            )
            async for page in pages:
                for row in page:
                    day.count(row)
        await _count_voided(connection, day.voided)
    return pb.GetEndOfDayResponse(
        terminals=[
            _to_wire(store_id, terminal, day.totals[store_id, terminal])
            for store_id, terminal in sorted(day.totals)
        ]
    )


class _Day:
    """Adds rows up. What a voided receipt came to stands in the receipt's own row: `voided` says
    which rows those are, and whose totals they belong to.
    """

    def __init__(self, business_date: str, zone: ZoneInfo) -> None:
        self._business_date, self._zone = business_date, zone
        self.totals: dict[tuple[str, str], Totals] = {}
        self.voided: dict[Place, Totals] = {}

    def count(self, row: Row[Any]) -> None:
        facts = orjson.loads(row.facts)
        if self._date_of(row, facts) != self._business_date:
            return
        totals = self.totals.setdefault((row.store_id, row.terminal_id), Totals())
        if not row.accepted:
            totals.refusals += 1
            return
        decision = orjson.loads(row.decision)
        match row.kind:
            case "capture":
                totals.captures += 1
                totals.basket_minor += facts["total_minor"]
                totals.points_earned += decision["points_earned"]
                totals.points_redeemed += decision["points_redeemed"]
                totals.discount_minor += decision["discount_minor"]
            case "void":
                bucket, sequence = facts["receipt"]
                self.voided[bucket, sequence] = totals
                totals.voids += 1
                _add_reversed(totals, decision)
            case "return":
                totals.returns += 1
                totals.refund_minor += decision["refund_minor"]
                totals.refund_money_minor += decision["refund_minor"] - decision["discount_minor"]
                _add_reversed(totals, decision)
            case "enrol":
                totals.enrolments += 1

    def _date_of(self, row: Row[Any], facts: Mapping[str, Any]) -> str:
        given = facts.get("business_date")
        if given:
            return str(given)
        decided = datetime.fromtimestamp(row.effective_at_us // 1_000_000, UTC)
        return decided.astimezone(self._zone).date().isoformat()


def _add_reversed(totals: Totals, decision: Mapping[str, Any]) -> None:
    totals.points_restored += decision["points_restored"]
    totals.points_taken_back += decision["points_taken_back"]


async def _count_voided(connection: AsyncConnection, voided: Mapping[Place, Totals]) -> None:
    """A receipt is voided once, so that its place names one void."""
    places = sorted(voided)
    for first in range(0, len(places), PAGE_SIZE):
        found = await rows_at(connection, _CAPTURED, places[first : first + PAGE_SIZE])
        for row in found:
            totals = voided[row.bucket, row.sequence]
            totals.voided_basket_minor += orjson.loads(row.facts)["total_minor"]
            totals.voided_discount_minor += orjson.loads(row.decision)["discount_minor"]


def _to_wire(store_id: str, terminal_id: str, day: Totals) -> pb.TerminalDay:
    figures = {field.name: getattr(day, field.name) for field in fields(day)}
    return pb.TerminalDay(terminal_id=terminal_id, store_id=store_id, **figures)
