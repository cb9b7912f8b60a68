"""Tills that cannot go on say why, in the gateway's own words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests import recorded
from loadtests.generator import arrive, connected, drive
from loadtests.recorded import Frame
from services.runtime.grpc import bearer
from tests.servers.suite import Suite


async def test_a_till_that_the_gateway_does_not_know_is_told_so(tmp_path: Path) -> None:
    async with Suite(tmp_path) as suite:
        known = (await suite.add_terminal()).metadata
        unknown = (("bonpunkt-terminal", "nobody"), *bearer("of-nobody"))

        with pytest.raises(ConnectionError, match="terminal id and secret are not accepted"):
            async with connected(suite.gateway_target, [known, unknown]):
                pass


async def test_a_run_breaks_off_when_the_gateway_stops(tmp_path: Path) -> None:
    """Runs that wait for answers, and those that go by the clock."""
    async with Suite(tmp_path) as suite:
        till = (await suite.add_terminal()).metadata
        operations = recorded.captures(["nobody's card"] * 400, recorded.baskets(1))
        frames = list(recorded.frames(operations, size=1))
        async with connected(suite.gateway_target, [till]) as calls:
            await drive(calls, [frames[:1]])
            await suite.stop("gateway")
            with pytest.raises(ConnectionError, match="the gateway is stopping; connect again"):
                await drive(calls, [frames[1:2]])
        await suite.start("gateway")

        async with connected(suite.gateway_target, [till]) as calls:
            await suite.kill("gateway")
            with pytest.raises(ConnectionError, match="the gateway ended a stream: "):
                await arrive(calls, frames, per_s=1000)


async def test_a_frame_against_the_contract_ends_the_run(tmp_path: Path) -> None:
    def frames() -> Iterator[Frame]:
        yield Frame(b"\xff", 1, "no operation")

    async with Suite(tmp_path) as suite:
        tills = [(await suite.add_terminal()).metadata for _ in range(2)]

        with pytest.raises(ConnectionError, match=r"not a message of bonpunkt\.till\.v1"):
            async with connected(suite.gateway_target, tills) as calls:
                await drive(calls, [frames()])


async def test_a_run_without_anything_to_send_is_over_at_once(tmp_path: Path) -> None:
    async with Suite(tmp_path) as suite:
        till = (await suite.add_terminal()).metadata
        async with connected(suite.gateway_target, [till]) as calls:
            driven, arrived = await drive(calls, []), await arrive(calls, [], per_s=1)
            without_tills = await drive([], [])

    assert [each.captured for each in (driven, arrived, without_tills)] == [0, 0, 0]
