"""A member as the ledger knows them: a random id, balances, lots, cards. No name, no address."""

from collections.abc import Iterable
from datetime import date
from enum import Enum
from typing import NamedTuple

from services.loyalty.domain.lots import Lot, LotMove
from services.loyalty.domain.value import value


class Status(Enum):
    ACTIVE = "active"
    BLOCKED = "blocked"
    MERGED = "merged"  # everything went on to another member, for ever
    ERASED = "erased"


class PendingLot(NamedTuple):
    """`points` (1 or more) that become spendable at the start of `activates_on`."""

    activates_on: date
    expires_on: date
    points: int


class PendingMove(NamedTuple):
    """What an operation added to (positive) or took from (negative) a pending lot."""

    activates_on: date
    expires_on: date
    points: int


class Reservation(NamedTuple):
    """Points set aside for a basket until `expires_at_us`.

    `held` lowers what is available; `promised` is still to be earned by the basket itself.
    """

    reservation_id: str  # the operation that reserved
    basket_id: str
    held: int
    promised: int
    expires_at_us: int

    @property
    def points(self) -> int:
        return self.held + self.promised


class Standing(NamedTuple):
    """Where the member stands among the tiers.

    `until` is the last day of the tier, grace included; None: nothing ends it. `qualifying` is
    (month, points) with month = 12 × year + month − 1, oldest first: what counts towards a tier.
    """

    until: date | None = None
    qualifying: tuple[tuple[int, int], ...] = ()


NO_STANDING = Standing()


@value
class Member:
    """State after the journal row `last_sequence` of the member's bucket.

    `version` rises by one with each accepted journal row. `points` is the sum of the open `lots`,
    `pending` that of the `pending_lots`, `held` what the open `reservations` keep back;
    `available` is what can be redeemed and is never negative (I3). Nothing falls due before
    `due_at_us`. `announced` is the last expiry day that was told, for each of the programme's
    `announce_days`.
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
    pending_lots: tuple[PendingLot, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    standing: Standing = NO_STANDING
    announced: tuple[tuple[int, date], ...] = ()
    merged_into: str = ""
    due_at_us: int = 0

    @property
    def available(self) -> int:
        return self.points - self.held

    @property
    def owed(self) -> int:
        """What a clawback could not take: netted from the next points earned. 0 or more."""
        return -self.receivable

    def changed(
        self,
        *,
        points: int | None = None,
        lots: tuple[Lot, ...] | None = None,
        status: Status | None = None,
        tier: str | None = None,
        pending_lots: tuple[PendingLot, ...] | None = None,
        receivable: int | None = None,
        reservations: tuple[Reservation, ...] | None = None,
        cards: tuple[str, ...] | None = None,
        standing: Standing | None = None,
        announced: tuple[tuple[int, date], ...] | None = None,
        merged_into: str | None = None,
    ) -> "Member":
        """The member's next version; what is not named stays as it is. `pending` and `held` follow
        from their lots and reservations.
        """
        return Member(
            self.member_id,
            self.version + 1,
            self.status if status is None else status,
            self.language,
            self.tier if tier is None else tier,
            self.points if points is None else points,
            self.pending if pending_lots is None else sum([lot.points for lot in pending_lots]),
            self.receivable if receivable is None else receivable,
            self.held if reservations is None else sum([r.held for r in reservations]),
            self.lots if lots is None else lots,
            self.cards if cards is None else cards,
            self.enrolled_at_us,
            self.last_sequence,
            self.pending_lots if pending_lots is None else pending_lots,
            self.reservations if reservations is None else reservations,
            self.standing if standing is None else standing,
            self.announced if announced is None else announced,
            self.merged_into if merged_into is None else merged_into,
            self.due_at_us,
        )

    def emptied(self, status: Status, *, merged_into: str | None = None) -> "Member":
        """The member's next and last version, of whom nothing is left but the id."""
        return self.changed(
            status=status,
            points=0,
            lots=(),
            pending_lots=(),
            receivable=0,
            reservations=(),
            cards=(),
            standing=NO_STANDING,
            announced=(),
            merged_into=merged_into,
        )

    def journalled(self, sequence: int, due_at_us: int) -> "Member":
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
            self.pending_lots,
            self.reservations,
            self.standing,
            self.announced,
            self.merged_into,
            due_at_us,
        )

    def reservation_of(self, basket_id: str) -> Reservation | None:
        """The live reservation of a basket; a basket has at most one."""
        for reservation in self.reservations:
            if reservation.basket_id == basket_id:
                return reservation
        return None


def everything_out(member: Member) -> tuple[tuple[LotMove, ...], tuple[PendingMove, ...]]:
    """The moves that empty all lots and pending lots."""
    return (
        tuple([LotMove(lot.expires_on, -lot.points) for lot in member.lots]),
        tuple([PendingMove(p.activates_on, p.expires_on, -p.points) for p in member.pending_lots]),
    )


def apply_pending(
    pending_lots: tuple[PendingLot, ...], moves: Iterable[PendingMove]
) -> tuple[PendingLot, ...]:
    """The pending lots after `moves`, soonest activation first; an emptied lot is gone."""
    points = {(lot.activates_on, lot.expires_on): lot.points for lot in pending_lots}
    for activates_on, expires_on, change in moves:
        key = (activates_on, expires_on)
        points[key] = points.get(key, 0) + change
    assert min(points.values(), default=0) >= 0, "a pending lot was overdrawn"
    return tuple([PendingLot(*days, left) for days, left in sorted(points.items()) if left])
