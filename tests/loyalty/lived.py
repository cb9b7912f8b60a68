"""A ledger that has lived: journal rows of every kind, refusals, and whatever crosses buckets."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bonpunkt.till import operations
from services.loyalty.domain.command import Command, Enrol
from services.loyalty.domain.decision import Kind
from services.loyalty.domain.programme import Clawback, Programme, Tier
from tests.loyalty.commands import (
    a_basket_of,
    a_capture_of,
    a_change_of_cards,
    a_merge,
    a_release,
    a_reserve,
    a_return,
    a_settling,
    a_void,
    an_adjustment,
    an_erasure,
)
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import (
    NOON,
    Ledger,
    SetClock,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    member_id_in,
    read,
)

DAY = timedelta(days=1)
TIERS = (Tier("base", 0, 100), Tier("silver", 30, 110), Tier("gold", 60, 125))
FIRST = a_programme(expiry_months=2)
SECOND = replace(FIRST, version=2, pending_days=3, tiers=TIERS, clawback=Clawback.UNLIMITED)
SINCE_US = SetClock(NOON + DAY).now_us()
PROGRAMMES: Sequence[tuple[int, Programme]] = ((0, FIRST), (SINCE_US, SECOND))
KINDS = {kind.value for kind in Kind}


class Life:
    """A few hundred rows, under the programmes above; several members to a bucket."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        buckets = [number % 20 for number in range(48)]  # many meet others there
        self._members = [
            replace(
                an_enrolment(f"card-{number}", member_id=member_id_in(bucket)),
                opening_points=100 * (number % 3),
            )
            for number, bucket in enumerate(buckets)
        ]
        self._latest = ""

    async def live(self) -> None:
        await self.begin()
        await self.reserve()
        await self.take_back()
        await self.merge()
        await self.change_rules()
        await self.erase()
        await self.grow_old()

    async def go_on(self) -> None:
        """One commit that writes into each table: a purchase, and what another one brings back."""
        await self._book(
            a_capture(self._members[18].card, 3000, redeem="maximum"), a_return(self._latest)
        )

    async def begin(self) -> None:
        """Members, purchases, corrections, refusals."""
        first, *_, last = members = self._members
        await self._book(*members)
        await self._book(*(a_capture(m.card, 4000) for m in members))
        await self._book(*(a_capture(m.card, 4000, redeem="maximum") for m in members[:25]))
        await self._refused(*(a_capture(m.card, 100, redeem=99) for m in members[:3]))
        await self._book(*(an_adjustment(m.member_id, 35) for m in members[20:30]))
        await self._book(*(an_adjustment(m.member_id, -5) for m in members[25:28]))
        await self._refused(an_adjustment(last.member_id, -100_000))
        await self._book(an_abandon(operations.new_id()), a_block(first.member_id))
        await self._book(a_block(first.member_id, blocked=False), a_block(members[1].member_id))
        lost = a_change_of_cards(members[2].member_id, lost=members[2].card, new="card-2-new")
        await self._book(lost, a_change_of_cards(members[3].member_id, new="card-3-too"))

    async def reserve(self) -> None:
        """Reservations that are captured, replaced, released, timed out."""
        ends = self._members[30:36]
        baskets = [a_basket_of(3000) for _ in ends]
        reserves = [
            a_reserve(m.card, 3000, redeem=15, basket_id=basket.basket_id)
            for m, basket in zip(ends, baskets, strict=True)
        ]
        await self._book(*reserves)
        again = a_reserve(ends[0].card, 3000, redeem=10, basket_id=baskets[0].basket_id)
        await self._book(again, a_release(reserves[1].operation_id))
        await self._refused(a_release(reserves[1].operation_id))
        captured = [
            a_capture_of(basket, m.card, redeem=10)
            for m, basket in zip(ends[2:4], baskets[2:4], strict=True)
        ]
        await self._book(*(read(operation) for operation in captured))
        self._ledger.clock.move(timedelta(minutes=11))
        await self._settle(*ends)

    async def take_back(self) -> None:
        """Receipts that are voided or returned, one with what is not there any more."""
        members = self._members[4:10]
        receipts = [
            a_capture(
                m.card,
                redeem=20,
                lines=list(a_basket_of(2500, 1500, 1000).line_items),
            )
            for m in members
        ]
        await self._book(*receipts)
        voided, *returned = [receipt.operation_id for receipt in receipts]
        await self._book(a_void(voided))
        await self._refused(a_void(voided))
        await self._book(*(a_return(receipt, ("2", 400)) for receipt in returned))
        await self._book(*(a_return(receipt, ("1", 1000), ("2", 100)) for receipt in returned[2:]))
        await self._book(*(a_return(receipt) for receipt in returned[3:]))
        await self._refused(a_return(returned[3]))
        poor = self._members[10]
        earned, spent = a_capture(poor.card, 9000), a_capture(poor.card, 9000, redeem="maximum")
        await self._book(earned, spent)
        await self._book(a_return(earned.operation_id))
        await self._book(a_capture(poor.card, 20_000))

    async def merge(self) -> None:
        """Members of one bucket and of two, with points, cards and a reservation; then receipts of
        the one come back to the other.
        """
        pairs = [(self._members[n], self._members[m]) for n, m in ((11, 31), (12, 14), (13, 15))]
        receipts: list[str] = []
        for number, (_, merged) in enumerate(pairs):
            await self._book(an_adjustment(merged.member_id, 40))
            spent = a_capture(merged.card, redeem=10, lines=list(a_basket_of(900, 800).line_items))
            other = a_capture(merged.card, 1200)
            new = f"card-new-{number}"
            await self._book(
                spent, other, a_change_of_cards(merged.member_id, lost=merged.card, new=new)
            )
            await self._book(a_reserve(new, 2000, redeem=7), a_return(spent.operation_id, ("1", 1)))
            receipts += [spent.operation_id, other.operation_id]
        await self._book(*(a_merge(a.member_id, b.member_id) for a, b in pairs))
        await self._book(*(a_return(receipt) for receipt in receipts[::2]))
        await self._book(*(a_void(receipt) for receipt in receipts[1::2]))
        survivor = pairs[1][0]
        await self._book(a_change_of_cards(survivor.member_id, lost="card-new-1"))
        await self._book(a_merge(pairs[2][0].member_id, survivor.member_id))

    async def change_rules(self) -> None:
        """Points that wait, and tiers; one receipt comes back while its points wait."""
        self._ledger.clock.move(DAY)
        members = self._members[20:30]
        receipts = [a_capture(m.card, 9000, redeem="maximum") for m in members]
        await self._book(*receipts)
        await self._book(*(a_return(receipt.operation_id, ("1", 500)) for receipt in receipts[:4]))
        self._ledger.clock.move(4 * DAY)
        await self._settle(*members[:6])

    async def erase(self) -> None:
        """People who are forgotten, one with points that wait and are held."""
        gone = self._members[40:43]
        await self._book(a_capture(gone[0].card, 5000), a_reserve(gone[0].card, 2000, redeem=9))
        owing = a_capture(gone[1].card, 5000)
        await self._book(owing, an_adjustment(gone[1].member_id, -20))
        await self._book(a_return(owing.operation_id))
        await self._book(*(an_erasure(m.member_id) for m in gone))
        await self._refused(an_erasure(gone[0].member_id))

    async def grow_old(self) -> None:
        """Points are announced, then expire; tiers end. Some members have points at the end."""
        everybody = [m for n, m in enumerate(self._members) if n not in (31, 14, 15, 12)]
        for days in (45, 25, 60, 400):
            self._ledger.clock.move(days * DAY)
            await self._settle(*everybody)
            latest = [a_capture(m.card, 3000) for m in self._members[16:20]]
            await self._book(*latest)
        self._latest = latest[1].operation_id
        staying = self._members[20:30]
        await self._book(*(an_adjustment(m.member_id, 100) for m in staying))
        await self._book(*(a_reserve(m.card, 3000, redeem=15) for m in staying[:6]))

    async def _settle(self, *members: Enrol) -> None:
        await self._ledger.answers(*(a_settling(m.member_id) for m in members))

    async def _book(self, *commands: Command) -> None:
        """One after another where they are of one member, all together where not."""
        rows = sum((await self._ledger.counts()).values())
        for answer in await self._ledger.answers(*commands):
            assert answer.decision is not None, answer
            assert type(answer.decision).__name__ != "Refused", answer
        assert sum((await self._ledger.counts()).values()) > rows

    async def _refused(self, *commands: Command) -> None:
        for answer in await self._ledger.answers(*commands):
            assert type(answer.decision).__name__ == "Refused", answer
