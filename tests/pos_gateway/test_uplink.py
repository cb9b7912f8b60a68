"""The shared stream against a loyalty of every manner. Short timeouts are only ever waited out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.inflight import InFlight
from services.pos_gateway.limits import Limits
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.uplink import Uplink
from services.runtime import grpc
from tests.pos_gateway.peer import (
    TOKEN,
    WITHIN_S,
    Loyalty,
    id_of,
    keep_silent,
    running,
    sent,
    status_operation,
)
from tests.servers.waiting import eventually

TILL = Terminal(terminal_id="till-1", store_id="store-1", secret_sha256=bytes(32))
LONG_S = 60.0


class Answers:
    """Sends operations through an uplink and waits for their answers."""

    def __init__(self, uplink: Uplink, in_flight: InFlight) -> None:
        self.uplink = uplink
        self.in_flight = in_flight

    def send(self, *, timeout_ms: int = 60_000) -> asyncio.Future[pb.Decision]:
        answer: asyncio.Future[pb.Decision] = asyncio.get_running_loop().create_future()
        operation = sent(status_operation(timeout_ms=timeout_ms))

        def answered(raw: bytes) -> None:
            answer.set_result(pb.Decision.FromString(raw))

        self.uplink.submit(operation, terminal=TILL, answer=answered)
        return answer

    async def cause(self, answer: asyncio.Future[pb.Decision]) -> pb.Undecided.Cause:
        return (await asyncio.wait_for(answer, WITHIN_S)).undecided.cause


@asynccontextmanager
async def running_uplink(
    target: str, *, grace_s: float = LONG_S, token: str = TOKEN
) -> AsyncIterator[Answers]:
    async with grpc.channel(target) as channel:
        in_flight = InFlight(Limits())
        uplink = Uplink(
            channel, token=token, in_flight=in_flight, grace_s=grace_s, jitter=lambda: 0.0
        )
        async with running(uplink.run()):
            yield Answers(uplink, in_flight)


async def decided(answer: asyncio.Future[pb.Decision]) -> bool:
    return (await asyncio.wait_for(answer, WITHIN_S)).HasField("captured")


async def test_an_operation_is_decided(loyalty: Loyalty) -> None:
    async with running_uplink(loyalty.target) as tills:
        assert await decided(tills.send())

    assert loyalty.frames[0].operations[0].terminal_id == "till-1"
    assert loyalty.frames[0].operations[0].store_id == "store-1"


async def test_what_waits_for_the_stream_goes_in_one_frame(loyalty: Loyalty) -> None:
    async with running_uplink(loyalty.target) as tills:
        answers = [tills.send() for _ in range(100)]
        assert all([await decided(answer) for answer in answers])

    assert [len(frame.operations) for frame in loyalty.frames] == [100]


async def test_answers_may_come_in_any_order(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        answers = {}
        for _ in range(3):
            answer = tills.send()
            answers[(await loyalty.operation()).token] = answer
        entries = [entry for frame in loyalty.frames for entry in frame.operations]

        loyalty.answer(entries[2], entries[0])
        loyalty.answer(entries[1])

        for entry in entries:
            decision = await asyncio.wait_for(answers[entry.token], WITHIN_S)
            assert decision.operation_id == id_of(entry)


async def test_an_answer_that_comes_twice_reaches_the_till_once(loyalty: Loyalty) -> None:
    """A future would not take it twice."""
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        first, entry = tills.send(), await loyalty.operation()
        loyalty.answer(entry, entry)
        loyalty.answer(entry)
        assert await decided(first)

        second = tills.send()
        loyalty.answer(await loyalty.operation())

        assert await decided(second)


async def test_an_answer_that_never_comes_is_lost(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        first = tills.send()  # the stream stands: what comes next is written at once
        loyalty.answer(await loyalty.operation())
        assert await decided(first)
        answer = tills.send(timeout_ms=500)

        assert await tills.cause(answer) == pb.Undecided.CAUSE_ANSWER_LOST
        await loyalty.operation()  # it had arrived


async def test_an_answer_that_comes_late_is_dropped(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        first = tills.send()  # the stream stands: what comes next is written at once
        loyalty.answer(await loyalty.operation())
        assert await decided(first)
        late = tills.send(timeout_ms=500)
        assert await tills.cause(late) == pb.Undecided.CAUSE_ANSWER_LOST
        loyalty.answer(await loyalty.operation())

        in_time = tills.send()
        loyalty.answer(await loyalty.operation())

        assert await decided(in_time)


async def test_what_was_written_is_lost_at_once_when_the_stream_breaks(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        answer = tills.send()
        await loyalty.operation()

        loyalty.break_stream()

        assert await tills.cause(answer) == pb.Undecided.CAUSE_ANSWER_LOST


async def test_the_stream_is_opened_again_after_it_broke(loyalty: Loyalty) -> None:
    async with running_uplink(loyalty.target) as tills:
        for _ in range(3):
            assert await decided(tills.send())
            loyalty.break_stream()
            # The break may come between an operation and its answer.
            await eventually(lambda: decided(tills.send()))


async def test_what_is_queued_waits_for_loyalty_within_the_grace(loyalty: Loyalty) -> None:
    await loyalty.kill()
    async with running_uplink(loyalty.target) as tills:
        answer = tills.send()
        await loyalty.start()

        assert await decided(answer)


async def test_what_is_queued_expires_in_its_own_time_within_the_grace(loyalty: Loyalty) -> None:
    await loyalty.kill()
    async with running_uplink(loyalty.target) as tills:
        answer = tills.send(timeout_ms=20)

        assert await tills.cause(answer) == pb.Undecided.CAUSE_EXPIRED


async def test_after_the_grace_loyalty_is_unavailable(loyalty: Loyalty) -> None:
    await loyalty.kill()
    async with running_uplink(loyalty.target, grace_s=0.05) as tills:
        queued = tills.send()
        assert await tills.cause(queued) == pb.Undecided.CAUSE_UNAVAILABLE

        at_once = tills.send()

        assert at_once.done()
        assert at_once.result().undecided.cause == pb.Undecided.CAUSE_UNAVAILABLE
        assert len(tills.in_flight) == 0


async def test_a_loyalty_that_comes_back_is_available_again(loyalty: Loyalty) -> None:
    await loyalty.kill()
    async with running_uplink(loyalty.target, grace_s=0.05) as tills:
        assert await tills.cause(tills.send()) == pb.Undecided.CAUSE_UNAVAILABLE
        await loyalty.start()

        await eventually(lambda: decided(tills.send()))


async def test_a_crash_of_loyalty_loses_what_was_written_only(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        written = tills.send()
        await loyalty.operation()
        await loyalty.kill()
        assert await tills.cause(written) == pb.Undecided.CAUSE_ANSWER_LOST

        queued = tills.send()
        await loyalty.start()
        loyalty.answer(await loyalty.operation())

        assert await decided(queued)


async def test_a_wrong_service_token_lets_nothing_through(loyalty: Loyalty) -> None:
    async with running_uplink(loyalty.target, token="wrong") as tills:
        decision = await asyncio.wait_for(tills.send(timeout_ms=100), WITHIN_S)

    assert decision.HasField("undecided")
    assert loyalty.frames == []


async def test_nothing_is_left_when_everything_was_answered(loyalty: Loyalty) -> None:
    loyalty.decide = keep_silent
    async with running_uplink(loyalty.target) as tills:
        answers = [tills.send(timeout_ms=20) for _ in range(10)]
        for answer in answers:
            await tills.cause(answer)

        assert len(tills.in_flight) == 0


async def test_a_stop_is_heard_although_the_stream_breaks_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python 3.11's TaskGroup answers a cancellation with its tasks' failures instead."""
    held = asyncio.Event()

    async def broken_while_cancelled(self: Uplink) -> None:
        held.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ExceptionGroup("", [asyncio.InvalidStateError()]) from None

    monkeypatch.setattr(Uplink, "_hold_stream", broken_while_cancelled)
    async with grpc.channel("127.0.0.1:1") as channel:
        uplink = Uplink(channel, token=TOKEN, in_flight=InFlight(Limits()), grace_s=LONG_S)
        running_for_ever = asyncio.create_task(uplink.run())
        await held.wait()

        uplink.stop()
        running_for_ever.cancel()

        await asyncio.wait_for(asyncio.gather(running_for_ever, return_exceptions=True), WITHIN_S)
    assert running_for_ever.done()
