"""A till's stream to the gateway: opened, kept, opened again; calls wait on it for their decisions.

What arrives while a message is being written goes out together in the next one. Times are the event
loop's, in seconds.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from bonpunkt.till.v1.till_pb2 import Decision, OpenRequest, OpenResponse, Operation, Undecided
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub

OPERATIONS_MAX = 256
MESSAGE_BYTES_MAX = 1 << 20
TIMEOUT_DEFAULT_MS = 5_000
ANSWER_MARGIN_S = 0.25  # the gateway keeps the operation's time; its answer needs a moment more
PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 5.0
STEADY_S = 1.0  # a stream that lived so long was a good one: the next pause is short again


class TillError(Exception):
    """What went wrong on the way to the gateway."""


class NotConnected(TillError):  # noqa: N818
    """No connection within the time; nothing was sent by this call."""


class TerminalRefused(TillError):  # noqa: N818
    """The gateway does not accept terminal id and secret; nothing was sent by this call."""


class _HungUpError(Exception):
    """The gateway closed the stream."""


@dataclass(eq=False, slots=True)
class _Call:
    """Operations that were given to the connection together, and what has come back."""

    operations: Sequence[Operation]
    size_bytes: int
    done: asyncio.Future[None]
    decisions: list[Decision | None]
    missing: int
    written: bool = False

    def put(self, index: int, decision: Decision) -> None:
        if self.decisions[index] is None:
            self.decisions[index] = decision
            self.missing -= 1
            if self.missing == 0 and not self.done.done():
                self.done.set_result(None)

    def lose(self, remedy: str) -> None:
        """No answer will come any more, though the operations may have arrived."""
        cause = Undecided.CAUSE_ANSWER_LOST
        for index, operation in enumerate(self.operations):
            undecided = Undecided(cause=cause, remedy=remedy)
            self.put(index, Decision(operation_id=operation.id, undecided=undecided))

    def fail(self, fault: TillError) -> None:
        if not self.done.done():
            self.done.set_exception(fault)


class Connection:
    """One terminal's stream. `open` starts it and `close` ends it, both within one event loop."""

    def __init__(self, *, terminal_id: str, secret: str, jitter: Callable[[], float]) -> None:
        self._metadata = (
            ("bonpunkt-terminal", terminal_id),
            ("authorization", f"Bearer {secret}"),
        )
        self._jitter = jitter
        self._outgoing: dict[_Call, None] = {}  # in order of arrival
        self._written: set[_Call] = set()
        self._waiting: dict[str, list[tuple[_Call, int]]] = {}
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()  # the gateway admitted the terminal, or refused it
        self._fault: TillError = NotConnected("the connection is not open")
        self._task: asyncio.Task[None] | None = None

    def open(self, channel: grpc.aio.Channel) -> None:
        assert self._task is None, "a connection is opened once"
        self._fault = NotConnected("the gateway has not answered yet")
        self._task = asyncio.create_task(self._run(channel))

    async def close(self) -> None:
        """Hangs up. Calls under way end as if the stream had broken."""
        task, self._task = self._task, None
        self._fault = NotConnected("the connection is closed")
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._fail_outgoing()

    async def stands(self, *, timeout_s: float) -> None:
        """Waits until the gateway has admitted the terminal; raises what stands in the way."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._answered.wait()
        except TimeoutError:
            raise self._fault from None
        if isinstance(self._fault, TerminalRefused):
            raise self._fault

    async def send_many(self, operations: Sequence[Operation]) -> list[Decision]:
        call = _call(operations)
        if self._task is None or isinstance(self._fault, TerminalRefused):
            raise self._fault
        timeout_ms = max(each.timeout_ms or TIMEOUT_DEFAULT_MS for each in operations)
        timer = asyncio.get_running_loop().call_later(
            timeout_ms / 1000 + ANSWER_MARGIN_S, self._time_is_over, call
        )
        for index, operation in enumerate(operations):
            self._waiting.setdefault(operation.id, []).append((call, index))
        self._outgoing[call] = None
        self._wake.set()
        try:
            await call.done
        finally:
            timer.cancel()
            self._forget(call)
        assert call.missing == 0, "a call is done when every operation has a decision"
        return [decision for decision in call.decisions if decision is not None]

    async def _run(self, channel: grpc.aio.Channel) -> None:
        """Opens the stream again and again."""
        loop = asyncio.get_running_loop()
        pause_s = PAUSE_MIN_S
        while True:
            opened_at_s = loop.time()
            try:
                await self._hold_stream(channel)
            except* (grpc.aio.AioRpcError, asyncio.InvalidStateError, _HungUpError) as group:
                self._fault = _fault(group)
            if isinstance(self._fault, TerminalRefused):
                self._answered.set()
                self._fail_outgoing()
            if loop.time() - opened_at_s >= STEADY_S:
                pause_s = PAUSE_MIN_S
            await asyncio.sleep(pause_s * (0.5 + self._jitter() / 2))
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _hold_stream(self, channel: grpc.aio.Channel) -> None:
        """One stream, from its opening to its end, which is an exception."""
        stream = TillServiceStub(channel).Open(metadata=self._metadata)
        try:
            await stream.initial_metadata()  # comes when the terminal is admitted
            if stream.done():
                await stream.read()  # raises why
                raise _HungUpError
            self._fault = NotConnected("the stream to the gateway broke")
            self._answered.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(stream))
                group.create_task(self._write(stream))
        finally:
            self._answered.clear()
            stream.cancel()
            for call in list(self._written):
                call.lose("the stream broke; ask Status, repeat under the same id, or abandon it")

    async def _read(self, stream: "_OpenCall") -> None:
        while True:
            response = await stream.read()
            if not isinstance(response, OpenResponse):
                raise _HungUpError
            for decision in response.decisions:
                for call, index in self._waiting.pop(decision.operation_id, ()):
                    call.put(index, decision)

    async def _write(self, stream: "_OpenCall") -> None:
        while True:
            while (request := self._next_request()) is not None:
                await stream.write(request)
            self._wake.clear()
            await self._wake.wait()

    def _next_request(self) -> OpenRequest | None:
        """The oldest calls that wait, as many as one message may carry; they count as written."""
        taken: list[_Call] = []
        count = size_bytes = 0
        for call in self._outgoing:
            if call.done.done():
                continue  # its time was over before its turn came
            count += len(call.operations)
            size_bytes += call.size_bytes
            if taken and (count > OPERATIONS_MAX or size_bytes > MESSAGE_BYTES_MAX):
                break
            taken.append(call)
        if not taken:
            return None
        request = OpenRequest()
        for call in taken:
            del self._outgoing[call]
            self._written.add(call)
            call.written = True
            request.operations.extend(call.operations)
        return request

    def _time_is_over(self, call: _Call) -> None:
        if call.written:
            call.lose("no answer in time; ask Status, repeat under the same id, or abandon it")
        else:
            call.fail(self._fault)

    def _fail_outgoing(self) -> None:
        for call in list(self._outgoing):
            call.fail(self._fault)

    def _forget(self, call: _Call) -> None:
        """A call that is over, or was cancelled, waits for nothing any more."""
        self._outgoing.pop(call, None)
        self._written.discard(call)
        for index, operation in enumerate(call.operations):
            waiting = self._waiting.get(operation.id)
            if waiting is not None and (call, index) in waiting:
                waiting.remove((call, index))
                if not waiting:
                    del self._waiting[operation.id]


_OpenCall = grpc.aio.StreamStreamCall[OpenRequest, OpenResponse]


def _call(operations: Sequence[Operation]) -> _Call:
    """Raises ValueError for what the gateway would end the whole stream for."""
    if not 1 <= len(operations) <= OPERATIONS_MAX:
        raise ValueError(f"1 to {OPERATIONS_MAX} operations a message, got {len(operations)}")
    size_bytes = sum(operation.ByteSize() + 4 for operation in operations)  # with tag and length
    if size_bytes > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message is at most {MESSAGE_BYTES_MAX} bytes, this has {size_bytes}")
    return _Call(
        operations=operations,
        size_bytes=size_bytes,
        done=asyncio.get_running_loop().create_future(),
        decisions=[None] * len(operations),
        missing=len(operations),
    )


def _fault(group: BaseExceptionGroup[BaseException]) -> TillError:
    """Why there is no stream, as a caller wants to read it."""
    first = group.exceptions[0]
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if not isinstance(first, grpc.aio.AioRpcError):
        return NotConnected("the gateway closed the stream")
    if first.code() is grpc.StatusCode.UNAUTHENTICATED:
        return TerminalRefused(first.details())
    return NotConnected(f"{first.code().name}: {first.details()}")
