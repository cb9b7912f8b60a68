"""One run: the lines at all tills, begun together, and what was measured so far."""

import bisect
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bonpunkt.till import operations as build
from loadtests import line, measured
from loadtests.arrivals import Arrivals
from loadtests.line import Measurement
from loadtests.shop import Shop
from loadtests.shopper import Shopper
from loadtests.ways import UnansweredError, Way

LEAD_S = 0.2  # between "all tills are open" and the first shopper
RECENT = 500  # measurements


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How far the run is; `waiting` operations are due and have no answer yet."""

    seconds: float
    of_seconds: float
    ended: int
    failed: int
    waiting: int
    p99_ms: float  # of recent operations

    def __str__(self) -> str:
        return (
            f"{self.seconds:.0f} of {self.of_seconds:g} s: {self.ended:,} operations, "
            f"{self.failed:,} failed, {self.waiting:,} waiting, p99 {self.p99_ms:.1f} ms"
        )


class Run:
    """Called by a thread for each till, and by one that conducts."""

    def __init__(self, arrivals: Arrivals, shop: Shop) -> None:
        self.arrivals = arrivals
        self.measurements: list[Measurement] = []
        self.asked_by_way = {"stream": 0, "unary": 0}
        self.faults: list[BaseException] = []  # of this program, not of the service
        self._shop = shop
        self._timetable = arrivals.timetable()
        self._failed = 0
        self._ready = threading.Semaphore(0)
        self._open = threading.Event()
        self._closed = threading.Semaphore(0)
        self._tills_closed = 0
        self._begun_s = 0.0

    def serve(self, till: int, told: Callable[[Measurement, str], None]) -> None:
        """Serves the line at one till to its end; tells each measurement and the way of asking."""
        try:
            for measurement, way in self._served(till):
                self._note(measurement, way)
                told(measurement, way)
        except Exception as error:
            self.faults.append(error)
            self._ready.release()  # the others need not wait for this till
        finally:
            self._closed.release()

    def open(self) -> None:
        """Lets the shoppers in, once every till is ready."""
        for _ in range(self.arrivals.tills):
            self._ready.acquire()
        self._begun_s = time.perf_counter() + LEAD_S
        self._open.set()

    def has_ended(self, *, within_s: float) -> bool:
        """Whether all tills have served their lines; waits for it, but not longer than this."""
        deadline = time.monotonic() + within_s
        while self._tills_closed < self.arrivals.tills:
            if not self._closed.acquire(timeout=max(0.0, deadline - time.monotonic())):
                return False
            self._tills_closed += 1
        return True

    @property
    def is_complete(self) -> bool:
        """Whether everything that was due was measured."""
        return len(self.measurements) == len(self._timetable)

    def snapshot(self) -> Snapshot:
        now_s = max(0.0, self._now_s())
        recent = self.measurements[-RECENT:]
        due = bisect.bisect_right(self._timetable, now_s)
        return Snapshot(
            seconds=min(now_s, self.arrivals.seconds),
            of_seconds=self.arrivals.seconds,
            ended=len(self.measurements),
            failed=self._failed,
            waiting=max(0, due - len(self.measurements)),
            p99_ms=measured.percentile((each.latency_ms for each in recent), 0.99),
        )

    def _served(self, till: int) -> Iterator[tuple[Measurement, str]]:
        way = self._shop.way(till)
        _greet(way)
        self._ready.release()
        self._open.wait()
        for measurement in line.serve(
            self.arrivals.at_till(till),
            welcome=lambda number: partial(Shopper(number, self._shop).ask, way=way),
            clock=self._now_s,
            sleep=time.sleep,
            ends_s=self.arrivals.seconds,
        ):
            yield measurement, way.name
        way.close()

    def _note(self, measurement: Measurement, way: str) -> None:
        self.measurements.append(measurement)
        self._failed += measurement.failure is not None
        self.asked_by_way[way] += measurement.asked_s is not None

    def _now_s(self) -> float:
        return time.perf_counter() - self._begun_s


def _greet(way: Way) -> None:
    """Connects before the first shopper comes; one who cannot will show it with the operations."""
    with contextlib.suppress(UnansweredError):
        way.ask(build.status(build.new_id()))
