"""Tells what the programs of the state machine did: shares by operation, and their seeds."""

import pytest

from tests.properties import report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for run in report.runs:
        terminalreporter.section(f"the ledger against its model, {run.name}", sep="-")
        for line in report.lines(run):
            terminalreporter.line(line)
