"""Somebody who can compute a hash changes a row and every hash behind it: the row itself, what
follows from it and what went before still contradict them.
"""

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bonpunkt.till import operations
from tests.loyalty.tampering import Found, Tampered, names

Edit = Callable[[Any], object]
KINDS = ("enrol", "reserve", "timeout", "void", "return", "leg", "merge", "merged", "cards")


@dataclass(frozen=True)
class Forgery:
    """What is changed in which row, and the check that tells."""

    rule: str
    told_by: str
    kind: str
    column: str
    edit: Edit
    where: str = "accepted"


def _at(*path: Any, change: Callable[[Any, Any], object]) -> Edit:
    """Walks to the last but one of `path`; `change` gets what is there, and the last."""

    def edit(found: Any) -> None:
        for key in path[:-1]:
            found = found[key]
        change(found, path[-1])

    return edit


def _set(*path: Any, to: Any) -> Edit:
    return _at(*path, change=lambda found, key: operator.setitem(found, key, to))


def _add(*path: Any, more: Any = 1) -> Edit:
    return _at(*path, change=lambda found, key: operator.setitem(found, key, found[key] + more))


def _drop(*path: Any) -> Edit:
    return _at(*path, change=operator.delitem)


MOVES = "movements LIKE '%\"transfers\":[[%' AND accepted"
ENDS = "movements LIKE '%\"ended\"%' AND accepted"
NOBODY = "00000000-0000-0000-0000-000000000000"

