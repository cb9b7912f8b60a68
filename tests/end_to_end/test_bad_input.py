"""Whatever a till sends wrongly is refused by name, with the field's path, and changes nothing.

Over a real gateway, on its stream and by single calls, on every database, and with two loyalty
processes where the second hears what the first has booked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from tests.end_to_end.conftest import fresh
from tests.end_to_end.counter import Counter, House, open_house
from tests.end_to_end.recorded import TIMEOUT_MS

MINOR_MAX = 10**12
INT64_MAX = 2**63 - 1
LINES_MAX = 1000
PURCHASES = 300
NOBODYS_CARD = "2999999999991"

Spoil = Callable[[pb.Operation], None]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "two on postgresql"])
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    database = fresh("sqlite" if request.param == "sqlite" else "postgresql", request)
    folder = tmp_path_factory.mktemp("bad-input") / "var"
    async with open_house(
        folder,
        database=database,
        purchases=PURCHASES,
        twice=request.param.startswith("two"),
    ) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Wrong:
    """How to spoil a recorded basket, and what has to be said about it; `field` within basket."""

    name: str
    spoil: Callable[[pb.Basket], None]
    reason: pb.Reason
    field: str


def _empty(basket: pb.Basket) -> None:
    del basket.line_items[:]
    basket.total_minor = 0


def _line_total(total_minor: int) -> Callable[[pb.Basket], None]:
    def spoil(basket: pb.Basket) -> None:
        basket.line_items[1].total_minor = total_minor
        basket.total_minor = min(sum(line.total_minor for line in basket.line_items), INT64_MAX)

    return spoil


def _every_line_total(total_minor: int) -> Callable[[pb.Basket], None]:
    def spoil(basket: pb.Basket) -> None:
        for line in basket.line_items:
            line.total_minor = total_minor
        basket.total_minor = total_minor * len(basket.line_items)

    return spoil


def _set(name: str, value: object) -> Callable[[pb.Basket], None]:
    return lambda basket: setattr(basket, name, value)


def _add_to_total(minor: int) -> Callable[[pb.Basket], None]:
    def spoil(basket: pb.Basket) -> None:
        basket.total_minor += minor

    return spoil


def _same_line_id(basket: pb.Basket) -> None:
    basket.line_items[1].line_id = basket.line_items[0].line_id


def _too_many_lines(basket: pb.Basket) -> None:
    first = basket.line_items[0]
    for number in range(LINES_MAX):
        basket.line_items.add(line_id=f"more-{number}", total_minor=first.total_minor)
    basket.total_minor = sum(line.total_minor for line in basket.line_items)


BASKETS = [
    Wrong("empty", _empty, pb.REASON_BASKET_EMPTY, "line_items"),
    Wrong(
        "a line total that overflows",
        _line_total(MINOR_MAX + 1),
        pb.REASON_BASKET_TOTAL_OVERFLOWS,
        "line_items[1].total_minor",
    ),
    Wrong(
        "a line total at the end of the number range",
        _line_total(INT64_MAX),
        pb.REASON_BASKET_TOTAL_OVERFLOWS,
        "line_items[1].total_minor",
    ),
    Wrong(
        "a sum that overflows",
        _every_line_total(MINOR_MAX),
        pb.REASON_BASKET_TOTAL_OVERFLOWS,
        "total_minor",
    ),
    Wrong(
        "a total that overflows",
        _set("total_minor", INT64_MAX),
        pb.REASON_BASKET_TOTAL_OVERFLOWS,
        "total_minor",
    ),
    Wrong(
        "a negative total",
        _every_line_total(-1),
        pb.REASON_BASKET_TOTAL_NEGATIVE,
        "total_minor",
    ),
    Wrong(
        "line totals a cent below the total",
        _add_to_total(1),
        pb.REASON_BASKET_TOTAL_DIFFERS,
        "total_minor",
    ),
    Wrong(
        "line totals a cent above the total",
        _add_to_total(-1),
        pb.REASON_BASKET_TOTAL_DIFFERS,
        "total_minor",
    ),
    Wrong("another currency", _set("currency", "USD"), pb.REASON_CURRENCY_WRONG, "currency"),
    Wrong("no currency", _set("currency", ""), pb.REASON_CURRENCY_WRONG, "currency"),
    Wrong("no basket id", _set("basket_id", ""), pb.REASON_MALFORMED_ID, "basket_id"),
    Wrong("too many lines", _too_many_lines, pb.REASON_MALFORMED, "line_items"),
    Wrong(
        "two lines of one id",
        _same_line_id,
        pb.REASON_MALFORMED,
        "line_items[1].line_id",
    ),
]


@pytest.mark.parametrize("kind", ["quote", "capture"])
@pytest.mark.parametrize("wrong", BASKETS, ids=lambda wrong: wrong.name)
async def test_a_wrong_basket_is_refused_by_the_field(
    house: House, way: str, wrong: Wrong, kind: str
) -> None:
    purchase = house.purchase()
    operation = purchase.quote() if kind == "quote" else purchase.capture()
    wrong.spoil(getattr(operation, kind).basket)
    before = await house.state(purchase.shopper.card)

    decision = await house.second.send(operation, way=way)

    assert decision.operation_id == operation.id
    assert decision.refused.reason == wrong.reason
    assert decision.refused.field == f"{kind}.basket.{wrong.field}"
    assert decision.refused.remedy
    assert await house.change_of(before, purchase.shopper.card) == []


async def test_the_largest_basket_is_not_too_large(house: House, way: str) -> None:
    question = house.purchase().quote()
    for line in question.quote.basket.line_items:
        line.total_minor = 0
    question.quote.basket.line_items[0].total_minor = MINOR_MAX
    question.quote.basket.total_minor = MINOR_MAX

    assert (await house.second.send(question, way=way)).HasField("quoted")


@pytest.mark.parametrize(
    ("kind", "field"),
    [("identify", "identify.card"), ("quote", "quote.card"), ("capture", "capture.card")],
)
async def test_unknown_and_blocked_cards_have_one_answer(
    house: House, way: str, kind: str, field: str
) -> None:
    """Byte for byte but for id and time, so that nobody can probe for cards."""
    purchase = house.purchase()
    shopper = await house.newcomer()
    await house.ledgers[0].block(shopper.member_id)
    before = await house.state(shopper.card)

    answers = []
    for card in (NOBODYS_CARD, shopper.card):
        operation = {
            "identify": build.identify(card, timeout_ms=TIMEOUT_MS),
            "quote": build.quote(card, purchase.basket, timeout_ms=TIMEOUT_MS),
            "capture": build.capture(card, purchase.basket, timeout_ms=TIMEOUT_MS),
        }[kind]
        decision = await house.second.send(operation, way=way)
        assert decision.refused.reason == pb.REASON_CARD_NOT_ACCEPTED
        assert decision.refused.field == field
        assert decision.HasField("effective_at")
        decision.ClearField("operation_id")
        decision.ClearField("effective_at")
        answers.append(decision.SerializeToString(deterministic=True))

    assert answers[0] == answers[1]
    assert await house.change_of(before, shopper.card) == []


MALFORMED_IDS = {
    "empty": "",
    "not a UUID": "receipt-4711",
    "upper case": "0191D3A4-5B6C-7D8E-9FA0-B1C2D3E4F506",
    "in braces": "{0191d3a4-5b6c-7d8e-9fa0-b1c2d3e4f506}",
    "a digit short": "0191d3a4-5b6c-7d8e-9fa0-b1c2d3e4f50",
    "a digit long": "0191d3a4-5b6c-7d8e-9fa0-b1c2d3e4f5067",
    "a line break at the end": "0191d3a4-5b6c-7d8e-9fa0-b1c2d3e4f506\n",
    "of no variant": "0191d3a4-5b6c-7d8e-1fa0-b1c2d3e4f506",
}


@pytest.mark.parametrize("malformed", MALFORMED_IDS.values(), ids=MALFORMED_IDS.keys())
async def test_a_malformed_id_is_refused(house: House, way: str, malformed: str) -> None:
    purchase = house.purchase()
    operation = purchase.capture()
    operation.id = malformed
    before = await house.state(purchase.shopper.card)

    decision = await house.second.send(operation, way=way)

    assert decision.operation_id == malformed
    assert decision.refused.reason == pb.REASON_MALFORMED_ID
    assert decision.refused.field == "id"
    assert await house.change_of(before, purchase.shopper.card) == []


@pytest.mark.parametrize("malformed", ["", "receipt-4711"], ids=["empty", "not a UUID"])
@pytest.mark.parametrize("kind", ["status", "abandon"])
async def test_a_malformed_reference_is_refused(
    house: House, way: str, kind: str, malformed: str
) -> None:
    operation = {"status": build.status, "abandon": build.abandon}[kind](malformed)
    before = await house.state()

    decision = await house.second.send(operation, way=way)

    assert decision.refused.reason == pb.REASON_MALFORMED_ID
    assert decision.refused.field == f"{kind}.operation_id"
    assert await house.change_of(before) == []


def _no_kind(operation: pb.Operation) -> None:
    operation.ClearField("capture")


def _no_card(operation: pb.Operation) -> None:
    operation.capture.card = ""


def _no_points(operation: pb.Operation) -> None:
    operation.capture.redeem_points = 0


def _negative_points(operation: pb.Operation) -> None:
    operation.capture.redeem_points = -5


def _no_receipt(operation: pb.Operation) -> None:
    operation.capture.basket.receipt_number = ""


def _no_such_day(operation: pb.Operation) -> None:
    operation.capture.basket.business_date = "2017-02-30"


def _control_characters(operation: pb.Operation) -> None:
    operation.capture.basket.line_items[1].text = "milk\x00\x1b[2J"


def _no_such_instant(operation: pb.Operation) -> None:
    operation.occurred_at.seconds, operation.occurred_at.nanos = 1_500_000_000, -1


def _end_of_all_time(operation: pb.Operation) -> None:
    operation.occurred_at.seconds = INT64_MAX


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_no_kind, "kind"),
        (_no_card, "capture.card"),
        (_no_points, "capture.redeem_points"),
        (_negative_points, "capture.redeem_points"),
        (_no_receipt, "capture.basket.receipt_number"),
        (_no_such_day, "capture.basket.business_date"),
        (_control_characters, "capture.basket.line_items[1].text"),
        (_no_such_instant, "occurred_at"),
        (_end_of_all_time, "occurred_at"),
    ],
    ids=lambda value: value.__name__.lstrip("_") if callable(value) else "",
)
async def test_a_malformed_capture_is_refused(
    house: House, way: str, spoil: Spoil, field: str
) -> None:
    purchase = house.purchase()
    operation = purchase.capture()
    spoil(operation)
    before = await house.state(purchase.shopper.card)

    decision = await house.second.send(operation, way=way)

    assert decision.refused.reason == pb.REASON_MALFORMED
    assert decision.refused.field == field
    assert await house.change_of(before, purchase.shopper.card) == []


async def test_one_malformed_operation_harms_no_other_till(house: House, way: str) -> None:
    """All tills share the gateway's stream to loyalty: nothing that one sends may end it."""
    good = [house.purchase().capture() for _ in range(8)]
    bad = [house.purchase().capture() for _ in range(8)]
    for operation, spoil in zip(bad, [_no_such_instant, _end_of_all_time] * 4, strict=True):
        spoil(operation)

    answered = await asyncio.gather(
        *(house.first.send(operation, way=way) for operation in good),
        *(house.second.send(operation, way=way) for operation in bad),
    )

    assert [each.WhichOneof("result") for each in answered] == ["captured"] * 8 + ["refused"] * 8


