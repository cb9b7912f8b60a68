"""Figures that many pages watch, asked for once a moment however many there are."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from services.loyalty.admin.peers import Loyalty, UnreachableError

FRESH_S = 1.0
RECENT = 100

T = TypeVar("T")


class Fresh(Generic[T]):
    """The last answer while it is fresh, else a new one: one thread asks, the others wait."""

    def __init__(self, ask: Callable[[], T], *, fresh_s: float = FRESH_S) -> None:
        self._ask = ask
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._answer: T | None = None
        self._asked_at = 0.0

    def get(self) -> T:
        with self._lock:
            now = time.monotonic()
            if self._answer is None or now - self._asked_at >= self._fresh_s:
                self._answer = self._ask()
                self._asked_at = time.monotonic()
            return self._answer

    def last(self) -> T | None:
        """The last answer, however old."""
        return self._answer


class Figures:
    def __init__(self, loyalty: Loyalty) -> None:
        journal = loyalty.journal
        self._overview = Fresh(lambda: loyalty.ask(journal.GetOverview, pb.GetOverviewRequest()))
        self._recent = Fresh(
            lambda: loyalty.ask(journal.ListRecent, pb.ListRecentRequest(page_size=RECENT))
        )

    def overview(self) -> pb.GetOverviewResponse:
        return self._overview.get()

    def recent(self) -> Sequence[JournalEntry]:
        """Newest first."""
        return self._recent.get().entries

    def programme(self) -> pb.GetOverviewResponse:
        """Currency, value of a point and time zone, which seldom change; defaults until known."""
        last = self._overview.last()
        if last is not None:
            return last
        try:
            return self._overview.get()
        except UnreachableError:
            return pb.GetOverviewResponse(value_points=1, time_zone="UTC")
