"""Both ways of asking give the same answers, and survive a gateway that goes away."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from bonpunkt.till import operations as build
from loadtests.ways import StreamWay, UnansweredError, UnaryWay
from tests.servers.suite import Suite, Terminal
from tests.servers.waiting import eventually


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("ways")) as running:
        yield running


@pytest.fixture(scope="module")
async def till(suite: Suite) -> Terminal:
    return await suite.add_terminal()


@pytest.mark.parametrize("kind", [UnaryWay, StreamWay])
async def test_a_way_is_usable_again_once_the_gateway_is_back(
    suite: Suite, till: Terminal, kind: type[UnaryWay] | type[StreamWay]
) -> None:
    options = [("grpc.max_reconnect_backoff_ms", 200)]
    with grpc.insecure_channel(suite.gateway_target, options=options) as channel:
        way = kind(channel, till.metadata)

        async def answers() -> bool:
            question = build.status(build.new_id())
            try:
                decision = await asyncio.to_thread(way.ask, question)
            except UnansweredError:
                return False
            return decision.operation_id == question.id and decision.HasField("status_found")

        assert await answers()
        await suite.kill("gateway")
        with pytest.raises(UnansweredError, match="UNAVAILABLE"):
            await asyncio.to_thread(way.ask, build.status(build.new_id()))
        await suite.start("gateway")
        await eventually(answers)
        way.close()


@pytest.mark.parametrize("kind", [UnaryWay, StreamWay])
async def test_a_till_that_is_not_known_is_told_why(
    suite: Suite, kind: type[UnaryWay] | type[StreamWay]
) -> None:
    stranger = Terminal(terminal_id="stranger", store_id="store-1", secret="wrong")
    with grpc.insecure_channel(suite.gateway_target) as channel:
        way = kind(channel, stranger.metadata)

        with pytest.raises(UnansweredError, match="UNAUTHENTICATED: terminal id and secret"):
            await asyncio.to_thread(way.ask, build.status(build.new_id()))
        way.close()
