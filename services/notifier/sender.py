"""Sends what is due: a line for each enabled endpoint, one recorder for all."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.notifier.addresses import Policy
from services.notifier.database import FAULTS
from services.notifier.delivery import Answer
from services.notifier.endpoints import ANSWERED_GONE, KEPT_FAILING, Endpoint, Endpoints
from services.notifier.line import Habits, Line
from services.notifier.recorder import Recorder
from services.notifier.store import Result, Store
from services.notifier.traces import Traces
from services.notifier.webhook import Courier, key_of
from services.runtime import logs

ACTOR = "notifier"  # in the audit, for what nobody asked for
FINISH_S = 1.5  # so long requests under way may still be answered when they are told to stop
FLUSH_S = 1.0
RETRY_S = 1.0

log = logs.logger(__name__)


@dataclass(slots=True)
class _Running:
    line: Line
    courier: Courier
    task: asyncio.Task[None]


class Sender:
    """`run` until cancelled; it then ends within FINISH_S + FLUSH_S."""

    def __init__(
        self,
        *,
        store: Store,
        endpoints: Endpoints,
        habits: Habits,
        timeout_s: float,
        policy: Policy,
        clock: Callable[[], int],
        buckets: Callable[[], Collection[int] | None] = lambda: None,
        observed: Callable[[Sequence[Result]], None] = lambda _: None,
        traces: Traces | None = None,
    ) -> None:
        """`buckets`: whose deliveries are this process's to send; None for all. `observed` hears of
        results once they are durable.
        """
        self._store = store
        self._endpoints = endpoints
        self._habits = habits
        self._timeout_s = timeout_s
        self._policy = policy
        self._clock = clock
        self._buckets = buckets
        self._observed = observed
        self._traces = traces
        self._recorder = Recorder(store, recorded=self._recorded)
        self._running: dict[int, _Running] = {}
        self._acts: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._changed.set()

    def announce(self, endpoint_ids: set[int]) -> None:
        """These endpoints have something new."""
        for endpoint_id in endpoint_ids:
            if endpoint_id in self._running:
                self._running[endpoint_id].line.wake()

    def buckets_in_hand(self) -> set[int]:
        """Of which something is under way: nobody else should begin with them yet."""
        lines = [each.line for each in self._running.values()]
        return set[int]().union(*(line.buckets_in_hand for line in lines))

    def endpoints_changed(self) -> None:
        """Endpoints were added, enabled or disabled, or deliveries put back in line."""
        self._changed.set()

    async def run(self) -> None:
        """Raises what went wrong in a line: a bug, since receivers and databases cannot."""
        recording = asyncio.create_task(self._recorder.run())
        try:
            while True:
                await self._changed_or_failed(recording)
                await self._adjust()
        finally:
            await self._end(list(self._running.values()), flush_within_s=FLUSH_S)
            recording.cancel()

    async def _changed_or_failed(self, recording: asyncio.Task[None]) -> None:
        tasks = [recording, *(each.task for each in self._running.values())]
        for task in tasks:
            if task.done():
                task.result()  # raises if it failed; a line that stopped by itself is no failure
        changed = asyncio.create_task(self._changed.wait())
        waiting = [changed, *(task for task in tasks if not task.done())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        self._changed.clear()

    async def _adjust(self) -> None:
        """A line for every enabled endpoint, and no other."""
        if self._acts:  # an endpoint that is just being disabled would be begun with once more
            await asyncio.wait(self._acts)
        try:
            wanted = {
                each.endpoint_id: each for each in await self._endpoints.all() if each.enabled
            }
        except FAULTS as error:
            log.warning("cannot read the endpoints; trying again", error=str(error))
            asyncio.get_running_loop().call_later(RETRY_S, self._changed.set)
            return
        over = [e for e, each in self._running.items() if e not in wanted or each.line.is_stopped]
        ending = [self._running.pop(endpoint_id) for endpoint_id in over]
        await self._end(
            ending, flush_within_s=None
        )  # a new line must not meet an old one's results
        for endpoint_id in wanted.keys() - self._running.keys():
            self._running[endpoint_id] = self._begin(wanted[endpoint_id])
        for each in self._running.values():
            each.line.wake()

    def _begin(self, endpoint: Endpoint) -> _Running:
        courier = Courier(
            url=endpoint.url,
            keys=[key_of(secret) for secret in endpoint.secrets],
            connections=self._habits.concurrency,
            timeout_s=self._timeout_s,
            policy=self._policy,
        )
        line = Line(
            endpoint,
            store=self._store,
            recorder=self._recorder,
            courier=courier,
            habits=self._habits,
            clock=self._clock,
            buckets=self._buckets,
            disable=self._disable,
            mark_failing=self._mark_failing,
            traces=self._traces,
        )
        return _Running(line=line, courier=courier, task=asyncio.create_task(line.run()))

    async def _end(self, ending: Sequence[_Running], *, flush_within_s: float | None) -> None:
        """Lets requests under way be answered and recorded; what takes too long is sent again."""
        if not ending:
            return
        for each in ending:
            each.line.stop()
        tasks = [each.task for each in ending]
        await asyncio.wait(tasks, timeout=FINISH_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(flush_within_s):
                await self._recorder.flushed()
                await asyncio.gather(*self._acts)
        await asyncio.gather(*(each.courier.close() for each in ending))

    def _recorded(self, results: Sequence[Result]) -> None:
        self._observed(results)
        by_endpoint: defaultdict[int, list[Result]] = defaultdict(list)
        for each in results:
            by_endpoint[each.endpoint_id].append(each)
        for endpoint_id, its in by_endpoint.items():
            if endpoint_id in self._running:
                self._running[endpoint_id].line.recorded(its)

    def _disable(self, endpoint: Endpoint, answer: Answer) -> None:
        reason = ANSWERED_GONE if answer.is_gone else KEPT_FAILING
        log.warning("an endpoint is disabled", endpoint=endpoint.name, reason=reason)

        async def act() -> None:
            await self._endpoints.disable(
                endpoint.name, reason=reason, actor=ACTOR, now_us=self._clock()
            )
            self.endpoints_changed()

        self._do(act)

    def _mark_failing(self, endpoint: Endpoint, since_us: int | None) -> None:
        async def act() -> None:
            await self._endpoints.mark_failing(endpoint.endpoint_id, since_us=since_us)

        self._do(act)

    def _do(self, act: Callable[[], Awaitable[None]]) -> None:
        """As often as it takes; beside the sending, which does not wait for it."""

        async def insist() -> None:
            while True:
                try:
                    return await act()
                except FAULTS as error:
                    log.warning("cannot change an endpoint; trying again", error=str(error))
                    await asyncio.sleep(RETRY_S)

        task = asyncio.create_task(insist())
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)
