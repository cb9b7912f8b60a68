"""A test that did not run has shown nothing: skipped and expected-to-fail tests count as failed."""

from collections.abc import Generator

import pytest

# Node ids that may be skipped. Empty, and meant to stay so.
ALLOWED: frozenset[str] = frozenset()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse(report)
    return report


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turns a skip into a failure that tells the reason."""
    if report.outcome != "skipped" or report.nodeid in ALLOWED:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} was not run: {reason}. Nothing may be skipped here."
    if hasattr(report, "wasxfail"):
        del report.wasxfail
