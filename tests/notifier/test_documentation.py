"""What docs/webhooks.md tells receivers is what the code does."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest
from redis.exceptions import NoPermissionError

from services.notifier.entries import fields_of
from services.notifier.events import TYPES, EventSchema, entry_from_journal
from services.notifier.relay import AHEAD_MAX
from services.notifier.store import Head
from services.notifier.streams import GROUP, Streams, connect
from tests.notifier.feed import entry
from tests.notifier.members import KEY

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text(encoding="utf-8")
REDIS_PAGE = (DOCS / "redis.md").read_text(encoding="utf-8")
GOLDEN = Path(__file__).parent / "golden" / "member.points_changed.json"


def test_the_example_is_a_body_that_is_really_sent() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)

    assert found is not None
    assert orjson.dumps(orjson.loads(found[1])) == GOLDEN.read_bytes()


def test_every_type_of_event_and_every_field_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_.]+)`", PAGE))
    data = EventSchema().fields["data"].schema.fields  # type: ignore[attr-defined]

    assert set(TYPES) <= explained
    assert set(data) <= explained


def test_whoever_reads_along_finds_every_part_of_an_entry_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", REDIS_PAGE))
    fields = fields_of(entry_from_journal(entry(), epoch=1), epoch=1, key=KEY)

    assert {name.decode() for name in fields} <= explained
    assert GROUP in explained
    assert f"{AHEAD_MAX:,}" in REDIS_PAGE
    assert "bonpunkt:<epoch>:{0}" in REDIS_PAGE


async def test_the_users_of_the_page_may_do_what_they_need_and_no_more(redis_url: str) -> None:
    """A notifier's whole round, and a reader's, on a real Redis."""
    users = re.findall(r"^user (\w+) (on .*)$", REDIS_PAGE, re.MULTILINE)
    assert [name for name, _ in users] == ["bonpunkt", "reader"]
    written = [entry_from_journal(entry(), epoch=1)]
    async with AsyncExitStack() as closing:
        admin = await closing.enter_async_context(connect(redis_url))
        ours = await closing.enter_async_context(connect(_as(redis_url, "bonpunkt")))
        reader = await closing.enter_async_context(connect(_as(redis_url, "reader")))
        for name, rules in users:
            await admin.execute_command(  # type: ignore[no-untyped-call]
                "ACL", "SETUSER", name, *rules.split()
            )
            closing.push_async_callback(admin.acl_deluser, name)
        streams = Streams(ours, prefix="bonpunkt", consumer="anna", seal_key=KEY, keep=0)
        key = streams.key(epoch=1, bucket=0)
        await streams.join({0: Head(0, bytes(32))}, epoch=1)
        await streams.publish(written, epoch=1)
        assert await streams.read([0], epoch=1, within_s=1) == written
        assert await streams.join({0: Head(0, bytes(32))}, epoch=1) == written
        assert await reader.xread({key: "0"})
        await streams.done(written, heads={0: Head(1, bytes(32))}, epoch=1)

        with pytest.raises(NoPermissionError):
            await reader.xadd(key, {"type": "member.points_changed"})
        with pytest.raises(NoPermissionError):
            await ours.flushall()
        with pytest.raises(NoPermissionError):
            await ours.set("another", "key")


def _as(redis_url: str, user: str) -> str:
    return redis_url.replace("//", f"//{user}:secret@")
