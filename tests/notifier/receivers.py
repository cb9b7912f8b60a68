"""Receivers for tests: real HTTP servers that note every request and answer as they are told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass(frozen=True, slots=True)
class Post:
    """A request whose signature was found right by a library that is not ours."""

    delivery_id: str
    timestamp_s: int
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = orjson.loads(self.body)["data"]
        return data

    @property
    def version(self) -> tuple[str, int]:
        return self.data["member_id"], self.data["member_version"]


Reply = Callable[[Post], Awaitable[web.StreamResponse]]


def _signature(of: Post) -> str:
    """By a library that is not ours; `verify` itself would not let tests move the clock."""
    at = datetime.fromtimestamp(of.timestamp_s, UTC)
    return Webhook(SECRET).sign(of.delivery_id, at, of.body.decode())


async def no_content(_: Post) -> web.StreamResponse:
    return web.Response(status=204)


def status(code: int, **headers: str) -> Reply:
    async def reply(_: Post) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, headers=named)

    return reply


@dataclass(slots=True)
class Receiver:
    reply: Reply = no_content
    posts: list[Post] = field(default_factory=list)
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way_of_a_member: int = 0
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [post.delivery_id for post in self.posts]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        post = Post(
            delivery_id=request.headers["webhook-id"],
            timestamp_s=int(request.headers["webhook-timestamp"]),
            body=body,
        )
        assert request.headers["webhook-signature"] == _signature(post)
        member, _ = post.version
        self.posts.append(post)
        self.under_way[member] += 1
        most = max(self.under_way.values())
        self.most_under_way_of_a_member = max(self.most_under_way_of_a_member, most)
        try:
            return await self.reply(post)
        finally:
            self.under_way[member] -= 1


def never_backwards(receiver: Receiver) -> bool:
    """Repeated versions are allowed, older ones after newer ones are not."""
    newest: dict[str, int] = {}
    for member, version in (post.version for post in receiver.posts):
        if version < newest.get(member, 0):
            return False
        newest[member] = version
    return True


@asynccontextmanager
async def receiving(reply: Reply = no_content) -> AsyncIterator[Receiver]:
    receiver = Receiver(reply=reply)
    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", receiver.handle)])
    async with serving(app) as url:
        receiver.url = url
        yield receiver


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(
    answer: bytes, *, hang: bool = False, posts: int = 1
) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that sends these bytes, whatever it is asked, to so many posts a connection.

    Yields its URL and a list that grows with every connection.
    """
    connected: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(1)
        try:
            for _ in range(posts):
                await reader.readuntil(b"}}")  # the end of the body, since ours end so
                writer.write(answer)
                await writer.drain()
            if hang:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/", connected
    finally:
        server.close()
