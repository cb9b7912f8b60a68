"""Time stands still here unless a test moves it: `now_ms` is an argument."""

from collections.abc import Callable

import pytest

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.operations import new_id
from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.inflight import (
    FRAME_BYTES_MAX,
    FRAME_OPERATIONS_MAX,
    TICK_MS,
    InFlight,
)
from services.pos_gateway.limits import Limits
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.wire import Sent
from tests.pos_gateway.peer import FIELD_OF_TOMORROW, id_of, sent

TILL_1 = Terminal(terminal_id="till-1", store_id="store-1", secret_sha256=bytes(32))
TILL_2 = Terminal(terminal_id="till-2", store_id="store-2", secret_sha256=bytes(32))
NOW_MS = 1_000_005

EXPIRED = pb.Undecided.CAUSE_EXPIRED
ANSWER_LOST = pb.Undecided.CAUSE_ANSWER_LOST
OVERLOADED = pb.Undecided.CAUSE_OVERLOADED
UNAVAILABLE = pb.Undecided.CAUSE_UNAVAILABLE


class Operations:
    """Puts operations in flight and keeps every answer."""

    def __init__(self, **limits: int) -> None:
        self.in_flight = InFlight(Limits(**limits))
        self.answers: list[bytes] = []

    def accept(
        self,
        operation_id: str | None = None,
        *,
        timeout_ms: int = 0,
        terminal: Terminal = TILL_1,
        bytes_more: int = 0,
        answer: Callable[[bytes], None] | None = None,
    ) -> str:
        operation = pb.Operation(id=operation_id or new_id(), timeout_ms=timeout_ms)
        operation.identify.card = "c" * bytes_more
        answer = answer or self.answers.append
        self.in_flight.accept(sent(operation), terminal=terminal, answer=answer, now_ms=NOW_MS)
        return operation.id

    def frame(self, *, after_ms: int = 0) -> ledger_pb2.CommitRequest:
        frame = self.in_flight.next_frame(now_ms=NOW_MS + after_ms)
        assert frame is not None
        return ledger_pb2.CommitRequest.FromString(frame)

    @property
    def decisions(self) -> list[pb.Decision]:
        return [pb.Decision.FromString(answer) for answer in self.answers]

    @property
    def causes(self) -> list[pb.Undecided.Cause]:
        return [decision.undecided.cause for decision in self.decisions]


def decision(operation_id: str) -> bytes:
    captured = pb.Captured(points_earned=7)
    return pb.Decision(operation_id=operation_id, captured=captured).SerializeToString()


def test_a_frame_carries_the_operations_in_the_order_of_arrival_and_who_sent_them() -> None:
    operations = Operations()
    first = operations.accept()
    second = operations.accept(terminal=TILL_2)

    entries = operations.frame().operations

    assert [id_of(entry) for entry in entries] == [first, second]
    assert [entry.terminal_id for entry in entries] == ["till-1", "till-2"]
    assert [entry.store_id for entry in entries] == ["store-1", "store-2"]
    assert operations.in_flight.next_frame(now_ms=NOW_MS) is None


def test_a_frame_carries_an_operation_as_the_till_sent_it() -> None:
    """Also what a gateway cannot read, and the time as the till gave it."""
    operations = Operations()
    operation = pb.Operation(id=new_id(), timeout_ms=700, status=pb.Status())
    raw = FIELD_OF_TOMORROW + operation.SerializeToString()
    as_sent = Sent(operation_id=new_id(), timeout_ms=700, raw=raw)
    operations.in_flight.accept(
        as_sent, terminal=TILL_1, answer=operations.answers.append, now_ms=NOW_MS
    )

    assert operations.frame(after_ms=300).operations[0].operation == raw


def test_a_frame_passes_on_what_is_left_of_the_time() -> None:
    operations = Operations()
    operations.accept(timeout_ms=700)

    assert operations.frame(after_ms=300).operations[0].timeout_ms == 400


