"""A lean load generator: many tills in one asyncio process, each with one message in flight, or
with arrivals by the clock.

It sends what was serialised in advance, and looks at the decisions when the clock has stopped. It
shares the machine with what it measures, so every microsecond it saves is one that the service can
use: a till is a state that answers call, on HTTP/2 of our own, and waits for nothing itself.
"""

import asyncio
import gc
import itertools
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uuid_utils.compat as uuids

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb
from loadtests.calls import Call, connection
from loadtests.http2 import Connection
from loadtests.recorded import Frame
from loadtests.ticks import Ticks
from services.runtime.grpc import Metadata

OPEN = "/bonpunkt.till.v1.TillService/Open"
CONNECTIONS = 8  # that the tills share, as those of a store share one


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
    """A stream for each till, known to the gateway; `tills` are what each shows about itself.

    ConnectionError with the gateway's reason if it turns one of them away, or is not there.
    """
    async with AsyncExitStack() as opened:
        connections = [
            await opened.enter_async_context(connection(target, ca=ca))
            for _ in range(min(CONNECTIONS, len(tills)))
        ]
        turns = zip(tills, itertools.cycle(connections), strict=False)
        calls = await asyncio.gather(*(_known(metadata, over) for metadata, over in turns))
        yield calls
        ends = Ends(len(calls))
        for call in calls:
            call.listen(_Leaving(ends))
            call.finish()
        await ends.all


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
    ends = Ends(len(calls))
    begun = time.perf_counter()
    for call in calls:
        _Till(call, remaining, responses, outcome.latencies_s, ends).begin()
    await ends.all
    outcome.seconds = time.perf_counter() - begun
    # messages one after the other are one message with the decisions of all
    _count(pb.OpenResponse.FromString(b"".join(responses)), outcome)
    return outcome


async def arrive(calls: Sequence[Call], frames: Sequence[Frame], *, per_s: float) -> Outcome:
    """Sends `per_s` frames a second, evenly, through the tills in turn, whatever was answered.

    A frame's latency counts from when it was due: what waits because the service is late counts
    as waiting. Each frame is one operation.
    """
    outcome = Outcome()
    due_s: dict[str, float] = {}
    answers: list[tuple[float, bytes]] = []
    ends = Ends(len(calls))
    begun = time.monotonic()
    for number, call in enumerate(calls):
        call.listen(_Arrivals(len(frames[number :: len(calls)]), answers, ends))
    async with Ticks(per_s=per_s) as ticks:
        for frame, call in zip(frames, itertools.cycle(calls), strict=False):
            due_s[frame.first_id] = await ticks.next()
            if ends.all.done():  # a stream broke off
                break
            call.send(frame.request)
    await ends.all
    outcome.seconds = time.monotonic() - begun
    for answered_s, response in answers:
        decisions = pb.OpenResponse.FromString(response)
        _count(decisions, outcome)
        for decision in decisions.decisions:
            outcome.latencies_s.append(answered_s - due_s[decision.operation_id])
    return outcome


class Ends:
    """`all`: so many tills have come to their end; or ConnectionError, if one's stream ended."""

    __slots__ = ("_missing", "all")

    def __init__(self, missing: int) -> None:
        self.all: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing = missing + 1
        self.one()

    def one(self) -> None:
        self._missing -= 1
        if self._missing == 0 and not self.all.done():
            self.all.set_result(None)

    def fail(self, error: ConnectionError) -> None:
        if not self.all.done():
            self.all.set_exception(error)


class _Till:
    """One till of `drive`, with one frame in flight."""

    __slots__ = (
        "_awaited",
        "_begun",
        "_call",
        "_ends",
        "_frame",
        "_frames",
        "_latencies_s",
        "_responses",
    )

    def __init__(
        self,
        call: Call,
        remaining: Iterator[Iterable[Frame]],
        responses: list[bytes],
        latencies_s: list[float],
        ends: Ends,
    ) -> None:
        self._call = call
        self._frames = itertools.chain.from_iterable(remaining)
        self._responses, self._latencies_s = responses, latencies_s
        self._ends = ends

    def begin(self) -> None:
        self._call.listen(self)
        self._send_next()

    def answered(self, message: bytes) -> None:
        self._responses.append(message)
        self._awaited -= 1 if self._awaited == 1 else _decisions(message)
        if self._awaited <= 0:
            self._latencies_s.append(time.perf_counter() - self._begun)
            self._send_next()

    def ended(self, error: ConnectionError) -> None:
        self._ends.fail(error)

    def _send_next(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            return self._ends.one()
        self._awaited = frame.operations
        self._begun = time.perf_counter()
        return self._call.send(frame.request)


class _Arrivals:
    """One till of `arrive`, which awaits so many decisions."""

    __slots__ = ("_answers", "_awaited", "_ends")

    def __init__(self, awaited: int, answers: list[tuple[float, bytes]], ends: Ends) -> None:
        self._answers, self._ends = answers, ends
        self._awaited = awaited
        if awaited == 0:
            ends.one()

    def answered(self, message: bytes) -> None:
        self._answers.append((time.monotonic(), message))
        self._awaited -= _decisions(message)
        if self._awaited <= 0:
            self._ends.one()

    def ended(self, error: ConnectionError) -> None:
        self._ends.fail(error)


class _Leaving:
    """One till that has asked everything, and waits until the gateway ends its stream, too."""

    __slots__ = ("_ends",)

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def answered(self, message: bytes) -> None:
        """To a run that broke off: nobody waits for it any more."""

    def ended(self, _: ConnectionError) -> None:
        self._ends.one()


class _Greeting:
    """One till that waits for one answer."""

    __slots__ = ("answer",)

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answered(self, message: bytes) -> None:
        self.answer.set_result(message)

    def ended(self, error: ConnectionError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _known(till: Metadata, over: Connection) -> Call:
    """A call of this till. Asks what costs nothing; the answer shows that the gateway knows it."""
    never_was = pb.Status(operation_id=str(uuids.uuid7()))
    question = pb.OpenRequest(
        operations=[pb.Operation(id=str(uuids.uuid7()), status=never_was)]
    ).SerializeToString()
    greeting = _Greeting()
    call = Call(over, OPEN, till, listener=greeting)
    call.send(question)
    await greeting.answer
    return call


def _decisions(response: bytes) -> int:
    """How many there are, without looking into them."""
    return len(ledger_pb2.TillResponse.FromString(response).decisions)


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
