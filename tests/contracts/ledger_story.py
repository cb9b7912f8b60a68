"""The story that docs/ledger.md tells in numbers, lived through by a real ledger.

`python -m tests.contracts.ledger_story --write` puts what the ledger did into the page; a test
compares the two.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from bonpunkt.till import operations
from services.loyalty.domain.command import Command, Enrol
from services.loyalty.domain.decision import Refused
from services.loyalty.domain.life import LIFE, State
from services.loyalty.domain.programme import Clawback
from tests.loyalty.commands import (
    a_change_of_cards,
    a_merge,
    a_release,
    a_reserve,
    a_return,
    a_settling,
    a_void,
    an_adjustment,
    an_erasure,
)
from tests.loyalty.examples import a_programme
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_enrolment,
    member_id_in,
    opened,
)

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"
STORY, DRAWING = "story", "life"
ANNA, BERT, NEW_CARD = "2900000000018", "2900000000025", "2900000000032"
PROGRAMME = replace(a_programme(), pending_days=14, clawback=Clawback.UNLIMITED, expiry_months=12)


async def story() -> str:
    """The rows of the table, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/story.sqlite"
        async with opened(url, programmes=((0, PROGRAMME),)) as ledger:
            rows = [line async for line in _lived(ledger)]
            await ledger.verified()
    head = "| what happens | row | transfers | lots | points · pending · owed · held |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


async def _lived(ledger: Ledger) -> AsyncIterator[str]:
    anna, bert = member_id_in(3), member_id_in(7)
    basket = operations.new_id()
    first, last = a_capture(ANNA, 10_000), a_capture(ANNA, 10_000)
    reserved = a_reserve(ANNA, 4_000, redeem=310, basket_id=basket)
    second = a_capture(ANNA, 4_000, redeem=300, basket_id=basket)
    given_up, forgotten = (a_reserve(ANNA, 500, redeem=50) for _ in range(2))
    third = a_capture(ANNA, 2_000, redeem=10)
    steps: list[tuple[str, Command | timedelta]] = [
        ("Anna joins and brings 500 points along", _bringing(500, ANNA, anna)),
        ("She buys for 100.00: 50 points, spendable in 14 days", first),
        ("14 days later they are", timedelta(days=14)),
        ("She wants to pay 3.10 of 40.00 with points: the till reserves", reserved),
        ("… 3.00 will do; 37.00 earn 18", second),
        ("She reserves 50 points …", given_up),
        ("… and changes her mind", a_release(given_up.operation_id)),
        ("She reserves again and walks away", forgotten),
        ("Ten minutes later the points are hers again", timedelta(minutes=10)),
        ("A purchase of 20.00 with 10 points …", third),
        ("… was a mistake: the cashier voids it", a_void(third.operation_id)),
        ("Staff take 240 points away", an_adjustment(anna, -240)),
        (
            "The first purchase comes back; 10 of its 50 points are there",
            a_return(first.operation_id),
        ),
        ("She buys for 100.00: what she owes is paid first", last),
        (
            "20.00 of the second purchase come back, 1.50 of it as points",
            a_return(second.operation_id, ("1", 500)),
        ),
        ("Bert joins and brings 25 points along", _bringing(25, BERT, bert)),
        ("He is Anna, too: the two members are merged", a_merge(anna, bert)),
        ("Anna's card is lost and replaced", a_change_of_cards(anna, lost=ANNA, new=NEW_CARD)),
        ("She is blocked while it is searched for …", a_block(anna)),
        ("… and unblocked", a_block(anna, blocked=False)),
        ("What waited becomes spendable", timedelta(days=14)),
        ("A year later she is told that points will end", timedelta(days=331)),
        ("They end", timedelta(days=30)),
        ("She asks to be forgotten", an_erasure(anna)),
    ]
    for words, step in steps:
        before = {(row.bucket, row.sequence) for row in await ledger.journal()}
        if isinstance(step, timedelta):
            ledger.clock.move(step)
        command = a_settling(anna) if isinstance(step, timedelta) else step
        decision = await ledger.decision(command)
        assert not isinstance(decision, Refused), (words, decision)
        new = [row for row in await ledger.journal() if (row.bucket, row.sequence) not in before]
        new.sort(key=lambda row: (row.kind in ("merged", "leg"), row.sequence))
        for number, row in enumerate(new):
            yield _line(words if number == 0 else "", row)


def _bringing(points: int, card: str, member_id: str) -> Enrol:
    return replace(an_enrolment(card, member_id=member_id), opening_points=points)


def _line(words: str, row: Any) -> str:
    movements, after = orjson.loads(row.movements), orjson.loads(row.after)
    legs = ", ".join(f"`{a} → {b}` {points}" for a, b, points in movements["transfers"])
    lots = _lots(movements["lots"], movements.get("pending", ()))
    balances = "–"
    if after:
        figures = (after["points"], after["pending"], -after["receivable"], after["held"])
        balances = " · ".join(str(figure) for figure in figures)
    return f"| {words} | `{row.kind}` | {legs or '–'} | {lots or '–'} | {balances} |"


def _lots(lots: Iterable[Any], pending: Iterable[Any]) -> str:
    open_lots = [f"{day}: {points:+}" for day, points in lots]
    waiting = [f"from {first}: {points:+}" for first, _, points in pending]
    return ", ".join([*open_lots, *waiting])


def drawing() -> str:
    """The life of a redemption as a Mermaid diagram, from the table on which the code runs."""
    lines = [
        f"    {_name(before)} --> {after.value}: {event.value.replace('_', ' ')}"
        for (before, event), after in LIFE.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _name(state: State) -> str:
    return "[*]" if state is State.NEW else state.value


def with_block(text: str, name: str, block: str) -> str:
    """The page with what stands between the markers of `name` replaced."""
    begin, end = (
        f"<!-- {name}: made by tests/contracts/ledger_story.py -->",
        f"<!-- {name} ends -->",
    )
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


async def page() -> str:
    """docs/ledger.md as it has to be."""
    text = PAGE.read_text(encoding="utf-8")
    return with_block(with_block(text, STORY, await story()), DRAWING, drawing())


if __name__ == "__main__":
    made = asyncio.run(page())
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        print(made)
