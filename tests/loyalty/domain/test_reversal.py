"""Returns as a till sees them: what is accepted, what is refused and why, and the row."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from services.loyalty.domain.decision import (
    JOURNALLED,
    Entry,
    Kind,
    LegBooked,
    Refusal,
    Refused,
)
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.member import Standing, Status
from services.loyalty.domain.original import NOTHING_REVERSED, Reversal
from services.loyalty.domain.programme import Tier
from services.loyalty.domain.reversal import Reversing
from tests.loyalty.domain.members import MEMBER_ID, a_member
from tests.loyalty.domain.receipts import (
    BUCKET,
    CAPTURE_ID,
    GENEROUS,
    NOON,
    RETURN_ID,
    SEQUENCE,
    a_line_of,
    bought,
    bread_and_soap,
    refused,
    returned,
    returning,
    voided,
    voiding,
)

# --- return: how much -----------------------------------------------------------------------


def test_a_return_answers_points_money_and_vat() -> None:
    """Worked example of docs/ledger.md: one of four loaves; of 2.50 points had paid 0.87."""
    member, original = bread_and_soap()

    after, decision, result = returned(member, original, [("bread", 1000)])

    assert (decision.refund_minor, decision.discount_minor) == (250, 87)
    assert [
        (line.line_id, line.quantity_milli, line.refund_minor, line.discount_minor)
        for line in decision.line_refunds
    ] == [("bread", 1000, 250, 87)]
    assert [
        (vat.vat_rate_key, vat.refund_minor, vat.discount_minor) for vat in decision.vat_refunds
    ] == [("DE_7", 250, 87)]
    assert (decision.points_restored, decision.points_taken_back) == (87, 25)
    assert not decision.complete
    assert result.reversal == Reversal(
        lines=(("bread", 1000, 250),),
        discount_minor=87,
        points_restored=87,
        points_taken_back=25,
    )
    assert after.points == 500 + 87 - 25


def test_the_last_piece_takes_the_exact_rest() -> None:
    """0.87 four times would be 3.48 of 3.50."""
    member, original = bread_and_soap()
    so_far, discounts = NOTHING_REVERSED, []

    for _ in range(4):
        member, decision, result = returned(member, original, [("bread", 1000)], so_far=so_far)
        so_far = result.reversal
        discounts.append(decision.discount_minor)

    assert discounts == [87, 88, 87, 88]
    assert (so_far.points_restored, so_far.points_taken_back) == (350, 100)
    assert refused(returning(member, original, [("bread", 0)], so_far=so_far)).reason is (
        Refusal.EXCEEDS_RETURNABLE
    )


def test_the_example_of_the_ledger_page() -> None:
    member, original = bread_and_soap()
    so_far, told = NOTHING_REVERSED, []

    for lines in ([("bread", 1000)], [("bread", 1000)], []):
        member, decision, result = returned(member, original, lines, so_far=so_far)
        so_far = result.reversal
        lot_moves = [(str(day), points) for day, points in result.entry.lot_moves]
        money_minor = decision.refund_minor - decision.discount_minor
        told.append((decision.points_restored, money_minor, decision.points_taken_back, lot_moves))

    assert told == [
        (87, 163, 25, [("2027-04-30", 87), ("2029-11-30", -25)]),
        (88, 162, 25, [("2027-04-30", 13), ("2027-03-31", 75), ("2029-11-30", -25)]),
        (525, 975, 150, [("2027-03-31", 525), ("2029-11-30", -150)]),
    ]
    assert decision.complete


def test_no_lines_mean_all_that_is_left() -> None:
    member, original = bread_and_soap()
    member, _, first = returned(member, original, [("bread", 3000)])

    member, decision, result = returned(member, original, so_far=first.reversal)

    assert [(line.line_id, line.quantity_milli) for line in decision.line_refunds] == [
        ("bread", 1000),
        ("soap", 1000),
    ]
    assert decision.complete
    assert result.reversal.complete
    assert member.lots == a_member(("2027-03-31", 600), ("2027-04-30", 400)).lots


def test_a_quantity_of_0_means_what_is_left_of_the_line() -> None:
    member, original = bread_and_soap()
    member, _, first = returned(member, original, [("bread", 1000)])

    _, decision, _ = returned(member, original, [("bread", 0)], so_far=first.reversal)

    assert [(line.line_id, line.quantity_milli) for line in decision.line_refunds] == [
        ("bread", 3000)
    ]


@pytest.mark.parametrize(("quantity_milli", "accepted"), [(3000, True), (3001, False)])
def test_no_more_comes_back_than_is_left(quantity_milli: int, accepted: bool) -> None:
    member, original = bread_and_soap()
    member, _, first = returned(member, original, [("bread", 1000)])

    result = returning(
        member, original, [("soap", 0), ("bread", quantity_milli)], so_far=first.reversal
    )

    assert isinstance(result, Reversing) is accepted
    if not accepted:
        refusal = refused(result)
        assert (refusal.reason, refusal.field) == (
            Refusal.EXCEEDS_RETURNABLE,
            "return_items.lines[1].quantity_milli",
        )
        assert "at most 3000 thousandths" in refusal.remedy


def test_a_complete_receipt_has_nothing_left() -> None:
    member, original = bread_and_soap()
    member, _, result = returned(member, original)

    for lines in ((), (("soap", 1000),)):
        refusal = refused(returning(member, original, lines, so_far=result.reversal))
        assert refusal.reason is Refusal.EXCEEDS_RETURNABLE


def test_a_voided_receipt_is_not_returned() -> None:
    member, original = bread_and_soap()
    result, _ = voided(member, original)

    refusal = refused(returning(member, original, so_far=result.reversal))

    assert refusal.reason is Refusal.RECEIPT_VOIDED


def test_without_line_items_a_receipt_is_too_old_to_be_returned() -> None:
    member, original = bread_and_soap()

    refusal = refused(returning(member, replace(original, line_items=None), [("soap", 1000)]))

    assert refusal.reason is Refusal.RECEIPT_TOO_OLD


# --- return: form ---------------------------------------------------------------------------

ROUGH = (
    a_line_of("goods", 1000, quantity_milli=2000),
    a_line_of("coupon", -200, quantity_milli=0),
    a_line_of("bottles", -100, quantity_milli=-4000),
)


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([("goods", 1000), ("cheese", 1000)], "return_items.lines[1].line_id"),
        ([("goods", 1000), ("goods", 1000)], "return_items.lines[1].line_id"),
        ([("goods", -1000)], "return_items.lines[0].quantity_milli"),
        ([("goods", 0), ("bottles", 1000)], "return_items.lines[1].quantity_milli"),
        ([("goods", 0), ("coupon", 1000)], "return_items.lines[1].quantity_milli"),
        ([("coupon", 0)], "return_items.lines"),
        ([("bottles", -4000), ("goods", 199)], "return_items.lines"),
    ],
)
def test_what_the_receipt_does_not_have_is_refused_without_a_row(
    lines: list[tuple[str, int]], field: str
) -> None:
    member, original = bread_and_soap(None, *ROUGH)

    result = returning(member, original, lines)

    assert isinstance(result, Refused)
    assert (result.reason, result.field) == (Refusal.MALFORMED, field)
    assert result.remedy


@pytest.mark.parametrize(
    "lines", [[("goods", 1000), ("coupon", 0)], [("bottles", -4000), ("goods", 200)], []]
)
def test_a_return_may_pay_out_nothing_but_never_less(lines: list[tuple[str, int]]) -> None:
    member, original = bread_and_soap(None, *ROUGH)

    _, decision, _ = returned(member, original, lines)

    assert decision.refund_minor >= 0


def test_a_line_without_quantity_comes_back_whole_and_once() -> None:
    member, original = bread_and_soap(None, *ROUGH)
    member, decision, result = returned(member, original, [("goods", 1000), ("coupon", 0)])

    assert [(line.line_id, line.refund_minor) for line in decision.line_refunds] == [
        ("goods", 500),
        ("coupon", -200),
    ]
    again = returning(member, original, [("goods", 0), ("coupon", 0)], so_far=result.reversal)
    assert refused(again).reason is Refusal.EXCEEDS_RETURNABLE


# --- who ------------------------------------------------------------------------------------


def test_a_blocked_members_receipt_is_voided_and_returned_like_any_other() -> None:
    member, original = bread_and_soap()
    blocked = replace(member, status=Status.BLOCKED)

    voided(blocked, original)
    after, _, _ = returned(blocked, original)

    assert after.status is Status.BLOCKED


def test_for_an_erased_member_nothing_is_booked() -> None:
    _, original = bread_and_soap()
    erased = a_member(status=Status.ERASED, cards=())

    for result in (voiding(erased, original), returning(erased, original)):
        assert isinstance(result, Entry)
        assert refused(result).reason is Refusal.MEMBER_ERASED
        assert result.member == erased


def test_a_receipt_older_than_a_merge_is_taken_back_in_two_buckets() -> None:
    """Each bucket sums to zero, and the receipt's issued points go back to where they came from."""
    _, original = bread_and_soap()
    survivor = a_member(("2027-04-30", 150), member_id=RETURN_ID)

    after, decision, result = returned(survivor, original, bucket=BUCKET + 1)

    assert (decision.points_restored, decision.points_taken_back) == (700, 200)
    assert result.entry.transfers == (
        Transfer(Account.IN_TRANSIT, Account.POINTS, 700),
        Transfer(Account.POINTS, Account.IN_TRANSIT, 200),
    )
    leg = result.leg
    assert leg is not None
    assert leg.transfers == (
        Transfer(Account.REDEEMED, Account.IN_TRANSIT, 700),
        Transfer(Account.IN_TRANSIT, Account.ISSUED, 200),
    )
    assert (leg.kind, leg.accepted, leg.member) == (Kind.LEG, True, None)
    assert leg.decision == LegBooked(RETURN_ID)
    assert UUID(leg.operation_id).version == 8
    assert leg.facts == {
        "receipt": [BUCKET, SEQUENCE],
        "capture_id": CAPTURE_ID,
        "member_id": RETURN_ID,
    }
    assert after.points == 150 + 700 - 200


