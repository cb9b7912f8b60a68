"""The notifier's figures, on both databases."""

import uuid

import pytest
from prometheus_client import CollectorRegistry

from services.notifier.delivery import Answer, Dead, Delivered, Outcome, Retry
from services.notifier.endpoints import Endpoint
from services.notifier.events import entry_from_journal
from services.notifier.metrics import NotifierMetrics
from services.notifier.store import Place, Result
from tests.notifier.feed import BUCKETS, entry
from tests.notifier.rig import Rig, taken

NOW_US = 1_777_897_800_000_000
SECOND_US = 1_000_000
ANNA, BERT = (str(uuid.UUID(int=each)) for each in (1, 2))


class Watched:
    """Metrics with a clock that stands where a test sets it."""

    def __init__(self) -> None:
        self.now_us = NOW_US
        self._registry = CollectorRegistry()
        self.metrics = NotifierMetrics(self._registry, clock=lambda: self.now_us)

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"bonpunkt_notifier_{name}", labels)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def result(outcome: Outcome, *, taken_in_us: int = NOW_US) -> Result:
    return Result(
        number=1,
        endpoint_id=1,
        at_us=NOW_US + 2 * SECOND_US,
        answer=Answer(204),
        outcome=outcome,
        taken_in_us=taken_in_us,
    )


def test_attempts_count_by_what_became_of_them(watched: Watched) -> None:
    watched.metrics.attempted([result(Delivered()), result(Delivered()), result(Retry(5.0))])
    watched.metrics.attempted([result(Dead())])

    outcomes = [watched.value("attempts_total", outcome=o) for o in ("delivered", "retry", "dead")]
    assert outcomes == [2, 1, 1]


def test_the_delivery_lag_is_the_time_since_intake_of_what_was_delivered(watched: Watched) -> None:
    watched.metrics.attempted([result(Delivered()), result(Retry(5.0), taken_in_us=0)])
    watched.metrics.attempted([result(Dead(), taken_in_us=0)])

    assert watched.value("delivery_lag_seconds_count") == 1
    assert watched.value("delivery_lag_seconds_sum") == 2


def test_the_feed_lag_is_the_time_since_the_decision(watched: Watched) -> None:
    journalled = [entry(sequence=n, member_id=ANNA, member_version=n) for n in (1, 2)]
    watched.now_us = journalled[0].effective_at.ToMicroseconds() + 3 * SECOND_US

    watched.metrics.taken_in([entry_from_journal(each, epoch=1) for each in journalled])

    assert watched.value("entries_total") == 2
    assert watched.value("feed_lag_seconds_count") == 1
    assert watched.value("feed_lag_seconds_sum") == pytest.approx(3, abs=0.001), (
        "events tell milliseconds"
    )


async def _take_in(notifier: Rig, *members: str) -> None:
    place: Place = await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    entries = [
        entry(sequence=sequence, member_id=member, member_version=sequence)
        for sequence, member in enumerate(members, 1)
    ]
    await notifier.store.take_in(taken(entries, place), now_us=NOW_US)


async def test_pending_and_overdue_deliveries_are_told_by_endpoint(
    notifier: Rig, watched: Watched
) -> None:
    await notifier.add("email", "https://email.example/")
    await _take_in(notifier, ANNA, BERT)
    watched.now_us = NOW_US + 7 * SECOND_US

    await watched.metrics.look_up(notifier.database)

    assert watched.value("deliveries", endpoint="email", state="pending") == 2
    assert watched.value("deliveries", endpoint="email", state="dead") == 0
    assert watched.value("overdue_seconds", endpoint="email") == 7
    assert watched.value("endpoint_failing_seconds", endpoint="email") == 0


async def test_a_receivers_failures_are_not_our_backlog(notifier: Rig, watched: Watched) -> None:
    """What waits for its next attempt is not overdue; the endpoint is told to be failing."""
    email: Endpoint = await notifier.add("email", "https://email.example/")
    await _take_in(notifier, ANNA)
    [due] = await notifier.store.due(email.endpoint_id, key=email.key, now_us=NOW_US, limit=10)
    failed = Result(
        number=due.number,
        endpoint_id=email.endpoint_id,
        at_us=NOW_US,
        answer=Answer(500, "answered 500"),
        outcome=Retry(60.0),
    )
    await notifier.store.record([failed])
    await notifier.endpoints.mark_failing(email.endpoint_id, since_us=NOW_US)
    watched.now_us = NOW_US + 30 * SECOND_US

    await watched.metrics.look_up(notifier.database)

    assert watched.value("overdue_seconds", endpoint="email") == 0
    assert watched.value("endpoint_failing_seconds", endpoint="email") == 30


async def test_a_disabled_endpoint_is_nobodys_alarm(notifier: Rig, watched: Watched) -> None:
    await notifier.add("email", "https://email.example/")
    await _take_in(notifier, ANNA)
    await notifier.endpoints.disable("email", reason="by staff", actor="ada", now_us=NOW_US)
    watched.now_us = NOW_US + 7 * SECOND_US

    await watched.metrics.look_up(notifier.database)

    assert watched.value("overdue_seconds", endpoint="email") == 0
    assert watched.value("deliveries", endpoint="email", state="pending") == 1
