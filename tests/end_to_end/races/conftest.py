"""The running pair for all races; at the end the books balance without a deadlock."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.end_to_end.races.twins import Twins, running_twins

CLIENTS = 64


@pytest.fixture(scope="package")
async def twins(
    make_postgres_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Twins]:
    folder = tmp_path_factory.mktemp("races") / "var"
    async with running_twins(folder, url=make_postgres_database(), tills=CLIENTS) as running:
        yield running
