"""A notifier on each kind of database, and a loyalty for it to follow."""

from collections.abc import AsyncIterator

import pytest

from tests.notifier.feed import Loyalty
from tests.notifier.rig import Rig, rig


@pytest.fixture
async def notifier(database_url: str) -> AsyncIterator[Rig]:
    async with rig(database_url) as ready:
        yield ready


@pytest.fixture
async def loyalty() -> AsyncIterator[Loyalty]:
    running = Loyalty()  # type: ignore[abstract] # it serves what the notifier calls
    await running.start()
    yield running
    await running.stop()