@pytest.mark.parametrize(
    ("given_ms", "meant_ms"), [(0, 5_000), (1, 1), (60_000, 60_000), (60_001, 60_000)]
)
def test_a_timeout_is_1_to_60000_ms_and_0_means_5000(given_ms: int, meant_ms: int) -> None:
    operations = Operations()
    operations.accept(timeout_ms=given_ms)

    assert operations.frame().operations[0].timeout_ms == meant_ms


def test_an_answer_goes_to_the_operation_with_its_token() -> None:
    operations = Operations()
    operation_id = operations.accept()
    token = operations.frame().operations[0].token

    operations.in_flight.decided(token, decision(operation_id))

    assert operations.answers == [decision(operation_id)]
    assert len(operations.in_flight) == 0


def test_an_answer_that_comes_twice_is_dropped() -> None:
    operations = Operations()
    operation_id = operations.accept()
    token = operations.frame().operations[0].token

    operations.in_flight.decided(token, decision(operation_id))
    operations.in_flight.decided(token, decision(operation_id))

    assert len(operations.answers) == 1


def test_an_answer_to_what_was_never_written_is_dropped() -> None:
    """A token of the next operation cannot be guessed into an answer."""
    operations = Operations()
    operation_id = operations.accept()

    for token in range(10):
        operations.in_flight.decided(token, decision(operation_id))

    assert operations.answers == []
    assert operations.in_flight.queued == 1


def test_one_id_from_two_tills_is_two_operations_with_two_answers() -> None:
    operations = Operations()
    heard: dict[str, bytes] = {}
    one_id = new_id()
    operations.accept(one_id, terminal=TILL_1, answer=lambda d: heard.update({"till-1": d}))
    operations.accept(one_id, terminal=TILL_2, answer=lambda d: heard.update({"till-2": d}))
    first, second = operations.frame().operations
    refused = pb.Decision(
        operation_id=one_id, refused=pb.Refused(reason=pb.Reason.REASON_KEY_REUSED)
    ).SerializeToString()

    operations.in_flight.decided(second.token, refused)
    operations.in_flight.decided(first.token, decision(one_id))

    assert heard == {"till-1": decision(one_id), "till-2": refused}


def test_a_frame_carries_at_most_512_operations() -> None:
    operations = Operations()
    for _ in range(FRAME_OPERATIONS_MAX + 1):
        operations.accept()

    assert len(operations.frame().operations) == FRAME_OPERATIONS_MAX
    assert len(operations.frame().operations) == 1


def test_a_frame_carries_at_most_4_mib() -> None:
    operations = Operations()
    for _ in range(5):
        operations.accept(bytes_more=1_000_000)

    frame = operations.frame()

    assert len(frame.operations) == 4
    assert frame.ByteSize() <= FRAME_BYTES_MAX
    assert len(operations.frame().operations) == 1


def test_an_operation_larger_than_a_frame_still_goes() -> None:
    operations = Operations()
    operations.accept(bytes_more=FRAME_BYTES_MAX + 1)

    assert len(operations.frame().operations) == 1


def test_what_expires_in_the_queue_was_certainly_not_decided() -> None:
    operations = Operations()
    operations.accept(timeout_ms=100)

    operations.in_flight.expire(now_ms=NOW_MS + 100 + TICK_MS)

    assert operations.causes == [EXPIRED]
    assert operations.in_flight.next_frame(now_ms=NOW_MS) is None


def test_what_expires_after_it_was_written_may_have_been_decided() -> None:
    operations = Operations()
    operation_id = operations.accept(timeout_ms=100)
    token = operations.frame().operations[0].token

    operations.in_flight.expire(now_ms=NOW_MS + 100 + TICK_MS)
    operations.in_flight.decided(token, decision(operation_id))  # too late

    assert operations.causes == [ANSWER_LOST]


def test_nothing_expires_before_its_time() -> None:
    operations = Operations()
    operations.accept(timeout_ms=100)

    for after_ms in range(101):
        operations.in_flight.expire(now_ms=NOW_MS + after_ms)

    assert operations.answers == []


