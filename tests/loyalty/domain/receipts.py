"""Captured receipts to take back: decided by the real capture, as the journal would tell them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.loyalty.domain.basket import Basket, LineItem
from services.loyalty.domain.capture import capture
from services.loyalty.domain.command import (
    Capture,
    Maximum,
    Origin,
    ReceiptReference,
    ReturnItems,
    VoidReceipt,
)
from services.loyalty.domain.decision import Captured, Entry, Refused, Returned, Voided
from services.loyalty.domain.member import Member
from services.loyalty.domain.original import NOTHING_REVERSED, Original, Reversal
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.reversal import Reversing, give_back, void
from tests.loyalty.domain.members import CARD, a_member
from tests.loyalty.examples import a_programme

NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
BUCKET = 3
SEQUENCE = 41
CAPTURE_ID = "0198c6f4-0000-7000-8000-0000000000c0"
RETURN_ID = "0198c6f4-0000-7000-8000-0000000000d0"
TILL = Origin("till-1", "store-1")
# One point per 0.10 gross, a point pays 0.01.
GENEROUS = a_programme(minor_per_point=10, net_of_points=False, category_percent={})
RECEIPT = ReceiptReference("till-1", TODAY.isoformat(), "R-1")


def a_line_of(
    line_id: str,
    total_minor: int,
    *,
    quantity_milli: int = 1000,
    category: str = "GROCERY",
    vat_rate_key: str = "DE_19",
) -> LineItem:
    return LineItem(
        line_id, "4006381333931", "Example", category, "", quantity_milli, total_minor, vat_rate_key
    )


def bought(
    member: Member,
    *lines: LineItem,
    programme: Programme,
    redeem: int | Maximum | None = None,
    today: date = TODAY,
) -> tuple[Member, Original]:
    """The member after the purchase, and the receipt."""
    basket = Basket(
        basket_id="0198c6f4-0000-7000-8000-00000000ba5e",
        receipt_number="R-1",
        business_date=today.isoformat(),
        cashier="7",
        currency="EUR",
        total_minor=sum(line.total_minor for line in lines),
        line_items=lines,
    )
    command = Capture(CAPTURE_ID, bytes(32), TILL, CARD, basket, "[]", redeem)
    entry = capture(member, command, programme=programme, today=today)
    assert isinstance(entry, Entry), entry
    assert isinstance(entry.decision, Captured), entry.decision
    assert entry.member is not None
    qualifying = entry.facts.get("qualifying_points", 0)
    assert isinstance(qualifying, int)
    return entry.member, Original(
        bucket=BUCKET,
        sequence=SEQUENCE,
        operation_id=CAPTURE_ID,
        member_id=member.member_id,
        terminal_id=TILL.terminal_id,
        store_id=TILL.store_id,
        effective_at_us=in_us(NOON + (today - TODAY)),
        business_date=today.isoformat(),
        receipt_number="R-1",
        captured=entry.decision,
        lot_moves=entry.lot_moves,
        pending_moves=entry.pending_moves,
        line_items=lines,
        programme=programme,
        qualifying_points=qualifying,
    )


def bread_and_soap(
    redeem: int | None = 700, *lines: LineItem, member: Member | None = None
) -> tuple[Member, Original]:
    """20.00 in two lines that earns 200 points and redeems 700 of 1,000."""
    rich = member or a_member(("2027-03-31", 600), ("2027-04-30", 400))
    two = (
        a_line_of("bread", 1000, quantity_milli=4000, vat_rate_key="DE_7"),
        a_line_of("soap", 1000),
    )
    return bought(rich, *(lines or two), programme=GENEROUS, redeem=redeem)


def in_us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# --- taking back ----------------------------------------------------------------------------


def asked(*lines: tuple[str, int]) -> ReturnItems:
    """A return of (line id, thousandths), or of everything that is left."""
    return ReturnItems(RETURN_ID, bytes(32), TILL, RECEIPT, lines, "R-2", TODAY.isoformat(), "7")


def returning(
    member: Member,
    original: Original,
    lines: Sequence[tuple[str, int]] = (),
    *,
    so_far: Reversal = NOTHING_REVERSED,
    bucket: int = BUCKET,
    programme: Programme | None = None,
    today: date = TODAY,
) -> Reversing | Entry | Refused:
    return give_back(
        member,
        asked(*lines),
        original,
        so_far,
        bucket=bucket,
        programme=programme or original.programme,
        today=today,
    )


def returned(*args: Any, **how: Any) -> tuple[Member, Returned, Reversing]:
    """The member after an accepted return, its decision, and all of it."""
    result = returning(*args, **how)
    assert isinstance(result, Reversing), result
    assert isinstance(result.entry.decision, Returned)
    assert result.entry.member is not None
    return result.entry.member, result.entry.decision, result


def voiding(
    member: Member,
    original: Original,
    *,
    so_far: Reversal = NOTHING_REVERSED,
    bucket: int = BUCKET,
    programme: Programme | None = None,
    business_date: str = TODAY.isoformat(),
    now: datetime = NOON,
    today: date = TODAY,
) -> Reversing | Entry:
    command = VoidReceipt(RETURN_ID, bytes(32), TILL, RECEIPT, business_date, "7")
    return void(
        member,
        command,
        original,
        so_far,
        bucket=bucket,
        programme=programme or original.programme,
        today=today,
        now_us=in_us(now),
    )


def voided(*args: Any, **how: Any) -> tuple[Reversing, Voided]:
    """An accepted void, and its decision."""
    result = voiding(*args, **how)
    assert isinstance(result, Reversing), result
    assert isinstance(result.entry.decision, Voided)
    return result, result.entry.decision


def refused(result: Reversing | Entry | Refused) -> Refused:
    found = result.decision if isinstance(result, Entry) else result
    assert isinstance(found, Refused), result
    return found
