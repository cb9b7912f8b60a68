"""One loyalty for all commands."""

from collections.abc import AsyncIterator

import pytest

from tests.servers.suite import Suite


@pytest.fixture(scope="package")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("commands"), gateways=0) as running:
        yield running
