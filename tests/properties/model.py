"""The ledger as a reader can check it by eye, written from DESIGN §3 and the rules in the docs.

No rows, no keys, no batches: members with points by their last day, looked at by everybody at every
instant. An operation answers with its figures, or with a `No`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from tests.properties import reckoning
from tests.properties.modelled import Hold, Member, No, Outcome, Receipt, Redeem
from tests.properties.reckoning import ONE_DAY, Line, Rules, begin_of, day_of


class Model:
    """`books` are the programme's accounts over all buckets. Nobody is `late`: what time does is
    done when the clock moves.
    """

    def __init__(self, rules: Rules, now: datetime) -> None:
        self.rules, self.now = rules, now
        self.members: dict[str, Member] = {}
        self.owners: dict[str, str] = {}  # to whom a card was given, for ever
        self.receipts: dict[str, Receipt] = {}
        self.printed: dict[tuple[str, str, str], str] = {}  # terminal, business date, number
        self.reserved: dict[str, str] = {}  # member by reservation
        self.ended: dict[str, str] = {}  # how, by reservation
        self.books: Counter[str] = Counter()

    @property
    def today(self) -> date:
        return day_of(self.now, self.rules)

    # --- who --------------------------------------------------------------------------------

    def follow(self, member_id: str) -> Member:
        """Whoever has the member's cards, receipts and reservations now."""
        member = self.members[member_id]
        return self.follow(member.merged_into) if member.merged_into else member

    def gone(self, member_id: str) -> list[str]:
        """The merged members on the way from this one to who goes on."""
        member = self.members.get(member_id)
        if member is None or not member.merged_into:
            return []
        return [member_id, *self.gone(member.merged_into)]

    def owner(self, card: str) -> Member | None:
        return self.follow(self.owners[card]) if card in self.owners else None

    def by_id(self, member_id: str) -> Member | No:
        """Exactly this member, as staff mean it."""
        if member_id not in self.members:
            return No("MEMBER_UNKNOWN")
        member = self.members[member_id]
        if member.status == "merged":
            return No("MEMBER_MERGED")
        return No("MEMBER_ERASED") if member.status == "erased" else member

    # --- time -------------------------------------------------------------------------------

    def move_to(self, now: datetime) -> None:
        self.now = now
        for member in self.members.values():
            self.settle(member)

    def settle(self, member: Member) -> None:
        """Everything that is due, in the order in which it fell due."""
        while member.status in ("active", "blocked"):
            due = self.next_due(member)
            if due is None or due[0] > self.now:
                return
            getattr(self, f"_{due[2]}")(member)

    def next_due(self, member: Member) -> tuple[datetime, int, str] | None:
        """When, in which place among those due at once, and what."""
        due = [(hold.until, 1, "time_out") for hold in member.holds]
        due += [(begin_of(day, self.rules), 2, "activate") for day, _ in member.waiting]
        if member.tier_until is not None:
            due.append((begin_of(member.tier_until + ONE_DAY, self.rules), 3, "leave_tier"))
        due += [(begin_of(day + ONE_DAY, self.rules), 4, "expire") for day, _ in member.free()]
        return min(due, default=None)

    def _time_out(self, member: Member) -> None:
        self._end(member, min(member.holds, key=lambda hold: hold.until), "timed out")

    def _activate(self, member: Member) -> None:
        first = min(member.waiting)[0]
        for (day, last), points in list(member.waiting.items()):
            if day == first:
                member.lots[last] += points
                del member.waiting[day, last]

    def _leave_tier(self, member: Member) -> None:
        assert member.tier_until is not None
        day = member.tier_until + ONE_DAY
        rank = reckoning.rank_reached(member.counted, day, self.rules)
        member.place(rank, day, self.rules)

    def _expire(self, member: Member) -> None:
        day, points = member.free()[0]
        member.take(points, [day])
        self.books["expired"] += points

    def _end(self, member: Member, hold: Hold, how: str) -> None:
        member.holds.remove(hold)
        self.ended[hold.reservation_id] = how

    # --- members ----------------------------------------------------------------------------

    def enrol(self, member_id: str, card: str, opening: int) -> Outcome:
        if member_id in self.members:
            return No("MEMBER_EXISTS")
        if card in self.owners:
            return No("CARD_TAKEN")
        tier = self.rules.tiers[0].name if self.rules.tiers else "base"
        member = self.members[member_id] = Member(member_id, [card], tier)
        self.owners[card] = member_id
        if opening:
            member.lots[reckoning.last_day_of(self.today, self.rules)] = opening
            self.books["adjusted"] -= opening
        return {"result": "Enrolled", **member.figures()}

    def set_blocked(self, member_id: str, blocked: bool) -> Outcome:
        member = self.by_id(member_id)
        if isinstance(member, No):
            return member
        member.status = "blocked" if blocked else "active"
        return {"result": "BlockedSet", "blocked": blocked, **member.figures()}

    def change_cards(self, member_id: str, lost: str, new: str) -> Outcome:
        member = self.by_id(member_id)
        if isinstance(member, No):
            return member
        if lost and lost not in member.cards:
            return No("CARD_UNKNOWN")
        if new in self.owners:
            return No("CARD_TAKEN")
        if lost:
            member.cards.remove(lost)
        if new:
            member.cards.append(new)
            self.owners[new] = member_id
        return {"result": "CardsChanged", **member.figures()}

    def adjust(self, member_id: str, points: int) -> Outcome:
        member = self.by_id(member_id)
        if isinstance(member, No):
            return member
        if member.available + points < 0:
            return No("EXCEEDS_AVAILABLE", member.available)
        if points < 0:
            member.take(-points)
        else:
            paid_back = min(points, member.owed)
            member.owed -= paid_back
            self._give(member, points - paid_back)
        self.books["adjusted"] -= points
        return {"result": "Adjusted", "by": points, **member.figures()}

    def _give(self, member: Member, points: int) -> None:
        if points:
            member.lots[reckoning.last_day_of(self.today, self.rules)] += points

    def nightly(self, member_id: str) -> Outcome:
        """A look at the member, or at whom they went on as, who has nothing due any more."""
        if member_id not in self.members:
            return No("MEMBER_UNKNOWN")
        return {"result": "Settled", **self.follow(member_id).figures()}

    def erase(self, member_id: str) -> Outcome:
        member = self.by_id(member_id)
        if isinstance(member, No):
            return member
        forfeited = member.points + member.waiting.total()
        self.books["forfeited"] += forfeited
        self.books["loss"] -= member.owed
        for hold in list(member.holds):
            self._end(member, hold, "erased")
        member.lots, member.waiting, member.owed = Counter(), Counter(), 0
        member.status, member.cards = "erased", []
        member.tier_until, member.counted = None, Counter()
        return {"result": "Erased", "forfeited": forfeited, **member.figures()}

    def merge(self, survivor_id: str, merged_id: str) -> Outcome:
        if survivor_id == merged_id:
            return No("MEMBER_SAME")
        into, gone = self.by_id(survivor_id), self.by_id(merged_id)
        problems = [found for found in (into, gone) if isinstance(found, No)]
        for erased in (False, True):  # who cannot be reached at all is told first
            for problem in problems:
                if (problem.reason == "MEMBER_ERASED") is erased:
                    return problem
        assert isinstance(into, Member)
        assert isinstance(gone, Member)
        if "blocked" in (into.status, gone.status):
            into.status = "blocked"
        into.lots.update(gone.lots)
        into.waiting.update(gone.waiting)
        into.counted.update(gone.counted)
        into.owed += gone.owed
        into.holds += gone.holds
        into.cards += gone.cards
        into.merge_tiers(gone, today=self.today, rules=self.rules)
        merged = Member(gone.member_id, [], gone.tier, "merged", merged_into=survivor_id)
        self.members[merged_id] = merged
        return {"result": "Merged", **into.figures()}

    # --- baskets ----------------------------------------------------------------------------

    def identify(self, card: str) -> Outcome:
        member = self.owner(card)
        if member is None or member.status != "active" or card not in member.cards:
            return No("CARD_NOT_ACCEPTED")
        return {"result": "Identified", **member.figures()}

    def quote(self, card: str, basket_id: str, lines: Sequence[Line]) -> Outcome:
        member = self.owner(card)
        if member is None or member.status != "active" or card not in member.cards:
            return No("CARD_NOT_ACCEPTED")
        percent = self.rules.tier_percent(member.tier)
        most = self._most(member, member.hold_of(basket_id), lines)
        earned = [
            reckoning.earned(lines, points, self.rules, percent=percent) for points in (0, most)
        ]
        return {
            "result": "Quoted",
            "earned": earned[0],
            "redeemable": most,
            "discount": reckoning.worth(most, self.rules),
            "earned_at_maximum": earned[1],
            **member.figures(),
        }

    def _most(self, member: Member, hold: Hold | None, lines: Sequence[Line]) -> int:
        usable = member.available + (hold.held if hold else 0)
        percent = self.rules.tier_percent(member.tier)
        return reckoning.most(lines, usable, member.owed, self.rules, percent=percent)

    def _redeemed(
        self, member: Member, hold: Hold | None, lines: Sequence[Line], redeem: Redeem
    ) -> int | No:
        """The points that pay, or why not exactly those."""
        rules = self.rules
        if redeem is None:
            return 0
        best = self._most(member, hold, lines)
        if redeem == "maximum":
            return best
        assert isinstance(redeem, int)
        usable = member.available + (hold.held if hold else 0)
        percent = rules.tier_percent(member.tier)
        if redeem < rules.redeem_minimum:
            return No("REDEMPTION_BELOW_MINIMUM", best)
        if redeem % rules.redeem_step:
            return No("REDEMPTION_NOT_A_STEP", best)
        if redeem > reckoning.share_cap(lines, rules):
            return No("EXCEEDS_SHARE", best)
        if not reckoning.within_reach(redeem, lines, usable, member.owed, rules, percent=percent):
            return No("EXCEEDS_AVAILABLE", best)
        return redeem

    def reserve(
        self, operation_id: str, card: str, basket_id: str, lines: Sequence[Line], redeem: Redeem
    ) -> Outcome:
        member = self.owner(card)
        if member is None or member.status != "active" or card not in member.cards:
            return No("CARD_NOT_ACCEPTED")
        before = member.hold_of(basket_id)
        points = self._redeemed(member, before, lines, redeem)
        if points == 0:
            return No("EXCEEDS_AVAILABLE")
        if isinstance(points, No):
            return points
        if before:
            self._end(member, before, "replaced")
        held = min(points, member.available)
        until = self.now + timedelta(seconds=self.rules.reservation_s)
        member.holds.append(Hold(operation_id, basket_id, held, points - held, until))
        self.reserved[operation_id] = member.member_id
        discount = reckoning.worth(points, self.rules)
        return {
            "result": "Reserved",
            "held": held,
            "promised": points - held,
            "discount": discount,
            "discounts": self._by_line(lines, reckoning.discount_by_line(discount, lines)),
            "until": until,
            **member.figures(),
        }

    @staticmethod
    def _by_line(lines: Sequence[Line], shares: Sequence[int]) -> dict[str, int]:
        return {line.line_id: n for line, n in zip(lines, shares, strict=True) if n}

    def release(self, reservation_id: str) -> Outcome:
        if reservation_id not in self.reserved:
            return No("RESERVATION_UNKNOWN")
        if reservation_id in self.ended:
            return No("RESERVATION_ENDED")
        member = self.follow(self.reserved[reservation_id])
        hold = next(hold for hold in member.holds if hold.reservation_id == reservation_id)
        self._end(member, hold, "released")
        return {"result": "Released", "held": hold.held, **member.figures()}

    def capture(
        self,
        operation_id: str,
        card: str,
        basket_id: str,
        lines: Sequence[Line],
        redeem: Redeem,
        *,
        named: str,
        printed: tuple[str, str, str],
    ) -> Outcome:
        member = self.owner(card)
        if member is None:
            return No("CARD_NOT_ACCEPTED")
        hold = member.hold_of(basket_id)
        if named and (hold is None or hold.reservation_id != named):
            if named not in self.ended:
                return No("RESERVATION_UNKNOWN")
            if self.ended[named] != "timed out":
                return No("RESERVATION_ENDED")
        accepted = member.status == "active" and card in member.cards
        if hold is None and not accepted:
            return No("CARD_NOT_ACCEPTED")
        points = self._redeemed(member, hold, lines, redeem)
        if hold is not None and not accepted:
            points = self._no_more_than(hold.held + hold.promised, points, redeem)
        if isinstance(points, No):
            return points
        if printed in self.printed:
            return No("RECEIPT_REUSED")
        if hold is not None:
            self._end(member, hold, "captured")
        self.printed[printed] = operation_id
        return self._book(operation_id, member, lines, points, business_date=printed[1])

    @staticmethod
    def _no_more_than(reserved: int, points: int | No, redeem: Redeem) -> int | No:
        """Who was blocked meanwhile finishes the redemption that had begun, and no other."""
        if isinstance(points, No):
            return No(points.reason, min(points.most, reserved))
        if points <= reserved:
            return points
        return reserved if redeem == "maximum" else No("EXCEEDS_AVAILABLE", reserved)

    def _book(
        self,
        operation_id: str,
        member: Member,
        lines: Sequence[Line],
        points: int,
        *,
        business_date: str,
    ) -> Outcome:
        rules = self.rules
        earned = reckoning.earned(lines, points, rules, percent=rules.tier_percent(member.tier))
        from_basket = max(0, points - member.available)
        paid_back = min(earned, member.owed)
        waiting = earned - paid_back - from_basket if rules.pending_days else 0
        member.owed -= paid_back
        self._give(member, earned - paid_back - waiting)
        from_lots = member.take(points)
        last = reckoning.last_day_of(self.today, rules)
        waits = (self.today + timedelta(days=rules.pending_days), last)
        if waiting:
            member.waiting[waits] += waiting
        self.books["issued"] -= earned
        self.books["redeemed"] += points
        discount = reckoning.worth(points, rules)
        discounts = reckoning.discount_by_line(discount, lines)
        counts = reckoning.earned(lines, 0, rules) if rules.tiers else 0
        self.receipts[operation_id] = Receipt(
            member_id=member.member_id, lines=lines, at=self.now, day=self.today,
            business_date=business_date, earned=earned, redeemed=points, from_basket=from_basket,
            discounts=discounts, qualifying=counts, from_lots=from_lots,
            filled=last if earned > paid_back else None,
            waits=waits, waited=waiting,
        )  # fmt: skip
        member.count(counts, on=self.today, today=self.today, rules=rules)
        return {
            "result": "Captured",
            "earned": earned,
            "redeemed": points,
            "from_basket": from_basket,
            "waiting": waiting,
            "paid_back": paid_back,
            "discount": discount,
            "discounts": self._by_line(lines, discounts),
            **member.figures(),
        }
