"""Baskets and the receipts that they become: each limit from both sides, each refusal by name."""

from collections.abc import Callable
from typing import Any

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Capture
from services.loyalty.domain.decision import Refusal
from services.loyalty.quotes import QuoteBasket
from services.loyalty.wire_baskets import LINES_MAX, MINOR_MAX
from services.loyalty.wire_forms import CARD_MAX, TEXTS_MAX
from tests.loyalty.ledgers import a_wire_capture, read
from tests.loyalty.wired import CARD, UNPRINTABLE, captured, lines, refused


def with_line(**changes: Any) -> pb.Operation:
    """A basket of four lines, the fourth of which is changed."""
    operation = a_wire_capture(lines=lines(100, 200, 300, 400))
    for name, value in changes.items():
        setattr(operation.capture.basket.line_items[3], name, value)
    return operation


def empty() -> pb.Operation:
    operation = a_wire_capture()
    del operation.capture.basket.line_items[:]
    return operation


def test_a_basket_has_a_line() -> None:
    quote = operations.quote(CARD, empty().capture.basket)

    assert refused(empty()) == (Refusal.BASKET_EMPTY, "capture.basket.line_items")
    assert refused(quote) == (Refusal.BASKET_EMPTY, "quote.basket.line_items")
    assert len(captured(a_wire_capture(lines=lines(5))).basket.line_items) == 1


def test_a_capture_without_a_basket_is_one_without_lines() -> None:
    operation = pb.Operation(id=operations.new_id(), capture=pb.Capture(card=CARD))

    assert refused(operation) == (Refusal.BASKET_EMPTY, "capture.basket.line_items")


def test_a_basket_has_a_thousand_lines_at_most() -> None:
    most = captured(a_wire_capture(lines=lines(*[1] * LINES_MAX)))

    assert (LINES_MAX, most.basket.total_minor) == (1000, 1000)
    assert refused(a_wire_capture(lines=lines(*[1] * (LINES_MAX + 1)))) == (
        Refusal.MALFORMED,
        "capture.basket.line_items",
    )


@pytest.mark.parametrize("total_minor", [MINOR_MAX + 1, -MINOR_MAX - 1, 2**63 - 1, -(2**63)])
def test_a_line_beyond_all_money_is_named(total_minor: int) -> None:
    assert refused(with_line(total_minor=total_minor)) == (
        Refusal.BASKET_TOTAL_OVERFLOWS,
        "capture.basket.line_items[3].total_minor",
    )


def test_lines_may_cancel_each_other_out_up_to_the_limit() -> None:
    basket = captured(a_wire_capture(lines=lines(MINOR_MAX, -MINOR_MAX, MINOR_MAX))).basket

    assert basket.total_minor == MINOR_MAX


def test_a_sum_beyond_all_money_overflows() -> None:
    """Though each line is within it; also where the sum of 64 bits would be a small number."""
    for totals in ([MINOR_MAX, 1], [MINOR_MAX] * LINES_MAX):
        assert refused(a_wire_capture(lines=lines(*totals))) == (
            Refusal.BASKET_TOTAL_OVERFLOWS,
            "capture.basket.total_minor",
        )


def told(total_minor: int) -> pb.Operation:
    """Lines of 1000 altogether, and a total that says something else."""
    operation = with_line()
    operation.capture.basket.total_minor = total_minor
    return operation


@pytest.mark.parametrize("total_minor", [MINOR_MAX + 1, -MINOR_MAX - 1, 2**63 - 1, -(2**63)])
def test_a_total_beyond_all_money_overflows(total_minor: int) -> None:
    assert refused(told(total_minor)) == (
        Refusal.BASKET_TOTAL_OVERFLOWS,
        "capture.basket.total_minor",
    )


@pytest.mark.parametrize("total_minor", [0, 1, 999, 1001, MINOR_MAX])
def test_a_total_is_what_the_lines_add_up_to(total_minor: int) -> None:
    assert refused(told(total_minor)) == (
        Refusal.BASKET_TOTAL_DIFFERS,
        "capture.basket.total_minor",
    )
    assert captured(told(1000)).basket.total_minor == 1000


def test_a_basket_that_pays_money_back_is_no_purchase() -> None:
    negative = (Refusal.BASKET_TOTAL_NEGATIVE, "capture.basket.total_minor")

    assert refused(a_wire_capture(lines=lines(100, -101))) == negative
    assert refused(told(-1)) == negative
    assert captured(a_wire_capture(lines=lines(100, -100))).basket.total_minor == 0
    assert captured(a_wire_capture(lines=lines(0))).basket.total_minor == 0


@pytest.mark.parametrize("currency", ["USD", "", "eur", "EUR ", "€"])
def test_a_programme_counts_in_one_currency(currency: str) -> None:
    quote = operations.quote(CARD, a_wire_capture(currency=currency).capture.basket)

    assert refused(a_wire_capture(currency=currency)) == (
        Refusal.CURRENCY_WRONG,
        "capture.basket.currency",
    )
    assert refused(quote) == (Refusal.CURRENCY_WRONG, "quote.basket.currency")


def test_line_ids_are_unique_and_there() -> None:
    for line_id in ("1", ""):
        assert refused(with_line(line_id=line_id)) == (
            Refusal.MALFORMED,
            "capture.basket.line_items[3].line_id",
        )


