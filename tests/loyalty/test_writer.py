"""Group commit: batches of any mix are decided as if one came after the other, and booked whole."""

import asyncio
from datetime import timedelta

import pytest

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.answers import Answer, Cause, Item
from services.loyalty.domain.decision import (
    BlockedSet,
    Captured,
    Enrolled,
    Refusal,
    Refused,
)
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.writer import BATCH_MAX, QUEUE_MAX
from tests.loyalty.ledgers import (
    Ledger,
    a_block,
    a_capture,
    an_abandon,
    an_enrolment,
    bucket_sums,
    member_id_in,
)
from tests.servers.waiting import eventually

CARD = "2900000000018"


async def refusal(ledger: Ledger, command: object) -> Refusal:
    decision = await ledger.decision(command)  # type: ignore[arg-type]
    assert isinstance(decision, Refused), decision
    return decision.reason


async def test_a_purchase_earns_and_redeems_in_one_step(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)

    decision = await ledger.decision(a_capture(CARD, 2000, redeem=9))

    assert isinstance(decision, Captured)
    assert (decision.points_earned, decision.points_redeemed) == (9, 9)
    assert decision.points_redeemed_from_basket == 9, "nothing was there before this basket"
    member = await ledger.member(enrolment.member_id)
    assert (member.points, member.version) == (0, 2)


async def test_several_operations_of_one_member_in_a_batch_see_each_other(ledger: Ledger) -> None:
    """The first earns what the second spends; the third finds nothing left."""
    await ledger.enrolled(CARD)

    answers = await ledger.answers(
        a_capture(CARD, 200_000),
        a_capture(CARD, 100, redeem="maximum"),
        a_capture(CARD, 100_000, redeem="maximum"),
        a_capture(CARD, 0, redeem=1),
    )

    first, second, third, fourth = (answer.decision for answer in answers)
    assert isinstance(first, Captured)
    assert first.member.points == 1000
    assert isinstance(second, Captured)
    assert (second.points_redeemed, second.member.points) == (100, 900)
    assert isinstance(third, Captured)
    assert third.points_redeemed == 900 + third.points_earned, "the third takes all there is"
    assert third.member.points == 0
    assert isinstance(fourth, Refused)
    assert [answer.decision.member.version for answer in answers[:3]] == [2, 3, 4]  # type: ignore[union-attr]


