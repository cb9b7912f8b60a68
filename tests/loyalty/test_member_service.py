"""Members for staff: opened, looked at, blocked; each with an actor, each once."""

import json
from pathlib import Path

import grpc
import pytest

from bonpunkt.loyalty.v1 import journal_pb2, staff_pb2
from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.till import operations
from services.loyalty.member_forms import OPENING_POINTS_MAX, REASON_MAX
from services.loyalty.member_service import ENROLMENTS_MAX
from services.loyalty.programmes import DEMO
from services.loyalty.wire_forms import CARD_MAX, LANGUAGE_MAX
from services.runtime.grpc import bearer
from tests.loyalty.ledgers import a_wire_capture
from tests.loyalty.served import TOKEN, Served, an_enrolment, refusal, served

CARD = "2900000000018"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def enrol(loyalty: Served, *enrolments: pb.Enrolment) -> list[tuple[bool, str]]:
    answer = await loyalty.members.EnrolMembers(pb.EnrolMembersRequest(enrolments=enrolments))
    return [(outcome.accepted, outcome.reason) for outcome in answer.outcomes]


def a_block(member_id: str, /, **changes: str) -> pb.BlockMemberRequest:
    return pb.BlockMemberRequest(
        **{
            "operation_id": operations.new_id(),
            "member_id": member_id,
            "reason": "card was lost",
            **changes,
        }
    )


async def changes(loyalty: Served) -> int:
    return int((await loyalty.overview()).journal_entries)


# --- opening --------------------------------------------------------------------------------


async def test_members_are_opened_in_the_order_of_the_request(loyalty: Served) -> None:
    first, second = an_enrolment("1"), an_enrolment("2")

    answer = await loyalty.members.EnrolMembers(pb.EnrolMembersRequest(enrolments=[first, second]))

    assert [outcome.operation_id for outcome in answer.outcomes] == [
        first.operation_id,
        second.operation_id,
    ]
    member = await loyalty.member("2")
    assert member.member_id == second.member_id
    assert list(member.cards) == ["2"]
    assert (member.state.status, member.state.points, member.member_version) == ("active", 0, 1)
    assert member.enrolled_at.seconds > 0


async def test_repeating_an_enrolment_changes_nothing(loyalty: Served) -> None:
    """Within a request and by another one."""
    enrolment = an_enrolment(CARD)

    assert await enrol(loyalty, enrolment, enrolment) == [(True, ""), (True, "")]
    assert await enrol(loyalty, enrolment) == [(True, "")]
    assert await changes(loyalty) == 1


async def test_refused_enrolments_are_told_one_by_one(loyalty: Served) -> None:
    old = an_enrolment(CARD)
    burnt = an_enrolment("3")
    await enrol(loyalty, old)
    await loyalty.committed(operations.abandon(burnt.operation_id))

    outcomes = await enrol(
        loyalty,
        an_enrolment(CARD),
        an_enrolment("2", member_id=old.member_id),
        an_enrolment("2", operation_id=old.operation_id),
        burnt,
        an_enrolment("2"),
    )

    assert outcomes == [
        (False, "card_taken"),
        (False, "member_exists"),
        (False, "key_reused"),
        (False, "abandoned"),
        (True, ""),
    ]


@pytest.mark.parametrize("count", [0, ENROLMENTS_MAX + 1])
async def test_a_request_opens_one_to_so_many(loyalty: Served, count: int) -> None:
    request = pb.EnrolMembersRequest(enrolments=[an_enrolment(str(n)) for n in range(count)])

    code, words = await refusal(loyalty.members.EnrolMembers(request))

    assert code is INVALID
    assert words.startswith("enrolments:")


async def test_a_request_opens_as_many_as_it_may(loyalty: Served) -> None:
    outcomes = await enrol(loyalty, *(an_enrolment(str(n)) for n in range(ENROLMENTS_MAX)))

    assert outcomes == [(True, "")] * ENROLMENTS_MAX


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("operation_id", ""),
        ("operation_id", "0198C6F4-0000-7000-8000-000000000001"),
        ("operation_id", "0198c6f4-0000-8000-8000-000000000001"),  # the ledger's own version
        ("member_id", ""),
        ("member_id", "x"),
        ("card", ""),
        ("card", "1" * (CARD_MAX + 1)),
        ("card", "1\n2"),
        ("language", ""),
        ("language", "d"),
        ("language", "d" * (LANGUAGE_MAX + 1)),
        ("language", "de_AT"),
        ("language", "--"),
    ],
)
async def test_a_malformed_enrolment_is_named_and_none_is_opened(
    loyalty: Served, field: str, wrong: str
) -> None:
    request = pb.EnrolMembersRequest(
        enrolments=[an_enrolment("1"), an_enrolment("2", **{field: wrong})]
    )

    code, words = await refusal(loyalty.members.EnrolMembers(request))

    assert code is INVALID
    assert words.startswith(f"enrolments[1].{field}:")
    assert await changes(loyalty) == 0


