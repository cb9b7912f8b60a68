"""The one shared stream to loyalty, over which the operations of all tills go.

Frames form by themselves: while one is being written, what arrives is collected, and when the write
returns, everything collected is the next frame. An idle stream writes at once.

When loyalty goes away, what was written is answered CAUSE_ANSWER_LOST at once. What is still
queued, and what arrives, waits out a short grace in case loyalty is back in a moment; when the
grace is over it is answered CAUSE_UNAVAILABLE, and so is everything that arrives until the next
stream stands.
"""

import asyncio
import random
import time
from collections.abc import Callable

import grpc

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway import wire
from services.pos_gateway.inflight import TICK_MS, Answer, InFlight
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.wire import Sent
from services.runtime import logs
from services.runtime.grpc import bearer

_LEDGER = ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"]
COMMIT = f"/{_LEDGER.full_name}/Commit"
PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 1.0
STEADY_S = 1.0  # a stream that lived so long was a good one: the next pause is short again

log = logs.logger(__name__)


class _HungUpError(Exception):
    """Loyalty closed the stream."""


class Uplink:
    """Sends operations to loyalty and brings the decisions back."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        token: str,
        in_flight: InFlight,
        grace_s: float,
        jitter: Callable[[], float] = random.random,
        observed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`observed` hears, once a message of loyalty's, how many seconds its first operation took
        since it was accepted.
        """
        self._channel = channel
        self._commit: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
            COMMIT
        )
        self._metadata = bearer(token)
        self._in_flight = in_flight
        self._grace_s = grace_s
        self._jitter = jitter
        self._observed = observed
        self.on_written: Callable[[int], None] | None = None  # hears each frame's last token
        self._arrived = asyncio.Event()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._grace_timer: asyncio.TimerHandle | None = None
        self._unavailable = False
        self._stopping = False

    @property
    def is_available(self) -> bool:
        """Whether loyalty is there, or has been a moment ago."""
        return not self._unavailable

    def submit(self, sent: Sent, *, terminal: Terminal, answer: Answer) -> None:
        """Takes the operation on its way; `answer` is called once, perhaps before this returns.

        The operation is answered within its own `timeout_ms`, whatever becomes of loyalty.
        """
        if self._unavailable:
            unavailable = pb.Undecided.CAUSE_UNAVAILABLE
            self._in_flight.turn_back(sent.operation_id, cause=unavailable, answer=answer)
            return
        self._in_flight.accept(sent, terminal=terminal, answer=answer, now_ms=_now_ms())
        self._arrived.set()
        if self._sweep_timer is None:
            self._sweep_later()

    def stop(self) -> None:
        """Opens no other stream. Call it before `run` is cancelled: Python 3.11's TaskGroup forgets
        a cancellation that comes while one of its tasks fails.
        """
        self._stopping = True

    async def run(self) -> None:
        """Holds the stream, and opens it again whenever it ends, until stopped and cancelled."""
        loop = asyncio.get_running_loop()
        self._start_grace()
        pause_s = PAUSE_MIN_S
        try:
            while True:
                opened_at_s = loop.time()
                try:
                    await self._hold_stream()
                except* (grpc.aio.AioRpcError, asyncio.InvalidStateError, _HungUpError) as group:
                    log.warning("the stream to loyalty ended", why=_words(group))
                if self._stopping:
                    return
                if loop.time() - opened_at_s >= STEADY_S:
                    pause_s = PAUSE_MIN_S
                await asyncio.sleep(pause_s * (0.5 + self._jitter() / 2))
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
        finally:
            self._cancel_timers()

    async def _hold_stream(self) -> None:
        """One stream, from its opening to its end, which is an exception."""
        await self._channel.channel_ready()
        call = self._commit(metadata=self._metadata)
        try:
            await call.wait_for_connection()
            self._end_grace()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(call))
                group.create_task(self._write(call))
        finally:
            call.cancel()
            self._start_grace()
            self._in_flight.lose_written()

    async def _write(self, call: "_CommitCall") -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while (frame := self._in_flight.next_frame(now_ms=_now_ms())) is not None:
                if self.on_written is not None:
                    self.on_written(self._in_flight.last_written)
                await call.write(frame)

    async def _read(self, call: "_CommitCall") -> None:
        decided = self._in_flight.decided
        while True:
            response = await call.read()
            if response is grpc.aio.EOF:
                raise _HungUpError
            assert isinstance(response, bytes)
            decisions = wire.decisions(response)
            if decisions:
                self._observe(decisions[0][0])
            for token, decision in decisions:
                decided(token, decision)

    def _observe(self, token: int) -> None:
        age_ms = self._in_flight.age_ms(token, now_ms=_now_ms())
        if age_ms is not None:
            self._observed(age_ms / 1000)

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep_timer = loop.call_later(TICK_MS / 1000, self._sweep)

    def _sweep(self) -> None:
        self._in_flight.expire(now_ms=_now_ms())
        self._sweep_timer = None
        if self._in_flight:
            self._sweep_later()

    def _start_grace(self) -> None:
        if self._grace_timer is None and not self._unavailable:
            loop = asyncio.get_running_loop()
            self._grace_timer = loop.call_later(self._grace_s, self._grace_is_over)

    def _grace_is_over(self) -> None:
        self._grace_timer = None
        self._unavailable = True
        log.error("loyalty cannot be reached", operations_turned_away=self._in_flight.queued)
        self._in_flight.refuse_queued()

    def _end_grace(self) -> None:
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None
        self._unavailable = False
        self._arrived.set()  # what waited out the gap goes first
        log.info("the stream to loyalty stands")

    def _cancel_timers(self) -> None:
        for timer in (self._grace_timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()


_CommitCall = grpc.aio.StreamStreamCall[bytes, bytes]


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _words(group: BaseExceptionGroup[BaseException]) -> str:
    """The first cause, in a line for the log."""
    first = group.exceptions[0]
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, grpc.aio.AioRpcError):
        return f"{first.code().name}: {first.details()}"
    return str(first) or (type(first).__doc__ or type(first).__name__)
