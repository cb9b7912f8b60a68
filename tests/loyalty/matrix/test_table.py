"""The table of operations is whole: what were missing in it would be missing in the matrix."""

from pathlib import Path
from typing import get_args

from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.command import Command, Settle
from services.loyalty.domain.decision import JOURNALLED, Kind, Settled
from tests.loyalty.commands import a_settling
from tests.loyalty.ledgers import Ledger, a_block, an_enrolment
from tests.loyalty.matrix.cells import CELLS, FOR_EVER, Request, Situation
from tests.loyalty.matrix.scene import Scene, command_of
from tests.loyalty.matrix.table import AT_THE_TILL, BY_STAFF, OPERATIONS

BY_TIME = {Kind.TIMEOUT, Kind.ACTIVATE, Kind.EXPIRE, Kind.ANNOUNCE, Kind.TIER}
SECOND_ROWS = {Kind.MERGED, Kind.LEG}
# What a till asks without booking anything.
QUESTIONS = {"identify", "quote", "status"}


def test_every_command_is_in_the_table() -> None:
    """`Settle` alone is not: no row has its id, so there is nothing to repeat."""
    made = [each.request(Scene(), operations.new_id()) for each in OPERATIONS.values()]

    assert {type(command_of(each)) for each in made} == set(get_args(Command)) - {Settle}


def test_every_kind_of_row_that_somebody_asks_for_is_in_the_table() -> None:
    asked_for = set(Kind) - BY_TIME - SECOND_ROWS

    assert {operation.kind for operation in OPERATIONS.values()} == asked_for


def test_every_operation_of_the_till_contract_is_in_the_table() -> None:
    kinds = {field.name for field in pb.Operation.DESCRIPTOR.oneofs_by_name["kind"].fields}
    made = [each.request(Scene(), operations.new_id()) for each in AT_THE_TILL.values()]
    sent = {each.WhichOneof("kind") for each in made if isinstance(each, pb.Operation)}

    assert sent == kinds - QUESTIONS
    assert not any(
        isinstance(each.request(Scene(), operations.new_id()), pb.Operation)
        for each in BY_STAFF.values()
    )


def test_the_cells_are_the_whole_product() -> None:
    assert len(CELLS) == len(set(CELLS)) == len(OPERATIONS) * len(Request)
    assert FOR_EVER.keys() == set(CELLS)


def test_every_situation_is_played() -> None:
    """Each of these tests plays the whole product of operations and requests, or fails."""
    players = [
        *Path(__file__).parent.glob("test_*.py"),
        Path(__file__).parents[2] / "end_to_end" / "test_repeats_after_a_kill.py",
    ]
    text = "".join(player.read_text(encoding="utf-8") for player in players)

    assert [each for each in Situation if f"Situation.{each.name}" not in text] == []


def test_another_request_is_another_one_and_a_repeat_is_not() -> None:
    """What the cells rest on."""
    for operation in OPERATIONS.values():
        scene, new_id = Scene(), operations.new_id()
        first, again, other = (
            command_of(make(scene, new_id)).fingerprint
            for make in (operation.request, operation.request, operation.other)
        )

        assert (first == again, first == other) == (True, False), operation.kind


def test_refusals_are_told_apart_by_whether_they_leave_a_row() -> None:
    journalled = {reason.value for reason in JOURNALLED}
    for operation in OPERATIONS.values():
        assert operation.booked is None or operation.booked.reason in journalled
        assert operation.unbooked.reason not in journalled


async def test_settling_leaves_no_row_and_takes_no_id(ledger: Ledger) -> None:
    """Repeated, it settles anew; and its id is free for whatever comes."""
    enrolment = an_enrolment("2900000000018")
    await ledger.decision(enrolment)
    settling = a_settling(enrolment.member_id)
    before = await ledger.state()

    assert isinstance(await ledger.decision(settling), Settled)
    assert isinstance(await ledger.decision(settling), Settled)
    assert await ledger.state() == before

    await ledger.decision(a_block(enrolment.member_id, operation_id=settling.operation_id))
    assert len(await ledger.journal("block")) == 1
