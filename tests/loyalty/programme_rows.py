"""A test's programme as the document that a retailer would have written, and as a ledger keeps
it: what `open_programmes` does for a file.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty import schema
from services.loyalty.domain.programme import Programme
from services.loyalty.programmes import document_hash


def document_of(programme: Programme) -> dict[str, Any]:
    """`load_programme` makes the same programme of it."""
    percents = programme.category_percent
    document: dict[str, Any] = {
        "name": programme.name,
        "version": programme.version,
        "currency": programme.currency,
        "time_zone": programme.time_zone,
        "earn": {
            "minor_per_point": programme.minor_per_point,
            "rated": "net_of_points" if programme.net_of_points else "gross",
            "excluded_categories": [name for name, percent in percents.items() if not percent],
            "category_multipliers_percent": {name: p for name, p in percents.items() if p},
            "pending_days": programme.pending_days,
        },
        "redeem": {
            "points": programme.value_points,
            "minor": programme.value_minor,
            "minimum_points": programme.redeem_minimum,
            "step_points": programme.redeem_step,
            "share_of_basket_percent": programme.redeem_share_percent,
            "reservation_s": programme.reservation_s,
        },
        "expiry": {
            "months": programme.expiry_months,
            "ends": programme.expiry_ends.value,
            "announce_days": list(programme.announce_days),
            "return_grace_days": programme.return_grace_days,
        },
        "return": {"clawback": programme.clawback.value},
        "adjust": {"second_person_above_points": programme.adjust_limit_points},
    }
    if programme.void_hours is not None:
        document["void"] = {"hours": programme.void_hours}
    if programme.tiers:
        document["tiers"] = {
            "period": programme.tier_period.value,
            "grace_days": programme.tier_grace_days,
            "levels": [
                {
                    "name": tier.name,
                    "from_points": tier.from_points,
                    "earn_percent": tier.earn_percent,
                }
                for tier in programme.tiers
            ],
        }
    return document


async def keep_programmes(engine: AsyncEngine, versions: Sequence[tuple[int, Programme]]) -> None:
    """Writes the versions that the ledger does not have yet."""
    table = schema.programme
    async with engine.begin() as connection:
        known = set(await connection.scalars(select(table.c.version)))
        for effective_from_us, programme in versions:
            if programme.version in known:
                continue
            document = document_of(programme)
            await connection.execute(
                insert(table).values(
                    version=programme.version,
                    effective_from_us=effective_from_us,
                    document=json.dumps(document, ensure_ascii=False),
                    document_hash=bytes.fromhex(document_hash(document)),
                )
            )