@pytest.mark.parametrize("quantity_milli", [MINOR_MAX + 1, -MINOR_MAX - 1, 2**63 - 1])
def test_a_quantity_beyond_all_goods_is_named(quantity_milli: int) -> None:
    assert refused(with_line(quantity_milli=quantity_milli)) == (
        Refusal.MALFORMED,
        "capture.basket.line_items[3].quantity_milli",
    )


@pytest.mark.parametrize("quantity_milli", [MINOR_MAX, -MINOR_MAX, 0, 475, -1000])
def test_quantities_may_be_fractions_none_or_returned(quantity_milli: int) -> None:
    line = captured(with_line(quantity_milli=quantity_milli)).basket.line_items[3]

    assert line.quantity_milli == quantity_milli


@pytest.mark.parametrize("text", UNPRINTABLE)
@pytest.mark.parametrize(
    "field", ["line_id", "article_number", "text", "category", "brand", "vat_rate_key"]
)
def test_unprintable_text_of_a_line_is_named(field: str, text: str) -> None:
    assert refused(with_line(**{field: text})) == (
        Refusal.MALFORMED,
        f"capture.basket.line_items[3].{field}",
    )


def test_an_article_may_be_called_with_a_no_break_space() -> None:
    assert isinstance(read(with_line(text="Vollmilch\u00a03,5\u00a0%")), Capture)


def test_the_texts_of_a_line_have_a_length_together() -> None:
    """The id "4" and the key "DE_19" are six of it."""
    fits = captured(with_line(text="ä" * (TEXTS_MAX - 6)))

    assert len(fits.basket.line_items[3].text) == TEXTS_MAX - 6
    assert refused(with_line(text="ä" * (TEXTS_MAX - 5))) == (
        Refusal.MALFORMED,
        "capture.basket.line_items[3]",
    )


@pytest.mark.parametrize(
    "text", ['12" pipe', "back\\slash", "Käse 'jung'", "{}[],:", "100\xa0g", ""]
)
def test_texts_are_taken_as_they_are(text: str) -> None:
    """Also such as JSON has to escape, and one that is only looked at because another does."""
    line = captured(with_line(text=text, brand='"')).basket.line_items[3]

    assert (line.text, line.brand) == (text, '"')


@pytest.mark.parametrize("cashier", ["x" * (CARD_MAX + 1), *UNPRINTABLE])
def test_a_cashier_is_printable_and_of_a_length(cashier: str) -> None:
    assert refused(a_wire_capture(cashier=cashier)) == (
        Refusal.MALFORMED,
        "capture.basket.cashier",
    )
    assert captured(a_wire_capture(cashier="x" * CARD_MAX)).basket.cashier == "x" * CARD_MAX
    assert captured(a_wire_capture(cashier="")).basket.cashier == ""


@pytest.mark.parametrize("number", ["", "1" * (CARD_MAX + 1), *UNPRINTABLE])
def test_a_receipt_number_is_printable_and_of_a_length(number: str) -> None:
    operation = a_wire_capture()
    operation.capture.basket.receipt_number = number

    assert refused(operation) == (Refusal.MALFORMED, "capture.basket.receipt_number")
    assert captured(a_wire_capture(receipt_number="1" * CARD_MAX))


@pytest.mark.parametrize(
    "day",
    [
        "",
        "2026-11-2",
        "2026-1-20",
        "20261120",
        "2026-W47-5",
        "2026-11-31",
        "2025-02-29",
        "0000-01-01",
        "10000-01-01",
        "20.11.2026",
        "2026-11-20T00:00",
        " 2026-11-20",
        "２026-11-20",
    ],
)
def test_a_business_date_is_a_day(day: str) -> None:
    assert refused(a_wire_capture(business_date=day)) == (
        Refusal.MALFORMED,
        "capture.basket.business_date",
    )


@pytest.mark.parametrize("day", ["2026-11-20", "2024-02-29", "0001-01-01", "9999-12-31"])
def test_any_day_may_be_a_business_date(day: str) -> None:
    assert captured(a_wire_capture(business_date=day)).basket.business_date == day


def test_a_quote_needs_no_receipt() -> None:
    basket = operations.basket(lines(100), currency="EUR")

    assert isinstance(read(operations.quote(CARD, basket)), QuoteBasket)


def test_the_first_thing_wrong_is_told_form_before_money() -> None:
    """As the contract orders the reasons, as far as one field is concerned."""
    operation = a_wire_capture(
        card="", redeem=0, currency="USD", cashier="\0", lines=lines(100, -200)
    )
    told: list[str] = []
    mends: list[Callable[[], None]] = [
        lambda: setattr(operation.capture, "card", CARD),
        lambda: setattr(operation.capture, "redeem_points", 1),
        lambda: setattr(operation.capture.basket, "cashier", ""),
        lambda: setattr(operation.capture.basket.line_items[1], "total_minor", 0),
        lambda: setattr(operation.capture.basket, "total_minor", 100),
        lambda: setattr(operation.capture.basket, "currency", "EUR"),
    ]
    for mend in mends:
        told.append(refused(operation)[1].removeprefix("capture."))
        mend()

    assert told == [
        "card",
        "redeem_points",
        "basket.cashier",
        "basket.total_minor",
        "basket.total_minor",
        "basket.currency",
    ]
    assert isinstance(read(operation), Capture)
