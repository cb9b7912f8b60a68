"""What a till may send: each limit from both sides, each refusal with field and reason."""

from collections.abc import Callable
from uuid import UUID

import pytest

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Abandon, Command, Enrol, Maximum, Release, Reserve
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.quotes import AskStatus, Identify, QuoteBasket
from services.loyalty.wire_forms import CARD_MAX, LANGUAGE_MAX, UUID_FORM
from services.loyalty.wire_requests import POINTS_MAX
from tests.loyalty.ledgers import a_wire_capture, read
from tests.loyalty.wired import (
    CARD,
    MALFORMED_IDS,
    RESERVATION_ID,
    UNPRINTABLE,
    a_wire_enrolment,
    a_wire_release,
    a_wire_reserve,
    a_wire_return,
    a_wire_void,
    captured,
    refused,
)


def reserved(operation: pb.Operation) -> Reserve:
    result = read(operation)
    assert isinstance(result, Reserve), result
    return result


def enrolled(operation: pb.Operation) -> Enrol:
    result = read(operation)
    assert isinstance(result, Enrol), result
    return result


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
    assert refused(a_wire_reserve(basket_id=malformed or "x")) == (
        Refusal.MALFORMED_ID,
        "reserve.basket.basket_id",
    )
    assert refused(a_wire_release(malformed)) == (
        Refusal.MALFORMED_ID,
        "release.reservation_id",
    )


@pytest.mark.parametrize("malformed", [each for each in MALFORMED_IDS if each])
def test_a_capture_names_a_reservation_by_its_id_or_none(malformed: str) -> None:
    operation = a_wire_capture(redeem=1)
    operation.capture.reservation_id = malformed

    assert refused(operation) == (Refusal.MALFORMED_ID, "capture.reservation_id")
    operation.capture.reservation_id = ""
    assert captured(operation).reservation_id == ""
    operation.capture.reservation_id = RESERVATION_ID
    assert captured(operation).reservation_id == RESERVATION_ID


def test_ids_of_the_version_that_the_ledger_makes_for_itself_are_refused() -> None:
    """Else a till could take the id of an expiry that is still to come, and stop it for ever; or
    ask for a row that has no answer.
    """
    own = a_wire_capture(operation_id="0198c6f4-0000-8000-8000-000000000001")

    assert refused(own) == (Refusal.MALFORMED_ID, "id")
    assert refused(operations.abandon("0198c6f4-0000-8000-8000-000000000001")) == (
        Refusal.MALFORMED_ID,
        "abandon.operation_id",
    )
    assert refused(operations.status("0198c6f4-0000-8000-8000-000000000001")) == (
        Refusal.MALFORMED_ID,
        "status.operation_id",
    )
    assert refused(a_wire_release("0198c6f4-0000-8000-8000-000000000001")) == (
        Refusal.MALFORMED_ID,
        "release.reservation_id",
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
    "reserve": a_wire_reserve,
    "release": a_wire_release,
    "void_receipt": a_wire_void,
    "return_items": a_wire_return,
    "enrol": a_wire_enrolment,
}


def test_every_kind_of_operation_is_looked_at() -> None:
    assert set(KINDS) == {field.name for field in pb.Operation.DESCRIPTOR.oneofs[0].fields}


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_tells_who_asked_and_when(kind: str) -> None:
    """A question leaves no row, and an abandon happens when it is decided."""
    command = read(KINDS[kind]())

    if kind in ("identify", "quote", "status"):
        assert not isinstance(command, Command)
        return
    assert isinstance(command, Command)
    origin = command.origin
    assert (origin.terminal_id, origin.store_id, origin.actor) == ("till-1", "s-1", "")
    assert (origin.occurred_at_us is None) == (kind == "abandon")


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
    assert refused(a_wire_reserve(card)) == (Refusal.MALFORMED, "reserve.card")
    assert refused(a_wire_enrolment(card)) == (Refusal.MALFORMED, "enrol.card")


@pytest.mark.parametrize("card", ["1", "1" * CARD_MAX, "0001", "Käfer 7"])
def test_a_card_number_is_taken_as_it_is(card: str) -> None:
    basket = a_wire_capture().capture.basket

    assert captured(a_wire_capture(card)).card == card
    assert read(operations.identify(card)) == Identify(card)
    quote = read(operations.quote(card, basket))
    assert isinstance(quote, QuoteBasket)
    assert quote.card == card
    assert reserved(a_wire_reserve(card)).card == card
    assert enrolled(a_wire_enrolment(card)).card == card


# --- redemption -----------------------------------------------------------------------------


