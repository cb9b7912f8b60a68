"""What a till may send: each limit from both sides, each refusal with field and reason."""

from collections.abc import Callable
from typing import Any

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.decision import Abandon, Capture, Maximum, Refusal, Refused
from services.loyalty.quotes import AskStatus, Identify, QuoteBasket
from services.loyalty.wire_requests import (
    CARD_MAX,
    LINES_MAX,
    MINOR_MAX,
    POINTS_MAX,
    TEXTS_MAX,
)
from tests.loyalty.ledgers import a_wire_capture, read

CARD = "2900000000018"
MALFORMED_IDS = [
    "",
    "x",
    "0198C6F4-0000-7000-8000-000000000001",  # upper case
    "0198c6f400007000800000000000000a",  # no hyphens
    "{0198c6f4-0000-7000-8000-000000000001}",
    "0198c6f4-0000-7000-c000-000000000001",  # of another variant
    "0198c6f4-0000-7000-8000-00000000000",
    "0198c6f4-0000-7000-8000-0000000000011",
    "0198c6f4-0000-7000-8000-00000000000g",
    " 0198c6f4-0000-7000-8000-000000000001",
    "0198c6f4-0000-7000-8000-000000000001\n",
    "٠198c6f4-0000-7000-8000-000000000001",  # another alphabet's nought
]
UNPRINTABLE = ["a\nb", "\0", "\x7f", "\x1b[31m", "\u2028", "\u202e", "\ufeff"]


def refused(operation: pb.Operation) -> tuple[Refusal, str]:
    result = read(operation)
    assert isinstance(result, Refused), result
    assert result.remedy, "a refusal says what to do"
    return result.reason, result.field


def captured(operation: pb.Operation) -> Capture:
    result = read(operation)
    assert isinstance(result, Capture), result
    return result


def lines(*totals_minor: int) -> list[pb.LineItem]:
    return [
        operations.line_item(str(number), total_minor=total, vat_rate_key="DE_19")
        for number, total in enumerate(totals_minor, start=1)
    ]


def with_line(**changes: Any) -> pb.Operation:
    """A basket of four lines, the fourth of which is changed."""
    operation = a_wire_capture(lines=lines(100, 200, 300, 400))
    for name, value in changes.items():
        setattr(operation.capture.basket.line_items[3], name, value)
    return operation


# --- ids ------------------------------------------------------------------------------------


@pytest.mark.parametrize("malformed", MALFORMED_IDS)
def test_ids_have_one_form(malformed: str) -> None:
    """At each place at which a till writes one."""
    own = a_wire_capture(operation_id="0198c6f4-0000-7000-8000-000000000001")
    own.id = malformed
    basket = a_wire_capture()
    basket.capture.basket.basket_id = malformed
    quote = operations.quote(CARD, basket.capture.basket)

    assert refused(own) == (Refusal.MALFORMED_ID, "id")
    assert refused(basket) == (Refusal.MALFORMED_ID, "capture.basket.basket_id")
    assert refused(quote) == (Refusal.MALFORMED_ID, "quote.basket.basket_id")
    assert refused(operations.status(malformed)) == (
        Refusal.MALFORMED_ID,
        "status.operation_id",
    )
    assert refused(operations.abandon(malformed)) == (
        Refusal.MALFORMED_ID,
        "abandon.operation_id",
    )


def test_ids_of_the_version_that_the_ledger_makes_for_itself_are_refused() -> None:
    """Else a till could take the id of an expiry that is still to come, and stop it for ever."""
    own = a_wire_capture(operation_id="0198c6f4-0000-8000-8000-000000000001")

    assert refused(own) == (Refusal.MALFORMED_ID, "id")
    assert refused(operations.abandon("0198c6f4-0000-8000-8000-000000000001")) == (
        Refusal.MALFORMED_ID,
        "abandon.operation_id",
    )


@pytest.mark.parametrize("version", "12345679abcdef0")
def test_ids_of_every_other_version_are_taken(version: str) -> None:
    operation_id = f"0198c6f4-0000-{version}000-8000-000000000001"

    assert captured(a_wire_capture(operation_id=operation_id)).operation_id == operation_id