def test_everything_expires_at_the_latest_a_tick_after_its_time() -> None:
    operations = Operations()
    timeouts_ms = range(1, 200)
    for timeout_ms in timeouts_ms:
        operations.accept(timeout_ms=timeout_ms)
    for timeout_ms in timeouts_ms:
        operations.in_flight.expire(now_ms=NOW_MS + timeout_ms + TICK_MS)

        assert len(operations.answers) >= timeout_ms


def test_time_is_kept_after_a_long_idle_while() -> None:
    """The wheel is not turned while it is empty."""
    operations = Operations()
    operations.in_flight.expire(now_ms=0)
    operations.accept(timeout_ms=100)
    operations.in_flight.expire(now_ms=NOW_MS + 99)

    assert operations.answers == []

    operations.in_flight.expire(now_ms=NOW_MS + 100 + TICK_MS)

    assert operations.causes == [EXPIRED]


def test_a_frame_leaves_out_what_has_no_time_left() -> None:
    operations = Operations()
    late = operations.accept(timeout_ms=100)
    in_time = operations.accept(timeout_ms=101)

    frame = operations.frame(after_ms=100)

    assert [id_of(entry) for entry in frame.operations] == [in_time]
    assert frame.operations[0].timeout_ms == 1
    assert [each.operation_id for each in operations.decisions] == [late]
    assert operations.causes == [EXPIRED]


def test_one_operation_too_many_is_answered_overloaded() -> None:
    operations = Operations(operations_max=2)
    operations.accept()
    operations.frame()  # written operations count too
    operations.accept()
    assert operations.answers == []

    third = operations.accept(terminal=TILL_2)

    assert operations.causes == [OVERLOADED]
    assert operations.decisions[0].operation_id == third


def test_one_terminal_cannot_take_the_room_of_all() -> None:
    operations = Operations(terminal_operations_max=2)
    operations.accept()
    operations.accept()
    operations.accept()
    assert operations.causes == [OVERLOADED]

    operations.accept(terminal=TILL_2)

    assert len(operations.answers) == 1
    assert operations.in_flight.queued == 3


def test_an_answer_makes_room_for_the_terminal_again() -> None:
    operations = Operations(terminal_operations_max=1)
    operation_id = operations.accept()
    operations.in_flight.decided(operations.frame().operations[0].token, decision(operation_id))

    operations.accept()

    assert operations.in_flight.queued == 1


def test_the_queue_is_bounded_in_bytes_too() -> None:
    operations = Operations(queued_bytes_max=2_500)
    operations.accept(bytes_more=1_000)
    operations.accept(bytes_more=1_000)
    operations.accept(bytes_more=1_000)
    assert operations.causes == [OVERLOADED]

    operations.frame()  # written operations are not in our memory
    operations.accept(bytes_more=1_000)

    assert len(operations.answers) == 1


def test_a_broken_stream_loses_what_was_written_and_nothing_else() -> None:
    operations = Operations()
    written = operations.accept()
    operations.frame()
    queued = operations.accept()

    operations.in_flight.lose_written()

    assert [each.operation_id for each in operations.decisions] == [written]
    assert operations.causes == [ANSWER_LOST]
    assert id_of(operations.frame().operations[0]) == queued


def test_when_loyalty_stays_away_what_is_queued_is_turned_away_and_nothing_else() -> None:
    operations = Operations()
    operations.accept()
    operations.frame()
    queued = operations.accept()

    operations.in_flight.refuse_queued()

    assert [each.operation_id for each in operations.decisions] == [queued]
    assert operations.causes == [UNAVAILABLE]
    assert len(operations.in_flight) == 1


def test_every_undecided_answer_says_what_to_do() -> None:
    operations = Operations(operations_max=2)
    operations.accept(timeout_ms=1)
    operations.frame()
    operations.accept()
    operations.accept()
    operations.in_flight.lose_written()
    operations.in_flight.refuse_queued()

    assert operations.causes == [OVERLOADED, ANSWER_LOST, UNAVAILABLE]
    assert all(each.undecided.remedy for each in operations.decisions)
