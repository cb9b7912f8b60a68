"""A member to vary: each test names only what its rule is about."""

from datetime import date
from typing import Any

from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import Member, Status

CARD = "2900000000018"
MEMBER_ID = "0198c6f4-0000-7000-8000-000000000001"


def a_member(*lots: tuple[str, int], **changes: Any) -> Member:
    """An active member with one card; `lots` are (last day, points)."""
    opened = tuple(Lot(date.fromisoformat(day), points) for day, points in lots)
    fields: dict[str, Any] = {
        "member_id": MEMBER_ID,
        "version": 7,
        "status": Status.ACTIVE,
        "language": "de",
        "tier": "base",
        "points": sum(lot.points for lot in opened),
        "pending": 0,
        "receivable": 0,
        "held": 0,
        "lots": opened,
        "cards": (CARD,),
        "enrolled_at_us": 0,
        "last_sequence": 40,
        **changes,
    }
    return Member(**fields)
