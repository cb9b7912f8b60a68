"""The journal for people: newest first, one member's, one entry, and the figures of the whole."""

from collections.abc import Iterable

import grpc
import orjson
import pytest

from bonpunkt.loyalty.v1 import feed_pb2
from bonpunkt.loyalty.v1 import journal_pb2 as pb
from bonpunkt.till import operations
from services.loyalty.journal_service import PAGE_DEFAULT, PAGE_MAX
from tests.loyalty.ledgers import a_wire_capture, an_enrolment, member_id_in, opened
from tests.loyalty.served import Served, refusal, served

CARD = "2900000000018"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def history(
    loyalty: Served, member_id: str, *, page_size: int = 0, page_token: str = ""
) -> pb.ListForMemberResponse:
    answer: pb.ListForMemberResponse = await loyalty.journal.ListForMember(
        pb.ListForMemberRequest(member_id=member_id, page_size=page_size, page_token=page_token)
    )
    return answer


def versions(entries: Iterable[feed_pb2.JournalEntry]) -> list[int]:
    return [entry.member_version for entry in entries]


# --- a member's history ---------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 3, 4, 200])
async def test_a_history_is_told_by_pages_newest_first(loyalty: Served, page_size: int) -> None:
    """Other members' rows lie between; none is repeated, none left out."""
    first, _ = await loyalty.enrolled(CARD, "2")
    for _ in range(7):
        await loyalty.committed(a_wire_capture(CARD, 200), a_wire_capture("2", 200))

    found: list[int] = []
    token = ""
    while True:
        page = await history(loyalty, first.member_id, page_size=page_size, page_token=token)
        assert len(page.entries) <= page_size
        found += versions(page.entries)
        token = page.next_page_token
        if not token:
            break

    assert found == list(range(8, 0, -1))