FORGERIES = [
    Forgery("a transfer", "I9", "capture", "movements", _add("transfers", 0, 2), MOVES),
    Forgery("its decision", "I9", "capture", "decision", _add("points_earned"), MOVES),
    Forgery("what is spent", "I9", "capture", "decision", _add("points_redeemed"), MOVES),
    Forgery("a lot", "I2", "capture", "movements", _add("lots", 0, 1), MOVES),
    Forgery(
        "a lot's day", "I2", "capture", "movements", _set("lots", 0, 0, to="2099-01-31"), MOVES
    ),
    Forgery("what is told", "I2", "capture", "after", _add("points"), MOVES),
    Forgery("what is held", "I3", "capture", "after", _add("held"), MOVES),
    Forgery("the lot that ends first", "I2", "capture", "after", _set("expiring", to=None), MOVES),
    Forgery("the answer", "members", "capture", "decision", _add("member", 2), MOVES),
    Forgery("the language", "members", "capture", "after", _set("language", to="en"), MOVES),
    Forgery("a tier by nothing", "members", "block", "after", _set("tier", to="gold")),
    Forgery("the status", "members", "block", "after", _set("status", to="active")),
    Forgery("a version of the rules", "rules", "capture", "facts", _set("programme_version", to=9)),
    Forgery("the receipt", "I5", "capture", "facts", _set("receipt_number", to="none")),
    Forgery("a card's digest", "I5", "enrol", "facts", _set("card", to="0" * 32)),
    Forgery("points brought along", "I9", "enrol", "decision", _add("member", 2)),
    Forgery(
        "a lost card",
        "members",
        "cards",
        "facts",
        _set("lost_card", to="0" * 32),
        "facts LIKE '%lost_card%' AND accepted",
    ),
    Forgery("what is reserved", "I3", "reserve", "decision", _add("points_held")),
    Forgery("what is promised", "I3", "reserve", "decision", _add("points_promised")),
    Forgery("until when", "I3", "reserve", "decision", _add("expires_at_us")),
    Forgery("for which basket", "I3", "reserve", "facts", _set("basket_id", to="another")),
    Forgery("an end left out", "I5", "release", "movements", _drop("ended"), ENDS),
    Forgery("an end of another", "I4", "timeout", "movements", _set("ended", 0, to=NOBODY), ENDS),
    Forgery("an end told twice", "I4", "release", "movements", _add("ended", more=[NOBODY]), ENDS),
    Forgery("what was held", "I4", "timeout", "decision", _add("points_held")),
    Forgery("too early an end", "I4", "timeout", "effective_at_us", lambda at_us: 1),
    Forgery("whose basket it was", "I4", "release", "facts", _set("basket_id", to="another")),
    Forgery("what a capture ended", "I4", "capture", "facts", _add("reservation", 1), ENDS),
    Forgery("an id of time", "I5", "expire", "operation_id", lambda _: operations.new_id()),
    Forgery("what expired", "I9", "expire", "decision", _add("points_expired")),
    Forgery("what became spendable", "I9", "activate", "decision", _add("points_activated")),
    Forgery(
        "waiting points", "I2", "activate", "movements", _set("pending", 0, 0, to="2020-01-01")
    ),
    Forgery(
        "waiting points told",
        "I2",
        "capture",
        "after",
        _drop("more", "pending"),
        '"after" LIKE \'%"more":{"pending"%\' AND accepted',
    ),
    Forgery("a correction", "I9", "adjust", "decision", _add("points")),
    Forgery("what is forfeited", "I9", "erase", "decision", _add("points_forfeited")),
    Forgery(
        "a tier's end", "members", "adjust", "after", _set("more", to={"tier_until": "2099-12-31"})
    ),
    Forgery(
        "an announcement",
        "members",
        "capture",
        "after",
        _set("more", to={"announced": [[7, "2099-12-31"]]}),
        '"after" NOT LIKE \'%"more"%\' AND accepted',
    ),
    Forgery("into whom", "I9", "merged", "facts", _set("merged_into", to=NOBODY)),
    Forgery("whom", "I9", "merge", "facts", _set("merged_id", to=NOBODY)),
    Forgery("the id of a half", "I9", "merged", "operation_id", lambda _: operations.new_id()),
    Forgery("the time of a half", "I9", "merged", "effective_at_us", lambda at_us: at_us + 1),
    Forgery("who did one half", "I9", "leg", "actor", lambda _: "another"),
    Forgery("what crosses", "I9", "leg", "movements", _add("transfers", 0, 2)),
    Forgery("whose half", "I9", "leg", "decision", _set("main_id", to=NOBODY)),
    Forgery(
        "a reservation that moved", "I9", "merge", "after", _add("more", "reservations", -1, 4)
    ),
    Forgery("the status of two", "I9", "merge", "after", _set("status", to="blocked")),
    Forgery("what is restored", "I10", "return", "decision", _add("points_restored")),
    Forgery("what was taken", "I10", "return", "decision", _add("points_let_go")),
    Forgery("what came back so far", "I10", "return", "facts", _add("points_restored_so_far")),
    Forgery("the discount so far", "I10", "return", "facts", _add("discount_so_far_minor")),
    Forgery("what counted", "I10", "return", "facts", _add("qualifying_so_far", more=10**6)),
    Forgery("the refund of a line", "I10", "return", "decision", _add("line_refunds", 0, 2)),
    Forgery("the quantity of a line", "I10", "return", "decision", _add("line_refunds", 0, 1)),
    Forgery(
        "that all is back",
        "I10",
        "return",
        "decision",
        _set("complete", to=True),
        "decision LIKE '%\"complete\":false%' AND accepted",
    ),
    Forgery(
        "that some is left",
        "I10",
        "return",
        "decision",
        _set("complete", to=False),
        "decision LIKE '%\"complete\":true%' AND accepted",
    ),
    Forgery("what had been earned", "I10", "void", "facts", _add("points_earned")),
    Forgery("another capture", "I10", "void", "facts", _set("capture_id", to=NOBODY)),
    Forgery("a receipt that is not", "I10", "void", "facts", _set("receipt", 1, to=10**6)),
    Forgery("the kind", "I9", "capture", "kind", lambda _: "reserve"),
    Forgery("no kind", "I9", "capture", "kind", lambda _: "gift"),
    Forgery("a refusal", "I9", "capture", "accepted", lambda _: True, "NOT accepted"),
    Forgery("whose row", "members", "capture", "member_id", lambda _: NOBODY),
    Forgery("the version", "members", "capture", "member_version", lambda version: version + 1),
    Forgery("the row before", "members", "capture", "member_previous", lambda before: before + 1),
    Forgery("an earlier time", "I8", "capture", "effective_at_us", lambda _: 1, "sequence > 1"),
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=[f.rule.replace(" ", "_") for f in FORGERIES])
async def test_a_forged_row_contradicts_the_others(
    sqlite_books: Tampered, forgery: Forgery
) -> None:
    row = sqlite_books.rows("journal", f"kind = '{forgery.kind}' AND {forgery.where}")[0]

    sqlite_books.forge(row, **{forgery.column: _edited(row, forgery)})

    report = await sqlite_books.report()
    assert report.wrong[forgery.told_by], report.problems[:5]
    # never the chain: it was put right
    assert not [p for p in report.problems if "does not hash" in p or "rows are missing" in p]


