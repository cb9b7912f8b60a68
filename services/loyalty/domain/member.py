"""A member as the ledger knows them: a random id, balances, lots, cards. No name, no address."""

from enum import Enum

from services.loyalty.domain.lots import Lot
from services.loyalty.domain.value import value


class Status(Enum):
    ACTIVE = "active"
    BLOCKED = "blocked"


@value
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

    def changed(
        self,
        *,
        points: int | None = None,
        lots: tuple[Lot, ...] | None = None,
        status: Status | None = None,
    ) -> "Member":
        """The member's next version; what is not named stays as it is."""
        return Member(
            self.member_id,
            self.version + 1,
            self.status if status is None else status,
            self.language,
            self.tier,
            self.points if points is None else points,
            self.pending,
            self.receivable,
            self.held,
            self.lots if lots is None else lots,
            self.cards,
            self.enrolled_at_us,
            self.last_sequence,
        )

    def journalled(self, sequence: int) -> "Member":
        """The same member, whose latest journal row is `sequence`."""
        return Member(
            self.member_id,
            self.version,
            self.status,
            self.language,
            self.tier,
            self.points,
            self.pending,
            self.receivable,
            self.held,
            self.lots,
            self.cards,
            self.enrolled_at_us,
            sequence,
        )
