"""Redis Streams, one for each bucket, as the relay writes them and the group of notifiers reads.

Redis holds copies only and is believed nothing. Its entries have the journal's sequences as ids, so
Redis itself refuses repetitions and the database's cursors tell what is missing. Whatever is odd
about a stream (another type, a foreign entry), it is deleted: the feed has it all.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.notifier.entries import Fields, ForeignEntryError, entry_from, fields_of
from services.notifier.events import Entry
from services.notifier.store import Head
from services.runtime import logs

GROUP = "notifier"
CLIENT_NAME = "bonpunkt-notifier"
ANSWER_S = 2.0  # an answer that takes longer is none
CONNECT_S = 1.0
ENTRIES_A_STREAM_MAX = 200  # read together
COMMANDS_MAX = 1_000  # sent together

_REPEATED = "equal or smaller than the target stream top item"
_WRONG_TYPE = "WRONGTYPE"
_GROUP_EXISTS = "BUSYGROUP"

_Raw = Sequence[tuple[bytes, Fields | None]]

log = logs.logger(__name__)


def connect(url: str) -> Redis:
    """One attempt for each command: whoever asks has the feed to fall back on."""
    return Redis.from_url(
        url,
        protocol=2,
        client_name=CLIENT_NAME,
        socket_timeout=ANSWER_S,
        socket_connect_timeout=CONNECT_S,
        retry=Retry(NoBackoff(), 0),
    )


class Streams:
    """The streams of one installation. `consumer` names this process in the group."""

    def __init__(
        self, redis: Redis, *, prefix: str, consumer: str, seal_key: bytes, keep: int
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._consumer = consumer
        self._seal_key = seal_key
        self._keep = keep  # entries that stay behind a bucket's cursor, for whoever reads along

    def key(self, *, epoch: int, bucket: int) -> str:
        """A restored ledger has other streams. The braces are Redis Cluster's hash tag."""
        return f"{self._prefix}:{epoch}:{{{bucket}}}"

    async def close(self) -> None:
        await self._redis.aclose()

    # -- the relay's side

    async def publish(self, entries: Sequence[Entry], *, epoch: int) -> None:
        """Appends what is not there yet, in this order."""
        for first in range(0, len(entries), COMMANDS_MAX):
            pipeline = self._pipeline()
            keys = []
            for each in entries[first : first + COMMANDS_MAX]:
                keys.append(self.key(epoch=epoch, bucket=each.bucket))
                fields = fields_of(each, epoch=epoch, key=self._seal_key)
                pipeline.xadd(keys[-1], fields, id=f"{each.sequence}-0")  # type: ignore[arg-type]
            await self._execute(pipeline, keys, expected=_REPEATED)

    # -- the group's side

    async def join(self, heads: Mapping[int, Head], *, epoch: int) -> list[Entry]:
        """Becomes the one reader of these buckets' streams; what others left unread comes first.

        The group begins behind the cursor, never at the end of the stream: what came before the
        group would be passed over.
        """
        pipeline = self._pipeline()
        keys = {bucket: self.key(epoch=epoch, bucket=bucket) for bucket in heads}
        for bucket, key in keys.items():
            pipeline.xgroup_create(key, GROUP, id=f"{heads[bucket].sequence}-0", mkstream=True)
        await self._execute(pipeline, list(keys.values()), expected=_GROUP_EXISTS)
        found = await self._claimed(keys, epoch=epoch)
        await self._dismiss_others(list(keys.values()))
        return found

    async def _claimed(self, keys: Mapping[int, str], *, epoch: int) -> list[Entry]:
        """What any consumer was given and did not acknowledge, in order within each bucket.

        A scan looks at part of what is pending only, so it goes on until it has come round.
        """
        found: list[Entry] = []
        starts: dict[int, Any] = dict.fromkeys(keys, "0-0")
        while starts:
            pipeline = self._pipeline()
            for bucket, start in starts.items():
                pipeline.xautoclaim(
                    keys[bucket], GROUP, self._consumer, 0, start, count=ENTRIES_A_STREAM_MAX
                )
            answers = dict(zip(starts, await pipeline.execute(), strict=True))
            for bucket, (_, claimed, _) in answers.items():
                found += await self._read_entries(claimed, epoch=epoch, bucket=bucket)
            starts = {b: start for b, (start, _, _) in answers.items() if start != b"0-0"}
        return found

    async def _dismiss_others(self, keys: Sequence[str]) -> None:
        """Removes consumers of former processes; not while anything is pending under their name,
        which would be lost with them.
        """
        pipeline = self._pipeline()
        for key in keys:
            pipeline.xinfo_consumers(key, GROUP)
        for key, consumers in zip(keys, await pipeline.execute(), strict=True):
            for each in consumers:
                if each["name"].decode() != self._consumer and each["pending"] == 0:
                    await self._redis.xgroup_delconsumer(key, GROUP, each["name"])

    async def read(self, buckets: Collection[int], *, epoch: int, within_s: float) -> list[Entry]:
        """What is new, in order within each bucket; nothing if nothing comes within the time."""
        keys = {self.key(epoch=epoch, bucket=bucket): bucket for bucket in buckets}
        answer: Any = await self._redis.xreadgroup(
            GROUP,
            self._consumer,
            dict.fromkeys(keys, ">"),
            count=ENTRIES_A_STREAM_MAX,
            block=round(within_s * 1_000),
        )
        found: list[Entry] = []
        for key, raw in answer or []:
            found += await self._read_entries(raw, epoch=epoch, bucket=keys[key.decode()])
        return found

    async def done(
        self, entries: Sequence[Entry], *, heads: Mapping[int, Head], epoch: int
    ) -> None:
        """Acknowledges what is durable, and trims what lies far enough behind the cursors."""
        ids: dict[int, list[str]] = {}
        for each in entries:
            ids.setdefault(each.bucket, []).append(f"{each.sequence}-0")
        pipeline = self._pipeline()
        for bucket, its in ids.items():
            key = self.key(epoch=epoch, bucket=bucket)
            pipeline.xack(key, GROUP, *its)
            oldest = heads[bucket].sequence + 1 - self._keep
            if oldest > 1:
                pipeline.xtrim(key, minid=f"{oldest}-0", approximate=True)
        await pipeline.execute()

    async def _read_entries(self, raw: _Raw, *, epoch: int, bucket: int) -> list[Entry]:
        try:
            return [
                entry_from(
                    fields or {},
                    epoch=epoch,
                    bucket=bucket,
                    sequence=_sequence(id_),
                    key=self._seal_key,
                )
                for id_, fields in raw
            ]
        except ForeignEntryError as error:
            await self._discard(self.key(epoch=epoch, bucket=bucket), reason=str(error))
            return []

    async def _execute(self, pipeline: Pipeline, keys: Sequence[str], *, expected: str) -> None:
        """One command a key; raises errors but the `expected`. A key of another type is deleted."""
        answers = await pipeline.execute(raise_on_error=False)
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, Exception) and expected not in str(answer):
                if str(answer).startswith(_WRONG_TYPE):
                    await self._discard(key, reason="it is no stream")
                raise answer

    async def _discard(self, key: str, *, reason: str) -> None:
        log.warning("a stream is deleted; the feed has it all", key=key, reason=reason)
        await self._redis.unlink(key)

    def _pipeline(self) -> Pipeline:
        return self._redis.pipeline(transaction=False)


def _sequence(id_: bytes) -> int:
    """The journal's sequence; ForeignEntryError for an id that the relay does not give."""
    sequence, _, rest = id_.partition(b"-")
    if rest != b"0":
        raise ForeignEntryError(f"the id {id_.decode()} is not ours")
    return int(sequence)
