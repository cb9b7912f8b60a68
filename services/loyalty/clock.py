"""Loyalty's clock: the system's, or, in the demo only, one that follows the recorded purchases."""

import time
from typing import Protocol


class Clock(Protocol):
    def now_us(self) -> int:
        """UTC in microseconds since 1970."""
        ...

    def observe(self, occurred_at_us: int) -> None:
        """A till says that this is when it happened."""
        ...


class SystemClock:
    """The machine's time; what tills say about the time is never trusted."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def observe(self, occurred_at_us: int) -> None:
        pass


class RecordedClock:
    """The latest time that any capture carried, so that a year of recordings can be lived
    through in minutes.
    """

    def __init__(self, *, begins_at_us: int = 0) -> None:
        self._now_us = begins_at_us

    def now_us(self) -> int:
        return self._now_us

    def observe(self, occurred_at_us: int) -> None:
        self._now_us = max(self._now_us, occurred_at_us)
