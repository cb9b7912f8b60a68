"""Everything that is kept about a member, as messages, from one snapshot."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from services.loyalty.feed import entry_to_wire
from services.loyalty.identity.history import baskets_of, history, with_merged
from services.loyalty.identity.vault import Vault
from services.loyalty.identity.wire import identity_to_wire
from services.loyalty.members import member_in, member_to_wire
from services.loyalty.office.instants import micros, timestamp
from services.loyalty.programmes.versions import Programmes


async def exported(
    vault: Vault, programmes: Programmes, member_id: str, *, ledger_now_us: int
) -> AsyncIterator[pb.ExportMemberResponse]:
    """The member, then their entries by slices; nothing if there is no such member."""
    async with _snapshot(vault.engine) as connection:
        member = await member_in(connection, member_id)
        if member is None:
            return
        moment = programmes.moment(ledger_now_us)
        found = await vault.find_in(connection, member_id)
        yield pb.ExportMemberResponse(
            member=pb.ExportedMember(
                exported_at=timestamp(micros(vault.clock())),
                account=member_to_wire(member, programme=moment.programme, today=moment.today),
                identity=identity_to_wire(member_id, found) if found is not None else None,
            )
        )
        for one in await with_merged(connection, member_id):
            async for rows in history(connection, one):
                baskets = await baskets_of(connection, rows)
                yield pb.ExportMemberResponse(entries=_entries(rows, baskets))


def _snapshot(engine: AsyncEngine) -> Any:
    """A connection all of whose reads see one moment, and which holds up no writer."""
    options: dict[str, Any] = {"read_only": True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine.execution_options(**options).connect()


def _entries(rows: Sequence[Row[Any]], baskets: Mapping[int, Row[Any]]) -> list[pb.ExportedEntry]:
    return [
        pb.ExportedEntry(
            entry=entry_to_wire(row),
            decision_json=row.decision,
            movements_json=row.movements,
            facts_json=row.facts,
            basket=_basket(baskets[row.sequence]) if row.sequence in baskets else None,
        )
        for row in rows
    ]


def _basket(row: Row[Any]) -> pb.ExportedBasket:
    return pb.ExportedBasket(
        basket_id=row.basket_id,
        receipt_number=row.receipt_number,
        business_date=row.business_date,
        total_minor=row.total_minor,
        line_items_json=row.line_items,
    )
