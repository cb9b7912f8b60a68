"""Two gateways and two loyalty processes on one PostgreSQL database, with many tills.

The second loyalty process has two lanes, so that three writers are after the same bucket rows.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bonpunkt.till import operations as build
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.office import Office, office_of
from tests.end_to_end.programme import programme_file
from tests.end_to_end.recorded import TIMEOUT_MS, Checkout, checkouts, worth
from tests.servers.deadlocks import deadlocks
from tests.servers.suite import Suite, Terminal

LANES_OF_SECOND = 2
BUSINESS_DATE = "2017-01-01"
TROUBLE = re.compile("deadlock|serializ|cannot be booked|Traceback", re.I)

_receipts = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Twins:
    """Whatever stands in pairs has that of the first loyalty process first."""

    suite: Suite
    url: str
    terminals: Sequence[Terminal]
    tills: Sequence[Till]  # of these terminals, in turn at both gateways
    mirrored: Sequence[Till]  # of these terminals too, each at the other gateway
    offices: Sequence[Office]
    ledgers: Sequence[Ledger]
    purchases: Iterator[Checkout]  # recorded ones, worth something

    async def at_once(self, operations: Sequence[pb.Operation]) -> list[pb.Decision]:
        """The decisions upon these, each sent by another till, all at the same time."""
        tills = itertools.cycle(self.tills)
        sending = (till.send(each) for till, each in zip(tills, operations, strict=False))
        decisions = await asyncio.gather(*sending)
        for decision in decisions:
            assert not decision.HasField("undecided"), decision
        return decisions

    async def keep_their_books(self) -> None:
        """Both say the same, the books balance, and nobody waited for whom they kept waiting."""
        first, second = [await ledger.overview() for ledger in self.ledgers]
        assert first == second
        verified = await self.suite.verify()
        assert verified["ok"], verified["problems"]
        for process in self.suite.processes.values():
            log = process.log.read_text()
            assert TROUBLE.findall(log) == [], (process.name, log[-4_000:])
        assert self.deadlocks() == 0

    def deadlocks(self) -> int:
        """How many PostgreSQL had to break in this database."""
        return deadlocks(self.url)


@asynccontextmanager
async def running_twins(
    folder: Path, *, url: str, tills: int, reservation_s: int = 600
) -> AsyncIterator[Twins]:
    """A reservation lives for `reservation_s`."""
    settings = {"LOYALTY_PROGRAMME": programme_file(folder, reservation_s=reservation_s)}
    suite = Suite(folder, database=url, loyalties=2, gateways=2, settings=settings)
    suite.processes["loyalty-2"].environment["LOYALTY_LANES"] = str(LANES_OF_SECOND)
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        await enter(suite)
        terminals = await asyncio.gather(*(suite.add_terminal() for _ in range(tills)))
        there, across = suite.gateway_targets
        twins = Twins(
            suite=suite,
            url=url,
            terminals=terminals,
            tills=[
                await enter(_till(terminal, gateway))
                for terminal, gateway in zip(terminals, itertools.cycle((there, across)))
            ],
            mirrored=[
                await enter(_till(terminal, gateway))
                for terminal, gateway in zip(terminals, itertools.cycle((across, there)))
            ],
            offices=[await enter(office_of(suite, loyalty=number)) for number in (1, 2)],
            ledgers=[await enter(ledger_of(suite, loyalty=number)) for number in (1, 2)],
            purchases=worth(500, checkouts()),
        )
        yield twins
        await twins.keep_their_books()


def _till(terminal: Terminal, gateway: str) -> Till:
    return Till(gateway, terminal_id=terminal.terminal_id, secret=terminal.secret)


def a_basket(total_minor: int) -> pb.Basket:
    """One line, a new shopping trip and a receipt number of its own."""
    line = build.line_item("1", total_minor=total_minor, vat_rate_key="DE_19")
    return build.basket(
        [line],
        currency="EUR",
        receipt_number=f"race-{next(_receipts)}",
        business_date=BUSINESS_DATE,
    )


def with_new_receipt(basket: pb.Basket) -> pb.Basket:
    """The same shopping trip, to be paid at another till under another receipt."""
    copy = pb.Basket()
    copy.CopyFrom(basket)
    copy.receipt_number = f"race-{next(_receipts)}"
    return copy


def a_capture(card: str, basket: pb.Basket, **how: object) -> pb.Operation:
    return build.capture(card, basket, timeout_ms=TIMEOUT_MS, **how)  # type: ignore[arg-type]


def a_reserve(card: str, basket: pb.Basket, redeem: build.RedeemSome) -> pb.Operation:
    return build.reserve(card, basket, redeem=redeem, timeout_ms=TIMEOUT_MS)


def a_release(reservation_id: str) -> pb.Operation:
    return build.release(reservation_id, timeout_ms=TIMEOUT_MS)
