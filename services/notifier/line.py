"""The deliveries of one endpoint: in line, under way, and waiting to be recorded.

Every endpoint has its own line, connections and breaker, so none waits for another. Of one member
at most one delivery is in hand, the earliest pending: receivers see versions in order.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from services.notifier.database import FAULTS
from services.notifier.delivery import (
    Allowance,
    Answer,
    Breaker,
    Delivered,
    after_answer,
    outcome,
)
from services.notifier.endpoints import Endpoint
from services.notifier.recorder import Recorder
from services.notifier.store import Due, Result, Store
from services.notifier.traces import Traces
from services.notifier.webhook import Courier
from services.runtime import logs

WINDOW = 512  # deliveries in hand at most; loaded again when half of them are done
PACE_S = 0.03  # between loads: what becomes due meanwhile is loaded together
RETRY_LOAD_S = 0.5
LOOK_AGAIN_S = 60.0  # also if nothing wakes: the computer's clock may have been changed

_US = 1_000_000

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Habits:
    """How the operator wants deliveries to be made."""

    concurrency: int  # requests under way to one endpoint
    schedule_s: Sequence[int]
    disable_after_s: int


class Line:
    """`run` sends until it is cancelled; `wake` says that there may be something to do."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        store: Store,
        recorder: Recorder,
        courier: Courier,
        habits: Habits,
        clock: Callable[[], int],
        buckets: Callable[[], Collection[int] | None],
        disable: Callable[[Endpoint, Answer], None],
        mark_failing: Callable[[Endpoint, int | None], None],
        traces: Traces | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._store = store
        self._recorder = recorder
        self._courier = courier
        self._habits = habits
        self._clock = clock
        self._buckets = buckets
        self._disable = disable
        self._mark_failing = mark_failing
        self._traces = traces
        self._failing_since_us = endpoint.failing_since_us
        self._breaker = Breaker()
        self._queue: deque[Due] = deque()
        self._in_hand: dict[int, Due] = {}  # by number: queued, under way or not recorded yet
        self._members: set[str] = set()
        self._recorded: set[int] = set()  # since a load began, which may show them pending still
        self._under_way = asyncio.TaskGroup()  # a bug in one attempt ends the line, loudly
        self._requests = 0
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def is_stopped(self) -> bool:
        return self._stopping

    @property
    def buckets_in_hand(self) -> set[int]:
        return {due.bucket for due in self._in_hand.values()}

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Loads what is due and sends it, until `stop`; then returns once nothing is under way."""
        async with self._under_way:
            while not self._stopping:
                self._wake.clear()
                wait_s = await self._load()
                self._send()
                await asyncio.sleep(PACE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()

    def stop(self) -> None:
        """Begins nothing more; what is under way goes on."""
        self._stopping = True
        self._let_go_of_queue()
        self._wake.set()

    def recorded(self, results: Iterable[Result]) -> None:
        """These are durable: later versions of their members may follow."""
        for each in results:
            self._members.discard(self._in_hand.pop(each.number).member_id)
            self._recorded.add(each.number)
        self._wake.set()

    async def _load(self) -> float:
        """Takes in hand what is due. Returns the seconds after which to look again unless woken."""
        now_us = self._clock()
        allowance = self._breaker.allowance(now_us=now_us)
        if allowance is Allowance.NONE:
            return min((self._breaker.quiet_until_us - now_us) / _US, LOOK_AGAIN_S)
        window = 1 if allowance is Allowance.ONE else WINDOW
        room = window - len(self._in_hand)
        if room < (window + 1) // 2:
            return LOOK_AGAIN_S
        try:
            return await self._fill(room, now_us=now_us)
        except FAULTS as error:
            log.warning("cannot load deliveries; trying again", error=str(error))
            return RETRY_LOAD_S

    async def _fill(self, room: int, *, now_us: int) -> float:
        self._recorded.clear()
        buckets = self._buckets()
        found = await self._store.due(
            self.endpoint.endpoint_id,
            key=self.endpoint.key,
            now_us=now_us,
            limit=room + len(self._in_hand),  # those in hand are still pending and are found again
            buckets=buckets,
        )
        if self._stopping or self._breaker.allowance(now_us=self._clock()) is Allowance.NONE:
            return 0  # since the load began; look again at once
        known = self._in_hand.keys() | self._recorded
        for due in found:
            if room > 0 and due.number not in known and due.member_id not in self._members:
                self._in_hand[due.number] = due
                self._members.add(due.member_id)
                self._queue.append(due)
                room -= 1
        if self._in_hand:
            return LOOK_AGAIN_S
        next_us = await self._store.next_due_us(
            self.endpoint.endpoint_id, after_us=now_us, buckets=buckets
        )
        return LOOK_AGAIN_S if next_us is None else min((next_us - now_us) / _US, LOOK_AGAIN_S)

    def _send(self) -> None:
        """Keeps as many requests under way as are allowed; what became another's is let go."""
        buckets = self._buckets()
        while self._queue and self._requests < self._habits.concurrency:
            due = self._queue.popleft()
            if buckets is not None and due.bucket not in buckets:
                self._let_go(due)
                continue
            self._requests += 1
            self._under_way.create_task(self._attempt(due)).add_done_callback(self._sent)

    def _sent(self, _: asyncio.Task[None]) -> None:
        self._requests -= 1
        self._send()

    async def _attempt(self, due: Due) -> None:
        answer = await self._post(due)
        result = Result(
            number=due.number,
            endpoint_id=self.endpoint.endpoint_id,
            at_us=self._clock(),
            answer=answer,
            taken_in_us=due.taken_in_us,
            outcome=outcome(
                answer,
                tries=due.tries + 1,
                schedule_s=self._habits.schedule_s,
                jitter=random.uniform(-1, 1),  # noqa: S311 - spreads load, keeps no secret
            ),
        )
        self._recorder.put(result)
        self._learn(result)

    async def _post(self, due: Due) -> Answer:
        post = partial(
            self._courier.post, delivery_id=due.delivery_id, body=due.body, now_us=self._clock()
        )
        if self._traces is None:
            return await post()
        return await self._traces.attempt(post, due, endpoint=self.endpoint.name)

    def _learn(self, result: Result) -> None:
        """What an answer says about the endpoint as a whole."""
        self._breaker = after_answer(self._breaker, result.answer, now_us=result.at_us)
        if isinstance(result.outcome, Delivered):
            if self._failing_since_us is not None:
                self._failing_since_us = None
                self._mark_failing(self.endpoint, None)
            return
        if self._breaker.allowance(now_us=result.at_us) is not Allowance.ALL:
            self._let_go_of_queue()
        if self._breaker.is_open and self._failing_since_us is None:
            self._failing_since_us = result.at_us
            self._mark_failing(self.endpoint, result.at_us)
        failing_us = result.at_us - (self._failing_since_us or result.at_us)
        if result.answer.is_gone or failing_us >= self._habits.disable_after_s * _US > 0:
            self.stop()
            self._disable(self.endpoint, result.answer)

    def _let_go_of_queue(self) -> None:
        """Back to the database, where they still are: no attempt was made."""
        while self._queue:
            self._let_go(self._queue.popleft())

    def _let_go(self, due: Due) -> None:
        del self._in_hand[due.number]
        self._members.discard(due.member_id)
