"""The line at one till: shoppers are served in the order of arrival, each operation when it is due.

A till that is still busy serves the next one late, and the time that it was late is part of the
latency. What is due and could not even be asked before the end is missed; it counts, too.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from loadtests.arrivals import Visit

# Asks for an operation; answers why it failed, None if it did not.
Ask = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What became of one operation that was due. All times in seconds since the run began."""

    operation: str
    due_s: float
    asked_s: float | None  # None: missed
    ended_s: float  # of its answer or failure; of a missed one when that was noticed
    failure: str | None
    till_was_free: bool  # waiting for it: asked late all the same, the generator was late

    @property
    def latency_ms(self) -> float:
        """From the time at which it was due; of what had no answer, so long at least."""
        return (self.ended_s - self.due_s) * 1000

    @property
    def from_asking_ms(self) -> float:
        """As a closed loop would measure, to show what that hides; 0 if it was missed."""
        return 0.0 if self.asked_s is None else (self.ended_s - self.asked_s) * 1000


def serve(
    visits: Iterable[Visit],
    *,
    welcome: Callable[[int], Ask],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    ends_s: float,
) -> Iterator[Measurement]:
    """Serves all visits to one till; each operation that was due is measured exactly once.

    `welcome` is called with the number of each shopper whose turn it is. `clock` tells seconds
    since the run began. Nothing is asked after `ends_s`.
    """
    for visit in visits:
        ask = welcome(visit.number)
        for step in visit.steps:
            early_s = step.at_s - clock()
            is_free = early_s >= 0
            if is_free:
                sleep(early_s)
            asked_s = clock()
            if is_free or asked_s < ends_s:
                failure = ask(step.operation)
                asked = asked_s
            else:
                failure, asked = "missed: the run was over before the till was free", None
            yield Measurement(
                operation=step.operation,
                due_s=step.at_s,
                asked_s=asked,
                ended_s=clock(),
                failure=failure,
                till_was_free=is_free,
            )
