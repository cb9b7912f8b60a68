"""What a checkout leaves in the figures of every process that had a hand in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bonpunkt.till import operations
from bonpunkt.till.client import Till
from tests.servers.ports import free_port
from tests.servers.suite import Suite
from tests.servers.waiting import eventually


@dataclass(frozen=True)
class Figures:
    """Reads one figure of one process, as Prometheus would."""

    session: aiohttp.ClientSession
    addresses: dict[str, str]

    async def of(self, service: str, name: str, **labels: str) -> float:
        async with self.session.get(f"http://{self.addresses[service]}/metrics") as answer:
            text = await answer.text()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Suite, Figures]]:
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("LOYALTY", "GATEWAY", "NOTIFIER")}
    settings = {f"{name}_METRICS_LISTEN": address for name, address in addresses.items()}
    async with (
        Suite(tmp_path, notifier=True, settings=settings) as suite,
        aiohttp.ClientSession() as session,
    ):
        yield suite, Figures(session, addresses)


async def test_a_checkout_is_counted_at_every_hop(watched: tuple[Suite, Figures]) -> None:
    suite, figures = watched
    terminal = await suite.add_terminal()
    [member] = await suite.enrol(1)
    before = await figures.of("GATEWAY", "bonpunkt_gateway_operations_total")
    basket = operations.basket(
        [operations.line_item("1", text="Brot", total_minor=349, vat_rate_key="DE_7")],
        currency="EUR",
        receipt_number="1",
        business_date=date(2026, 5, 4),
    )
    async with Till(
        suite.gateway_target, terminal_id=terminal.terminal_id, secret=terminal.secret
    ) as till:
        assert (await till.identify("nobody's")).HasField("refused")
        assert (await till.capture(member.card, basket)).HasField("captured")
        streams = await figures.of("GATEWAY", "bonpunkt_gateway_streams")

    answered = "bonpunkt_operations_total"
    assert await figures.of("LOYALTY", answered, kind="capture", outcome="done") == 1
    assert await figures.of("LOYALTY", answered, kind="identify", outcome="card_not_accepted") == 1
    assert await figures.of("LOYALTY", "bonpunkt_writer_commit_seconds_count") >= 2, "and enrolment"
    assert await figures.of("LOYALTY", "bonpunkt_writer_queue_seconds_sum") < 60, "not since 1970"
    assert await figures.of("LOYALTY", "bonpunkt_writer_queue_operations") == 0
    assert await figures.of("LOYALTY", "bonpunkt_questions_batch_sum") >= 1
    assert await figures.of("GATEWAY", "bonpunkt_gateway_operations_total") - before == 2
    assert await figures.of("GATEWAY", "bonpunkt_gateway_operation_seconds_count") >= 2
    assert await figures.of("GATEWAY", "bonpunkt_gateway_in_flight_operations") == 0
    assert streams == 1

    async def both_are_taken_in() -> bool:
        return await figures.of("NOTIFIER", "bonpunkt_notifier_entries_total") == 2

    await eventually(both_are_taken_in)
    assert await figures.of("NOTIFIER", "bonpunkt_notifier_feed_lag_seconds_count") >= 1
    assert await figures.of("NOTIFIER", "bonpunkt_notifier_feed_lag_seconds_sum") < 60


async def test_a_loyalty_that_is_away_is_seen_at_gateway_and_notifier(
    watched: tuple[Suite, Figures],
) -> None:
    suite, figures = watched
    terminal = await suite.add_terminal()
    assert await figures.of("GATEWAY", "bonpunkt_gateway_loyalty_available") == 1

    await suite.kill("loyalty")

    async def both_have_noticed() -> bool:
        available = await figures.of("GATEWAY", "bonpunkt_gateway_loyalty_available")
        return available == 0 and await figures.of("NOTIFIER", "bonpunkt_notifier_feed_away") == 1

    await eventually(both_have_noticed)
    async with Till(
        suite.gateway_target, terminal_id=terminal.terminal_id, secret=terminal.secret
    ) as till:
        assert (await till.identify("nobody's")).HasField("undecided")
    undecided = "bonpunkt_gateway_undecided_total"
    assert await figures.of("GATEWAY", undecided, cause="unavailable") == 1
    assert await figures.of("GATEWAY", "bonpunkt_ready") == 1, "tills get an answer"

    await suite.start("loyalty")

    async def both_go_on() -> bool:
        available = await figures.of("GATEWAY", "bonpunkt_gateway_loyalty_available")
        return available == 1 and await figures.of("NOTIFIER", "bonpunkt_notifier_feed_away") == 0

    await eventually(both_go_on)
