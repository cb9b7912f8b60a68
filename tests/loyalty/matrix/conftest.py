"""What the matrix of idempotency has to say at the end of the run."""

import pytest

from tests.loyalty.matrix import outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Its size and how its cells ended."""
    if outcome.lines():
        terminalreporter.section("idempotency: cells as they have to be / cells", sep="-")
        for line in outcome.lines():
            terminalreporter.line(line)
