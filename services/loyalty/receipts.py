"""Captured receipts as the journal recorded them, for what takes them back."""

from dataclasses import fields
from typing import Any

import orjson

from services.loyalty.domain.basket import LineItem
from services.loyalty.domain.days import day_from_text
from services.loyalty.domain.decision import Captured
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import PendingMove
from services.loyalty.domain.original import NOTHING_REVERSED, Original, Reversal
from services.loyalty.programmes.versions import Programmes
from services.loyalty.record import decision_from_json
from services.loyalty.store import Recorded


def original_from(row: Recorded, programmes: Programmes) -> Original:
    """The receipt behind an accepted capture's journal row, with the rules by which it was
    decided.
    """
    captured = decision_from_json(row.decision)
    assert isinstance(captured, Captured)
    movements, facts = orjson.loads(row.movements), orjson.loads(row.facts)
    return Original(
        bucket=row.bucket,
        sequence=row.sequence,
        operation_id=row.operation_id,
        member_id=row.member_id,
        terminal_id=row.terminal_id,
        store_id=row.store_id,
        effective_at_us=row.effective_at_us,
        business_date=facts["business_date"],
        receipt_number=facts["receipt_number"],
        captured=captured,
        lot_moves=tuple([LotMove(day_from_text(day), points) for day, points in movements["lots"]]),
        pending_moves=tuple([_pending_move(*move) for move in movements.get("pending", ())]),
        line_items=_line_items(row.line_items),
        programme=programmes.numbered(facts["programme_version"]),
        qualifying_points=facts.get("qualifying_points", 0),
    )


def _pending_move(activates_on: str, expires_on: str, points: int) -> PendingMove:
    return PendingMove(day_from_text(activates_on), day_from_text(expires_on), points)


def _line_items(text: str | None) -> tuple[LineItem, ...] | None:
    if text is None:
        return None
    rows: list[list[Any]] = orjson.loads(text)
    return tuple([LineItem(*row) for row in rows])


def reversal_json(so_far: Reversal) -> str:
    return orjson.dumps({name: getattr(so_far, name) for name in _REVERSAL_FIELDS}).decode()


def reversal_from_json(text: str | None) -> Reversal:
    """Nothing so far, where nothing is stored."""
    if text is None:
        return NOTHING_REVERSED
    found = orjson.loads(text)
    lines = tuple([(line, quantity, gross) for line, quantity, gross in found.pop("lines")])
    return Reversal(lines=lines, **found)


_REVERSAL_FIELDS = tuple([field.name for field in fields(Reversal)])