def test_an_operation_says_what_it_is() -> None:
    assert refused(pb.Operation(id=operations.new_id())) == (Refusal.MALFORMED, "kind")


def test_an_abandon_does_not_name_itself() -> None:
    operation = operations.abandon(operations.new_id())
    operation.id = operation.abandon.operation_id

    assert refused(operation) == (Refusal.MALFORMED, "abandon.operation_id")


# --- the till's clock -----------------------------------------------------------------------

KINDS: dict[str, Callable[[], pb.Operation]] = {
    "identify": lambda: operations.identify(CARD),
    "quote": lambda: operations.quote(CARD, a_wire_capture().capture.basket),
    "capture": a_wire_capture,
    "status": lambda: operations.status(operations.new_id()),
    "abandon": lambda: operations.abandon(operations.new_id()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9)]
)
def test_a_time_that_is_none_is_refused_and_breaks_nothing(
    kind: str, seconds: int, nanos: int
) -> None:
    """One till's wrong clock would otherwise end the stream that it shares with all others."""
    operation = KINDS[kind]()
    operation.occurred_at.seconds, operation.occurred_at.nanos = seconds, nanos

    assert refused(operation) == (Refusal.MALFORMED, "occurred_at")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [253_402_300_799, -62_135_596_800])
def test_the_first_and_the_last_second_are_times(kind: str, seconds: int) -> None:
    operation = KINDS[kind]()
    operation.occurred_at.seconds, operation.occurred_at.nanos = seconds, 0

    assert not isinstance(read(operation), Refused)


def test_a_till_without_a_clock_may_leave_the_time_out() -> None:
    operation = a_wire_capture()
    operation.ClearField("occurred_at")

    assert captured(operation).origin.occurred_at_us is None


# --- cards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("card", ["", "1" * (CARD_MAX + 1), *UNPRINTABLE])
def test_a_card_number_is_printable_and_of_a_length(card: str) -> None:
    basket = a_wire_capture().capture.basket

    assert refused(a_wire_capture(card)) == (Refusal.MALFORMED, "capture.card")
    assert refused(operations.quote(card, basket)) == (Refusal.MALFORMED, "quote.card")
    assert refused(operations.identify(card)) == (Refusal.MALFORMED, "identify.card")


@pytest.mark.parametrize("card", ["1", "1" * CARD_MAX, "0001", "Käfer 7"])
def test_a_card_number_is_taken_as_it_is(card: str) -> None:
    basket = a_wire_capture().capture.basket

    assert captured(a_wire_capture(card)).card == card
    assert read(operations.identify(card)) == Identify(card)
    quote = read(operations.quote(card, basket))
    assert isinstance(quote, QuoteBasket)
    assert quote.card == card


# --- redemption -----------------------------------------------------------------------------


@pytest.mark.parametrize("points", [0, -1, -POINTS_MAX, POINTS_MAX + 1, 2**63 - 1, -(2**63)])
def test_points_to_redeem_are_one_or_more(points: int) -> None:
    assert refused(a_wire_capture(redeem=points)) == (Refusal.MALFORMED, "capture.redeem_points")


@pytest.mark.parametrize("points", [1, POINTS_MAX])
def test_points_to_redeem_are_taken_exactly(points: int) -> None:
    assert captured(a_wire_capture(redeem=points)).redeem == points


def test_redeeming_nothing_and_redeeming_the_most() -> None:
    not_maximum = a_wire_capture()
    not_maximum.capture.redeem_maximum = False

    assert captured(a_wire_capture()).redeem is None
    assert captured(not_maximum).redeem is None
    assert captured(a_wire_capture(redeem="maximum")).redeem is Maximum.MAXIMUM


# --- baskets --------------------------------------------------------------------------------


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


# --- receipts -------------------------------------------------------------------------------


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


# --- questions ------------------------------------------------------------------------------


def test_status_and_abandon_name_their_operation() -> None:
    target_id = operations.new_id()
    abandon = read(operations.abandon(target_id))

    assert read(operations.status(target_id)) == AskStatus(target_id)
    assert isinstance(abandon, Abandon)
    assert (abandon.target_id, abandon.origin.terminal_id) == (target_id, "till-1")
