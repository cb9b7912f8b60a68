"""Loyalty's figures count what is in a frame, by what was asked and what was answered."""

import pytest
from prometheus_client import CollectorRegistry

from services.loyalty.answers import Answer, Cause
from services.loyalty.domain.command import Capture, ReturnItems, VoidReceipt
from services.loyalty.domain.decision import Burnt, Refusal, Refused
from services.loyalty.ledger_stream import NO_OPERATION, Frame
from services.loyalty.metrics import LoyaltyMetrics
from services.loyalty.quotes import AskStatus, Found, Identify, QuoteBasket, Reply
from services.loyalty.wire_answers import Outcome

REFUSED = Refused(Refusal.EXCEEDS_AVAILABLE, "capture.redeem", "fewer")
DONE = Answer(Burnt("id"), 1)


def counted(frame: Frame) -> CollectorRegistry:
    registry = CollectorRegistry()
    LoyaltyMetrics(registry).answered(frame)
    return registry


@pytest.mark.parametrize(
    ("kind", "outcome", "labels"),
    [
        (Capture, DONE, ("capture", "done")),
        (Capture, Answer(REFUSED, 1), ("capture", "exceeds_available")),
        (Capture, Answer(cause=Cause.OVERLOADED), ("capture", "overloaded")),
        (Capture, Answer(cause=Cause.UNAVAILABLE), ("capture", "unavailable")),
        (VoidReceipt, DONE, ("void", "done")),
        (ReturnItems, DONE, ("return", "done")),
        (Identify, Reply(REFUSED, 1), ("identify", "exceeds_available")),
        (QuoteBasket, Reply(None, cause=Cause.EXPIRED), ("quote", "expired")),
        (AskStatus, Reply(Found("x", None, abandoned=False), 1), ("status", "done")),
        (Refused, NO_OPERATION, ("malformed", "malformed")),
    ],
)
def test_an_answer_counts_by_what_was_asked_and_what_came_of_it(
    kind: type, outcome: Outcome, labels: tuple[str, str]
) -> None:
    registry = counted([(1, "id", outcome, kind)])

    found = registry.get_sample_value(
        "bonpunkt_operations_total", {"kind": labels[0], "outcome": labels[1]}
    )
    assert found == 1


def test_a_frame_counts_each_of_its_answers() -> None:
    registry = CollectorRegistry()
    metrics = LoyaltyMetrics(registry)
    frame: Frame = [(number, "id", DONE, Capture) for number in range(3)]
    refused: Frame = [(3, "id", Answer(REFUSED, 1), Capture)]

    metrics.answered(frame + refused)
    metrics.answered(frame)

    def value(outcome: str) -> float | None:
        labels = {"kind": "capture", "outcome": outcome}
        return registry.get_sample_value("bonpunkt_operations_total", labels)

    assert (value("done"), value("exceeds_available")) == (6, 1)


def test_a_batch_is_one_observation_however_large() -> None:
    registry = CollectorRegistry()

    LoyaltyMetrics(registry).committed(512, 0.002, 0.004)

    assert registry.get_sample_value("bonpunkt_writer_batch_operations_count") == 1
    assert registry.get_sample_value("bonpunkt_writer_batch_operations_sum") == 512
    assert registry.get_sample_value("bonpunkt_writer_queue_seconds_sum") == 0.002
    assert registry.get_sample_value("bonpunkt_writer_commit_seconds_sum") == 0.004
