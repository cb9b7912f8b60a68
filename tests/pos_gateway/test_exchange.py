from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.exchange import Outbox
from services.runtime.grpc import MESSAGE_BYTES_MAX


def decision(number: int, *, bytes_more: int = 0) -> bytes:
    captured = pb.Captured(points_earned=number, receipt_lines=["x" * bytes_more])
    return pb.Decision(operation_id=str(number), captured=captured).SerializeToString()


def decisions_in(response: bytes) -> int:
    return len(pb.OpenResponse.FromString(response).decisions)


def test_decisions_go_out_together_and_in_order() -> None:
    outbox = Outbox()
    for number in range(3):
        outbox.put(decision(number))

    response = outbox.take()

    assert response is not None
    heard = pb.OpenResponse.FromString(response)
    assert [each.operation_id for each in heard.decisions] == ["0", "1", "2"]
    assert outbox.take() is None


def test_a_response_has_at_most_1_mib() -> None:
    outbox = Outbox()
    for number in range(5):
        outbox.put(decision(number, bytes_more=MESSAGE_BYTES_MAX // 4))

    first, second = outbox.take(), outbox.take()

    assert first is not None
    assert second is not None
    assert len(first) <= MESSAGE_BYTES_MAX
    assert [decisions_in(first), decisions_in(second)] == [3, 2]


def test_a_decision_larger_than_that_still_goes_alone() -> None:
    outbox = Outbox()
    outbox.put(decision(0))
    outbox.put(decision(1, bytes_more=MESSAGE_BYTES_MAX))
    outbox.put(decision(2))

    taken = [outbox.take() for _ in range(3)]

    assert [decisions_in(response) for response in taken if response is not None] == [1, 1, 1]


def test_the_outbox_counts_what_waits_to_be_read() -> None:
    outbox = Outbox()
    assert not outbox
    for number in range(3):
        outbox.put(decision(number))
    assert len(outbox) == 3

    outbox.take()

    assert not outbox
