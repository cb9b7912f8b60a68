"""Points by hand: at once up to the programme's limit, above it with a second pair of eyes."""

import asyncio
import contextlib
import sqlite3
from typing import Any

import grpc
import psycopg
import pytest
from sqlalchemy.engine import make_url

from bonpunkt.loyalty.v1 import feed_pb2, journal_pb2, staff_pb2
from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.till import operations
from services.loyalty.member_forms import ADJUST_POINTS_MAX, REASON_MAX
from services.runtime.grpc import bearer
from tests.loyalty.served import TOKEN, Served, an_enrolment, refusal

CARD = "2900000000018"
LIMIT = 1000  # of the example programme
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_NOW = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def member_id(loyalty: Served) -> str:
    """A member with 500 points."""
    enrolment = an_enrolment(CARD)
    enrolment.opening_points = 500
    await loyalty.members.EnrolMembers(pb.EnrolMembersRequest(enrolments=[enrolment]))
    return enrolment.member_id


def as_person(name: str) -> Any:
    return (*bearer(TOKEN), ("bonpunkt-actor", f"cli:{name}"))


def an_order(member_id: str, points: int, /, **changes: Any) -> pb.AdjustPointsRequest:
    return pb.AdjustPointsRequest(
        **{
            "operation_id": operations.new_id(),
            "member_id": member_id,
            "points": points,
            "reason_code": "goodwill",
            "reason": "the till was broken",
            **changes,
        }
    )


async def adjust(
    loyalty: Served, order: pb.AdjustPointsRequest, *, by: str = "anna"
) -> pb.AdjustPointsResponse:
    answer: pb.AdjustPointsResponse = await loyalty.members.AdjustPoints(
        order, metadata=as_person(by)
    )
    return answer


async def decide(
    loyalty: Served, order: pb.AdjustPointsRequest, *, by: str = "bert", approve: bool = True
) -> pb.DecideAdjustmentResponse:
    request = pb.DecideAdjustmentRequest(operation_id=order.operation_id, approve=approve)
    answer: pb.DecideAdjustmentResponse = await loyalty.members.DecideAdjustment(
        request, metadata=as_person(by)
    )
    return answer


async def waiting(loyalty: Served) -> list[pb.WaitingAdjustment]:
    answer = await loyalty.members.ListAdjustments(pb.ListAdjustmentsRequest())
    return list(answer.adjustments)


async def newest(loyalty: Served, member_id: str) -> feed_pb2.JournalEntry:
    request = journal_pb2.ListForMemberRequest(member_id=member_id, page_size=1)
    history = await loyalty.journal.ListForMember(request)
    entry: feed_pb2.JournalEntry = history.entries[0]
    return entry


async def points(loyalty: Served) -> int:
    return int((await loyalty.member(CARD)).state.points)


def left_approved(url: str, operation_id: str, *, by: str) -> None:
    """Puts the office's row where a crash leaves it that comes before the ledger's answer."""
    statement = (
        "UPDATE adjustment SET outcome = 'approved', decided_by = ?, decided_at_us = 1 "
        "WHERE operation_id = ?"
    )
    if url.startswith("sqlite"):
        raw = sqlite3.connect(make_url(url).database or "", timeout=30)
        raw.execute(statement, (by, operation_id))
        raw.commit()
        raw.close()
        return
    with psycopg.connect(url) as connection:
        connection.execute(statement.replace("?", "%s"), (by, operation_id))


# --- at once --------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [1, LIMIT, -1, -500])
async def test_up_to_the_limit_one_person_suffices(
    loyalty: Served, member_id: str, change: int
) -> None:
    answer = await adjust(loyalty, an_order(member_id, change))

    assert answer.booked
    assert (answer.state.points, answer.member_version) == (500 + change, 2)
    assert await points(loyalty) == 500 + change
    assert await waiting(loyalty) == []


@pytest.mark.parametrize("change", [LIMIT + 1, -LIMIT - 1])
async def test_above_the_limit_nothing_is_booked_alone(
    loyalty: Served, member_id: str, change: int
) -> None:
    order = an_order(member_id, change)

    answer = await adjust(loyalty, order)

    assert not answer.booked
    assert (answer.state.points, answer.member_version) == (500, 1)
    (told,) = await waiting(loyalty)
    assert (told.operation_id, told.member_id, told.points) == (
        order.operation_id,
        member_id,
        change,
    )
    assert (told.reason_code, told.reason) == ("goodwill", "the till was broken")
    assert (told.asked_by, told.approved_by) == ("cli:anna", "")
    assert told.asked_at.seconds > 0


async def test_more_than_is_available_cannot_be_taken(loyalty: Served, member_id: str) -> None:
    code, words = await refusal(adjust(loyalty, an_order(member_id, -501)))

    assert code is NOT_NOW
    assert words == "points: under a new id, take at most 500 points"
    assert await points(loyalty) == 500


