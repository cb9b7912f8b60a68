"""Whatever comes back in whatever pieces: sums are exact, bounds hold, every bucket sums to zero.

Receipts come from the real capture; between the returns time passes and points are spent, so that
lots expire, pending points become spendable and clawbacks find less than they claim.
"""

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.demo import mapping
from services.demo.recordings import Recordings
from services.loyalty.domain import lots
from services.loyalty.domain.basket import LineItem
from services.loyalty.domain.command import Maximum
from services.loyalty.domain.decision import (
    Entry,
    LineRefund,
    Refusal,
    Refused,
    Returned,
    VatRefund,
    Voided,
)
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS, Account, moved
from services.loyalty.domain.lots import Lot
from services.loyalty.domain.member import Member
from services.loyalty.domain.original import NOTHING_REVERSED, Original, Reversal
from services.loyalty.domain.programme import Clawback, Programme, Tier
from services.loyalty.domain.reversal import Reversing
from tests.loyalty.domain.members import a_member
from tests.loyalty.domain.receipts import (
    BUCKET,
    TODAY,
    a_line_of,
    bought,
    refused,
    returning,
    voiding,
)
from tests.loyalty.examples import a_programme
from tests.scale import scaled

CATEGORIES = ("GROCERY", "PRODUCE", "TOBACCO")
VAT_RATE_KEYS = ("DE_19", "DE_7")
TIERS = (Tier("base", 0, 100), Tier("gold", 50, 150))