def test_a_debt_out_of_another_bucket_is_booked_through_both() -> None:
    _, original = bread_and_soap(None)
    penniless = a_member(("2027-04-30", 30))

    result, decision = voided(penniless, original, bucket=BUCKET + 1)

    assert (decision.points_taken_back, decision.points_owed) == (30, 170)
    assert result.entry.transfers == (
        Transfer(Account.POINTS, Account.IN_TRANSIT, 30),
        Transfer(Account.RECEIVABLE, Account.IN_TRANSIT, 170),
    )
    assert result.leg is not None
    assert result.leg.transfers == (Transfer(Account.IN_TRANSIT, Account.ISSUED, 200),)


# --- tiers ----------------------------------------------------------------------------------


def test_a_return_takes_away_what_had_counted_towards_a_tier() -> None:
    """In proportion, in the month of the purchase, though points had paid for a part of it."""
    tiers = (Tier("base", 0, 100), Tier("gold", 150, 100))
    programme = replace(GENEROUS, tiers=tiers, net_of_points=True)
    november = 12 * 2026 + 10
    lines = (a_line_of("bread", 1000, quantity_milli=4000), a_line_of("soap", 1000))
    member, original = bought(
        a_member(("2027-03-31", 600)), *lines, programme=programme, redeem=600
    )
    assert (original.captured.points_earned, original.qualifying_points) == (140, 200)
    assert (member.tier, member.standing.qualifying) == ("gold", ((november, 200),))

    today = date(2026, 12, 10)
    member, _, first = returned(member, original, [("bread", 1000)], today=today)
    assert (member.tier, member.standing.qualifying) == ("gold", ((november, 175),))
    assert first.reversal.qualifying_points == 25

    member, _, rest = returned(member, original, so_far=first.reversal, today=today)
    assert (member.tier, member.standing) == ("base", Standing())
    assert rest.reversal.qualifying_points == 200


