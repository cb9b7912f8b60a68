"""What staff order for a member: two become one, cards are lost and handed out."""

import asyncio
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1 import journal_pb2, staff_pb2
from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.till import operations
from services.loyalty.member_forms import REASON_MAX
from services.loyalty.wire_forms import CARD_MAX
from services.runtime.grpc import bearer
from tests.loyalty.ledgers import a_wire_capture
from tests.loyalty.served import TOKEN, Served, refusal

CARD, OTHER, NEW = "2900000000018", "2900000000025", "2900000000032"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_NOW = grpc.StatusCode.FAILED_PRECONDITION


def a_merge(survivor_id: str, merged_id: str, /, **changes: str) -> pb.MergeMembersRequest:
    return pb.MergeMembersRequest(
        **{
            "operation_id": operations.new_id(),
            "survivor_id": survivor_id,
            "merged_id": merged_id,
            "reason": "the same person",
            **changes,
        }
    )


def a_change(member_id: str, /, **changes: str) -> pb.ChangeCardsRequest:
    return pb.ChangeCardsRequest(
        **{
            "operation_id": operations.new_id(),
            "member_id": member_id,
            "reason": "lost on a journey",
            **changes,
        }
    )


async def kinds(loyalty: Served, member_id: str) -> list[str]:
    history = await loyalty.journal.ListForMember(
        journal_pb2.ListForMemberRequest(member_id=member_id)
    )
    return [entry.kind for entry in reversed(history.entries)]


async def is_accepted(loyalty: Served, card: str) -> bool:
    (decision,) = await loyalty.committed(operations.identify(card))
    return bool(decision.HasField("identified"))


# --- merging --------------------------------------------------------------------------------


async def test_the_survivor_has_everything_of_both(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    await loyalty.committed(a_wire_capture(CARD, 2000), a_wire_capture(OTHER, 4000))

    answer = await loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id))

    assert answer.state.points == 30
    survivor = await loyalty.member(CARD)
    assert sorted(survivor.cards) == [CARD, OTHER]
    assert survivor.member_version == answer.member_version
    assert sum(lot.points for lot in survivor.lots) == 30
    assert await kinds(loyalty, first.member_id) == ["enrol", "capture", "merge"]
    assert await kinds(loyalty, second.member_id) == ["enrol", "capture", "merged"]


async def test_an_old_card_leads_to_who_went_on(loyalty: Served) -> None:
    first, second, third = await loyalty.enrolled(CARD, OTHER, NEW)
    await loyalty.members.MergeMembers(a_merge(second.member_id, first.member_id))
    await loyalty.members.MergeMembers(a_merge(third.member_id, second.member_id))

    found = [await loyalty.member(card) for card in (CARD, OTHER, NEW)]

    assert {member.member_id for member in found} == {third.member_id}
    assert all([await is_accepted(loyalty, card) for card in (CARD, OTHER, NEW)])


async def test_a_merged_member_is_shown_as_such_by_id(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    await loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id))

    merged = await loyalty.members.GetMember(pb.GetMemberRequest(member_id=second.member_id))

    assert (merged.state.status, merged.state.merged_into) == ("merged", first.member_id)
    assert (merged.state.points, list(merged.cards), list(merged.lots)) == (0, [], [])


async def test_a_merge_is_done_once(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    merge = a_merge(first.member_id, second.member_id)

    answers = await asyncio.gather(*(loyalty.members.MergeMembers(merge) for _ in range(3)))

    assert {answer.member_version for answer in answers} == {2}
    assert await kinds(loyalty, first.member_id) == ["enrol", "merge"]


async def test_another_merge_under_the_same_id_is_refused(loyalty: Served) -> None:
    first, second, third = await loyalty.enrolled(CARD, OTHER, NEW)
    merge = a_merge(first.member_id, second.member_id)
    await loyalty.members.MergeMembers(merge)

    other = a_merge(first.member_id, third.member_id, operation_id=merge.operation_id)
    code, words = await refusal(loyalty.members.MergeMembers(other))

    assert (code, words.partition(":")[0]) == (NOT_NOW, "id")


async def test_who_went_on_cannot_be_merged_again(loyalty: Served) -> None:
    first, second, third = await loyalty.enrolled(CARD, OTHER, NEW)
    await loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id))

    for survivor, merged, field in (
        (third.member_id, second.member_id, "merged_id"),
        (second.member_id, third.member_id, "survivor_id"),
    ):
        code, words = await refusal(loyalty.members.MergeMembers(a_merge(survivor, merged)))
        assert (code, words.partition(":")[0]) == (NOT_NOW, field)
        assert first.member_id in words


