"""What came back of captured receipts, against what was recorded of them (I10)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Row, Select, and_, select

from services.loyalty import schema
from services.loyalty.domain.original import NOTHING_REVERSED, Reversal
from services.loyalty.receipts import reversal_from_json, reversal_json
from services.loyalty.verifying.member import Replayed
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.rows import Json, Told, named
from services.loyalty.verifying.transfers import pending_change


@dataclass(frozen=True, slots=True)
class Claim:
    """What one void or return took of a receipt. `claimed` are all earned points that it took,
    made owed or let go; `available` is what it could take them from; `lines` are [line id,
    thousandths, gross]; `so_far` is what its row tells of all claims up to it.
    """

    at: str
    member_id: str
    voided: bool
    complete: bool
    restored: int
    claimed: int
    from_pending: int
    available: int
    discount_minor: int
    lines: tuple[tuple[str, int, int], ...]
    so_far: tuple[int, int, int, int]
    recorded: tuple[str, int, int]  # what the row tells of the receipt: see Receipt.recorded


@dataclass(frozen=True, slots=True)
class Receipt:
    """A captured receipt, what is stored of its return, and the claims of its own bucket.
    `line_items` is None where their retention is over.
    """

    at: str  # of the reversal row
    operation_id: str
    member_id: str
    decision: Json
    facts: Json
    so_far: str
    line_items: Sequence[Sequence[Any]] | None
    claims: Sequence[Claim]

    @property
    def recorded(self) -> tuple[str, int, int]:
        """Its operation id, points earned and redeemed."""
        decision = self.decision
        return self.operation_id, decision["points_earned"], decision["points_redeemed"]


def claim_of(told: Told, before: Replayed) -> Claim:
    """Of an accepted void or return, by a member as they were `before`."""
    decision, facts = told.decision, told.facts
    restored = decision["points_restored"]
    taken = decision["points_taken_back"] + decision["points_owed"] + decision["points_let_go"]
    refunds = decision.get("line_refunds", ())
    voided = told.row["kind"] == "void"
    return Claim(
        at=told.at,
        member_id=before.member_id,
        voided=voided,
        complete=decision.get("complete", False),
        restored=restored,
        claimed=taken,
        from_pending=-pending_change(told.movements),
        available=before.available + restored,
        discount_minor=facts["discount_so_far_minor"] if voided else decision["discount_minor"],
        lines=tuple([(line, quantity, gross) for line, quantity, gross, _ in refunds]),
        so_far=(
            facts["points_restored_so_far"],
            facts["points_taken_back_so_far"],
            facts["discount_so_far_minor"],
            facts["qualifying_so_far"],
        ),
        recorded=(facts["capture_id"], facts["points_earned"], facts["points_redeemed"]),
    )


def reversals_of(bucket: int) -> Select[Any]:
    """The reversal rows of a bucket, with the journal rows and baskets of their receipts."""
    reversal, journal, basket = schema.reversal, schema.journal, schema.basket
    captured = and_(
        journal.c.bucket == reversal.c.bucket,
        journal.c.sequence == reversal.c.sequence,
        journal.c.kind == "capture",
    )
    bought = and_(basket.c.bucket == journal.c.bucket, basket.c.sequence == journal.c.sequence)
    return (
        select(
            reversal.c.sequence,
            reversal.c.so_far,
            journal.c.operation_id,
            journal.c.member_id,
            journal.c.decision,
            journal.c.facts,
            basket.c.line_items,
        )
        .select_from(reversal.outerjoin(journal, captured).outerjoin(basket, bought))
        .where(reversal.c.bucket == bucket)
        .order_by(reversal.c.sequence)
    )


def receipt_from(bucket: int, row: Row[Any], claims: Sequence[Claim]) -> Receipt | None:
    """None where there is no such receipt. `row` is one of `reversals_of`."""
    if row.member_id is None:
        return None
    return Receipt(
        at=named("reversal", bucket, row.sequence),
        operation_id=row.operation_id,
        member_id=row.member_id,
        decision=orjson.loads(row.decision),
        facts=orjson.loads(row.facts),
        so_far=row.so_far,
        line_items=orjson.loads(row.line_items) if row.line_items is not None else None,
        claims=claims,
    )


def check_receipt(
    receipt: Receipt, claims: Sequence[Claim], owners: Collection[str], report: Report
) -> None:
    """`claims` are all there are; `owners` everybody whose the receipt's points were."""
    decision = receipt.decision
    if decision["result"] != "captured":
        report.check("I10", False, "{} is not of a captured receipt", receipt.at)
        return
    _, earned, redeemed = receipt.recorded
    total = NOTHING_REVERSED
    for claim in sorted(claims, key=lambda claim: claim.so_far):
        total = _with(total, claim, decision)
        so_far = (total.points_restored, total.points_taken_back, total.discount_minor)
        report.check(
            "I10",
            claim.so_far[:3] == so_far
            and total.qualifying_points <= claim.so_far[3]
            and claim.recorded == receipt.recorded
            and claim.member_id in owners,
            "{} takes back of {} what does not follow from the rows before it",
            claim.at,
            receipt.at,
        )
        total = replace(total, qualifying_points=claim.so_far[3])
        within = (
            total.points_restored <= redeemed
            and total.points_taken_back <= earned
            and total.discount_minor <= decision["discount_minor"]
            and total.qualifying_points <= receipt.facts.get("qualifying_points", 0)
        )
        report.check("I10", within, "{} takes back more of {} than it had", claim.at, receipt.at)
    _check_end(receipt, claims, total, report)
    _check_stored(receipt, total, report)