async def test_a_page_has_fifty_entries_unless_asked_otherwise(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(*(a_wire_capture(CARD, 200) for _ in range(PAGE_DEFAULT)))

    page = await history(loyalty, enrolment.member_id)

    assert (PAGE_DEFAULT, len(page.entries)) == (50, 50)
    assert page.next_page_token


async def test_a_history_shows_refusals_and_blocks_too(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(a_wire_capture(CARD, 2000, redeem=1000))

    refused, enrolled = (await history(loyalty, enrolment.member_id)).entries

    assert (refused.kind, refused.accepted) == ("capture", False)
    assert (enrolled.kind, enrolled.accepted) == ("enrol", True)


async def test_nobody_has_no_history(loyalty: Served) -> None:
    assert await history(loyalty, operations.new_id()) == pb.ListForMemberResponse()


@pytest.mark.parametrize(
    "page_token", ["x", "-1", "1.5", "٣", "9" * 19, "9" * 40, "18446744073709551616"]
)
async def test_a_token_that_no_page_gave_is_refused(loyalty: Served, page_token: str) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)

    code, words = await refusal(history(loyalty, enrolment.member_id, page_token=page_token))

    assert (code, words.partition(":")[0]) == (INVALID, "page_token")


async def test_a_token_of_another_member_shows_nothing_of_theirs(ledger_url: str) -> None:
    """Two members of one bucket, where a sequence of one may be a row of the other."""
    one, other = (
        an_enrolment("1", member_id=member_id_in(3)),
        an_enrolment("2", member_id=member_id_in(3)),
    )
    async with opened(ledger_url) as ledger:
        await ledger.answers(one, other)

    async with served(ledger_url) as loyalty:
        code, words = await refusal(history(loyalty, one.member_id, page_token="2"))

    assert (code, words.partition(":")[0]) == (INVALID, "page_token")


async def test_a_history_is_asked_for_by_a_uuid(loyalty: Served) -> None:
    code, words = await refusal(history(loyalty, "x"))

    assert (code, words.partition(":")[0]) == (INVALID, "member_id")


@pytest.mark.parametrize("page_size", [PAGE_MAX + 1, 2**32 - 1])
async def test_a_page_has_a_largest_size(loyalty: Served, page_size: int) -> None:
    for asked in (
        history(loyalty, operations.new_id(), page_size=page_size),
        loyalty.journal.ListRecent(pb.ListRecentRequest(page_size=page_size)),
    ):
        code, words = await refusal(asked)
        assert (code, words.partition(":")[0]) == (INVALID, "page_size")
    assert await history(loyalty, operations.new_id(), page_size=PAGE_MAX) is not None


# --- the newest -----------------------------------------------------------------------------


async def test_the_newest_entries_of_all_buckets_come_first(loyalty: Served) -> None:
    cards = [f"card-{n}" for n in range(10)]
    await loyalty.enrolled(*cards)
    sent = [a_wire_capture(card, 200) for card in cards]
    for capture in sent:
        await loyalty.committed(capture)

    newest = await loyalty.journal.ListRecent(pb.ListRecentRequest(page_size=4))

    assert [e.operation_id for e in newest.entries] == [c.id for c in reversed(sent[-4:])]


# --- one entry ------------------------------------------------------------------------------


async def entry(loyalty: Served, bucket: int, sequence: int) -> pb.GetEntryResponse:
    found: pb.GetEntryResponse = await loyalty.journal.GetEntry(
        pb.GetEntryRequest(bucket=bucket, sequence=sequence)
    )
    return found


async def test_an_entry_is_told_with_everything_it_rests_on(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    capture = a_wire_capture(CARD, 2000, redeem=9, receipt_number="R-1")
    await loyalty.committed(capture)
    newest, first = (await history(loyalty, enrolment.member_id)).entries

    found = await entry(loyalty, newest.bucket, newest.sequence)
    enrolled = await entry(loyalty, first.bucket, first.sequence)

    assert found.entry == newest
    assert (found.receipt_number, found.business_date) == ("R-1", "2026-11-20")
    assert orjson.loads(found.decision_json)["points_redeemed_from_basket"] == 9
    assert orjson.loads(found.movements_json)["transfers"] == [
        ["issued", "points", 9],
        ["points", "redeemed", 9],
    ]
    facts = orjson.loads(found.facts_json)
    assert (facts["redeem_asked"], facts["available_before"], facts["total_minor"]) == (9, 0, 2000)
    assert orjson.loads(found.basket_json) == [["1", "", "", "", "", 1000, 2000, "DE_19"]]
    assert (enrolled.basket_json, enrolled.receipt_number) == ("", "")


@pytest.mark.parametrize(
    ("bucket", "sequence"),
    [(0, 0), (3, 10**6), (32, 1), (2**16, 1), (2**32 - 1, 1), (0, 2**63), (0, 2**64 - 1)],
)
async def test_an_entry_that_is_not_there_is_not_found(
    loyalty: Served, bucket: int, sequence: int
) -> None:
    """Also beyond what a database counts to."""
    code, words = await refusal(entry(loyalty, bucket, sequence))

    assert code is grpc.StatusCode.NOT_FOUND
    assert words


# --- the figures ----------------------------------------------------------------------------


async def test_the_overview_equals_a_recount(loyalty: Served) -> None:
    """Counters are kept with every row; here they are counted again from the rows themselves."""
    enrolments = await loyalty.enrolled(*(f"card-{n}" for n in range(6)))
    for number, enrolment in enumerate(enrolments * 4):
        redeem: operations.Redeem = ["maximum", None, 3, 500][number % 4]  # type: ignore[assignment]
        await loyalty.committed(a_wire_capture(enrolment.card, 700 * number, redeem=redeem))
    await loyalty.committed(operations.abandon(operations.new_id()), operations.identify("nobody"))

    overview = await loyalty.overview()
    entries = await loyalty.entries(overview.journal_entries)

    accepted = [e for e in entries if e.accepted]
    assert overview.members == len({e.member_id for e in accepted if e.member_id}) == 6
    assert overview.captures == sum(e.kind == "capture" for e in accepted) > 10
    assert overview.refusals == sum(not e.accepted for e in entries) > 0
    assert overview.member_changes == sum(bool(e.member_id) for e in accepted)
    assert overview.issued_points == sum(e.points_earned for e in accepted)
    assert overview.redeemed_points == sum(e.points_redeemed for e in accepted) > 0
    assert overview.expired_points == 0
    newest = {e.member_id: e.state.points for e in entries if e.member_id}
    assert overview.liability_points == sum(newest.values())
    before: dict[str, int] = {}
    same_basket = 0
    for e in entries:
        same_basket += e.points_redeemed > before.get(e.member_id, 0)
        before[e.member_id] = e.state.points
    assert overview.same_basket_redemptions == same_basket > 0


async def test_the_overview_of_an_empty_ledger_is_all_noughts(loyalty: Served) -> None:
    overview = await loyalty.overview()

    assert (overview.members, overview.liability_points, overview.journal_entries) == (0, 0, 0)
    assert (overview.programme_name, overview.currency) == ("Bonpunkt Demo", "EUR")
    assert (overview.value_points, overview.value_minor, overview.epoch) == (1, 1, 1)