async def test_an_order_is_booked_once_however_often_it_is_sent(
    loyalty: Served, member_id: str
) -> None:
    order = an_order(member_id, 100)

    answers = await asyncio.gather(*(adjust(loyalty, order) for _ in range(5)))
    later = await adjust(loyalty, order, by="bert")

    assert all(answer.booked for answer in answers)
    assert later.state.points == await points(loyalty) == 600


@pytest.mark.parametrize(
    "changes", [{"points": 101}, {"reason_code": "correction"}, {"reason": "another one"}]
)
async def test_another_order_under_the_same_id_is_refused(
    loyalty: Served, member_id: str, changes: dict[str, Any]
) -> None:
    for change in (100, LIMIT + 100):  # booked at once, and waiting
        order = an_order(member_id, change)
        await adjust(loyalty, order)
        other = pb.AdjustPointsRequest()
        other.CopyFrom(order)
        for name, value in changes.items():
            setattr(other, name, value)

        code, words = await refusal(adjust(loyalty, other))

        assert (code, words.partition(":")[0]) == (NOT_NOW, "id")
    assert await points(loyalty) == 600


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("operation_id", ""),
        ("operation_id", "0198c6f4-0000-8000-8000-000000000001"),  # the ledger's own version
        ("member_id", "x"),
        ("points", 0),
        ("points", ADJUST_POINTS_MAX + 1),
        ("points", -ADJUST_POINTS_MAX - 1),
        ("reason_code", ""),
        ("reason_code", "Good Will"),
        ("reason_code", "a" * 33),
        ("reason", "ab"),
        ("reason", "a" * (REASON_MAX + 1)),
        ("reason", "a\nb\nc"),
    ],
)
async def test_a_malformed_order_is_named(
    loyalty: Served, member_id: str, field: str, wrong: object
) -> None:
    order = an_order(member_id, 100)
    setattr(order, field, wrong)

    code, words = await refusal(adjust(loyalty, order))

    assert (code, words.partition(":")[0]) == (INVALID, field)
    assert await points(loyalty) == 500


@pytest.mark.parametrize("change", [100, LIMIT + 1])
async def test_nobody_can_be_adjusted(loyalty: Served, change: int) -> None:
    code, _ = await refusal(adjust(loyalty, an_order(operations.new_id(), change)))

    assert code is grpc.StatusCode.NOT_FOUND
    assert await waiting(loyalty) == []


@pytest.mark.parametrize("change", [100, LIMIT + 1])
async def test_a_member_who_went_on_cannot_be_adjusted(
    loyalty: Served, member_id: str, change: int
) -> None:
    (other,) = await loyalty.enrolled("2")
    await loyalty.members.MergeMembers(
        pb.MergeMembersRequest(
            operation_id=operations.new_id(),
            survivor_id=other.member_id,
            merged_id=member_id,
            reason="the same person",
        )
    )

    code, words = await refusal(adjust(loyalty, an_order(member_id, change)))

    assert code is NOT_NOW
    assert words.startswith("member_id:")
    assert other.member_id in words
    assert await waiting(loyalty) == []


# --- the second person ----------------------------------------------------------------------


async def test_approval_by_another_person_books_once(loyalty: Served, member_id: str) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)

    answer = await decide(loyalty, order)

    assert answer.booked
    assert answer.state.points == await points(loyalty) == 500 + LIMIT + 1
    assert await waiting(loyalty) == []
    entry = await newest(loyalty, member_id)
    assert (entry.kind, entry.operation_id) == ("adjust", order.operation_id)
    assert entry.actor == "cli:anna, approved by cli:bert"


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("person", ["anna", "ANNA"])
async def test_who_asked_cannot_decide(
    loyalty: Served, member_id: str, person: str, approve: bool
) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)

    code, words = await refusal(decide(loyalty, order, by=person, approve=approve))

    assert (code, words.partition(":")[0]) == (grpc.StatusCode.PERMISSION_DENIED, "asked_by")
    assert await points(loyalty) == 500
    assert len(await waiting(loyalty)) == 1


async def test_a_person_is_the_same_at_the_page_and_at_the_command_line(
    loyalty: Served, member_id: str
) -> None:
    """What anna asked for as cli:anna she cannot approve as staff:anna."""
    name, password = f"anna-{operations.new_id()}", "correct horse battery"
    await loyalty.staff.AddStaff(
        staff_pb2.AddStaffRequest(name=name, password=password, role="manager")
    )
    request = staff_pb2.SignInRequest(name=name, password=password)
    session = (await loyalty.staff.SignIn(request)).session
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order, by=name)

    code, _ = await refusal(
        loyalty.members.DecideAdjustment(
            pb.DecideAdjustmentRequest(operation_id=order.operation_id, approve=True),
            metadata=(*bearer(TOKEN), ("bonpunkt-session", session)),
        )
    )

    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert await points(loyalty) == 500


