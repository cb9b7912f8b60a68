import uuid
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway import form
from tests.pos_gateway.peer import sent

AT = datetime(2026, 11, 22, 18, 30, 5, tzinfo=UTC)


def test_ids_are_well_formed_distinct_and_of_version_7() -> None:
    ids = [operations.new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert all(form.refusal(sent(pb.Operation(id=each))) is None for each in ids)


def test_ids_made_without_uuid_utils_are_uuids_of_version_7_too() -> None:
    before_ms = int(datetime.now(UTC).timestamp() * 1000)

    ids = [operations.random_uuid7() for _ in range(100)]

    assert len(set(ids)) == 100
    assert {each.version for each in ids} == {7}
    assert {each.variant for each in ids} == {uuid.RFC_4122}
    assert min(each.int >> 80 for each in ids) >= before_ms


def test_a_baskets_total_is_the_sum_of_its_lines() -> None:
    lines = [
        operations.line_item("1", total_minor=1_99),
        operations.line_item("2", total_minor=-25, quantity_milli=475, vat_rate_key="DE_19"),
    ]

    basket = operations.basket(
        lines,
        currency="EUR",
        receipt_number="17",
        business_date=date(2026, 11, 22),
        cashier="7",
    )

    assert basket.total_minor == 1_74
    assert list(basket.line_items) == lines
    assert basket.business_date == "2026-11-22"
    assert uuid.UUID(basket.basket_id).version == 7


def test_a_basket_keeps_the_id_that_it_is_given() -> None:
    basket_id = operations.new_id()

    assert operations.basket([], currency="EUR", basket_id=basket_id).basket_id == basket_id


@pytest.mark.parametrize(
    ("redeem", "kind"), [(None, None), (50, "redeem_points"), ("maximum", "redeem_maximum")]
)
def test_a_capture_redeems_none_so_many_or_all(redeem: operations.Redeem, kind: str | None) -> None:
    operation = operations.capture("c", operations.basket([], currency="EUR"), redeem=redeem)

    assert operation.capture.WhichOneof("redemption") == kind
    assert redeem != 50 or operation.capture.redeem_points == 50


def test_0_points_are_passed_on_to_be_refused_by_name() -> None:
    operation = operations.capture("c", operations.basket([], currency="EUR"), redeem=0)

    assert operation.capture.WhichOneof("redemption") == "redeem_points"


@pytest.mark.parametrize("at", [AT, AT.astimezone(timezone(timedelta(hours=1)))])
def test_the_tills_own_time_is_told_in_utc(at: datetime) -> None:
    basket = operations.basket([], currency="EUR")

    operation = operations.capture("c", basket, occurred_at=at, operation_id="x", timeout_ms=700)

    assert operation.occurred_at.ToDatetime(tzinfo=UTC) == AT
    assert (operation.id, operation.timeout_ms) == ("x", 700)


@pytest.mark.parametrize(("redeem", "kind"), [(50, "redeem_points"), ("maximum", "redeem_maximum")])
def test_a_reservation_is_of_so_many_points_or_all(
    redeem: operations.RedeemSome, kind: str
) -> None:
    basket = operations.basket([], currency="EUR")
    operation = operations.reserve("c", basket, redeem=redeem)

    assert operation.reserve.WhichOneof("redemption") == kind
    assert operations.reserve("c", basket).reserve.redeem_maximum
    assert operation.reserve.basket == basket


def test_a_capture_may_name_the_reservation_that_it_ends() -> None:
    basket = operations.basket([], currency="EUR")
    reserve = operations.reserve("c", basket)

    capture = operations.capture("c", basket, redeem=50, reservation_id=reserve.id)

    assert capture.capture.reservation_id == reserve.id
    assert operations.capture("c", basket).capture.reservation_id == ""


def test_a_receipt_is_named_as_printed_or_by_its_capture() -> None:
    printed = operations.receipt("4711", date(2026, 11, 22), terminal_id="till-7")

    assert printed == pb.ReceiptReference(
        terminal_id="till-7", business_date="2026-11-22", receipt_number="4711"
    )
    assert operations.receipt_of("x") == pb.ReceiptReference(capture_id="x")


def test_a_return_names_lines_and_a_receipt_of_its_own() -> None:
    lines = [operations.return_line("1", 500), operations.return_line("2")]

    operation = operations.return_items(
        operations.receipt_of("x"),
        lines,
        receipt_number="18",
        business_date=date(2026, 11, 22),
        cashier="7",
    )

    sent = operation.return_items
    assert [(line.line_id, line.quantity_milli) for line in sent.lines] == [("1", 500), ("2", 0)]
    assert (sent.receipt_number, sent.business_date, sent.cashier) == ("18", "2026-11-22", "7")
    assert sent.receipt.capture_id == "x"


def test_a_void_tells_the_tills_day() -> None:
    operation = operations.void_receipt(
        operations.receipt_of("x"), business_date=date(2026, 11, 22), cashier="7"
    )

    assert operation.void_receipt.business_date == "2026-11-22"
    assert operation.void_receipt.cashier == "7"


def test_every_operation_has_an_id_of_its_own_and_a_time() -> None:
    basket = operations.basket([], currency="EUR")
    about = operations.new_id()
    receipt = operations.receipt_of(about)
    made = [
        operations.identify("c"),
        operations.quote("c", basket),
        operations.reserve("c", basket),
        operations.release(about),
        operations.capture("c", basket),
        operations.void_receipt(receipt, business_date="2026-11-22"),
        operations.return_items(receipt, receipt_number="18", business_date="2026-11-22"),
        operations.enrol("c", language="de"),
        operations.status(about),
        operations.abandon(about),
    ]

    kinds = [field.name for field in pb.Operation.DESCRIPTOR.oneofs_by_name["kind"].fields]
    assert sorted(each.WhichOneof("kind") or "" for each in made) == sorted(kinds)
    assert len({each.id for each in made} | {about}) == len(made) + 1
    assert all(each.HasField("occurred_at") for each in made)
