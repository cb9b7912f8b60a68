"""What Prometheus learns of loyalty. Observed once a batch or frame, never once an operation: a
histogram's lock and buckets would cost more than deciding does.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.answers import Answer, Cause
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.jobs import NIGHTLY
from services.loyalty.ledger_stream import Frame
from services.loyalty.schema import job
from services.loyalty.wire_answers import Outcome
from services.runtime.logs import logger

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5)

# The kind of a request that was understood is the name of its class; shorter where tills say so.
_KINDS = {"void_receipt": "void", "return_items": "return", "quote_basket": "quote"}
_KINDS |= {"ask_status": "status", "refused": "malformed"}

log = logger(__name__)

_Told: TypeAlias = Refusal | Cause | None  # None: done


class LoyaltyMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._batch = Histogram(
            "bonpunkt_writer_batch_operations",
            "Operations in one transaction.",
            buckets=SIZES,
            registry=registry,
        )
        self._queue = Histogram(
            "bonpunkt_writer_queue_seconds",
            "Wait of the longest waiting operation of a batch, until the batch began.",
            buckets=SECONDS,
            registry=registry,
        )
        self._commit = Histogram(
            "bonpunkt_writer_commit_seconds",
            "One transaction, from BEGIN until COMMIT has returned, deciding included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._questions = Histogram(
            "bonpunkt_questions_batch",
            "Questions (identify, quote, status) answered together.",
            buckets=SIZES,
            registry=registry,
        )
        self._answering = Histogram(
            "bonpunkt_questions_seconds",
            "Answering one batch of questions.",
            buckets=SECONDS,
            registry=registry,
        )
        self._operations = Counter(
            "bonpunkt_operations",
            "Operations of tills by kind, and outcome: done, the reason of a refusal, or why "
            "nothing was decided.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._waiting = Gauge(
            "bonpunkt_writer_queue_operations", "Commands that wait for a batch.", registry=registry
        )
        self._nightly = Gauge(
            "bonpunkt_nightly_finished_at_seconds",
            "When the nightly run ended last, in seconds since 1970; absent until it has once.",
            ["run"],
            registry=registry,
        )
        self._labelled: dict[tuple[type, _Told], Counter] = {}

    def watch_queue(self, queued: Callable[[], int]) -> None:
        """`queued` tells how many commands wait for the writers."""
        self._waiting.set_function(queued)

    async def look_up(self, engine: AsyncEngine) -> None:
        """Asks the database for what any of several processes may have done."""
        statement = select(job.c.finished_at_us).where(job.c.name == NIGHTLY)
        try:
            async with engine.connect() as connection:
                await connection.execution_options(read_only=True)
                finished_at_us = await connection.scalar(statement)
        except (SQLAlchemyError, OSError) as error:
            log.warning("no time of the nightly run", error=str(error))
            return
        if finished_at_us is not None:
            self._nightly.labels(NIGHTLY).set(finished_at_us / 1_000_000)

    def committed(self, operations: int, queued_s: float, commit_s: float) -> None:
        """A batch was committed."""
        self._batch.observe(operations)
        self._queue.observe(queued_s)
        self._commit.observe(commit_s)

    def questioned(self, questions: int, seconds: float) -> None:
        """A batch of questions was answered."""
        self._questions.observe(questions)
        self._answering.observe(seconds)

    def answered(self, frame: Frame) -> None:
        """These answers have left for a gateway."""
        counts: dict[tuple[type, _Told], int] = {}
        for _, _, outcome, kind in frame:
            key = (kind, _told(outcome))
            counts[key] = counts.get(key, 0) + 1
        for key, count in counts.items():
            counter = self._labelled.get(key)
            if counter is None:
                counter = self._labelled[key] = self._operations.labels(*_labels(*key))
            counter.inc(count)


def _told(outcome: Outcome) -> _Told:
    if isinstance(outcome, Refused):
        return outcome.reason
    said = outcome.decision if isinstance(outcome, Answer) else outcome.result
    if isinstance(said, Refused):
        return said.reason
    return outcome.cause


def _labels(kind: type, told: _Told) -> tuple[str, str]:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    return _KINDS.get(name, name), "done" if told is None else told.name.lower()
