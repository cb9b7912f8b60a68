"""The journal for people: newest entries, a member's history and statement, one entry explained, a
terminal's day, and the figures of the whole.
"""

import re
from datetime import date
from typing import Any

import grpc
import orjson
from sqlalchemy import Row, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from bonpunkt.loyalty.v1 import journal_pb2_grpc
from services.loyalty import schema
from services.loyalty.calls import Context, invalid
from services.loyalty.domain.days import end_of_day_us, start_of_day_us
from services.loyalty.end_of_day import read_end_of_day
from services.loyalty.feed import entry_to_wire
from services.loyalty.installation import Installation
from services.loyalty.journal_reading import member_history, newest_of
from services.loyalty.keys import member_bucket
from services.loyalty.programmes.versions import Programmes
from services.loyalty.statements import (
    LINES_MAX,
    BrokenLedgerError,
    TooManyMovementsError,
    read_statement,
    statement_to_wire,
)
from services.loyalty.wire_forms import CARD_MAX, UUID_FORM
from services.runtime.logs import logger

PAGE_DEFAULT, PAGE_MAX = 50, 200
PAGE_TOKEN_FORM = re.compile(r"[0-9]{1,18}")  # a sequence; the database counts up to 19 digits
SEQUENCE_MAX = 2**63 - 1
YEARS = range(1970, 9999)  # those whose days, and the days beside them, the ledger can count

log = logger(__name__)
_journal, _bucket, _basket = schema.journal, schema.bucket, schema.basket


