"""A short run does a tenth of the work and says so."""

import pytest

from tests import scale


@pytest.fixture(autouse=True)
def _no_counts_of_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted here is no work, and must not be told at the end."""
    monkeypatch.setattr(scale, "_counts", {})


@pytest.mark.parametrize(
    ("factor", "full", "used"),
    [("0.1", 1000, 100), ("0.1", 4, 1), ("0.1", 1, 1), ("1.0", 1000, 1000), ("0.25", 10, 2)],
)
def test_work_is_scaled_and_never_nothing(
    monkeypatch: pytest.MonkeyPatch, factor: str, full: int, used: int
) -> None:
    monkeypatch.setenv(scale.VARIABLE, factor)

    assert scale.scaled(full) == used


def test_the_counts_used_are_told_with_the_test_that_used_them(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv(scale.VARIABLE, "0.1")
    scale.scaled(770)

    assert scale.Count(test=request.node.nodeid, full=770, used=77) in scale.counts()


@pytest.mark.parametrize("factor", ["0", "1.01", "-1"])
def test_a_scale_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, factor: str
) -> None:
    monkeypatch.setenv(scale.VARIABLE, factor)

    with pytest.raises(ValueError, match=scale.VARIABLE):
        scale.factor()