async def test_approving_twice_books_once(loyalty: Served, member_id: str) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)

    answers = await asyncio.gather(*(decide(loyalty, order, by=f"p{n}") for n in range(4)))
    again = await decide(loyalty, order)

    assert all(answer.booked for answer in (*answers, again))
    assert await points(loyalty) == 500 + LIMIT + 1
    assert (await adjust(loyalty, order)).booked, "who asked learns what became of it"


async def test_what_was_declined_stays_declined(loyalty: Served, member_id: str) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)

    declined = await decide(loyalty, order, approve=False)
    again = await decide(loyalty, order, by="carl", approve=False)

    assert not declined.booked
    assert not again.booked
    assert await waiting(loyalty) == []
    for call in (decide(loyalty, order, by="carl"), adjust(loyalty, order)):
        code, words = await refusal(call)
        assert code is NOT_NOW
        assert words.startswith("operation_id: cli:bert declined it")
    assert await points(loyalty) == 500


async def test_what_was_approved_cannot_be_declined(loyalty: Served, member_id: str) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)
    await decide(loyalty, order)

    code, words = await refusal(decide(loyalty, order, by="carl", approve=False))

    assert (code, words.partition(":")[0]) == (NOT_NOW, "operation_id")
    assert await points(loyalty) == 500 + LIMIT + 1


async def test_a_refusal_of_the_ledger_is_told_and_closes_the_order(
    loyalty: Served, member_id: str
) -> None:
    order = an_order(member_id, -LIMIT - 1)
    await adjust(loyalty, order)

    first = await refusal(decide(loyalty, order))
    second = await refusal(decide(loyalty, order))

    assert first == (NOT_NOW, "points: under a new id, take at most 500 points")
    assert second[0] is NOT_NOW
    assert "the ledger refused" in second[1]
    assert await waiting(loyalty) == []
    assert await points(loyalty) == 500


@pytest.mark.parametrize(
    ("operation_id", "status"),
    [("x", INVALID), ("0198c6f4-0000-7000-8000-000000000001", grpc.StatusCode.NOT_FOUND)],
)
async def test_only_what_waits_can_be_decided(
    loyalty: Served, operation_id: str, status: grpc.StatusCode
) -> None:
    request = pb.DecideAdjustmentRequest(operation_id=operation_id, approve=True)

    code, words = await refusal(loyalty.members.DecideAdjustment(request))

    assert (code, words.partition(":")[0]) == (status, "operation_id")


async def test_the_oldest_order_comes_first(loyalty: Served, member_id: str) -> None:
    orders = [an_order(member_id, LIMIT + n) for n in (3, 1, 2)]
    for order in orders:
        await adjust(loyalty, order)

    assert [each.operation_id for each in await waiting(loyalty)] == [
        order.operation_id for order in orders
    ]


async def test_each_act_leaves_an_audit_entry(loyalty: Served, member_id: str) -> None:
    for change, approve in ((LIMIT + 1, True), (LIMIT + 2, False), (-2 * LIMIT - 600, True)):
        order = an_order(member_id, change)
        await adjust(loyalty, order)
        with contextlib.suppress(grpc.aio.AioRpcError):  # the last one exceeds what is there
            await decide(loyalty, order, approve=approve)

    audit = await loyalty.staff.ListAudit(staff_pb2.ListAuditRequest(page_size=50))
    acts = [(e.actor, e.action) for e in reversed(audit.entries) if e.subject == member_id]
    assert acts == [
        ("cli:anna", "adjustment.ask"),
        ("cli:bert", "adjustment.approve"),
        ("cli:anna", "adjustment.ask"),
        ("cli:bert", "adjustment.decline"),
        ("cli:anna", "adjustment.ask"),
        ("cli:bert", "adjustment.approve"),
        ("cli:bert", "adjustment.refused"),
    ]


# --- crashes --------------------------------------------------------------------------------


async def test_a_crash_before_the_booking_is_made_up_by_approving_again(
    loyalty: Served, ledger_url: str, member_id: str
) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)
    left_approved(ledger_url, order.operation_id, by="cli:bert")

    (told,) = await waiting(loyalty)
    not_yet = await adjust(loyalty, order)
    code, _ = await refusal(decide(loyalty, order, by="carl", approve=False))
    answer = await decide(loyalty, order, by="carl")

    assert told.approved_by == "cli:bert"
    assert not not_yet.booked
    assert code is NOT_NOW, "it may be booked already"
    assert answer.booked
    assert await points(loyalty) == 500 + LIMIT + 1
    assert (await newest(loyalty, member_id)).actor == "cli:anna, approved by cli:bert"


async def test_a_crash_after_the_booking_books_nothing_again(
    loyalty: Served, ledger_url: str, member_id: str
) -> None:
    order = an_order(member_id, LIMIT + 1)
    await adjust(loyalty, order)
    await decide(loyalty, order)
    left_approved(ledger_url, order.operation_id, by="cli:bert")

    assert [each.approved_by for each in await waiting(loyalty)] == ["cli:bert"]
    assert (await decide(loyalty, order)).booked
    assert await waiting(loyalty) == []
    assert await points(loyalty) == 500 + LIMIT + 1