class JournalServicer(journal_pb2_grpc.JournalServiceServicer):
    def __init__(
        self, engine: AsyncEngine, installation: Installation, programmes: Programmes
    ) -> None:
        self._engine, self._installation, self._programmes = engine, installation, programmes

    async def ListRecent(
        self, request: pb.ListRecentRequest, context: Context
    ) -> pb.ListRecentResponse:
        size = await _page_size(request.page_size, context)
        newest = [newest_of(b, size) for b in range(self._installation.bucket_count)]
        rows = await self._rows(union_all(*newest))
        rows.sort(key=lambda row: (row.effective_at_us, row.sequence), reverse=True)
        return pb.ListRecentResponse(entries=[entry_to_wire(row) for row in rows[:size]])

    async def ListForMember(
        self, request: pb.ListForMemberRequest, context: Context
    ) -> pb.ListForMemberResponse:
        if not UUID_FORM.fullmatch(request.member_id):
            await invalid(context, "member_id: send a UUID in its canonical text form")
        size = await _page_size(request.page_size, context)
        bucket = member_bucket(request.member_id)
        start = await self._page_start(request, bucket, context)
        if start == 0:
            return pb.ListForMemberResponse()
        rows = await self._rows(member_history(bucket, start, size))
        if rows and rows[0].member_id != request.member_id:
            await invalid(context, "page_token: this token is of another member")
        following = rows[-1].member_previous if rows else 0
        return pb.ListForMemberResponse(
            entries=[entry_to_wire(row) for row in rows],
            next_page_token=str(following) if following else "",
        )

    async def _page_start(
        self, request: pb.ListForMemberRequest, bucket: int, context: Context
    ) -> int:
        """The sequence at which the page begins; 0 if the member is unknown."""
        if request.page_token:
            if not PAGE_TOKEN_FORM.fullmatch(request.page_token):
                await invalid(context, "page_token: send the token of the previous page")
            return int(request.page_token)
        table = schema.member
        rows = await self._rows(
            select(table.c.last_sequence).where(
                table.c.bucket == bucket, table.c.member_id == request.member_id
            )
        )
        return rows[0].last_sequence if rows else 0

    async def GetEntry(self, request: pb.GetEntryRequest, context: Context) -> pb.GetEntryResponse:
        buckets = self._installation.bucket_count
        if request.bucket >= buckets or request.sequence > SEQUENCE_MAX:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the journal has no such entry")
        rows = await self._rows(
            select(
                _journal, _basket.c.line_items, _basket.c.receipt_number, _basket.c.business_date
            )
            .outerjoin(
                _basket,
                (_basket.c.bucket == _journal.c.bucket)
                & (_basket.c.sequence == _journal.c.sequence),
            )
            .where(_journal.c.bucket == request.bucket, _journal.c.sequence == request.sequence)
        )
        if not rows:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the journal has no such entry")
        row = rows[0]
        version = orjson.loads(row.facts).get("programme_version")
        documents = await self._rows(
            select(schema.programme.c.document).where(schema.programme.c.version == version)
        )
        return pb.GetEntryResponse(
            entry=entry_to_wire(row),
            decision_json=row.decision,
            movements_json=row.movements,
            facts_json=row.facts,
            basket_json=row.line_items or "",
            receipt_number=row.receipt_number or "",
            business_date=row.business_date or "",
            programme_json=documents[0].document if documents else "",
        )

    async def GetOverview(
        self, _: pb.GetOverviewRequest, context: Context
    ) -> pb.GetOverviewResponse:
        figures = ("sequence", "issued", "redeemed", "expired", "adjusted", "forfeited", "loss")
        counters = ("members", "member_changes", "captures", "refusals", "same_basket_redemptions")
        row = (
            await self._rows(
                select(*[func.sum(_bucket.c[n]).label(n) for n in (*figures, *counters)])
            )
        )[0]
        programme = self._programmes.current
        outside = (row.redeemed, row.expired, row.adjusted, row.forfeited, row.loss)
        return pb.GetOverviewResponse(
            members=int(row.members),
            journal_entries=int(row.sequence),
            captures=int(row.captures),
            liability_points=-int(row.issued) - sum(map(int, outside)),
            issued_points=-int(row.issued),
            redeemed_points=int(row.redeemed),
            expired_points=int(row.expired),
            same_basket_redemptions=int(row.same_basket_redemptions),
            member_changes=int(row.member_changes),
            refusals=int(row.refusals),
            programme_name=programme.name,
            programme_version=programme.version,
            currency=programme.currency,
            value_points=programme.value_points,
            value_minor=programme.value_minor,
            time_zone=programme.time_zone,
            epoch=self._installation.epoch,
            adjust_limit_points=programme.adjust_limit_points,
        )

    async def GetStatement(
        self, request: pb.GetStatementRequest, context: Context
    ) -> pb.GetStatementResponse:
        if not UUID_FORM.fullmatch(request.member_id):
            await invalid(context, "member_id: send a UUID in its canonical text form")
        first, last = await self._period(request, context)
        time_zone = self._programmes.current.time_zone
        try:
            statement = await read_statement(
                self._engine,
                request.member_id,
                from_us=start_of_day_us(first, time_zone),
                until_us=end_of_day_us(last, time_zone),
            )
        except TooManyMovementsError:
            await invalid(
                context, f"from_date: more than {LINES_MAX} movements; ask for a shorter period"
            )
        except BrokenLedgerError as broken:
            log.error("the ledger does not add up", entry=str(broken))
            await context.abort(
                grpc.StatusCode.INTERNAL,
                f"journal entry {broken} does not add up to the balance that it recorded; "
                "run `bonpunkt verify`",
            )
        if statement is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "member_id: there is no such member")
        return statement_to_wire(statement, time_zone=time_zone)

    async def _period(self, request: pb.GetStatementRequest, context: Context) -> tuple[date, date]:
        first, last = _day(request.from_date), _day(request.to_date)
        if first is None:
            await invalid(context, "from_date: send the first day as YYYY-MM-DD")
        if last is None:
            await invalid(context, "to_date: send the last day as YYYY-MM-DD")
        if last < first:
            await invalid(context, "to_date: the last day comes before the first; swap them")
        return first, last

    async def GetEndOfDay(
        self, request: pb.GetEndOfDayRequest, context: Context
    ) -> pb.GetEndOfDayResponse:
        business_date = _day(request.business_date)
        if business_date is None:
            await invalid(context, "business_date: send the tills' business day as YYYY-MM-DD")
        terminal_id = request.terminal_id
        if len(terminal_id) > CARD_MAX or not terminal_id.isprintable():
            await invalid(context, f"terminal_id: send up to {CARD_MAX} printable characters")
        return await read_end_of_day(
            self._engine,
            business_date,
            time_zone=self._programmes.current.time_zone,
            terminal_id=terminal_id,
        )

    async def _rows(self, statement: Any) -> list[Row[Any]]:
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return list(await connection.execute(statement))


async def _page_size(asked: int, context: Context) -> int:
    if asked > PAGE_MAX:
        await invalid(context, f"page_size: ask for at most {PAGE_MAX}")
    return asked or PAGE_DEFAULT


def _day(text: str) -> date | None:
    """The day written as YYYY-MM-DD; None if it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and day.year in YEARS else None