async def test_a_member_who_went_on_takes_no_orders(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    await loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id))
    before = (await loyalty.overview()).journal_entries

    block = pb.BlockMemberRequest(
        operation_id=operations.new_id(), member_id=second.member_id, reason="card was lost"
    )
    for call in (
        loyalty.members.BlockMember(block),
        loyalty.members.ChangeCards(a_change(second.member_id, new_card=NEW)),
    ):
        code, words = await refusal(call)
        assert (code, words.partition(":")[0]) == (NOT_NOW, "member_id")
    assert (await loyalty.overview()).journal_entries == before


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("operation_id", "x"),
        ("survivor_id", "x"),
        ("merged_id", ""),
        ("reason", "ab"),
        ("reason", "a" * (REASON_MAX + 1)),
    ],
)
async def test_a_malformed_merge_is_named(loyalty: Served, field: str, wrong: str) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)

    code, words = await refusal(
        loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id, **{field: wrong}))
    )

    assert (code, words.partition(":")[0]) == (INVALID, field)


async def test_nobody_is_merged_with_themselves(loyalty: Served) -> None:
    (only,) = await loyalty.enrolled(CARD)

    code, words = await refusal(
        loyalty.members.MergeMembers(a_merge(only.member_id, only.member_id))
    )

    assert (code, words.partition(":")[0]) == (INVALID, "merged_id")


@pytest.mark.parametrize("unknown", ["survivor_id", "merged_id"])
async def test_a_merge_names_who_is_unknown(loyalty: Served, unknown: str) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    merge = a_merge(first.member_id, second.member_id, **{unknown: operations.new_id()})

    code, words = await refusal(loyalty.members.MergeMembers(merge))

    assert (code, words.partition(":")[0]) == (grpc.StatusCode.NOT_FOUND, unknown)


# --- cards ----------------------------------------------------------------------------------


async def test_a_lost_card_is_replaced(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(a_wire_capture(CARD, 2000))

    answer = await loyalty.members.ChangeCards(
        a_change(enrolment.member_id, lost_card=CARD, new_card=NEW)
    )

    assert answer.member_version == 3
    assert list((await loyalty.member(NEW)).cards) == [NEW]
    assert await is_accepted(loyalty, NEW)
    assert not await is_accepted(loyalty, CARD)
    assert (await loyalty.member(NEW)).state.points == 10


async def test_a_second_card_and_a_loss_without_replacement(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    await loyalty.members.ChangeCards(a_change(enrolment.member_id, new_card=NEW))
    assert sorted((await loyalty.member(CARD)).cards) == [CARD, NEW]
    await loyalty.members.ChangeCards(a_change(enrolment.member_id, lost_card=CARD))

    assert list((await loyalty.member(NEW)).cards) == [NEW]


async def test_staff_find_a_member_by_the_card_they_lost(loyalty: Served) -> None:
    """Whoever found it may bring it to the counter."""
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.members.ChangeCards(a_change(enrolment.member_id, lost_card=CARD))

    assert (await loyalty.member(CARD)).member_id == enrolment.member_id


async def test_a_change_is_made_once(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    change = a_change(enrolment.member_id, lost_card=CARD, new_card=NEW)

    answers = [await loyalty.members.ChangeCards(change) for _ in range(3)]

    assert {answer.member_version for answer in answers} == {2}


async def test_another_change_under_the_same_id_is_refused(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    change = a_change(enrolment.member_id, new_card=NEW)
    await loyalty.members.ChangeCards(change)

    other = a_change(enrolment.member_id, new_card="4711", operation_id=change.operation_id)
    code, words = await refusal(loyalty.members.ChangeCards(other))

    assert (code, words.partition(":")[0]) == (NOT_NOW, "id")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"new_card": OTHER}, "new_card"),  # another member's
        ({"new_card": CARD}, "new_card"),  # the member's own
        ({"lost_card": OTHER}, "lost_card"),
        ({"lost_card": "4711", "new_card": NEW}, "lost_card"),
    ],
)
async def test_a_card_that_does_not_fit_is_named(
    loyalty: Served, changes: dict[str, str], field: str
) -> None:
    first, _ = await loyalty.enrolled(CARD, OTHER)

    code, words = await refusal(loyalty.members.ChangeCards(a_change(first.member_id, **changes)))

    assert (code, words.partition(":")[0]) == (NOT_NOW, field)
    assert list((await loyalty.member(CARD)).cards) == [CARD]