@pytest.mark.parametrize("points", [0, -1, -POINTS_MAX, POINTS_MAX + 1, 2**63 - 1, -(2**63)])
def test_points_to_redeem_are_one_or_more(points: int) -> None:
    assert refused(a_wire_capture(redeem=points)) == (Refusal.MALFORMED, "capture.redeem_points")
    assert refused(a_wire_reserve(redeem=points)) == (Refusal.MALFORMED, "reserve.redeem_points")


@pytest.mark.parametrize("points", [1, POINTS_MAX])
def test_points_to_redeem_are_taken_exactly(points: int) -> None:
    assert captured(a_wire_capture(redeem=points)).redeem == points
    assert reserved(a_wire_reserve(redeem=points)).redeem == points


def test_redeeming_nothing_and_redeeming_the_most() -> None:
    not_maximum = a_wire_capture()
    not_maximum.capture.redeem_maximum = False

    assert captured(a_wire_capture()).redeem is None
    assert captured(not_maximum).redeem is None
    assert captured(a_wire_capture(redeem="maximum")).redeem is Maximum.MAXIMUM


def test_a_reservation_is_for_some_points_or_the_most() -> None:
    none, not_maximum = a_wire_reserve(), a_wire_reserve()
    none.reserve.ClearField("redeem_maximum")
    not_maximum.reserve.redeem_maximum = False

    assert refused(none) == (Refusal.MALFORMED, "reserve.redeem_points")
    assert refused(not_maximum) == (Refusal.MALFORMED, "reserve.redeem_points")
    assert reserved(a_wire_reserve(redeem="maximum")).redeem is Maximum.MAXIMUM


# --- reservations ---------------------------------------------------------------------------


def test_a_reserved_basket_is_looked_at_as_a_quoted_one() -> None:
    """With lines, a total and a currency, but with no receipt yet."""
    assert refused(a_wire_reserve(currency="USD")) == (
        Refusal.CURRENCY_WRONG,
        "reserve.basket.currency",
    )
    assert refused(a_wire_reserve(cashier="\0")) == (Refusal.MALFORMED, "reserve.basket.cashier")
    no_lines = a_wire_reserve()
    del no_lines.reserve.basket.line_items[:]
    assert refused(no_lines) == (Refusal.BASKET_EMPTY, "reserve.basket.line_items")


def test_a_receipt_number_that_comes_too_early_goes_no_further() -> None:
    """It is not checked, and not what the reservation is about."""
    operation = a_wire_reserve()
    early = pb.Operation.FromString(operation.SerializeToString())
    early.reserve.basket.receipt_number, early.reserve.basket.business_date = "\0", "today"

    assert reserved(early) == reserved(operation)


def test_a_release_names_its_reservation() -> None:
    release = read(a_wire_release())

    assert isinstance(release, Release)
    assert release.reservation_id == RESERVATION_ID


# --- new members ----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["", "d", "x" * (LANGUAGE_MAX + 1), "de de", "de_AT", "d\0"])
def test_a_new_members_language_is_a_tag(language: str) -> None:
    operation = a_wire_enrolment(language=language)

    assert refused(operation) == (Refusal.MALFORMED, "enrol.language")


@pytest.mark.parametrize("language", ["de", "de-AT", "zh-Hant-TW", "x" * LANGUAGE_MAX])
def test_a_new_members_language_is_taken_as_it_is(language: str) -> None:
    assert enrolled(a_wire_enrolment(language=language)).language == language


def test_a_retry_of_an_enrolment_is_the_same_member() -> None:
    """And nobody else can take the id before: version 8 is the ledger's own."""
    operation = a_wire_enrolment()
    first, again = enrolled(operation), enrolled(operation)
    other = enrolled(a_wire_enrolment())

    assert first == again
    assert UUID(first.member_id).version == 8
    assert UUID_FORM.fullmatch(first.member_id)
    assert first.member_id not in (other.member_id, first.operation_id)
    assert first.opening_points == 0


def test_the_members_id_follows_from_the_operations_for_ever() -> None:
    operation = a_wire_enrolment()
    operation.id = RESERVATION_ID

    assert enrolled(operation).member_id == "30c02976-9d00-845d-a171-e22b7f29f41a"


# --- questions ------------------------------------------------------------------------------


def test_status_and_abandon_name_their_operation() -> None:
    target_id = operations.new_id()
    abandon = read(operations.abandon(target_id))

    assert read(operations.status(target_id)) == AskStatus(target_id)
    assert isinstance(abandon, Abandon)
    assert (abandon.target_id, abandon.origin.terminal_id) == (target_id, "till-1")