@pytest.mark.parametrize("language", ["de", "de-AT", "d" * LANGUAGE_MAX])
async def test_a_language_is_a_tag(loyalty: Served, language: str) -> None:
    await enrol(loyalty, an_enrolment(CARD, language=language))

    assert (await loyalty.member(CARD)).state.language == language


def an_opening(card: str, points: int) -> pb.Enrolment:
    enrolment = an_enrolment(card)
    enrolment.opening_points = points
    return enrolment


@pytest.mark.parametrize("opening", [1, 1200, OPENING_POINTS_MAX])
async def test_members_bring_points_along(loyalty: Served, opening: int) -> None:
    """From the account of corrections; they live as long as earned ones."""
    await enrol(loyalty, an_opening(CARD, opening))

    member = await loyalty.member(CARD)
    overview = await loyalty.overview()

    assert member.state.points == member.state.available == opening
    assert [lot.points for lot in member.lots] == [opening]
    assert overview.liability_points == opening
    assert overview.issued_points == 0


async def test_the_points_brought_along_are_part_of_the_request(loyalty: Served) -> None:
    enrolment = an_opening(CARD, 1200)
    other = pb.Enrolment()
    other.CopyFrom(enrolment)
    other.opening_points = 1201

    assert await enrol(loyalty, enrolment) == [(True, "")]
    assert await enrol(loyalty, enrolment) == [(True, "")]
    assert await enrol(loyalty, other) == [(False, "key_reused")]
    assert (await loyalty.member(CARD)).state.points == 1200


@pytest.mark.parametrize("opening", [-1, OPENING_POINTS_MAX + 1])
async def test_nobody_brings_debts_or_fortunes_along(loyalty: Served, opening: int) -> None:
    request = pb.EnrolMembersRequest(enrolments=[an_opening(CARD, opening)])

    code, words = await refusal(loyalty.members.EnrolMembers(request))

    assert code is INVALID
    assert words.startswith("enrolments[0].opening_points:")


# --- looking --------------------------------------------------------------------------------