thorough = settings(
    max_examples=scaled(2_000), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- what is drawn --------------------------------------------------------------------------


def programmes() -> st.SearchStrategy[Programme]:
    """Net and gross, multipliers and exclusions, several values of a point, every policy."""
    values = [(1, 1, 1), (2, 1, 2), (1, 3, 1), (3, 2, 3)]  # points, minor units, step
    return st.builds(
        lambda value, **rules: a_programme(
            value_points=value[0],
            value_minor=value[1],
            redeem_step=value[2],
            redeem_minimum=value[2],
            **rules,
        ),
        st.sampled_from(values),
        minor_per_point=st.integers(1, 30),
        category_percent=st.dictionaries(
            st.sampled_from(CATEGORIES), st.sampled_from([0, 50, 150, 200])
        ),
        net_of_points=st.booleans(),
        pending_days=st.sampled_from([0, 0, 14]),
        clawback=st.sampled_from(Clawback),
        tiers=st.sampled_from([(), TIERS]),
    )


@st.composite
def baskets(draw: st.DrawFn, *, negative: bool) -> tuple[LineItem, ...]:
    """One to six lines whose total is not negative; with coupons, deposits, gifts and lines
    without quantity where `negative`.
    """
    least = -400 if negative else 0
    lines = [
        a_line_of(
            str(number),
            draw(st.integers(least, 400) | st.integers(max(least, -9), 12)),
            quantity_milli=draw(st.sampled_from([0, 1, 3, 4, 1000, 1237, -2000])),
            category=draw(st.sampled_from(CATEGORIES)),
            vat_rate_key=draw(st.sampled_from(VAT_RATE_KEYS)),
        )
        for number in range(draw(st.integers(1, 5)))
    ]
    missing = -min(0, sum(line.total_minor for line in lines))
    if missing or draw(st.booleans()):
        lines.append(a_line_of("last", missing + draw(st.integers(0, 300)), quantity_milli=2000))
    return tuple(draw(st.permutations(lines)))


@dataclass(frozen=True)
class Receipt:
    """A purchase: the member after it, the receipt, and in which bucket the member is by now."""

    member: Member
    original: Original
    bucket: int


@st.composite
def receipts(draw: st.DrawFn, *, negative: bool = True) -> Receipt:
    lots_before = draw(
        st.dictionaries(
            st.sampled_from(["2026-12-31", "2027-01-31", "2029-11-30"]),
            st.integers(1, 200),
            max_size=3,
        )
    )
    member = a_member(*sorted(lots_before.items()), receivable=-draw(st.sampled_from([0, 0, 40])))
    after, original = bought(
        member,
        *draw(baskets(negative=negative)),
        programme=draw(programmes()),
        redeem=draw(st.sampled_from([None, Maximum.MAXIMUM])),
    )
    return Receipt(after, original, BUCKET + draw(st.integers(0, 1)))


@st.composite
def requests(draw: st.DrawFn, lines: tuple[LineItem, ...]) -> list[tuple[str, int]]:
    """Some lines and a part of each, or nothing for all that is left."""
    some = draw(st.lists(st.sampled_from(lines), unique_by=lambda line: line.line_id))
    return [
        (line.line_id, draw(st.integers(0, abs(line.quantity_milli))) * _sign(line.quantity_milli))
        for line in some
    ]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


# --- the world between two returns ----------------------------------------------------------


def later(member: Member, today: date) -> Member:
    """What time does: pending points become spendable, lots expire. Written anew, to be simple."""
    open_lots: dict[date, int] = dict(member.lots)
    for pending in member.pending_lots:
        if pending.activates_on <= today:
            open_lots[pending.expires_on] = open_lots.get(pending.expires_on, 0) + pending.points
    alive = tuple(Lot(day, points) for day, points in sorted(open_lots.items()) if day >= today)
    waiting = tuple(p for p in member.pending_lots if p.activates_on > today)
    points = sum(lot.points for lot in alive)
    return member.changed(points=points, lots=alive, pending_lots=waiting)


def spent(member: Member, percent: int) -> Member:
    points = member.available * percent // 100
    moves = lots.take(member.lots, points)
    return member.changed(points=member.points - points, lots=lots.apply(member.lots, moves))


# --- what always holds ----------------------------------------------------------------------


def check_movements(before: Member, result: Reversing, bucket: int) -> None:
    """Members, lots and accounts agree, in both buckets (I1, I2, I3, I9)."""
    entry, leg = result.entry, result.leg
    after = entry.member
    assert after is not None
    change = moved(entry.transfers)
    assert sum(change.values()) == 0
    for account in MEMBER_ACCOUNTS:
        balances = (getattr(before, account.value), getattr(after, account.value))
        assert balances[1] - balances[0] == change.get(account, 0)
    assert after.points == sum(lot.points for lot in after.lots)
    assert after.pending == sum(lot.points for lot in after.pending_lots)
    assert sum(move.points for move in entry.lot_moves) == after.points - before.points
    assert after.available >= 0
    assert after.receivable <= 0
    elsewhere = moved(leg.transfers) if leg is not None else {}
    assert change.get(Account.IN_TRANSIT, 0) + elsewhere.get(Account.IN_TRANSIT, 0) == 0
    assert set(elsewhere) <= {Account.IN_TRANSIT, Account.ISSUED, Account.REDEEMED}
    if bucket != BUCKET:
        assert set(change) <= {*MEMBER_ACCOUNTS, Account.IN_TRANSIT}
    else:
        assert leg is None


def check_figures(decision: Returned, before: Reversal, after: Reversal, o: Original) -> None:
    """What an answer says adds up, and nothing comes back beyond what was recorded (I10)."""
    lines, rates = decision.line_refunds, decision.vat_refunds
    assert decision.refund_minor == sum(line.refund_minor for line in lines)
    assert decision.refund_minor == sum(rate.refund_minor for rate in rates)
    assert decision.discount_minor == sum(line.discount_minor for line in lines)
    assert decision.discount_minor == sum(rate.discount_minor for rate in rates)
    parts: list[LineRefund | VatRefund] = [*lines, *rates]
    for part in parts:
        assert 0 <= part.discount_minor * _sign(part.refund_minor) <= abs(part.refund_minor)
    claimed = decision.points_taken_back + decision.points_owed + decision.points_let_go
    assert after.points_taken_back - before.points_taken_back == claimed
    assert after.points_restored - before.points_restored == decision.points_restored
    assert min(claimed, decision.points_restored, decision.points_owed) >= 0
    assert after.points_taken_back <= o.captured.points_earned
    assert after.points_restored <= o.captured.points_redeemed
    assert after.qualifying_points <= o.qualifying_points
    assert after.refund_minor - before.refund_minor == decision.refund_minor
    assert o.line_items is not None
    total_minor = sum(line.total_minor for line in o.line_items)
    if after.refund_minor <= total_minor:
        paid_minor = total_minor - o.captured.discount_minor
        assert after.refund_minor - after.discount_minor <= paid_minor, "more money than was paid"


def check_complete(reversal: Reversal, original: Original) -> None:
    captured, lines = original.captured, original.line_items
    assert lines is not None
    assert reversal.points_restored == captured.points_redeemed
    assert reversal.points_taken_back == captured.points_earned
    assert reversal.discount_minor == captured.discount_minor
    assert reversal.qualifying_points == original.qualifying_points
    assert reversal.refund_minor == sum(line.total_minor for line in lines)
    assert [line_id for line_id, _, _ in reversal.lines] == [line.line_id for line in lines]


# --- the rules ------------------------------------------------------------------------------


@thorough
@given(data=st.data(), receipt=receipts())
def test_any_pieces_in_any_order_come_to_exactly_the_receipt(
    data: st.DataObject, receipt: Receipt
) -> None:
    original, bucket, today = receipt.original, receipt.bucket, TODAY
    assert original.line_items is not None
    member, so_far = receipt.member, NOTHING_REVERSED
    for number in range(data.draw(st.integers(1, 6)) + 1):
        today += timedelta(days=data.draw(st.sampled_from([0, 0, 14, 60])))
        member = later(spent(member, data.draw(st.sampled_from([0, 0, 50, 100]))), today)
        lines = data.draw(requests(original.line_items)) if number else []
        if not number and data.draw(st.booleans()):
            continue
        result = returning(member, original, lines, so_far=so_far, bucket=bucket, today=today)
        if isinstance(result, Refused):
            assert result.reason is Refusal.MALFORMED
            continue
        if not isinstance(result, Reversing):
            assert refused(result).reason is Refusal.EXCEEDS_RETURNABLE
            assert result.member == member
            continue
        assert isinstance(result.entry.decision, Returned)
        check_movements(member, result, bucket)
        check_figures(result.entry.decision, so_far, result.reversal, original)
        assert result.entry.member is not None
        member, so_far = result.entry.member, result.reversal
    rest = returning(member, original, so_far=so_far, bucket=bucket, today=today)
    if isinstance(rest, Reversing):
        check_movements(member, rest, bucket)
        so_far = rest.reversal
        assert so_far.complete
    if so_far.complete:
        check_complete(so_far, original)


@thorough
@given(data=st.data(), receipt=receipts(negative=False))
def test_without_negative_lines_each_line_comes_back_by_its_own_share(
    data: st.DataObject, receipt: Receipt
) -> None:
    """⌊recorded × returned gross ÷ gross⌋ by line, in fractions; every part of it can come back."""
    original, member, so_far = receipt.original, receipt.member, NOTHING_REVERSED
    lines = original.line_items
    assert lines is not None
    discounts = dict(original.captured.line_discounts)
    came_back = dict.fromkeys((line.line_id for line in lines), 0)
    for _ in range(data.draw(st.integers(1, 5))):
        result = returning(member, original, data.draw(requests(lines)), so_far=so_far)
        if not isinstance(result, Reversing):
            assert isinstance(result, Entry)
            assert refused(result).reason is Refusal.EXCEEDS_RETURNABLE
            continue
        assert isinstance(result.entry.decision, Returned)
        for refund in result.entry.decision.line_refunds:
            came_back[refund.line_id] += refund.discount_minor
        assert result.entry.member is not None
        member, so_far = result.entry.member, result.reversal
        returned = {line_id: (quantity, gross) for line_id, quantity, gross in so_far.lines}
        for line in lines:
            quantity, gross = returned.get(line.line_id, (0, 0))
            if line.line_id in returned and line.quantity_milli:
                share = Fraction(quantity, line.quantity_milli)
                assert gross == math.floor(line.total_minor * share)
            if line.total_minor:
                discount = Fraction(discounts.get(line.line_id, 0) * gross, line.total_minor)
                assert came_back[line.line_id] == math.floor(discount)


@thorough
@given(receipt=receipts(), spent_percent=st.sampled_from([0, 50, 100]))
def test_a_void_comes_to_exactly_the_receipt(receipt: Receipt, spent_percent: int) -> None:
    original, captured = receipt.original, receipt.original.captured
    member = spent(receipt.member, spent_percent)

    result = voiding(member, original, bucket=receipt.bucket)

    assert isinstance(result, Reversing)
    decision = result.entry.decision
    assert isinstance(decision, Voided)
    check_movements(member, result, receipt.bucket)
    assert decision.points_restored == captured.points_redeemed
    claimed = decision.points_taken_back + decision.points_owed + decision.points_let_go
    assert claimed == captured.points_earned


@thorough
@given(receipt=receipts())
def test_bought_and_brought_back_is_as_if_never_bought(receipt: Receipt) -> None:
    """Nothing spent meanwhile, nothing let go by the policy: a void and a return of everything
    leave the same, which is what was there before.
    """
    unlimited = replace(receipt.original.programme, clawback=Clawback.UNLIMITED)
    original = replace(receipt.original, programme=unlimited)
    captured = original.captured

    results = [
        voiding(receipt.member, original, bucket=receipt.bucket),
        returning(receipt.member, original, bucket=receipt.bucket),
    ]

    balances = set()
    for result in results:
        assert isinstance(result, Reversing)
        after = result.entry.member
        assert after is not None
        balances.add((after.points, after.pending, after.receivable, after.lots, after.standing))
        assert after.points + after.receivable == (
            receipt.member.points
            + receipt.member.pending
            + captured.points_redeemed
            - captured.points_earned
            + receipt.member.receivable
        )
        assert after.pending == 0
    assert len(balances) == 1


def test_recorded_baskets_come_back_to_the_last_cent() -> None:
    """A year's rough lines (quantity 0, total 0, fuel by the thousandth) returned in two halves."""
    programme = a_programme(minor_per_point=10, category_percent={"PRODUCE": 200}, pending_days=14)
    recordings = Recordings()
    rich = a_member(("2027-03-31", 100_000))
    returns = 0
    for number, recorded in zip(range(scaled(5_000)), recordings.baskets(), strict=False):
        message = mapping.basket(recorded, recordings.products)
        lines = tuple(
            a_line_of(
                line.line_id,
                line.total_minor,
                quantity_milli=line.quantity_milli,
                category=line.category,
                vat_rate_key=line.vat_rate_key,
            )
            for line in message.line_items
        )
        redeem = Maximum.MAXIMUM if number % 3 == 0 else None
        member, original = bought(rich, *lines, programme=programme, redeem=redeem)
        halves = [(line.line_id, line.quantity_milli // 2) for line in lines[::2]]
        so_far = NOTHING_REVERSED
        for asked in (halves, []):
            if so_far.complete:  # all of it were lines without quantity
                continue
            result = returning(member, original, asked, so_far=so_far)
            if isinstance(result, Refused):  # the halves were coupons alone
                assert result.reason is Refusal.MALFORMED
                continue
            assert isinstance(result, Reversing)
            assert isinstance(result.entry.decision, Returned)
            check_movements(member, result, BUCKET)
            check_figures(result.entry.decision, so_far, result.reversal, original)
            assert result.entry.member is not None
            member, so_far = result.entry.member, result.reversal
            returns += 1
        if so_far.complete:
            check_complete(so_far, original)
            assert member.lots == rich.lots
    assert returns > 0
