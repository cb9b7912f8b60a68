"""What the model keeps: members with their points by last day, and receipts with what came back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NamedTuple

from tests.properties import reckoning
from tests.properties.reckoning import Line, Rules

Figures = dict[str, object]


class No(NamedTuple):
    """A refusal by its name, and the most points that could be redeemed instead."""

    reason: str
    most: int = 0


Outcome = Figures | No
RedeemSome = int | Literal["maximum"]
Redeem = RedeemSome | None


@dataclass
class Hold:
    """Points set aside for a basket; `held` is kept back, `promised` the basket itself earns."""

    reservation_id: str
    basket_id: str
    held: int
    promised: int
    until: datetime


@dataclass
class Member:
    member_id: str
    cards: list[str]
    tier: str
    status: str = "active"
    lots: Counter[date] = field(default_factory=Counter)
    waiting: Counter[tuple[date, date]] = field(default_factory=Counter)  # from a day, to a day
    owed: int = 0
    holds: list[Hold] = field(default_factory=list)
    tier_until: date | None = None
    counted: Counter[int] = field(default_factory=Counter)  # qualifying points by month
    merged_into: str = ""

    @property
    def points(self) -> int:
        return self.lots.total()

    @property
    def held(self) -> int:
        return sum(hold.held for hold in self.holds)

    @property
    def available(self) -> int:
        return self.points - self.held

    def hold_of(self, basket_id: str) -> Hold | None:
        return next((hold for hold in self.holds if hold.basket_id == basket_id), None)

    def free(self) -> list[tuple[date, int]]:
        """Points by last day, without those held, which are always the soonest."""
        held, free = self.held, []
        for day, points in sorted(self.lots.items()):
            kept = min(held, points)
            held -= kept
            if points > kept:
                free.append((day, points - kept))
        return free

    def take(self, points: int, days: Sequence[date] | None = None) -> Counter[date]:
        """Takes points, soonest last day first unless `days` says otherwise; by day."""
        taken: Counter[date] = Counter()
        for day in sorted(self.lots) if days is None else days:
            taken[day] = min(points - taken.total(), self.lots[day])
        assert taken.total() == points, "the model takes only what is there"
        self.lots = +(self.lots - taken)
        return +taken

    # --- tiers

    def place(self, rank: int, day: date, rules: Rules) -> None:
        self.tier = rules.tiers[rank].name
        self.tier_until = reckoning.tier_until(rank, self.counted, day, rules)

    def rank(self, rules: Rules) -> int:
        return [tier.name for tier in rules.tiers].index(self.tier)

    def count(self, points: int, *, on: date, today: date, rules: Rules) -> None:
        """Qualifying points come, or go with a return. A tier is reached at once; it is lost at
        once only if a return takes away what it rested on, and never while it lives on grace.
        """
        month = reckoning.month_of(on)
        if not rules.tiers or not points or month < reckoning.window_begin(today, rules):
            return
        before = reckoning.rank_reached(self.counted, today, rules)
        self.counted[month] = max(0, self.counted[month] + points)
        reached = reckoning.rank_reached(self.counted, today, rules)
        rank = self.rank(rules)
        if reached >= rank or (points < 0 and before >= rank):
            self.place(reached, today, rules)

    def merge_tiers(self, gone: "Member", *, today: date, rules: Rules) -> None:
        """The better tier of the two to its last day, or what both have counted together."""
        if not rules.tiers:
            return
        better = max(self, gone, key=lambda m: (m.rank(rules), m.tier_until or date.max))
        self.tier, self.tier_until = better.tier, better.tier_until
        reached = reckoning.rank_reached(self.counted, today, rules)
        if reached >= self.rank(rules):
            self.place(reached, today, rules)

    # --- what is told of a member

    def figures(self) -> Figures:
        """What every answer tells."""
        return {
            "points": self.points,
            "available": self.available,
            "pending": self.waiting.total(),
            "tier": self.tier,
        }

    def standing(self, *, counting_from: int) -> Figures:
        """Everything, as `told.standing_of` tells it of the ledger's members."""
        holds = [(h.reservation_id, h.basket_id, h.held, h.promised, h.until) for h in self.holds]
        return {
            "status": self.status,
            "cards": self.cards,
            "points": self.points,
            "pending": self.waiting.total(),
            "owed": self.owed,
            "held": self.held,
            "available": self.available,
            "lots": dict(self.lots),
            "waiting": dict(self.waiting),
            "holds": holds,
            "tier": self.tier,
            "tier_until": self.tier_until,
            "qualifying": reckoning.qualifying(self.counted, counting_from),
            "merged_into": self.merged_into,
        }


@dataclass
class Receipt:
    """What a capture recorded, and what came back of it."""

    member_id: str
    lines: Sequence[Line]
    at: datetime
    day: date
    business_date: str
    earned: int
    redeemed: int
    from_basket: int
    discounts: Sequence[int]  # minor units by line
    qualifying: int
    filled: date | None  # the last day of the points that it earned for the member
    from_lots: Counter[date]
    waits: tuple[date, date]  # how long those of its points wait that wait at all …
    waited: int  # … and how many they were
    voided: bool = False
    back: dict[str, tuple[int, int]] = field(default_factory=dict)  # quantity, gross by line
    discount_back: int = 0
    restored: int = 0
    claimed: int = 0  # of the points earned
    claimed_waiting: int = 0  # of those, what was still waiting
    netted: int = 0  # of those, what the receipt had earned and redeemed at once
    qualifying_back: int = 0

    @property
    def complete(self) -> bool:
        back = [self.back.get(line.line_id, (None, 0))[0] for line in self.lines]
        return back == [line.quantity_milli for line in self.lines]

    @property
    def is_over(self) -> bool:
        return self.voided or self.complete
