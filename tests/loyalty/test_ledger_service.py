"""The stream that many tills share: everything on it is answered, and nothing on it ends it."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty import ledger_service
from services.runtime.grpc import INTERNAL_BYTES_MAX
from tests.loyalty.ledgers import a_wire_capture, locked
from tests.loyalty.served import WITHIN_S, Served, a_request, refusal, served
from tests.loyalty.wired import (
    a_wire_enrolment,
    a_wire_release,
    a_wire_reserve,
    a_wire_return,
    a_wire_void,
)
from tests.servers.waiting import eventually

CARD = "2900000000018"


@pytest.fixture
async def loyalty(ledger_url: str) -> AsyncIterator[Served]:
    async with served(ledger_url) as running:
        await running.enrolled(CARD)
        yield running


async def test_every_kind_of_operation_is_answered_under_its_token(loyalty: Served) -> None:
    capture = a_wire_capture(CARD, 2000)
    (captured,) = await loyalty.committed(capture)

    quote = operations.quote(CARD, capture.capture.basket)
    identified, quoted, found, abandoned, burnt, refused = await loyalty.committed(
        operations.identify(CARD),
        quote,
        operations.status(capture.id),
        operations.abandon(capture.id),
        operations.abandon(operations.new_id()),
        operations.identify("nobody"),
    )

    assert captured.captured.points_earned == 10
    assert (identified.identified.member.points, identified.operation_id != "") == (10, True)
    assert quoted.quoted.points_redeemable == 19
    assert quoted.operation_id == quote.id
    assert found.status_found.state == pb.StatusFound.STATE_DECIDED
    assert found.status_found.decision == captured
    assert not abandoned.abandoned.abandoned
    assert abandoned.abandoned.decision == captured
    assert burnt.abandoned.abandoned
    assert refused.refused.reason == pb.REASON_CARD_NOT_ACCEPTED


async def test_everything_that_books_goes_to_the_ledger_and_back(loyalty: Served) -> None:
    """A basket from its reservation to the return of all of it, by two tills."""
    reserve = a_wire_reserve(CARD, total_minor=2000, redeem="maximum")
    (reserved,) = await loyalty.committed(reserve)
    capture = a_wire_capture(
        CARD,
        2000,
        redeem=reserved.reservation.points,
        basket_id=reserve.reserve.basket.basket_id,
        reservation_id=reserve.id,
    )
    (captured,) = await loyalty.committed(capture)
    (ended,) = await loyalty.committed(a_wire_release(reserve.id))
    receipt = operations.receipt(
        capture.capture.basket.receipt_number, "2026-11-20", terminal_id="till-1"
    )
    returned, other, voided, enrolled = [
        (await loyalty.committed(operation, terminal_id="till-2"))[0]
        for operation in (
            a_wire_return(operations.return_line("1", 500), receipt=receipt),
            a_wire_return(receipt=receipt, receipt_number="4713"),
            a_wire_void(receipt),
            a_wire_enrolment("fresh"),
        )
    ]

    assert captured.captured.points_redeemed == reserved.reservation.points == 9
    assert ended.refused.reason == pb.REASON_RESERVATION_ENDED
    assert (returned.returned.refund_minor, returned.returned.complete) == (1000, False)
    assert (other.returned.refund_minor, other.returned.complete) == (1000, True)
    assert returned.returned.discount_minor + other.returned.discount_minor == 9
    assert voided.refused.reason == pb.REASON_RECEIPT_RETURNED
    assert (await loyalty.member("fresh")).member_id == enrolled.enrolled.member.member_id


async def test_two_tills_may_send_one_id_and_each_is_answered(loyalty: Served) -> None:
    operation = a_wire_capture(CARD, 2000)

    first, second, other = await loyalty.committed(operation, operation, a_wire_capture(CARD, 2000))

    assert first.SerializeToString() == second.SerializeToString()
    assert other.operation_id != first.operation_id


async def test_a_stream_takes_operations_until_its_end_and_answers_all(loyalty: Served) -> None:
    """More than a batch and more than a frame; the last message right before the end."""
    call = loyalty.ledger.Commit(timeout=WITHIN_S)
    for start in range(0, 1500, 500):
        sent = [a_wire_capture(CARD, 200) for _ in range(500)]
        await call.write(a_request(sent, first_token=start))
    await call.done_writing()

    tokens = [answer.token async for response in call for answer in response.decisions]

    assert sorted(tokens) == list(range(1500))
    assert (await loyalty.member(CARD)).state.points == 1500


async def test_a_stream_that_carries_nothing_ends(loyalty: Served) -> None:
    assert await loyalty.committed() == []


async def test_ill_formed_operations_are_refused_and_the_stream_goes_on(loyalty: Served) -> None:
    wrong_clock = a_wire_capture(CARD, 2000)
    wrong_clock.occurred_at.seconds = 10**15
    no_basket = pb.Operation(id=operations.new_id(), capture=pb.Capture(card=CARD))
    empty = pb.Operation()

    *refused, captured = await loyalty.committed(
        wrong_clock, no_basket, empty, a_wire_capture(CARD, 2000)
    )

    assert [(d.refused.reason, d.refused.field) for d in refused] == [
        (pb.REASON_MALFORMED, "occurred_at"),
        (pb.REASON_BASKET_EMPTY, "capture.basket.line_items"),
        (pb.REASON_MALFORMED_ID, "id"),
    ]
    assert not any(decision.HasField("effective_at") for decision in refused)
    assert captured.captured.points_earned == 10


async def test_a_message_of_the_gateway_without_an_operation_is_refused(loyalty: Served) -> None:
    call = loyalty.ledger.Commit(timeout=WITHIN_S)
    await call.write(ledger_pb2.CommitRequest(operations=[ledger_pb2.TillOperation(token=7)]))
    await call.done_writing()

    (response,) = [response async for response in call]

    (answered,) = response.decisions
    assert answered.token == 7
    assert pb.Decision.FromString(answered.decision).refused.field == "id"


async def test_bytes_that_are_no_operation_are_refused_and_the_stream_goes_on(
    loyalty: Served,
) -> None:
    """A gateway passes on what it does not look into; it has read no more than the id."""
    operation_id = operations.new_id()
    head = ledger_pb2.OperationHead(id=operation_id).SerializeToString()
    garbage = head + b"\x62\x02\x0a\xff"  # a capture whose card is longer than its message
    call = loyalty.ledger.Commit(timeout=WITHIN_S)
    capture = a_wire_capture(CARD, 2000)
    request = a_request([capture])
    request.operations.insert(0, ledger_pb2.TillOperation(token=7, operation=garbage))
    await call.write(request)
    await call.done_writing()

    told = {
        answer.token: pb.Decision.FromString(answer.decision)
        async for response in call
        for answer in response.decisions
    }

    assert told[7].operation_id == operation_id
    assert told[7].refused.reason == pb.REASON_MALFORMED
    assert told[0].captured.points_earned == 10


async def test_a_process_that_stops_ends_its_streams_when_all_is_answered(sqlite_url: str) -> None:
    """In good order: the gateway has heard everything, and looks for another process."""
    async with served(sqlite_url) as loyalty:
        call = loyalty.ledger.Commit(timeout=WITHIN_S)
        await call.write(a_request([operations.identify(CARD)]))
        assert len((await call.read()).decisions) == 1

        loyalty.stop.set()

        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_an_operation_waits_no_longer_than_its_till(loyalty: Served, ledger_url: str) -> None:
    with locked(ledger_url):
        capture = a_wire_capture(CARD, 2000)
        capture.timeout_ms = 50
        waiting = asyncio.create_task(loyalty.committed(capture))
        loop = asyncio.get_running_loop()
        over_s = loop.time() + 0.1
        await eventually(lambda: loop.time() > over_s)
    (decision,) = await waiting

    assert decision.undecided.cause == pb.Undecided.CAUSE_EXPIRED
    assert not decision.HasField("effective_at")
    assert (await loyalty.member(CARD)).state.points == 0


async def test_answers_that_do_not_fit_one_message_come_in_several(loyalty: Served) -> None:
    """Long line ids, a thousand lines, all paid with points: a megabyte an answer. They pile up
    while the gateway does not read.
    """
    await loyalty.committed(a_wire_capture(CARD, 10**9))
    line_items = [operations.line_item(f"{n:0900}", total_minor=1) for n in range(1000)]
    call = loyalty.ledger.Commit(timeout=WITHIN_S)
    for number in range(40):
        capture = a_wire_capture(CARD, redeem=1000, lines=line_items)
        await call.write(a_request([capture], first_token=number))
    await call.done_writing()

    async def all_booked() -> bool:
        return bool((await loyalty.overview()).captures == 41)

    await eventually(all_booked)
    responses = [response async for response in call]

    decisions = {
        d.token: pb.Decision.FromString(d.decision).captured for r in responses for d in r.decisions
    }
    assert sum(response.ByteSize() for response in responses) > 2 * INTERNAL_BYTES_MAX
    assert sorted(decisions) == list(range(40))
    assert {len(captured.line_discounts) for captured in decisions.values()} == {1000}


async def test_a_fault_in_answering_ends_the_stream_so_that_nobody_waits_for_ever(
    loyalty: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway then connects again and asks; what was booked stays."""
    capture = a_wire_capture(CARD, 2000)
    with monkeypatch.context() as patch:

        def broken(*_: object) -> None:
            raise ZeroDivisionError("cannot be rendered")

        patch.setattr(ledger_service, "message", broken)
        call = loyalty.ledger.Commit(timeout=WITHIN_S)
        await call.write(a_request([capture]))
        code, _ = await refusal(call.read())
        assert code is grpc.StatusCode.UNKNOWN

    (captured,) = await loyalty.committed(capture)
    assert captured.captured.points_earned == 10


async def test_a_gateway_that_vanishes_disturbs_nobody(loyalty: Served) -> None:
    """What it had sent is booked or not; others go on."""
    capture = a_wire_capture(CARD, 2000)
    call = loyalty.ledger.Commit(timeout=WITHIN_S)
    await call.write(a_request([capture] + [a_wire_capture(CARD, 200) for _ in range(200)]))
    call.cancel()

    (captured,) = await loyalty.committed(a_wire_capture(CARD, 200))
    (again,) = await loyalty.committed(capture)

    assert captured.captured.points_earned == 1
    assert again.captured.points_earned == 10
