"""A shop with three tills: its cards, members, baskets and receipts, as far as they can be referred
to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain import command as commands
from services.loyalty.domain.decision import Refused
from services.loyalty.wire_forms import command_fingerprint
from tests.loyalty.ledgers import read
from tests.properties import taking_back
from tests.properties.intents import ARTICLES, STRANGE, Articles
from tests.properties.reckoning import Line, total
from tests.properties.world import Step, World

T = TypeVar("T")
Capture = tuple[str, str, str, str]  # its id, and what is printed
Printed = tuple[str, str, str]  # terminal, business date, number

# What each till's clock says too much. It is kept and shown, and decides nothing.
TILLS = {"till-1": timedelta(0), "till-2": timedelta(hours=1), "till-3": timedelta(days=-1)}
STAFF = commands.Origin(actor="cli:test")
REASON = "as the model wishes"


@dataclass
class Basket:
    """A basket for which points were reserved at least once; `lines` as they were last time."""

    basket_id: str
    card: str
    lines: tuple[Line, ...]
    reservation_id: str


@dataclass
class Shop:
    """Everything that a later operation can refer to."""

    world: World
    cards: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    baskets: list[Basket] = field(default_factory=list)
    captures: list[Capture] = field(default_factory=list)
    cards_before: int = 0  # the batch
    captures_before: int = 0
    receipts: int = 0
    misprint: Printed | None = None

    # --- what a till rings up ---------------------------------------------------------------

    def ring_up(self, articles: Articles) -> tuple[Line, ...]:
        """Lines with ids; without what would make the basket pay money back."""
        lines = [ARTICLES[name]._replace(line_id=str(n)) for n, name in enumerate(articles, 1)]
        if total(lines) < 0:
            lines = [line for line in lines if line.total_minor >= 0] or [
                ARTICLES["bread"]._replace(line_id="1")
            ]
        return tuple(lines)

    def till(self) -> str:
        return list(TILLS)[self.receipts % len(TILLS)]

    def print_receipt(self) -> Printed:
        """What names a new receipt; or the one that a till is to print by mistake."""
        self.receipts += 1
        if self.misprint is not None:
            return self.misprint
        return self.till(), self.world.model.today.isoformat(), str(self.receipts)

    def command(self, operation: pb.Operation, till: str) -> Any:
        operation.occurred_at.FromDatetime(self.world.model.now + TILLS[till])
        command = read(operation, terminal_id=till)
        assert not isinstance(command, Refused), command
        return command

    def basket(self, lines: Sequence[Line], basket_id: str, **printed: str) -> pb.Basket:
        items = [
            operations.line_item(
                line.line_id,
                total_minor=line.total_minor,
                quantity_milli=line.quantity_milli,
                category=line.category,
                vat_rate_key=line.vat,
            )
            for line in lines
        ]
        return operations.basket(items, currency="EUR", basket_id=basket_id, **printed)

    # --- what can be referred to ------------------------------------------------------------

    def begin_batch(self) -> None:
        """What never was there is not what this very batch brings: who asks for that waits until
        it is booked, and so comes after steps that were told before.
        """
        self.cards_before, self.captures_before = len(self.cards), len(self.captures)

    def serve(self, *steps: Step) -> None:
        """In one batch; a later one may refer to what an earlier one books."""
        self.world.do(*steps)

    def card(self, who: int) -> str:
        """One that is accepted; or one that was lost, is blocked, or never was."""
        shown = self.cards_shown()
        if who >= STRANGE or not shown:
            asked = self.cards[: self.cards_before]
            return at([*(card for card in asked if card not in shown), "nobody's"], who)
        return at(shown, who)

    def cards_shown(self) -> list[str]:
        members = self.world.model.members.values()
        return [card for m in members if m.status == "active" for card in m.cards]

    def place_of_card(self, card: str) -> int:
        """By which `card` answers this one, if it is accepted."""
        shown = self.cards_shown()
        return shown.index(card) if card in shown else STRANGE

    def reserved(self, basket: int) -> Basket:
        """A basket whose points are reserved, or have been, or for which that was refused."""
        asked = self.baskets
        if basket >= STRANGE:
            return at(asked, basket)
        if basket < 0 and self.reserved_now():
            return at(self.reserved_now(), basket)
        return at([b for b in asked if b.reservation_id in self.world.model.reserved], basket)

    def reserved_now(self) -> list[Basket]:
        """Those whose reservation lives."""
        model = self.world.model
        asked = self.baskets
        known = [b for b in asked if b.reservation_id in model.reserved]
        return [b for b in known if b.reservation_id not in model.ended]

    def reservation(self, place: int) -> str:
        if place >= STRANGE:
            return self.world.new_id()
        return self.reserved(place).reservation_id

    def is_over_elsewhere(self, reservation_id: str, card: str) -> bool:
        """Whether this is another member's reservation that has timed out. Named with a card that
        is not theirs it is unknown until somebody has looked at that member, then it is over: both
        answers are safe, so nothing is to be said of it.
        """
        model = self.world.model
        if model.ended.get(reservation_id) != "timed out":
            return False
        return model.follow(model.reserved[reservation_id]) is not model.owner(card)

    def receipt_named(self, receipt: int, by_id: bool) -> tuple[pb.ReceiptReference, str]:
        """A reference to a captured receipt, or to one that nobody knows; and its capture."""
        booked, asked = self.world.model.receipts, self.captures
        known = [each for each in asked if each[0] in booked]
        if receipt < 0 and self.left():
            known = self.left()
        if receipt >= STRANGE or not known:
            before = asked[: self.captures_before]
            known = [each for each in before if each[0] not in booked]
            known.append((self.world.new_id(), "till-9", "2026-01-01", "0"))
        capture_id, till, day, number = at(known, receipt)
        if by_id:
            return operations.receipt_of(capture_id), capture_id
        printed = self.world.model.printed.get((till, day, number), "")
        return operations.receipt(number, day, terminal_id=till), printed

    def left(self) -> list[Capture]:
        """Receipts of which something can still come back."""
        booked, asked = self.world.model.receipts, self.captures
        return [each for each in asked if each[0] in booked and not booked[each[0]].is_over]

    def place_left(self, capture_id: str) -> int:
        """By which `receipt_named` answers one of these."""
        left = [each[0] for each in self.left()]
        return left.index(capture_id) - len(left)

    def voidable(self) -> list[tuple[str, datetime]]:
        """Receipts that may still be voided, and until when."""
        model = self.world.model
        limits = [
            (each[0], taking_back.void_until(model, model.receipts[each[0]]))
            for each in self.left()
        ]
        return [(capture_id, limit) for capture_id, limit in limits if limit >= model.now]

    def whose(self, capture_id: str) -> str:
        receipt = self.world.model.receipts.get(capture_id)
        return receipt.member_id if receipt is not None else ""

    def somebody(self, who: int) -> str:
        """Who can be served; or who was merged or erased, and somebody who never was."""
        open_ = self.open_members()
        if who >= STRANGE or not open_:
            return at([*(m for m in self.members if m not in open_), self.world.new_id()], who)
        return at(open_, who)

    def place_of(self, member_id: str) -> int:
        """By which `somebody` answers this member, if they can be served."""
        open_ = self.open_members()
        return open_.index(member_id) if member_id in open_ else STRANGE

    def open_members(self) -> list[str]:
        members = self.world.model.members.values()
        return [m.member_id for m in members if m.status in ("active", "blocked")]

    def order(self, *words: object) -> dict[str, Any]:
        return {
            "operation_id": self.world.new_id(),
            "fingerprint": command_fingerprint(*map(str, words)),
            "origin": STAFF,
        }


def at(choices: Sequence[T], place: int) -> T:
    return choices[place % len(choices)]
