"""How much of a test's full work is done: a tenth by default, all of it in the long run."""

import os
from dataclasses import dataclass

VARIABLE = "BONPUNKT_TEST_SCALE"
DEFAULT = 0.1


@dataclass(frozen=True, slots=True)
class Count:
    """How often a test did its work, of how often it does in the long run."""

    test: str
    full: int
    used: int


_counts: dict[tuple[str, int], Count] = {}


def factor() -> float:
    """The scale of this run, above 0 and at most 1."""
    value = float(os.environ.get(VARIABLE, DEFAULT))
    if not 0 < value <= 1:
        raise ValueError(f"{VARIABLE} is {value}; it has to be above 0 and at most 1")
    return value


def scaled(full: int) -> int:
    """How often to do what the long run does `full` times: rounded, at least once.

    The count is told at the end of the run, with the test's name unless it was asked for at import
    time, as the example count of a property test is.
    """
    assert full >= 1, "a test that does nothing tests nothing"
    used = max(1, round(full * factor()))
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0] or "asked for at import"
    _counts[test, full] = Count(test=test, full=full, used=used)
    return used


def counts() -> list[Count]:
    """What `scaled` has answered so far, by test."""
    return [_counts[key] for key in sorted(_counts)]
