"""Peers for the till client, all real gRPC servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.pos_gateway.peer import Gateway, Loyalty, running_gateway, settings
from tests.till_client.peer import ScriptedGateway


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedGateway]:
    peer = ScriptedGateway()
    await peer.start()
    yield peer
    await peer.kill()


@pytest.fixture
async def loyalty() -> AsyncIterator[Loyalty]:
    peer = Loyalty()
    await peer.start()
    yield peer
    await peer.kill()


@pytest.fixture
async def gateway(loyalty: Loyalty, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(loyalty, tmp_path)) as running:
        yield running