async def test_more_than_is_there_cannot_be_redeemed(house: House, way: str) -> None:
    """The refusal is journalled and stays, but no member is changed by it."""
    purchase = house.purchase()
    card = purchase.shopper.card
    offer = (await house.first.send(purchase.quote(), way=way)).quoted
    one_too_many = purchase.capture(redeem=offer.points_redeemable + 1)
    member, overview = await house.ledgers[0].member(card), await house.ledgers[0].overview()

    decision = await house.second.send(one_too_many, way=way)
    again = await house.second.send(one_too_many, way=way)

    assert decision.refused.reason == pb.REASON_EXCEEDS_AVAILABLE
    assert decision.refused.field == "capture.redeem_points"
    assert decision.refused.points_maximum == offer.points_redeemable
    assert again == decision
    assert await house.ledgers[0].member(card) == member
    overview.journal_entries += 1
    overview.refusals += 1
    assert await house.ledgers[0].overview() == overview

    exactly = await house.second.send(purchase.capture(redeem=offer.points_redeemable), way=way)
    assert exactly.captured.points_redeemed == offer.points_redeemable
    assert exactly.captured.member.points == exactly.captured.points_earned + (
        member.state.points - offer.points_redeemable
    )


async def test_more_than_the_basket_costs_cannot_be_redeemed(house: House, way: str) -> None:
    purchase = house.purchase()
    before = await house.state(purchase.shopper.card)

    decision = await house.second.send(
        purchase.capture(redeem=purchase.basket.total_minor + 1), way=way
    )

    assert decision.refused.reason == pb.REASON_EXCEEDS_SHARE
    assert decision.refused.field == "capture.redeem_points"
    assert await house.change_of(before, purchase.shopper.card) == []