async def test_a_member_is_found_by_card_and_by_id(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(a_wire_capture(CARD, 2000), a_wire_capture(CARD, 2000))

    by_card = await loyalty.member(CARD)
    by_id = await loyalty.members.GetMember(pb.GetMemberRequest(member_id=enrolment.member_id))

    assert by_card == by_id
    assert by_card.state.points == sum(lot.points for lot in by_card.lots) == 20
    assert by_card.state.expiring_on == by_card.lots[0].expires_on


async def test_open_reservations_and_the_way_to_the_next_tier_are_told(loyalty: Served) -> None:
    await enrol(loyalty, an_opening(CARD, 500))
    await loyalty.committed(a_wire_capture(CARD, 20_000))  # 100 points, all of which qualify
    basket = a_wire_capture(CARD, 2000).capture.basket
    reserve = operations.reserve(CARD, basket, redeem=200)
    (decision,) = await loyalty.committed(reserve)

    member = await loyalty.member(CARD)

    (reservation,) = member.reservations
    assert reservation.reservation_id == reserve.id
    assert reservation.basket_id == basket.basket_id
    assert (reservation.points_held, reservation.points_promised) == (200, 0)
    assert reservation.expires_at == decision.reservation.expires_at
    assert (member.state.points, member.state.available) == (600, 400)
    assert (member.state.tier, member.tier_until) == ("base", "")
    assert member.qualifying_points == 100
    assert (member.next_tier, member.next_tier_from_points) == ("silver", 1000)


async def test_the_highest_tier_has_none_above_it(loyalty: Served) -> None:
    await enrol(loyalty, an_opening(CARD, 0))
    await loyalty.committed(a_wire_capture(CARD, 400_000))

    member = await loyalty.member(CARD)

    assert (member.state.tier, member.next_tier, member.next_tier_from_points) == ("gold", "", 0)
    assert member.tier_until
    assert member.qualifying_points == 2000


async def test_points_that_wait_are_told_with_their_days(ledger_url: str, tmp_path: Path) -> None:
    async with served(ledger_url, programme=a_waiting_programme(tmp_path)) as loyalty:
        await loyalty.enrolled(CARD)
        await loyalty.committed(a_wire_capture(CARD, 2000))

        member = await loyalty.member(CARD)

    (lot,) = member.pending_lots
    assert (member.state.points, member.state.pending, lot.points) == (0, 10, 10)
    assert lot.activates_on < lot.expires_on


def a_waiting_programme(folder: Path) -> Path:
    document = json.loads(DEMO.read_text())
    document["earn"]["pending_days"] = 14
    path = folder / "programme.json"
    path.write_text(json.dumps(document | {"version": document["version"] + 1000}))
    return path


async def test_nobody_is_not_found(loyalty: Served) -> None:
    for request in (
        pb.GetMemberRequest(card="nobody"),
        pb.GetMemberRequest(member_id=operations.new_id()),
    ):
        code, words = await refusal(loyalty.members.GetMember(request))
        assert code is grpc.StatusCode.NOT_FOUND
        assert words


async def test_a_member_is_asked_for_by_a_uuid(loyalty: Served) -> None:
    code, words = await refusal(loyalty.members.GetMember(pb.GetMemberRequest(member_id="x")))

    assert (code, words.partition(":")[0]) == (INVALID, "member_id")


# --- blocking -------------------------------------------------------------------------------


async def test_a_blocked_member_takes_no_part_until_unblocked(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    request = a_block(enrolment.member_id)

    blocked = await loyalty.members.BlockMember(request)
    (refused,) = await loyalty.committed(operations.identify(CARD))
    unblocked = await loyalty.members.UnblockMember(
        pb.UnblockMemberRequest(
            operation_id=operations.new_id(), member_id=enrolment.member_id, reason="found it"
        )
    )
    (identified,) = await loyalty.committed(operations.identify(CARD))

    assert (blocked.state.status, blocked.member_version) == ("blocked", 2)
    assert refused.HasField("refused")
    assert (unblocked.state.status, unblocked.member_version) == ("active", 3)
    assert identified.identified.member.member_id == enrolment.member_id


async def test_a_block_names_who_did_it_and_why(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.members.BlockMember(a_block(enrolment.member_id, reason="  card was lost "))

    history = await loyalty.journal.ListForMember(
        journal_pb2.ListForMemberRequest(member_id=enrolment.member_id)
    )
    newest = history.entries[0]
    entry = await loyalty.journal.GetEntry(
        journal_pb2.GetEntryRequest(bucket=newest.bucket, sequence=newest.sequence)
    )

    assert (newest.kind, newest.actor, newest.terminal_id) == ("block", "cli:test", "")
    assert entry.facts_json == '{"reason":"card was lost"}'


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("operation_id", "x"),
        ("member_id", "x"),
        ("reason", "ab"),
        ("reason", "  a  "),
        ("reason", "a" * (REASON_MAX + 1)),
        ("reason", "a\nb\nc"),
    ],
)
async def test_a_malformed_block_is_refused(loyalty: Served, field: str, wrong: str) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    code, words = await refusal(
        loyalty.members.BlockMember(a_block(enrolment.member_id, **{field: wrong}))
    )

    assert (code, words.partition(":")[0]) == (INVALID, field)
    assert await changes(loyalty) == 1


@pytest.mark.parametrize("reason", ["abc", "a" * REASON_MAX])
async def test_a_reason_is_told_in_so_many_words(loyalty: Served, reason: str) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    assert await loyalty.members.BlockMember(a_block(enrolment.member_id, reason=reason))


async def test_nobody_can_be_blocked(loyalty: Served) -> None:
    code, _ = await refusal(loyalty.members.BlockMember(a_block(operations.new_id())))

    assert code is grpc.StatusCode.NOT_FOUND
    assert await changes(loyalty) == 0


async def test_a_block_under_a_taken_id_is_refused(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    code, words = await refusal(
        loyalty.members.BlockMember(
            a_block(enrolment.member_id, operation_id=enrolment.operation_id)
        )
    )

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert words.startswith("id:")
    assert (await loyalty.member(CARD)).state.status == "active"


# --- who acts -------------------------------------------------------------------------------


async def test_every_writing_call_names_its_actor(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    nobody = bearer(TOKEN)
    for call in (
        loyalty.members.EnrolMembers(
            pb.EnrolMembersRequest(enrolments=[an_enrolment("2")]), metadata=nobody
        ),
        loyalty.members.BlockMember(a_block(enrolment.member_id), metadata=nobody),
    ):
        code, words = await refusal(call)
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert "bonpunkt-actor" in words
    assert await changes(loyalty) == 1


async def test_clerks_may_enrol_and_only_managers_block(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    sessions: dict[str, str] = {}
    for role in ("clerk", "manager"):
        password = "correct horse battery"
        await loyalty.staff.AddStaff(
            staff_pb2.AddStaffRequest(name=role, password=password, role=role)
        )
        signed_in = await loyalty.staff.SignIn(
            staff_pb2.SignInRequest(name=role, password=password)
        )
        sessions[role] = signed_in.session

    def acting(role: str) -> tuple[tuple[str, str], ...]:
        return (*bearer(TOKEN), ("bonpunkt-session", sessions[role]))

    enrolled = await loyalty.members.EnrolMembers(
        pb.EnrolMembersRequest(enrolments=[an_enrolment("2")]), metadata=acting("clerk")
    )
    code, words = await refusal(
        loyalty.members.BlockMember(a_block(enrolment.member_id), metadata=acting("clerk"))
    )
    blocked = await loyalty.members.BlockMember(
        a_block(enrolment.member_id), metadata=acting("manager")
    )

    assert enrolled.outcomes[0].accepted
    assert (code, words.partition(":")[0]) == (grpc.StatusCode.PERMISSION_DENIED, "role")
    assert blocked.state.status == "blocked"