def test_the_day_of_the_purchase_is_that_of_the_programmes_zone() -> None:
    """23:30 UTC on New Year's Eve is January in Berlin."""
    programme = replace(GENEROUS, tiers=(Tier("base", 0, 100), Tier("gold", 500, 100)))
    january = 12 * 2027
    standing = Standing(None, ((january - 1, 80), (january, 200)))
    member, original = bought(a_member(), a_line_of("soap", 2000), programme=programme)
    new_year = replace(
        original,
        effective_at_us=original.effective_at_us + 41 * 86_400_000_000 + 45_000_000_000,
    )
    member = replace(member, standing=standing)

    result, _ = voided(
        member,
        new_year,
        business_date=original.business_date,
        now=NOON + timedelta(days=42),
        today=date(2027, 1, 1),
    )

    assert result.entry.member is not None
    assert dict(result.entry.member.standing.qualifying).get(january) is None


# --- rows -----------------------------------------------------------------------------------


def test_the_facts_show_how_much_of_the_receipt_is_back() -> None:
    member, original = bread_and_soap()
    member, _, first = returned(member, original, [("bread", 1000)])

    _, _, second = returned(member, original, [("bread", 1000)], so_far=first.reversal)

    assert second.entry.kind is Kind.RETURN
    assert second.entry.facts == {
        "receipt": [BUCKET, SEQUENCE],
        "capture_id": CAPTURE_ID,
        "business_date": "2026-11-20",
        "receipt_number": "R-2",
        "cashier": "7",
        "programme_version": 1,
        "clawback": "unlimited",
        "points_earned": 200,
        "points_redeemed": 700,
        "points_restored_so_far": 175,
        "points_taken_back_so_far": 50,
        "discount_so_far_minor": 175,
        "qualifying_so_far": 0,
    }


def test_every_refusal_that_hangs_on_the_receipt_or_the_member_is_a_row() -> None:
    member, original = bread_and_soap()
    erased = a_member(status=Status.ERASED)
    rows = [
        returning(member, original, so_far=Reversal(voided=True)),
        returning(member, original, so_far=Reversal(complete=True)),
        returning(member, replace(original, line_items=None)),
        returning(member, original, [("bread", 4001)]),
        returning(erased, original),
        voiding(member, original, so_far=Reversal(voided=True)),
        voiding(member, original, so_far=Reversal(lines=(("bread", 1, 0),))),
        voiding(member, original, business_date="2026-11-19"),
        voiding(erased, original),
    ]

    for row in rows:
        assert isinstance(row, Entry)
        assert refused(row).reason in JOURNALLED
        assert (row.accepted, row.transfers, row.lot_moves, row.pending_moves) == (
            False,
            (),
            (),
            (),
        )
        assert row.member in (member, erased)
        assert row.member is not None
        assert row.member.member_id == MEMBER_ID
        assert row.operation_id == RETURN_ID
        assert row.facts["receipt"] == [BUCKET, SEQUENCE]
