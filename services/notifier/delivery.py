"""What an answer makes of a delivery and of its endpoint. Pure: time and chance are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus

# Waits before each attempt, the example of Standard Webhooks: ten attempts in 75 and a half hours.
SCHEDULE_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)

JITTER = 0.2  # share of a wait by which it is made longer or shorter
THROTTLED_WAIT_S_MIN = 60
RETRY_AFTER_S_MAX = 86_400
PAUSE_S_MAX = 3_600  # the longest that one answer may silence a whole endpoint

FAILURES_TO_OPEN = 10
PROBE_AFTER_S = 30
PROBE_AFTER_S_MAX = 600

_THROTTLING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one attempt."""

    status: int  # HTTP status, 0 if none came back
    error: str = ""  # what went wrong, in words; empty for a success
    retry_after_s: int | None = None

    @property
    def is_success(self) -> bool:
        """2xx only: a redirect would send members' data where nobody asked for it."""
        return 200 <= self.status < 300

    @property
    def is_throttling(self) -> bool:
        return self.status in _THROTTLING

    @property
    def is_gone(self) -> bool:
        """The receiver wants nothing any more: its endpoint is to be disabled."""
        return self.status == HTTPStatus.GONE


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    wait_s: float


@dataclass(frozen=True, slots=True)
class Dead:
    pass


Outcome = Delivered | Retry | Dead


def outcome(answer: Answer, *, tries: int, schedule_s: Sequence[int], jitter: float) -> Outcome:
    """What becomes of a delivery whose `tries`-th attempt (counted from 1) was answered so.

    `jitter` is a random number from -1 to 1. A throttling answer waits 60 s or more; Retry-After
    lengthens the wait, up to a day, and never shortens it.
    """
    assert tries >= 1, "an answer belongs to an attempt"
    assert -1 <= jitter <= 1
    if answer.is_success:
        return Delivered()
    if tries >= len(schedule_s):
        return Dead()
    wait_s = schedule_s[tries] * (1 + JITTER * jitter)
    if answer.is_throttling:
        wait_s = max(wait_s, THROTTLED_WAIT_S_MIN)
    if answer.retry_after_s is not None:
        wait_s = max(wait_s, min(answer.retry_after_s, RETRY_AFTER_S_MAX))
    return Retry(wait_s)


class Allowance(Enum):
    ALL = "all"
    ONE = "one"  # a probe: what it is answered decides whether the others follow
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether an endpoint is worth trying. Opens after failures in a row, then lets probes through.

    Without it every delivery to a dead endpoint would use up its attempts and wait out time-outs.
    """

    failures: int = 0  # in a row
    openings: int = 0  # since the last success
    quiet_until_us: int = 0

    @property
    def is_open(self) -> bool:
        return self.openings > 0

    def allowance(self, *, now_us: int) -> Allowance:
        if now_us < self.quiet_until_us:
            return Allowance.NONE
        return Allowance.ONE if self.is_open else Allowance.ALL


def after_answer(breaker: Breaker, answer: Answer, *, now_us: int) -> Breaker:
    """The breaker once an attempt has been answered at `now_us`.

    Answers to requests that were under way when the breaker opened count as success, but do not
    lengthen its rest.
    """
    if answer.is_success:
        return Breaker(quiet_until_us=0 if breaker.is_open else breaker.quiet_until_us)
    rests = now_us < breaker.quiet_until_us
    breaker = replace(breaker, failures=breaker.failures + 1)
    if (breaker.is_open and not rests) or (
        not breaker.is_open and breaker.failures >= FAILURES_TO_OPEN
    ):
        breaker = _opened(breaker, now_us=now_us)
    return _paused(breaker, answer, now_us=now_us)


def _opened(breaker: Breaker, *, now_us: int) -> Breaker:
    rest_s = min(PROBE_AFTER_S << min(breaker.openings, 16), PROBE_AFTER_S_MAX)
    quiet_until_us = max(breaker.quiet_until_us, now_us + rest_s * _US)
    return replace(breaker, openings=breaker.openings + 1, quiet_until_us=quiet_until_us)


def _paused(breaker: Breaker, answer: Answer, *, now_us: int) -> Breaker:
    """A receiver that says "too many" or names a time is left alone as a whole, not by delivery."""
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS and answer.retry_after_s is None:
        return breaker
    asked_s = answer.retry_after_s or 0
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS and answer.retry_after_s is None:
        asked_s = THROTTLED_WAIT_S_MIN
    quiet_until_us = now_us + min(asked_s, PAUSE_S_MAX) * _US
    return replace(breaker, quiet_until_us=max(breaker.quiet_until_us, quiet_until_us))