async def _booked(house: House, *, way: str) -> tuple[pb.Operation, pb.Decision]:
    operation = house.purchase().capture()
    decision = await house.first.send(operation, way=way)
    assert decision.HasField("captured")
    return operation, decision


async def _is_reused(house: House, counter: Counter, operation: pb.Operation, way: str) -> None:
    """`operation` carries an id that is booked: refused by name, and nothing is changed."""
    card = operation.capture.card
    before = await house.state(card)

    decision = await counter.send(operation, way=way)

    assert decision.refused.reason == pb.REASON_KEY_REUSED
    assert decision.refused.field == "id"
    assert await house.change_of(before, card) == []


async def test_the_same_request_has_the_same_answer_at_every_gateway(
    house: House, way: str
) -> None:
    operation, booked = await _booked(house, way=way)
    before = await house.state(operation.capture.card)
    async with house.open_till(house.first.terminal) as same_terminal_elsewhere:
        repeated = await same_terminal_elsewhere.send(operation)

    assert repeated.SerializeToString(deterministic=True) == booked.SerializeToString(
        deterministic=True
    )
    assert await house.change_of(before, operation.capture.card) == []


async def test_an_id_does_not_serve_for_another_basket(house: House, way: str) -> None:
    booked, _ = await _booked(house, way=way)
    other = pb.Operation()
    other.CopyFrom(booked)
    other.capture.basket.CopyFrom(house.purchase().basket)
    elsewhere = Counter(house.first.terminal, house.first.till, house.second.to_gateway)

    await _is_reused(house, house.first, other, way)
    await _is_reused(house, elsewhere, other, "call")