def _with(total: Reversal, claim: Claim, decision: Mapping[str, Any]) -> Reversal:
    """All that came back with this claim, but for qualifying points: only the claim's row tells
    those.
    """
    restored = total.points_restored + claim.restored
    own = min(decision["points_redeemed_from_basket"], restored)
    netted = min(claim.claimed, claim.available, own - total.points_netted)
    lines = {line: (quantity, gross) for line, quantity, gross in total.lines}
    for line, quantity, gross in claim.lines:
        quantity_before, gross_before = lines.get(line, (0, 0))
        lines[line] = (quantity_before + quantity, gross_before + gross)
    return replace(
        total,
        voided=total.voided or claim.voided,
        complete=total.complete or claim.complete,
        lines=tuple([(line, *of_line) for line, of_line in lines.items()]),
        discount_minor=total.discount_minor + claim.discount_minor,
        points_restored=restored,
        points_taken_back=total.points_taken_back + claim.claimed,
        points_from_pending=total.points_from_pending + claim.from_pending,
        points_netted=total.points_netted + netted,
    )


def _check_end(receipt: Receipt, claims: Sequence[Claim], total: Reversal, report: Report) -> None:
    """A void is the only claim; what is complete has come back to the last point."""
    if not (total.voided or total.complete):
        return
    decision = receipt.decision
    once = sum([claim.voided or claim.complete for claim in claims]) == 1
    whole = (
        total.points_restored == decision["points_redeemed"]
        and total.points_taken_back == decision["points_earned"]
        and total.discount_minor == decision["discount_minor"]
        and total.qualifying_points == receipt.facts.get("qualifying_points", 0)
    )
    right = once and whole and (not total.voided or len(claims) == 1)
    report.check("I10", right, "{} says that all came back, and it did not", receipt.at)


def _check_stored(receipt: Receipt, total: Reversal, report: Report) -> None:
    """The reversal row is the sum of the claims, to the last character."""
    lines = {line[0]: line for line in total.lines}
    if receipt.line_items is not None:
        order = [item[0] for item in receipt.line_items if item[0] in lines]
        report.check(
            "I10", _within_lines(receipt, total), "{}: more of a line came back", receipt.at
        )
    else:
        order = [line for line, *_ in reversal_from_json(receipt.so_far).lines]
    right = len(order) == len(lines) and all(line in lines for line in order)
    expected = replace(total, lines=tuple([lines[line] for line in order])) if right else total
    text = reversal_json(expected)
    report.check(
        "I10", text == receipt.so_far, "{} says {}, its rows {}", receipt.at, receipt.so_far, text
    )


def _within_lines(receipt: Receipt, total: Reversal) -> bool:
    """Of no line came back more than there was; lines of coupons and deposits count below zero.
    All came back of each where the rows say so, and only there.
    """
    assert receipt.line_items is not None
    bought = {item[0]: (item[5], item[6]) for item in receipt.line_items}
    for line, quantity, gross in total.lines:
        if line not in bought:
            return False
        for back, most in zip((quantity, gross), bought[line], strict=True):
            if not (0 <= back <= most or most <= back <= 0):
                return False
    came_back = {line: quantity for line, quantity, _ in total.lines}
    all_back = came_back == {line: quantity for line, (quantity, _) in bought.items()}
    return all_back == total.complete
