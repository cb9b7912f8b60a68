"""A member as the ledger knows them: a random id, balances, lots, cards. No name, no address."""

from dataclasses import dataclass
from enum import Enum

from services.loyalty.domain.lots import Lot


class Status(Enum):
    ACTIVE = "active"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Member:
    """State after the journal row `last_sequence` of the member's bucket.

    `version` rises by one with each accepted journal row. `points` is the sum of the open `lots`;
    `available` is what can be redeemed and is never negative (I3).
    """

    member_id: str
    version: int
    status: Status
    language: str
    tier: str
    points: int
    pending: int
    receivable: int
    held: int
    lots: tuple[Lot, ...]
    cards: tuple[str, ...]
    enrolled_at_us: int
    last_sequence: int

    @property
    def available(self) -> int:
        return self.points - self.held