async def test_an_id_does_not_serve_for_a_card_of_another_bucket(house: House, way: str) -> None:
    booked, _ = await _booked(house, way=way)
    ledger = house.ledgers[0]
    bucket = (await ledger.member(booked.capture.card)).bucket
    stranger = house.purchase()
    while (await ledger.member(stranger.shopper.card)).bucket == bucket:
        stranger = house.purchase()
    other = pb.Operation()
    other.CopyFrom(booked)
    other.capture.card = stranger.shopper.card
    elsewhere = Counter(house.first.terminal, house.first.till, house.second.to_gateway)

    await _is_reused(house, house.first, other, way)
    await _is_reused(house, elsewhere, other, "call")


async def test_an_id_does_not_serve_for_another_terminal(house: House, way: str) -> None:
    booked, _ = await _booked(house, way=way)

    await _is_reused(house, house.second, booked, way)


async def test_of_two_requests_at_once_under_one_id_one_is_booked(house: House, way: str) -> None:
    """From two terminals, at two loyalty processes where there are two."""
    operation = house.purchase().capture()
    before = await house.ledgers[0].overview()

    decisions = await asyncio.gather(
        house.first.send(operation, way=way), house.second.send(operation, way=way)
    )

    booked = [each for each in decisions if each.HasField("captured")]
    refused = [each for each in decisions if each.HasField("refused")]
    assert (len(booked), len(refused)) == (1, 1)
    assert refused[0].refused.reason == pb.REASON_KEY_REUSED
    after = await house.ledgers[0].overview()
    assert after.captures == before.captures + 1
    assert after.journal_entries == before.journal_entries + 1


async def test_a_receipt_is_captured_once(house: House, way: str) -> None:
    booked, _ = await _booked(house, way=way)
    card = booked.capture.card
    again = pb.Operation()
    again.CopyFrom(booked)
    again.id = build.new_id()
    before = await house.state(card)

    decision = await house.first.send(again, way=way)

    assert decision.refused.reason == pb.REASON_RECEIPT_REUSED
    assert decision.refused.field == "capture.basket.receipt_number"
    assert await house.change_of(before, card) == []


async def test_the_books_balance_after_all_that(house: House) -> None:
    found = await house.suite.verify()

    assert found["ok"], found["problems"]


async def test_nothing_of_this_has_broken_a_stream_to_loyalty(house: House) -> None:
    """All tills of a gateway share it: whoever could end it could disturb them all."""
    assert house.streams_opened() == len(house.suite.gateway_targets)
