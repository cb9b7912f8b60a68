"""One shopper's visit in the words of the contract: what the till asks, and what it should hear."""

from collections.abc import Callable

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import mix
from loadtests.shop import Shop
from loadtests.ways import DEADLINE_S, UnansweredError, Way
from services.demo import mapping

TIMEOUT_MS = int(DEADLINE_S * 1000)
# What answers an operation that was not refused.
EXPECTED = {
    "identify": "identified",
    "quote": "quoted",
    "reserve": "reservation",
    "release": "released",
    "capture": "captured",
    "status": "status_found",
    "abandon": "abandoned",
    "void": "voided",
    "return": "returned",
    "enrol": "enrolled",
}


class Shopper:
    """Builds each operation when its turn comes, from what was decided before."""

    def __init__(self, number: int, shop: Shop) -> None:
        self._number = number
        self._shop = shop
        self._card = shop.cards[number % len(shop.cards)]
        self.basket = shop.basket(number)
        self._redeemable = 0  # points, by the quote
        self._reservation_id = ""
        self._capture: pb.Operation | None = None
        self._build: dict[str, Callable[[], pb.Operation]] = {
            "identify": lambda: build.identify(self._card),
            "quote": lambda: build.quote(self._card, self.basket),
            "reserve": lambda: build.reserve(self._card, self.basket),
            "release": lambda: build.release(self._reservation_id or build.new_id()),
            "capture": self._pay,
            "status": lambda: build.status(self._captured().id),
            "abandon": lambda: build.abandon(build.new_id()),
            "void": self._void,
            "return": self._bring_back,
            "enrol": self._join,
        }

    def ask(self, name: str, *, way: Way) -> str | None:
        """Asks for one operation of the visit; answers why it failed, None if it did not."""
        try:
            operation = self._build[name]()
            operation.timeout_ms = TIMEOUT_MS
            decision = way.ask(operation)
        except UnansweredError as error:
            return str(error)
        result = decision.WhichOneof("result")
        if result != EXPECTED[name]:
            return None if self._had_to_be_refused(name, decision) else _why_not(decision)
        self._learn(operation, decision)
        return _what_is_wrong(decision)

    def _learn(self, operation: pb.Operation, decision: pb.Decision) -> None:
        if decision.HasField("quoted"):
            self._redeemable = decision.quoted.points_redeemable
        elif decision.HasField("reservation"):
            self._reservation_id = operation.id
        elif decision.HasField("captured") and "void" not in mix.visit(self._number):
            self._shop.returnable.append(operation)

    def _had_to_be_refused(self, name: str, decision: pb.Decision) -> bool:
        """Nothing is set aside where nothing could be redeemed, nor given up what was not."""
        reason = decision.refused.reason
        if name == "reserve":
            return reason == pb.REASON_EXCEEDS_AVAILABLE and self._redeemable == 0
        if name == "release":
            return reason == pb.REASON_RESERVATION_UNKNOWN and not self._reservation_id
        return False

    def _pay(self) -> pb.Operation:
        given_up = "release" in mix.visit(self._number)
        self._capture = build.capture(
            self._card,
            self.basket,
            redeem="maximum" if mix.redeems(self._number) else None,
            reservation_id="" if given_up else self._reservation_id,
        )
        return self._capture

    def _void(self) -> pb.Operation:
        return build.void_receipt(
            build.receipt_of(self._captured().id), business_date=self.basket.business_date
        )

    def _bring_back(self) -> pb.Operation:
        """A line of an earlier purchase; raises UnansweredError if nothing was ever captured."""
        if not self._shop.returnable:
            raise UnansweredError("there is no receipt of which something could come back")
        bought = self._shop.returnable.popleft()
        line = mapping.brought_back(bought.capture.basket, whole=self._number % 2 == 0)
        return build.return_items(
            build.receipt_of(bought.id),
            [build.return_line(*line)] if line is not None else (),
            receipt_number=build.new_id(),
            business_date=self.basket.business_date,
        )

    def _join(self) -> pb.Operation:
        self._card = self._shop.new_card()
        return build.enrol(self._card, language="de")

    def _captured(self) -> pb.Operation:
        assert self._capture is not None, "the mix asks for it only after the capture"
        return self._capture


def _what_is_wrong(decision: pb.Decision) -> str | None:
    """With an answer of the expected kind."""
    state = decision.status_found.state
    if decision.HasField("status_found") and state != pb.StatusFound.STATE_DECIDED:
        return f"captured, and now {pb.StatusFound.State.Name(state)}"
    if decision.HasField("abandoned") and not decision.abandoned.abandoned:
        return "an id that was never used could not be abandoned"
    return None


def _why_not(decision: pb.Decision) -> str:
    """An answer of another kind, in few words, so that equal ones are counted together."""
    if decision.HasField("refused"):
        return f"{pb.Reason.Name(decision.refused.reason)} {decision.refused.field}".strip()
    if decision.HasField("undecided"):
        return pb.Undecided.Cause.Name(decision.undecided.cause)
    return f"answered with {decision.WhichOneof('result')}"
