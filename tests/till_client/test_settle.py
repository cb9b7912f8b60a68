"""`settle`: whatever answer gets lost, a purchase is booked exactly once or never."""

from collections.abc import Callable

import pytest

from bonpunkt.till import operations
from bonpunkt.till.client import NotConnected, TerminalRefused, Till, Unsettled
from bonpunkt.till.v1 import till_pb2 as pb
from tests.pos_gateway.peer import Gateway, Loyalty, id_of
from tests.till_client.peer import Ledger, ScriptedGateway

LONG_S = 60.0
SHORT_S = 0.05  # only for what is lost anyway
DAY = "2026-11-20"
RECEIPT = operations.receipt("4711", DAY)
BASKET = operations.basket([operations.line_item("1", total_minor=1_99)], currency="EUR")
# Everything that books something.
KINDS: dict[str, Callable[[int], pb.Operation]] = {
    "reserve": lambda ms: operations.reserve("c", BASKET, timeout_ms=ms),
    "release": lambda ms: operations.release(operations.new_id(), timeout_ms=ms),
    "capture": lambda ms: operations.capture("c", BASKET, redeem="maximum", timeout_ms=ms),
    "void_receipt": lambda ms: operations.void_receipt(RECEIPT, business_date=DAY, timeout_ms=ms),
    "return_items": lambda ms: operations.return_items(
        RECEIPT, receipt_number="4712", business_date=DAY, timeout_ms=ms
    ),
    "enrol": lambda ms: operations.enrol("c", language="de", timeout_ms=ms),
}


def till(target: str, *, secret: str = "secret-1", timeout_s: float = LONG_S) -> Till:
    return Till(
        target, terminal_id="till-1", secret=secret, timeout_s=timeout_s, jitter=lambda: 0.0
    )


def purchase(*, timeout_s: float = LONG_S) -> pb.Operation:
    return KINDS["capture"](round(timeout_s * 1000))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_answered_at_once_is_settled(
    gateway: Gateway, loyalty: Loyalty, kind: str
) -> None:
    ledger = Ledger()
    loyalty.decide = ledger.decide
    operation = KINDS[kind](60_000)
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert ledger.kinds == [kind]


async def test_a_refusal_is_a_final_decision(gateway: Gateway, loyalty: Loyalty) -> None:
    refused = pb.Refused(reason=pb.REASON_EXCEEDS_AVAILABLE)
    loyalty.decide = lambda entry: pb.Decision(operation_id=id_of(entry), refused=refused)
    async with till(gateway.target) as one:
        assert (await one.settle(purchase(), within_s=LONG_S)).refused == refused


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_lost_answer_the_status_tells_what_was_booked(
    gateway: Gateway, loyalty: Loyalty, kind: str
) -> None:
    ledger = Ledger(silent={kind: 1})
    loyalty.decide = ledger.decide
    operation = KINDS[kind](round(SHORT_S * 1000))
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert ledger.kinds == [kind, "status"]


async def test_what_was_not_booked_is_sent_again_under_the_same_id(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    ledger = Ledger(deaf={"capture": 2})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert list(ledger.decided) == [operation.id]
    assert ledger.kinds[:5] == ["capture", "status", "capture", "status", "capture"]


async def test_a_lost_status_is_asked_again(gateway: Gateway, loyalty: Loyalty) -> None:
    ledger = Ledger(silent={"capture": 1, "status": 2})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target, timeout_s=SHORT_S) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert ledger.kinds[:4] == ["capture", "status", "status", "status"]


async def test_a_till_abandons_before_it_gives_up(gateway: Gateway, loyalty: Loyalty) -> None:
    ledger = Ledger(deaf={"capture": 1000})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=0.0, abandon_within_s=LONG_S)
        late = await one.send(operation)

    assert decision.abandoned.abandoned
    assert ledger.abandoned == {operation.id}
    assert ledger.decided == {}
    assert late.HasField("undecided")  # the ledger is still deaf to captures


async def test_an_abandon_that_comes_too_late_brings_the_decision(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    ledger = Ledger(silent={"capture": 1000})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=0.0, abandon_within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert ledger.abandoned == set()


async def test_an_abandon_whose_answer_is_lost_is_repeated(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    """After a lost answer the client asks what became of the abandon itself, then repeats it."""
    ledger = Ledger(deaf={"capture": 1000}, silent={"abandon": 1})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target, timeout_s=SHORT_S) as one:
        decision = await one.settle(operation, within_s=0.0, abandon_within_s=LONG_S)

    assert decision.abandoned.abandoned
    assert ledger.abandoned == {operation.id}


async def test_an_id_that_was_abandoned_elsewhere_is_refused(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    ledger = Ledger(deaf={"capture": 1})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    ledger.abandoned.add(operation.id)
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision.refused.reason == pb.REASON_ABANDONED


async def test_what_cannot_be_settled_is_handed_back_to_be_stored(
    gateway: Gateway, loyalty: Loyalty
) -> None:
    ledger = Ledger(deaf={"capture": 1000, "status": 1000, "abandon": 1000})
    loyalty.decide = ledger.decide
    operation = purchase(timeout_s=SHORT_S)
    async with till(gateway.target, timeout_s=SHORT_S) as one:
        with pytest.raises(Unsettled, match=operation.id) as caught:
            await one.settle(operation, within_s=0.0, abandon_within_s=0.0)
        assert caught.value.operation == operation

        loyalty.decide = (healed := Ledger()).decide
        decision = await one.settle(caught.value.operation, within_s=LONG_S)

    assert decision == healed.decided[operation.id]


async def test_an_answer_lost_on_the_uplink_is_settled(gateway: Gateway, loyalty: Loyalty) -> None:
    ledger = Ledger()
    operation = purchase()

    def book_and_break(entry: object) -> pb.Decision | None:
        loyalty.decide = ledger.decide
        ledger.decide(entry)  # type: ignore[arg-type]
        loyalty.break_stream()
        return None

    loyalty.decide = book_and_break
    async with till(gateway.target) as one:
        decision = await one.settle(operation, within_s=LONG_S)

    assert decision == ledger.decided[operation.id]
    assert list(ledger.decided) == [operation.id]


async def test_settling_waits_for_a_gateway_that_is_away(scripted: ScriptedGateway) -> None:
    await scripted.kill()
    operation = purchase(timeout_s=SHORT_S)
    async with till(scripted.target, timeout_s=SHORT_S) as one:
        with pytest.raises(Unsettled) as caught:
            await one.settle(operation, within_s=0.0, abandon_within_s=0.0)

    assert isinstance(caught.value.__cause__, NotConnected)


async def test_a_refused_terminal_settles_nothing(gateway: Gateway) -> None:
    """It may have been booked by an earlier attempt, so that is no reason to forget it."""
    async with till(gateway.target, secret="wrong", timeout_s=SHORT_S) as one:
        with pytest.raises(Unsettled) as caught:
            await one.settle(purchase(timeout_s=SHORT_S), within_s=0.0, abandon_within_s=0.0)

    assert isinstance(caught.value.__cause__, TerminalRefused)


@pytest.mark.parametrize(
    "operation",
    [
        operations.identify("c"),
        operations.quote("c", pb.Basket()),
        operations.status(operations.new_id()),
    ],
)
async def test_what_books_nothing_needs_no_settling(
    scripted: ScriptedGateway, operation: pb.Operation
) -> None:
    async with till(scripted.target) as one:
        with pytest.raises(ValueError, match="books nothing"):
            await one.settle(operation)
