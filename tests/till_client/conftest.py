"""Peers for the till client, all real gRPC servers."""

from collections.abc import AsyncIterator

import pytest

from tests.pos_gateway.conftest import gateway, loyalty
from tests.till_client.peer import ScriptedGateway

__all__ = ["gateway", "loyalty", "scripted"]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedGateway]:
    peer = ScriptedGateway()
    await peer.start()
    yield peer
    await peer.kill()
