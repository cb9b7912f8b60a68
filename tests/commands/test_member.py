"""`bonpunkt member`: opened, looked at, blocked, cards exchanged, merged, corrected."""

import itertools

from bonpunkt.till import operations
from tests.commands.asking import Said, ask
from tests.servers.ports import free_port
from tests.servers.suite import Suite

LIMIT = 1000  # of the example programme

_cards = itertools.count(1)


def a_card() -> str:
    return f"88{next(_cards):011}"


async def added(suite: Suite, *, points: int = 0) -> str:
    """A new member's card."""
    card = a_card()
    said = await ask(suite, "member", "add", card, "--opening-points", str(points))
    assert said.status == 0, said.errors
    return card


async def shown(suite: Suite, who: str) -> dict[str, object]:
    found: dict[str, object] = (await ask(suite, "member", "show", who, "--json")).json
    return found


def is_one_line(said: Said, beginning: str) -> bool:
    return said.status == 1 and said.errors.startswith(beginning) and said.errors.count("\n") == 1


# --- opening and looking --------------------------------------------------------------------


async def test_a_member_is_added_and_shown(suite: Suite) -> None:
    card = a_card()
    added = await ask(suite, "member", "add", card, "--language", "en", "--opening-points", "1200")
    said = await ask(suite, "member", "show", card)

    assert added.status == 0, added.errors
    member_id = added.output.split()[1]
    for words in (member_id, f"cards      {card}", "points     1,200", "language   en"):
        assert words in said.output
    assert "tier       base, 0 of 1,000 towards silver" in said.output
    assert "Points by expiry" in said.output


async def test_scripts_get_numbers_and_iso_times(suite: Suite) -> None:
    card = await added(suite, points=1200)

    found = await shown(suite, card)

    assert found["cards"] == [card]
    state = found["state"]
    assert isinstance(state, dict)
    assert (state["points"], state["status"]) == (1200, "active")
    assert str(found["enrolled_at"]).endswith("Z")
    assert await shown(suite, str(found["member_id"]).upper()) == found


async def test_a_card_belongs_to_one_member(suite: Suite) -> None:
    card = await added(suite)

    assert is_one_line(await ask(suite, "member", "add", card), "Error: card_taken: ")


async def test_an_unknown_card_is_told(suite: Suite) -> None:
    said = await ask(suite, "member", "show", "2000000000008")

    assert is_one_line(said, "Error: not found: ")


# --- orders ---------------------------------------------------------------------------------


async def test_a_member_is_blocked_and_unblocked(suite: Suite) -> None:
    card = await added(suite)

    blocked = await ask(suite, "member", "block", card, "--reason", "card was stolen")
    during = await ask(suite, "member", "show", card)
    unblocked = await ask(suite, "member", "unblock", card, "--reason", "found again")

    assert blocked.output.endswith(" is blocked\n")
    assert "status     blocked" in during.output
    assert unblocked.output.endswith(" is no longer blocked\n")
    assert (await shown(suite, card))["member_version"] == 3


async def test_a_lost_card_is_replaced(suite: Suite) -> None:
    card, new = await added(suite), a_card()

    said = await ask(
        suite, "member", "cards", card, "--lost", card, "--new", new, "--reason", "was lost"
    )
    nothing = await ask(suite, "member", "cards", new, "--reason", "was lost")
    taken = await ask(suite, "member", "cards", new, "--new", card, "--reason", "is back")

    assert said.output.endswith(f": {new}\n")
    assert (await shown(suite, new))["cards"] == [new]
    assert nothing.status == 2
    assert "--lost, --new" in nothing.errors
    assert is_one_line(taken, "Error: failed precondition: new_card: ")


async def test_two_members_become_one(suite: Suite) -> None:
    first, second = await added(suite, points=300), await added(suite, points=55)
    words = ("member", "merge", first, second, "--reason", "the same person")

    declined = await ask(suite, *words, typed="n\n")
    merged = await ask(suite, *words, typed="y\n")
    again = await ask(suite, *words, "--yes")

    assert declined.status == 1
    assert "goes on into it" in declined.output
    assert merged.output.endswith(": 355 points together\n")
    assert (await shown(suite, second))["cards"] == [first, second]
    assert again.status == 1, "both cards lead to the same member now"
    assert "merged_id: name two different members" in again.errors


async def test_a_refusal_names_the_field(suite: Suite) -> None:
    card = await added(suite)

    said = await ask(suite, "member", "block", card, "--reason", "x")

    assert is_one_line(said, "Error: invalid argument: reason: ")


async def test_an_order_repeated_with_its_id_is_done_once(suite: Suite) -> None:
    card, operation_id = await added(suite), operations.new_id()
    order = ("--points", "40", "--code", "goodwill", "--reason", "a small present")

    said = [
        await ask(suite, "member", "adjust", card, *order, "--id", operation_id) for _ in range(2)
    ]

    assert [each.output for each in said] == ["booked; the member has 40 points\n"] * 2


async def test_what_to_do_after_a_lost_answer_is_told(suite: Suite) -> None:
    nobody = f"127.0.0.1:{free_port()}"

    said = await ask(suite, "member", "approve", operations.new_id(), loyalty=nobody)

    assert said.status == 1
    assert "whether it was done is not known" in said.errors


# --- four eyes ------------------------------------------------------------------------------


async def ordered(suite: Suite, card: str, points: int) -> str:
    """The id of an adjustment that waits."""
    said = await ask(
        suite,
        *("member", "adjust", card, "--points", str(points)),
        *("--code", "correction", "--reason", "two [lost] receipts"),
    )
    assert said.status == 0, said.errors
    assert said.output.startswith("waits for a second person: bonpunkt member approve ")
    return said.output.split()[-1]


async def test_a_large_adjustment_is_booked_by_a_second_person(suite: Suite) -> None:
    card = await added(suite)
    operation_id = await ordered(suite, card, LIMIT + 1)

    listed = await ask(suite, "member", "adjustments")
    own = await ask(suite, "member", "approve", operation_id)
    approved = await ask(suite, "member", "approve", operation_id, person="berta")

    assert operation_id in listed.output
    for words in ("+1,001", "correction", "two [lost] receipts", "cli:ada"):
        assert words in listed.output
    assert is_one_line(own, "Error: permission denied: asked_by: ")
    assert approved.output == "approved and booked; the member has 1,001 points\n"
    waiting = (await ask(suite, "member", "adjustments", "--json")).json
    assert operation_id not in [each["operation_id"] for each in waiting["adjustments"]]


async def test_a_large_adjustment_can_be_declined(suite: Suite) -> None:
    card = await added(suite, points=2000)
    operation_id = await ordered(suite, card, -LIMIT - 1)

    declined = await ask(suite, "member", "decline", operation_id, person="berta")
    late = await ask(suite, "member", "approve", operation_id, person="carl")

    assert declined.output == "declined; the member has 2,000 points\n"
    assert is_one_line(late, "Error: failed precondition: operation_id: cli:berta declined it")


async def test_more_than_is_there_cannot_be_taken(suite: Suite) -> None:
    card = await added(suite, points=5)
    words = ("member", "adjust", card, "--points", "-6", "--code", "goodwill", "--reason", "abc")

    assert is_one_line(await ask(suite, *words), "Error: failed precondition: points: ")