async def test_a_lost_card_is_never_handed_out_again(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    await loyalty.members.ChangeCards(a_change(first.member_id, lost_card=CARD))

    code, _ = await refusal(loyalty.members.ChangeCards(a_change(second.member_id, new_card=CARD)))

    assert code is NOT_NOW


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"operation_id": "x", "new_card": NEW}, "operation_id"),
        ({"member_id": "x", "new_card": NEW}, "member_id"),
        ({}, "new_card"),
        ({"new_card": "1" * (CARD_MAX + 1)}, "new_card"),
        ({"lost_card": "1\n2"}, "lost_card"),
        ({"lost_card": CARD, "new_card": CARD}, "new_card"),
        ({"new_card": NEW, "reason": "ab"}, "reason"),
    ],
)
async def test_a_malformed_change_is_named(
    loyalty: Served, changes: dict[str, str], field: str
) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    code, words = await refusal(
        loyalty.members.ChangeCards(a_change(enrolment.member_id, **changes))
    )

    assert (code, words.partition(":")[0]) == (INVALID, field)


async def test_nobody_gets_a_card(loyalty: Served) -> None:
    code, _ = await refusal(
        loyalty.members.ChangeCards(a_change(operations.new_id(), new_card=NEW))
    )

    assert code is grpc.StatusCode.NOT_FOUND


# --- who acts -------------------------------------------------------------------------------


async def test_clerks_change_cards_and_only_managers_do_the_rest(loyalty: Served) -> None:
    first, second = await loyalty.enrolled(CARD, OTHER)
    clerk = await signed_in(loyalty, "clerk")
    adjust = pb.AdjustPointsRequest(
        operation_id=operations.new_id(),
        member_id=first.member_id,
        points=1,
        reason_code="goodwill",
        reason="a small present",
    )
    decide = pb.DecideAdjustmentRequest(operation_id=operations.new_id(), approve=True)

    for call in (
        loyalty.members.MergeMembers(a_merge(first.member_id, second.member_id), metadata=clerk),
        loyalty.members.AdjustPoints(adjust, metadata=clerk),
        loyalty.members.DecideAdjustment(decide, metadata=clerk),
    ):
        code, words = await refusal(call)
        assert (code, words.partition(":")[0]) == (grpc.StatusCode.PERMISSION_DENIED, "role")
    await loyalty.members.ChangeCards(a_change(first.member_id, new_card=NEW), metadata=clerk)

    assert (await loyalty.member(CARD)).state.points == 0
    assert sorted((await loyalty.member(CARD)).cards) == [CARD, NEW]


async def signed_in(loyalty: Served, role: str) -> Any:
    """A new member of staff; call metadata with their session."""
    name, password = f"{role}-{operations.new_id()}", "correct horse battery"
    await loyalty.staff.AddStaff(staff_pb2.AddStaffRequest(name=name, password=password, role=role))
    answer = await loyalty.staff.SignIn(staff_pb2.SignInRequest(name=name, password=password))
    return (*bearer(TOKEN), ("bonpunkt-session", answer.session))
