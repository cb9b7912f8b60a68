"""Following a ledger that was restored: what of the past it still knows, and who has to be told.

Receivers were told of changes that the restored ledger never made. They keep the newest state by
(epoch, version), so each of those members is told again, in the new epoch: intake goes back to the
latest entry that the ledger has of them, and takes in again whatever follows it in that bucket.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier import audit
from services.notifier.audit import Act
from services.notifier.database import ACTS_LOCK, Database
from services.notifier.schema import State, cursor, delivery, ledger
from services.notifier.store import Head, Place, Store, count

TAKEN_BACK = "the ledger was restored to before this change"


class Restored(Protocol):
    """The restored ledger, as far as it is asked."""

    @property
    def epoch(self) -> int: ...

    async def heads(self) -> Mapping[int, int]:
        """The last sequence of each bucket."""
        ...

    async def chain_hash(self, *, bucket: int, sequence: int) -> bytes: ...

    async def last_sequences(self, member_ids: Iterable[str]) -> Mapping[str, int]:
        """Where the latest entry of each member is; unknown ones are left out."""
        ...


class OtherHistoryError(Exception):
    """The ledger and this database disagree about what both have seen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to the notifier's database."""

    entries_gone: int  # taken in here, and not in the ledger any more
    entries_again: int  # to be taken in a second time, in the new epoch
    deliveries_stopped: int  # they were waiting to tell of entries that are gone
    members_unknown: tuple[str, ...]  # told of to receivers, and not in the ledger any more


async def follow_restored(
    database: Database,
    restored: Restored,
    *,
    everything: bool,
    actor: str,
    clock: Callable[[], int],
) -> Outcome | None:
    """Makes this database follow the ledger in its new epoch; None if it never followed any.

    `everything` takes the whole journal in again: needed where this database was restored too, and
    cannot know what receivers were told since. OtherHistoryError, and nothing changed, if an entry
    that both know was sealed differently: then only everything is safe. Run while no notifier does.
    """
    place = await Store(database).place()
    if place.epoch == 0:
        return None
    heads = await restored.heads()
    if set(heads) != set(place.heads):
        raise OtherHistoryError(f"{len(heads)} buckets instead of {len(place.heads)}")
    if not everything:
        await _check_witness(place, heads, restored)
    async with database.writing(lock=ACTS_LOCK) as connection:
        gone = await _members_of_gone(connection, place, heads)
        known = await restored.last_sequences(sorted(gone))
        to = {b: 0 if everything else min(place.heads[b].sequence, heads[b]) for b in heads}
        if not everything:
            for member_id, last in known.items():
                to[gone[member_id]] = min(to[gone[member_id]], last - 1)
        stopped = await _stop_deliveries(connection, place, heads)
        await _move(connection, to, restored)
        entries_gone = sum(max(0, place.heads[b].sequence - heads[b]) for b in heads)
        detail = f"{entries_gone} entries gone, {stopped} deliveries stopped"
        subject = f"epoch {restored.epoch}"
        await audit.append(connection, Act(clock(), actor, "ledger.restore", subject, detail))
    return Outcome(
        entries_gone=entries_gone,
        entries_again=sum(min(place.heads[b].sequence, heads[b]) - to[b] for b in heads),
        deliveries_stopped=stopped,
        members_unknown=tuple(sorted(set(gone) - set(known))),
    )


async def _check_witness(place: Place, heads: Mapping[int, int], restored: Restored) -> None:
    """The last entry taken in of each bucket must be sealed as it was, where it is still there."""
    for bucket, head in place.heads.items():
        if 0 < head.sequence <= heads[bucket]:
            sealed = await restored.chain_hash(bucket=bucket, sequence=head.sequence)
            if sealed != head.chain_hash:
                raise OtherHistoryError(
                    f"entry {head.sequence} of bucket {bucket} is not the one that was taken in"
                )


async def _members_of_gone(
    connection: AsyncConnection, place: Place, heads: Mapping[int, int]
) -> dict[str, int]:
    """Whom deliveries of entries that are gone tell of, and in which bucket they are."""
    members: dict[str, int] = {}
    for bucket, head in place.heads.items():
        if head.sequence > heads[bucket]:
            found = await connection.scalars(
                select(delivery.c.member_id)
                .distinct()
                .where(
                    delivery.c.epoch == place.epoch,
                    delivery.c.bucket == bucket,
                    delivery.c.sequence > heads[bucket],
                )
            )
            members |= dict.fromkeys(found, bucket)
    return members


async def _stop_deliveries(
    connection: AsyncConnection, place: Place, heads: Mapping[int, int]
) -> int:
    """What waits to tell of entries that are gone is told to nobody."""
    stopped: Counter[int] = Counter()
    for bucket, head in place.heads.items():
        if head.sequence > heads[bucket]:
            ended = await connection.execute(
                update(delivery)
                .where(
                    delivery.c.state == State.PENDING.value,
                    delivery.c.epoch == place.epoch,
                    delivery.c.bucket == bucket,
                    delivery.c.sequence > heads[bucket],
                )
                .values(state=State.DEAD.value, last_error=TAKEN_BACK)
                .returning(delivery.c.endpoint_id)
            )
            stopped.update(row.endpoint_id for row in ended)
    await count(
        connection, {e: {State.PENDING: -n, State.DEAD: n} for e, n in sorted(stopped.items())}
    )
    return stopped.total()


async def _move(connection: AsyncConnection, to: Mapping[int, int], restored: Restored) -> None:
    await connection.execute(update(ledger).values(epoch=restored.epoch))
    for bucket, sequence in to.items():
        head = Head(sequence, await restored.chain_hash(bucket=bucket, sequence=sequence))
        await connection.execute(
            update(cursor)
            .where(cursor.c.bucket == bucket)
            .values(sequence=head.sequence, chain_hash=head.chain_hash)
        )
