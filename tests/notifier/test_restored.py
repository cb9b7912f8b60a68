"""After a restore the notifier goes on from where both agree, and tells again what was undone."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from services.notifier import schema
from services.notifier.audit import read
from services.notifier.restored import TAKEN_BACK, OtherHistoryError, Outcome, follow_restored
from services.notifier.schema import State
from services.notifier.store import NO_HASH
from tests.notifier.feed import BUCKETS, entry
from tests.notifier.rig import Rig

NOWHERE = "http://127.0.0.1:9/"


@dataclass(frozen=True, slots=True)
class Ledger:
    """A restored ledger as the tests of this file want it; `journal_end` is 0 where not given."""

    epoch: int = 7
    journal_end: Mapping[int, int] = field(default_factory=dict)
    last: Mapping[int, int] = field(default_factory=dict)  # by member
    other_hashes: bool = False

    async def heads(self) -> Mapping[int, int]:
        return {bucket: self.journal_end.get(bucket, 0) for bucket in range(BUCKETS)}

    async def chain_hash(self, *, bucket: int, sequence: int) -> bytes:
        if sequence == 0:
            return NO_HASH
        if self.other_hashes:
            return b"x" * 32
        return entry(bucket=bucket, sequence=sequence).chain_hash

    async def last_sequences(self, member_ids: Iterable[str]) -> Mapping[str, int]:
        known = {str(uuid.UUID(int=member)): last for member, last in self.last.items()}
        return {each: known[each] for each in member_ids if each in known}


async def restored(notifier: Rig, ledger: Ledger, *, everything: bool = False) -> Outcome | None:
    return await follow_restored(
        notifier.database, ledger, everything=everything, actor="cli:tests", clock=notifier.clock
    )


async def sequences(notifier: Rig) -> dict[int, int]:
    place = await notifier.store.place()
    return {bucket: head.sequence for bucket, head in place.heads.items() if head.sequence}


async def test_who_followed_nothing_has_nothing_to_do(notifier: Rig) -> None:
    assert await restored(notifier, Ledger()) is None


async def test_a_ledger_that_lost_nothing_is_followed_from_the_same_place(notifier: Rig) -> None:
    await notifier.change(1, 1, 2)

    outcome = await restored(notifier, Ledger(journal_end={1: 5, 2: 1}))

    assert outcome == Outcome(0, 0, 0, ())
    assert (await notifier.store.place()).epoch == 7
    assert await sequences(notifier) == {1: 2, 2: 1}


async def test_whoever_is_in_the_lost_future_is_told_again_from_their_latest_entry(
    notifier: Rig,
) -> None:
    """Of members 1 and 5, who share a bucket, the entries 1, 5, 1 are known and 5, 1 are gone."""
    await notifier.add("crm", NOWHERE)
    await notifier.change(1, 5, 1, 5, 1)

    outcome = await restored(notifier, Ledger(journal_end={1: 3}, last={1: 3, 5: 2}))

    assert outcome == Outcome(
        entries_gone=2, entries_again=2, deliveries_stopped=2, members_unknown=()
    )
    assert await sequences(notifier) == {1: 1}
    assert await notifier.count(State.PENDING) == 3
    async with notifier.database.reading() as connection:
        dead = select(schema.delivery).where(schema.delivery.c.state == State.DEAD.value)
        rows = (await connection.execute(dead)).all()
        acts = await read(connection)
    assert {row.sequence for row in rows} == {4, 5}
    assert {row.last_error for row in rows} == {TAKEN_BACK}
    assert (acts[-1].act.action, acts[-1].act.subject) == ("ledger.restore", "epoch 7")


async def test_members_who_never_were_are_named(notifier: Rig) -> None:
    await notifier.add("crm", NOWHERE)
    await notifier.change(2)

    outcome = await restored(notifier, Ledger())

    assert outcome is not None
    assert outcome.members_unknown == (str(uuid.UUID(int=2)),)
    assert await sequences(notifier) == {}


async def test_another_history_is_not_followed(notifier: Rig) -> None:
    """The notifier is the ledger's witness; and nothing was changed."""
    await notifier.change(1)

    with pytest.raises(OtherHistoryError, match="entry 1 of bucket 1"):
        await restored(notifier, Ledger(journal_end={1: 4}, other_hashes=True))

    assert (await notifier.store.place()).epoch == 1


async def test_everything_can_be_told_again_whatever_was_known(notifier: Rig) -> None:
    await notifier.change(1, 2)
    ledger = Ledger(journal_end={1: 4, 2: 1}, other_hashes=True)

    outcome = await restored(notifier, ledger, everything=True)

    assert outcome == Outcome(0, 2, 0, ())
    assert await sequences(notifier) == {}
