"""Fixtures for all tests: private servers, fresh databases, a browser, a scale."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests import scale
from tests.servers.browser import running_browser
from tests.servers.postgres import Cluster, running_cluster
from tests.servers.redis import Server, running_redis

pytest_plugins = ["tests.no_skips"]


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """One private PostgreSQL cluster for the whole run."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def make_postgres_database(postgres_cluster: Cluster) -> Callable[[], str]:
    """Call it for a fresh database; answers its plain `postgresql://…` address."""
    return postgres_cluster.create_database


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """The address of a fresh PostgreSQL database, removed after the test."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of each kind: whatever is stored is tested on both."""
    url: str = request.getfixturevalue(
        {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    )
    return url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """One private Redis server for the whole run."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Server) -> str:
    """The address of an empty Redis server."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
async def chromium_page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a real, headless browser with an empty profile, 1024 × 768."""
    async with running_browser(profile=tmp_path / "chromium") as context:
        yield context.pages[0] if context.pages else await context.new_page()


@pytest.fixture
def scaled() -> Callable[[int], int]:
    """`scaled(1000)`: how often to do what the long run does a thousand times."""
    return scale.scaled


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much of the full work was done, so that a short run is not taken for a long one."""
    counts = scale.counts()
    terminalreporter.section(f"counts used (scale {scale.factor():g})", sep="-")
    for count in counts:
        terminalreporter.line(f"{count.test}: {count.used:,} of {count.full:,}")
    if not counts:
        terminalreporter.line("no test of this run scales its work")


def pytest_configure(config: pytest.Config) -> None:
    """A wrong scale is told before any test runs."""
    try:
        scale.factor()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
