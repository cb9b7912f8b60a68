"""What Prometheus learns of the notifier. Times are seconds; `endpoint` is an endpoint's name."""

from collections import Counter as Counts
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import Row, func, select

from services.notifier.database import FAULTS, Database
from services.notifier.delivery import Delivered, Retry
from services.notifier.events import Entry
from services.notifier.schema import delivery, endpoint, figures, is_waiting
from services.notifier.store import Result
from services.runtime import logs

LAGS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400)

_US = 1_000_000

log = logs.logger(__name__)


class NotifierMetrics:
    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], int]) -> None:
        """`clock` is UTC in microseconds."""
        self._clock = clock
        self._feed_lag = Histogram(
            "bonpunkt_notifier_feed_lag_seconds",
            "From a decision of the ledger until it is durable here, of the first in each batch.",
            buckets=LAGS_S,
            registry=registry,
        )
        self._entries = Counter(
            "bonpunkt_notifier_entries", "Journal entries taken in.", registry=registry
        )
        self._away = Gauge(
            "bonpunkt_notifier_feed_away", "1 while loyalty's feed is away.", registry=registry
        )
        self._attempts = Counter(
            "bonpunkt_notifier_attempts",
            "Attempts that were recorded: delivered, retry (another follows) or dead.",
            ["outcome"],
            registry=registry,
        )
        self._delivery_lag = Histogram(
            "bonpunkt_notifier_delivery_lag_seconds",
            "From taking in until the receiver had it, of the last one in each batch of results.",
            buckets=LAGS_S,
            registry=registry,
        )
        self._deliveries = Gauge(
            "bonpunkt_notifier_deliveries",
            "Deliveries that are pending or dead.",
            ["endpoint", "state"],
            registry=registry,
        )
        self._overdue = Gauge(
            "bonpunkt_notifier_overdue_seconds",
            "How long the delivery that is due longest has been due; enabled endpoints only.",
            ["endpoint"],
            registry=registry,
        )
        self._failing = Gauge(
            "bonpunkt_notifier_endpoint_failing_seconds",
            "For how long an endpoint has only failed; 0 while it is well or disabled.",
            ["endpoint"],
            registry=registry,
        )

    def watch_feed(self, is_away: Callable[[], bool]) -> None:
        """`is_away` tells whether the feed cannot be followed just now."""
        self._away.set_function(is_away)

    def taken_in(self, entries: Sequence[Entry]) -> None:
        """These are durable."""
        self._entries.inc(len(entries))
        for entry in entries:
            if entry.event is not None:
                decided_at = datetime.fromisoformat(orjson.loads(entry.event.body)["timestamp"])
                self._feed_lag.observe(max(self._clock() / _US - decided_at.timestamp(), 0.0))
                return

    def attempted(self, results: Sequence[Result]) -> None:
        """What became of these is recorded."""
        outcomes = Counts(_outcome(each) for each in results)
        for outcome, count in outcomes.items():
            self._attempts.labels(outcome).inc(count)
        for each in reversed(results):
            if isinstance(each.outcome, Delivered):
                self._delivery_lag.observe(max(each.at_us - each.taken_in_us, 0) / _US)
                return

    async def look_up(self, database: Database) -> None:
        """Asks the database for what only it knows; on a fault the figures stay as they were."""
        oldest = (
            select(func.min(delivery.c.next_attempt_us))
            .where(delivery.c.endpoint_id == endpoint.c.endpoint_id, is_waiting(delivery))
            .scalar_subquery()
            .label("due_us")
        )
        statement = select(
            *(endpoint.c.name, endpoint.c.enabled, endpoint.c.failing_since_us),
            *(figures.c.pending, figures.c.dead),
            oldest,
        ).join(figures, figures.c.endpoint_id == endpoint.c.endpoint_id)
        try:
            async with database.reading() as connection:
                rows = (await connection.execute(statement)).all()
        except FAULTS as error:
            log.warning("no figures of deliveries", error=str(error))
            return
        for gauge in (self._deliveries, self._overdue, self._failing):
            gauge.clear()
        for row in rows:
            self._set(row)

    def _set(self, row: Row[*tuple[Any, ...]]) -> None:
        now_us = self._clock()
        due_us = row.due_us if row.enabled and row.due_us is not None else now_us
        failing_us = row.failing_since_us if row.enabled and row.failing_since_us else now_us
        self._deliveries.labels(row.name, "pending").set(row.pending)
        self._deliveries.labels(row.name, "dead").set(row.dead)
        self._overdue.labels(row.name).set(max(now_us - due_us, 0) / _US)
        self._failing.labels(row.name).set(max(now_us - failing_us, 0) / _US)


def _outcome(result: Result) -> str:
    if isinstance(result.outcome, Delivered):
        return "delivered"
    return "retry" if isinstance(result.outcome, Retry) else "dead"