async def test_more_operations_than_a_batch_holds_are_all_booked_in_order(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    count = BATCH_MAX + 88

    answers = await ledger.answers(*(a_capture(CARD, 200) for _ in range(count)))

    versions = [answer.decision.member.version for answer in answers]  # type: ignore[union-attr]
    assert versions == list(range(2, count + 2))
    assert await ledger.available(CARD) == count


async def test_a_batch_over_all_buckets_balances_in_each(ledger: Ledger) -> None:
    enrolments = [an_enrolment(f"c-{b}", member_id=member_id_in(b)) for b in range(BUCKET_COUNT)]
    await ledger.answers(*enrolments)

    await ledger.answers(*(a_capture(e.card, 10_000, redeem=7) for e in enrolments))

    buckets = await ledger.rows(schema.bucket)
    sums = bucket_sums(buckets, await ledger.rows(schema.member))
    assert sums == dict.fromkeys(range(BUCKET_COUNT), 0)
    assert [row.redeemed for row in buckets] == [7] * BUCKET_COUNT


@pytest.mark.parametrize("card", ["2900000009999", "29", "2900000000018 "])
async def test_an_unknown_card_leaves_no_row(ledger: Ledger, card: str) -> None:
    await ledger.enrolled(CARD)
    before = await ledger.state()

    assert await refusal(ledger, a_capture(card)) is Refusal.CARD_NOT_ACCEPTED
    assert await ledger.state() == before


async def test_unknown_and_blocked_cards_get_the_same_answer(ledger: Ledger) -> None:
    """Nobody can probe for cards."""
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.decision(a_block(enrolment.member_id))
    before = await ledger.state()

    blocked = await ledger.decision(a_capture(CARD))
    unknown = await ledger.decision(a_capture("2900000009999"))

    assert blocked == unknown
    assert await ledger.available(CARD) is None
    assert await ledger.state() == before


async def test_an_unblocked_member_goes_on_where_they_were(ledger: Ledger) -> None:
    (enrolment,) = await ledger.enrolled(CARD)
    await ledger.decision(a_capture(CARD, 2000))

    blocked = await ledger.decision(a_block(enrolment.member_id))
    unblocked = await ledger.decision(a_block(enrolment.member_id, blocked=False))

    assert isinstance(blocked, BlockedSet)
    assert isinstance(unblocked, BlockedSet)
    assert (blocked.blocked, unblocked.blocked) == (True, False)
    assert await ledger.available(CARD) == 10


async def test_blocking_nobody_is_refused(ledger: Ledger) -> None:
    before = await ledger.state()

    assert await refusal(ledger, a_block(operations.new_id())) is Refusal.MEMBER_UNKNOWN
    assert await ledger.state() == before


async def test_a_card_belongs_to_one_member_for_ever(ledger: Ledger) -> None:
    """In the same batch, in a later one, and when the owner is blocked."""
    first, second = await ledger.answers(an_enrolment(CARD), an_enrolment(CARD))
    assert isinstance(first.decision, Enrolled)
    assert isinstance(second.decision, Refused)
    assert second.decision.reason is Refusal.CARD_TAKEN
    await ledger.decision(a_block(first.decision.member.member_id))
    before = await ledger.state()

    assert await refusal(ledger, an_enrolment(CARD)) is Refusal.CARD_TAKEN
    assert await ledger.state() == before


async def test_a_member_id_is_given_once(ledger: Ledger) -> None:
    """Also within a batch; the second card stays free."""
    member_id = operations.new_id()

    first, second = await ledger.answers(
        an_enrolment("1", member_id=member_id), an_enrolment("2", member_id=member_id)
    )

    assert isinstance(first.decision, Enrolled)
    assert isinstance(second.decision, Refused)
    assert second.decision.reason is Refusal.MEMBER_EXISTS
    assert await refusal(ledger, an_enrolment("3", member_id=member_id)) is Refusal.MEMBER_EXISTS
    assert isinstance(await ledger.decision(an_enrolment("2")), Enrolled)


async def test_redeeming_more_than_there_is_is_refused_with_the_most_that_is_possible(
    ledger: Ledger,
) -> None:
    await ledger.enrolled(CARD)
    await ledger.decision(a_capture(CARD, 20_000))  # 100 points

    refused = await ledger.decision(a_capture(CARD, 2000, redeem=110))
    accepted = await ledger.decision(a_capture(CARD, 2000, redeem=109))

    assert isinstance(refused, Refused)
    assert (refused.reason, refused.points_maximum) == (Refusal.EXCEEDS_AVAILABLE, 109)
    assert isinstance(accepted, Captured)


async def test_a_refusal_that_depends_on_the_member_is_journalled_and_moves_nothing(
    ledger: Ledger,
) -> None:
    (enrolment,) = await ledger.enrolled(CARD)

    await ledger.decision(a_capture(CARD, 2000, redeem=11))

    row = (await ledger.journal("capture"))[0]
    assert (row.accepted, row.member_version, row.basket_hash) == (False, 1, None)
    assert row.movements == '{"transfers":[],"lots":[]}'
    assert await ledger.rows(schema.basket) == []
    member = await ledger.member(enrolment.member_id)
    assert (member.version, member.last_sequence) == (1, row.sequence)


async def test_a_refusal_that_depends_on_the_basket_leaves_no_row(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    await ledger.decision(a_capture(CARD, 1_000_000))
    before = await ledger.state()

    assert await refusal(ledger, a_capture(CARD, 100, redeem=101)) is Refusal.EXCEEDS_SHARE
    assert await ledger.state() == before


async def test_an_operation_past_its_deadline_is_not_decided(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    before = await ledger.state()
    late = a_capture(CARD)

    assert await ledger.answer(late, timeout_s=0) == Answer(cause=Cause.EXPIRED)
    assert await ledger.state() == before
    assert isinstance(await ledger.decision(late), Captured), "it may be repeated under its id"


async def test_what_was_decided_is_told_also_when_the_retry_is_late(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    capture = a_capture(CARD)
    first = await ledger.answer(capture)

    assert await ledger.answer(capture, timeout_s=0) == first


async def test_a_full_queue_turns_away_and_says_so(ledger: Ledger) -> None:
    """What was taken is answered all the same."""
    answers: list[Answer] = []
    unknown = a_capture("nobody")
    deadline_s = asyncio.get_running_loop().time() - 1
    for _ in range(QUEUE_MAX):
        ledger.writer.submit(Item(unknown, deadline_s, answers.append))
    assert answers == []

    ledger.writer.submit(Item(unknown, deadline_s, answers.append))

    assert answers == [Answer(cause=Cause.OVERLOADED)]
    await eventually(lambda: len(answers) > QUEUE_MAX)
    assert answers[1:] == [Answer(cause=Cause.EXPIRED)] * QUEUE_MAX
    assert isinstance(await ledger.decision(an_enrolment(CARD)), Enrolled), "there is room again"


async def test_a_stopping_writer_finishes_what_it_took_and_takes_no_more(ledger: Ledger) -> None:
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[Answer] = loop.create_future()
    refused: list[Answer] = []
    ledger.writer.submit(Item(an_enrolment(CARD), loop.time() + 30, taken.set_result))

    ledger.writer.stop()
    ledger.writer.submit(Item(an_enrolment("2"), loop.time() + 30, refused.append))

    assert refused == [Answer(cause=Cause.OVERLOADED)]
    assert isinstance((await asyncio.wait_for(taken, 30)).decision, Enrolled)


async def test_followers_are_told_of_what_was_booked_and_of_nothing_else(ledger: Ledger) -> None:
    await ledger.decision(a_capture("nobody"))
    assert not ledger.committed.is_set()

    await ledger.enrolled(CARD)

    assert ledger.committed.is_set()


async def test_time_never_runs_backwards_in_a_bucket(ledger: Ledger) -> None:
    """A machine whose clock was set back decides at the bucket's last time."""
    await ledger.enrolled(CARD)
    first = await ledger.answer(a_capture(CARD))

    ledger.clock.move(timedelta(hours=-5))
    second = await ledger.answer(a_capture(CARD))

    assert second.effective_at_us == first.effective_at_us


async def test_what_the_till_said_about_the_time_is_kept_and_not_trusted(ledger: Ledger) -> None:
    await ledger.enrolled(CARD)
    answer = await ledger.answer(a_capture(CARD))

    (row,) = await ledger.journal("capture")
    ledger.clock.move(timedelta(days=1))
    assert row.effective_at_us == answer.effective_at_us
    assert row.occurred_at_us is not None
    assert (row.terminal_id, row.store_id, row.actor) == ("till-1", "s-1", "")


async def test_a_long_batch_mixes_every_kind_of_command(ledger: Ledger) -> None:
    """Some hundred at once, with repeats, refusals and abandons in between: every one answered."""
    enrolments = await ledger.enrolled(*(f"card-{n}" for n in range(20)))
    commands: list[object] = []
    for number, enrolment in enumerate(enrolments * 5):
        capture = a_capture(enrolment.card, 1000 * number, redeem="maximum" if number % 3 else 1)
        commands += [capture, capture]
        if number % 4 == 0:
            commands.append(an_abandon(capture.operation_id))
        if number % 7 == 0:
            commands += [a_block(enrolment.member_id), an_enrolment(enrolment.card)]
        if number % 7 == 3:
            commands.append(a_block(enrolment.member_id, blocked=False))

    answers = await ledger.answers(*commands)  # type: ignore[arg-type]

    assert all(answer.cause is None for answer in answers)
    assert len(answers) > 200
