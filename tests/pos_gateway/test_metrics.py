"""The gateway's figures are what its parts count anyway."""

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.inflight import CAUSES, InFlight
from services.pos_gateway.limits import Limits
from tests.pos_gateway.test_inflight import NOW_MS, Operations, decision


def test_every_cause_that_the_contract_has_is_counted() -> None:
    assert {*CAUSES, pb.Undecided.CAUSE_UNSPECIFIED} == set(pb.Undecided.Cause.values())


def test_answers_without_a_decision_are_counted_by_cause() -> None:
    operations = Operations(operations_max=2)
    lost, late = operations.accept(timeout_ms=60_000), operations.accept(timeout_ms=10)
    operations.accept()
    operations.frame(after_ms=10)
    operations.in_flight.lose_written()

    assert lost != late
    assert operations.in_flight.undecided == {
        pb.Undecided.CAUSE_OVERLOADED: 1,
        pb.Undecided.CAUSE_EXPIRED: 1,
        pb.Undecided.CAUSE_ANSWER_LOST: 1,
    }
    assert sorted(operations.causes) == sorted(operations.in_flight.undecided.elements())


def test_a_decision_is_no_answer_without_one() -> None:
    operations = Operations()
    operation_id = operations.accept()
    [entry] = operations.frame().operations

    operations.in_flight.decided(entry.token, decision(operation_id))

    assert operations.in_flight.undecided.total() == 0
    assert operations.in_flight.accepted == 1


def test_the_age_of_an_operation_is_known_while_loyalty_has_it() -> None:
    operations = Operations()
    operation_id = operations.accept()
    assert operations.in_flight.age_ms(1, now_ms=NOW_MS) is None, "it is still queued"

    [entry] = operations.frame(after_ms=3).operations
    assert operations.in_flight.age_ms(entry.token, now_ms=NOW_MS + 8) == 8

    operations.in_flight.decided(entry.token, decision(operation_id))
    assert operations.in_flight.age_ms(entry.token, now_ms=NOW_MS + 9) is None
    assert InFlight(Limits()).age_ms(1, now_ms=NOW_MS) is None
