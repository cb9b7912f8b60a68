"""The real process: killed, stopped, misconfigured."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from bonpunkt.notifier.v1 import notifier_pb2 as pb
from bonpunkt.notifier.v1 import notifier_pb2_grpc as pb_grpc
from services.runtime.grpc import bearer, channel, is_serving
from tests.notifier.feed import BUCKETS, TOKEN, Loyalty
from tests.notifier.receivers import SECRET, Post, Receiver, never_backwards, receiving
from tests.notifier.rig import rig
from tests.servers import child
from tests.servers.ports import free_port
from tests.servers.waiting import eventually

ENDED_WITHIN_S = 8.0  # the receiver would keep its request for 15 s
DELIVERED_WITHIN_S = 60.0


class Notifier:
    """`python -m services.notifier`, started as often as a test wants."""

    def __init__(self, folder: Path, *, database_url: str, loyalty: Loyalty) -> None:
        self.target = f"127.0.0.1:{free_port()}"
        self.log = folder / "notifier.log"
        token = folder / "token"
        token.write_text(TOKEN)
        self.environment = {
            **os.environ,
            "NOTIFIER_LISTEN": self.target,
            "NOTIFIER_LOYALTY": f"127.0.0.1:{loyalty.port}",
            "NOTIFIER_DATABASE_URL": database_url,
            "NOTIFIER_ALLOW_LOOPBACK": "true",
            "NOTIFIER_RETRY_SCHEDULE_S": "0,0,0,0,0,0,0,0",
            "BONPUNKT_SERVICE_TOKEN_FILE": str(token),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services.notifier"]
        self.process = child.spawn(command, log=self.log, environment=self.environment)
        return self.process

    async def start(self) -> None:
        self.spawn()
        await eventually(lambda: is_serving(self.target))

    def end(self, by: signal.Signals, *, within_s: float = 30) -> int:
        assert self.process is not None
        return child.end(self.process, by=by, within_s=within_s)

    async def add(self, name: str, url: str) -> None:
        async with channel(self.target) as to:
            await pb_grpc.EndpointServiceStub(to).AddEndpoint(
                pb.AddEndpointRequest(name=name, url=url, secret=SECRET),
                metadata=(*bearer(TOKEN), ("bonpunkt-actor", "demo")),
            )

    async def figures(self) -> pb.GetFiguresResponse:
        async with channel(self.target) as to:
            figures: pb.GetFiguresResponse = await pb_grpc.DeliveryServiceStub(to).GetFigures(
                pb.GetFiguresRequest(), metadata=bearer(TOKEN)
            )
        return figures


@pytest.fixture
def process(tmp_path: Path, database_url: str, loyalty: Loyalty) -> Iterator[Notifier]:
    notifier = Notifier(tmp_path, database_url=database_url, loyalty=loyalty)
    yield notifier
    if notifier.process is not None:
        notifier.end(signal.SIGKILL)


@pytest.fixture
async def email() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_a_notifier_that_is_killed_again_and_again_loses_and_invents_nothing(
    process: Notifier, loyalty: Loyalty, email: Receiver, scaled: Callable[[int], int]
) -> None:
    """SIGKILL at any moment: each change arrives at least once, in order, and nothing else does."""
    kills, members, changes = scaled(40), 40, 0
    await process.start()
    await process.add("email", email.url)
    for each in range(kills):
        for member in range(members):
            loyalty.change(member, version=each + 1)
            changes += 1
        await eventually(arrived(email, len(email.posts) + each * 7 % members))
        process.end(signal.SIGKILL)
        await process.start()

    await eventually(lambda: len(set(email.ids)) >= changes, within_s=DELIVERED_WITHIN_S)

    expected = {(str_id(member), each + 1) for member in range(members) for each in range(kills)}
    assert {post.version for post in email.posts} == expected
    assert len(set(email.ids)) == changes
    assert len({(post.delivery_id, post.body) for post in email.posts}) == changes
    assert never_backwards(email)
    assert (await process.figures()).entries_taken_in == changes


def arrived(receiver: Receiver, count: int) -> Callable[[], bool]:
    """Whether so many posts came, or more."""
    return lambda: len(receiver.posts) >= count


def str_id(member: int) -> str:
    return f"00000000-0000-0000-0000-{member:012x}"


async def test_sigterm_ends_it_soon_though_a_receiver_hangs(
    process: Notifier, loyalty: Loyalty, email: Receiver
) -> None:
    released = asyncio.Event()

    async def hang(_: Post) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=204)

    email.reply = hang
    await process.start()
    await process.add("email", email.url)
    loyalty.change(1, version=1)
    await eventually(lambda: len(email.posts) == 1)

    status = await asyncio.to_thread(process.end, signal.SIGTERM, within_s=ENDED_WITHIN_S)
    released.set()
    await process.start()
    await eventually(lambda: len(email.posts) == 2)

    assert status == 0, "had to be killed"
    assert email.ids[0] == email.ids[1]


async def test_a_second_notifier_on_the_same_database_does_not_start(
    process: Notifier, loyalty: Loyalty, tmp_path: Path, database_url: str
) -> None:
    await process.start()
    second = Notifier(tmp_path, database_url=database_url, loyalty=loyalty)

    status = await asyncio.to_thread(second.spawn().wait, 30)

    assert status == 1
    assert "another notifier is using" in child.tail(process.log)
    assert await is_serving(process.target)


async def test_it_does_not_start_on_tables_it_may_not_migrate(process: Notifier) -> None:
    process.environment["NOTIFIER_MIGRATE_AT_START"] = "false"

    status = await asyncio.to_thread(process.spawn().wait, 30)

    assert status == 1
    assert "the database is at None" in child.tail(process.log)


async def test_it_starts_without_migrating_on_tables_of_its_version(
    process: Notifier, database_url: str
) -> None:
    async with rig(database_url):
        process.environment["NOTIFIER_MIGRATE_AT_START"] = "false"
        await process.start()


async def test_it_starts_while_loyalty_is_away_and_follows_it_later(
    process: Notifier, loyalty: Loyalty, email: Receiver
) -> None:
    await loyalty.stop()
    await process.start()
    await process.add("email", email.url)
    for member in range(BUCKETS):
        loyalty.change(member, version=1)

    await loyalty.start()

    await eventually(lambda: len(email.posts) == BUCKETS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFIER_CONCURRENCY", "0"),
        ("NOTIFIER_CONCURRENCY", "257"),
        ("NOTIFIER_TIMEOUT_S", "0"),
        ("NOTIFIER_TIMEOUT_S", "61"),
        ("NOTIFIER_RETRY_SCHEDULE_S", "0,soon"),
        ("NOTIFIER_RETRY_SCHEDULE_S", "0,-1"),
        ("NOTIFIER_RETRY_SCHEDULE_S", "2592000"),
        ("NOTIFIER_DISABLE_AFTER_S", "-1"),
        ("NOTIFIER_ALLOW_LOOPBACK", "perhaps"),
        ("REDIS_URL", "http://user:secret@localhost/"),
        ("NOTIFIER_REDIS_PREFIX", "a b"),
        ("NOTIFIER_REDIS_KEEP", "-1"),
        ("BONPUNKT_SERVICE_TOKEN_FILE", "/nowhere"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_the_start_with_status_2(
    tmp_path: Path, name: str, value: str
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    environment = {**os.environ, "BONPUNKT_SERVICE_TOKEN_FILE": str(token), name: value}
    command = [sys.executable, "-m", "services.notifier"]

    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30)

    assert done.returncode == 2
    assert f"setting {name}: " in done.stderr.decode()
    assert "secret" not in done.stderr.decode().replace("secret that", "")
