"""A lean load generator: many tills in one asyncio process, each with one message in flight, or
with arrivals by the clock.

It sends what was serialised in advance, and looks at the decisions when the clock has stopped. It
shares the machine with what it measures, so every microsecond it saves is one that the service can
use.
"""

import asyncio
import gc
import itertools
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import uuid_utils.compat as uuids

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb
from loadtests.recorded import Frame
from loadtests.ticks import Ticks
from services.runtime.grpc import Metadata, channel

OPEN = "/bonpunkt.till.v1.TillService/Open"
Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"
CHANNELS = 8  # connections that the tills share, as those of a store share one


@dataclass(slots=True)
class Outcome:
    """What became of one run. Latencies are those of whole messages, in seconds."""

    seconds: float = 0.0
    captured: int = 0
    questions: int = 0  # answered: identified, quoted
    others: Counter[str] = field(default_factory=Counter)  # refusals by reason, undecided by cause
    latencies_s: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Captures a second."""
        return self.captured / self.seconds

    @property
    def refused_share(self) -> float:
        """The share of operations that were neither captured nor answered."""
        others = self.others.total()
        return others / (others + self.captured + self.questions)

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the messages did not exceed, by nearest rank."""
        ordered = sorted(self.latencies_s)
        return ordered[math.ceil(share * len(ordered)) - 1] * 1000


@asynccontextmanager
async def connected(
    target: str, tills: Sequence[Metadata], *, ca: bytes | None = None
) -> AsyncIterator[list[Call]]:
    """A stream for each till, known to the gateway; `tills` are what each shows about itself."""
    channels = [channel(target, ca=ca) for _ in range(min(CHANNELS, len(tills)))]
    try:
        calls: list[Call] = [
            channels[number % len(channels)].stream_stream(OPEN)(metadata=metadata)
            for number, metadata in enumerate(tills)
        ]
        await asyncio.gather(*(_greet(call) for call in calls))
        yield calls
        await asyncio.gather(*(call.done_writing() for call in calls))
    finally:
        await asyncio.gather(*(each.close() for each in channels))


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection in this process: it would look at everything that was built in advance,
    at a time that is somebody else's.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def drive(calls: Sequence[Call], visits: Iterable[Iterable[Frame]]) -> Outcome:
    """Sends the frames of all visits through the tills' streams and waits for every decision.

    Each till has one frame in flight, and sends those of one visit one after the other; a till that
    is free takes the next visit.
    """
    outcome = Outcome()
    remaining = iter(visits)
    responses: list[bytes] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_till(call, remaining, responses, outcome) for call in calls))
    outcome.seconds = time.perf_counter() - begun
    for response in responses:
        _count(pb.OpenResponse.FromString(response), outcome)
    return outcome


async def arrive(calls: Sequence[Call], frames: Sequence[Frame], *, per_s: float) -> Outcome:
    """Sends `per_s` frames a second, evenly, through the tills in turn, whatever was answered.

    A frame's latency counts from when it was due: what waits because the service is late counts
    as waiting. Each frame is one operation.
    """
    outcome = Outcome()
    queues: list[asyncio.Queue[Frame | None]] = [asyncio.Queue() for _ in calls]
    due_s: dict[str, float] = {}
    answers: list[tuple[float, bytes]] = []
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, (call, queue) in enumerate(zip(calls, queues, strict=True)):
            group.create_task(_send(call, queue))
            group.create_task(_receive(call, len(frames[number :: len(calls)]), answers))
        async with Ticks(per_s=per_s) as ticks:
            for frame, queue in zip(frames, itertools.cycle(queues), strict=False):
                due_s[frame.first_id] = await ticks.next()
                queue.put_nowait(frame)
        for queue in queues:
            queue.put_nowait(None)
    outcome.seconds = time.monotonic() - begun
    for answered_s, response in answers:
        decisions = pb.OpenResponse.FromString(response)
        _count(decisions, outcome)
        for decision in decisions.decisions:
            outcome.latencies_s.append(answered_s - due_s[decision.operation_id])
    return outcome


async def _send(call: Call, queue: "asyncio.Queue[Frame | None]") -> None:
    while (frame := await queue.get()) is not None:
        await call.write(frame.request)


async def _receive(call: Call, awaited: int, answers: list[tuple[float, bytes]]) -> None:
    while awaited > 0:
        response = await _read(call)
        answers.append((time.monotonic(), response))
        awaited -= _decisions(response)


async def _greet(call: Call) -> None:
    """A question that costs nothing; its answer shows that the till is connected and known."""
    never_was = pb.Status(operation_id=str(uuids.uuid7()))
    question = pb.OpenRequest(
        operations=[pb.Operation(id=str(uuids.uuid7()), status=never_was)]
    ).SerializeToString()
    await call.write(question)
    await _read(call)


async def _till(
    call: Call, remaining: Iterator[Iterable[Frame]], responses: list[bytes], outcome: Outcome
) -> None:
    clock = time.perf_counter
    for frame in itertools.chain.from_iterable(remaining):
        begun = clock()
        await call.write(frame.request)
        awaited = frame.operations
        while awaited > 0:
            response = await _read(call)
            awaited -= _decisions(response) if frame.operations > 1 else 1
            responses.append(response)
        outcome.latencies_s.append(clock() - begun)


def _decisions(response: bytes) -> int:
    """How many there are, without looking into them."""
    return len(ledger_pb2.TillResponse.FromString(response).decisions)


async def _read(call: Call) -> bytes:
    """The next message; raises ConnectionError with the gateway's reason if there is none."""
    response = await call.read()
    if response is grpc.aio.EOF:
        raise ConnectionError(f"the gateway ended a stream: {await call.details()}")
    assert isinstance(response, bytes)
    return response


def _count(response: pb.OpenResponse, outcome: Outcome) -> None:
    for decision in response.decisions:
        kind = decision.WhichOneof("result")
        if kind == "captured":
            outcome.captured += 1
        elif kind in ("identified", "quoted"):
            outcome.questions += 1
        elif kind == "refused":
            outcome.others[pb.Reason.Name(decision.refused.reason)] += 1
        elif kind == "undecided":
            outcome.others[pb.Undecided.Cause.Name(decision.undecided.cause)] += 1
        else:
            outcome.others[str(kind)] += 1
