"""Fixtures for the whole house, and what the tests of races and faults have to say at the end."""

from collections.abc import Callable

import pytest

from tests.end_to_end import outcome
from tests.end_to_end.counter import WAYS

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """What `Suite` takes: each kind in turn, empty."""
    return fresh(request.param, request)


def fresh(kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database of this kind, as `Suite` takes it."""
    if kind == "sqlite":
        return "sqlite"
    make: Callable[[], str] = request.getfixturevalue("make_postgres_database")
    return make()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How a till sends: on its stream, or by a call of its own."""
    way: str = request.param
    return way


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How every race and every replay with faults ended: who won, what was lost or doubled."""
    if outcome.told():
        terminalreporter.section("after races, and faults in the middle of a replay", sep="-")
        for line in outcome.told():
            terminalreporter.line(line)