def _edited(row: Found, forgery: Forgery) -> Any:
    value = row[forgery.column]
    if forgery.column not in ("decision", "movements", "facts", "after"):
        return forgery.edit(value)
    found = json.loads(value)
    forgery.edit(found)
    return json.dumps(found, separators=(",", ":"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["decision", "movements", "facts", "after"])
async def test_a_forged_row_that_makes_no_sense_is_a_finding_and_no_crash(
    sqlite_books: Tampered, kind: str, column: str
) -> None:
    row = sqlite_books.some("journal", f"kind = '{kind}' AND accepted")
    for text in ("null", '{"receipt":["a",[]],"more":7}'):
        sqlite_books.forge(row, **{column: text})

        assert await sqlite_books.problems(), text


async def test_two_ends_of_one_reservation_are_found(sqlite_books: Tampered) -> None:
    """The second one takes no key, and nothing was open."""
    ended = sqlite_books.some("journal", f"kind = 'release' AND {ENDS}")
    (reservation_id,) = json.loads(ended["movements"])["ended"]
    later = sqlite_books.rows(
        "journal",
        f"member_id = '{ended['member_id']}' AND accepted AND kind = 'capture' "
        f"AND sequence > {ended['sequence']}",
    )
    row = (later or sqlite_books.rows("journal", "kind = 'capture' AND accepted"))[0]
    movements = {**json.loads(row["movements"]), "ended": [reservation_id]}

    sqlite_books.forge(row, movements=json.dumps(movements, separators=(",", ":")))

    report = await sqlite_books.report()
    assert report.wrong["I4"]
    assert report.wrong["I5"], "its key was taken before"
    assert names("journal", row, report.problems)


async def test_a_reservation_that_never_ends_is_found_at_the_member(sqlite_books: Tampered) -> None:
    """Open in the journal, and gone from the member's row."""
    member = sqlite_books.some("member", "more LIKE '%reservations%'")
    more = json.loads(member["more"])
    more.pop("reservations")

    sqlite_books.change("member", member, more=json.dumps(more, separators=(",", ":")), held=0)

    assert names("member", member, await sqlite_books.problems())


async def test_a_reversal_row_says_what_its_rows_say(sqlite_books: Tampered) -> None:
    """Each figure of it, one after the other."""
    for column in json.loads(sqlite_books.rows("reversal")[0]["so_far"]):
        row = sqlite_books.some("reversal", seed=column)
        so_far = json.loads(row["so_far"])
        value = so_far[column]
        if isinstance(value, bool):
            so_far[column] = not value
        else:
            so_far[column] = value + 1 if isinstance(value, int) else [*value, ["9", 1, 1]]
        sqlite_books.change("reversal", row, so_far=json.dumps(so_far, separators=(",", ":")))

        assert names("reversal", row, await sqlite_books.problems()), column
        sqlite_books.change("reversal", row, so_far=row["so_far"])
    assert (await sqlite_books.report()).ok


async def test_in_transit_is_empty_over_all_buckets(sqlite_books: Tampered) -> None:
    """Two bucket rows that agree with nothing but each other still have to sum to zero."""
    sqlite_books.execute("UPDATE bucket SET in_transit = in_transit + 1 WHERE bucket = 5")

    assert "I1: in_transit is 1 over all buckets" in await sqlite_books.problems()
