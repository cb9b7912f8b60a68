"""Who may decide what, in every state that an adjustment can be in."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.office.adjustments import (
    Adjustment,
    Outcome,
    Waiting,
    Wish,
    objection,
    person,
)
from tests.loyalty.office.conftest import Clock

WISH = Wish(
    "0198c6f4-0000-7000-8000-000000000001",
    "0198c6f4-0000-7000-8000-000000000002",
    1500,
    "goodwill",
    "the till was broken",
)
ASKED, OTHER, THIRD = "staff:anna", "staff:bert", "cli:carl"


@pytest.fixture
def waiting(engine: AsyncEngine, clock: Clock) -> Waiting:
    return Waiting(engine, clock)


def an_adjustment(outcome: Outcome | None) -> Adjustment:
    return Adjustment(WISH, ASKED, 0, OTHER if outcome else "", outcome)


@pytest.mark.parametrize(
    ("outcome", "approve", "words"),
    [
        (None, True, ""),
        (None, False, ""),
        (Outcome.APPROVED, True, ""),  # made up for, if the booking was interrupted
        (Outcome.APPROVED, False, "operation_id: staff:bert has approved it"),
        (Outcome.BOOKED, True, ""),
        (Outcome.BOOKED, False, "operation_id: staff:bert has approved it"),
        (Outcome.REFUSED, True, "operation_id: staff:bert approved it, but the ledger refused"),
        (Outcome.REFUSED, False, "operation_id: staff:bert approved it, but the ledger refused"),
        (Outcome.DECLINED, True, "operation_id: staff:bert declined it"),
        (Outcome.DECLINED, False, ""),
    ],
)
def test_every_state_says_who_may_decide_how(
    outcome: Outcome | None, approve: bool, words: str
) -> None:
    found = an_adjustment(outcome)

    assert objection(found, actor=THIRD, approve=approve).startswith(words)
    assert bool(objection(found, actor=THIRD, approve=approve)) is bool(words)
    assert objection(found, actor=ASKED, approve=approve).startswith("asked_by:")


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        ("staff:anna", "anna"),
        ("cli:anna", "anna"),
        ("cli:Anna", "anna"),
        ("demo", "demo"),
        ("cli:a:b", "a:b"),
    ],
)
def test_a_person_is_known_by_name_wherever_they_act(actor: str, name: str) -> None:
    assert person(actor) == name


async def test_what_was_asked_waits_until_it_is_decided(waiting: Waiting) -> None:
    asked = await waiting.ask(WISH, actor=ASKED)

    assert asked == await waiting.find(WISH.operation_id)
    assert await waiting.undecided() == [asked]

    approved, problem = await waiting.decide(WISH.operation_id, actor=OTHER, approve=True)
    assert approved is not None
    assert (approved.decided_by, approved.outcome, problem) == (OTHER, Outcome.APPROVED, "")
    assert await waiting.undecided() == [approved], "until the ledger has answered"

    await waiting.close(approved, refusal="")
    await waiting.close(approved, refusal="closed is closed")
    found = await waiting.find(WISH.operation_id)
    assert found is not None
    assert found.outcome is Outcome.BOOKED
    assert await waiting.undecided() == []


async def test_asking_again_changes_nothing(waiting: Waiting) -> None:
    first = await waiting.ask(WISH, actor=ASKED)

    assert await waiting.ask(WISH, actor=OTHER) == first
    assert await waiting.ask(WISH._replace(points=7), actor=OTHER) == first


async def test_the_first_decision_stands(waiting: Waiting) -> None:
    await waiting.ask(WISH, actor=ASKED)
    await waiting.decide(WISH.operation_id, actor=OTHER, approve=True)

    again, problem = await waiting.decide(WISH.operation_id, actor=THIRD, approve=True)

    assert again is not None
    assert (again.decided_by, problem) == (OTHER, "")


async def test_nothing_is_decided_that_was_never_asked(waiting: Waiting) -> None:
    assert await waiting.decide(WISH.operation_id, actor=OTHER, approve=True) == (None, "")
