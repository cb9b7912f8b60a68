"""What may happen to the Redis between notifiers: done to a real server, or to the way to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.notifier.streams import GROUP
from tests.servers.redis import Server, running_redis
from tests.servers.waiting import eventually

Fault = Callable[[], AbstractAsyncContextManager[None]]

PAUSE_MS = 10_000
CHUNK_BYTES = 65_536


class Way:
    """A way to a server that can change its end, and that can break in the middle of an answer."""

    def __init__(self, *, port: int) -> None:
        self.to_port = port
        self.port = 0
        self.cuts = 0
        self._cut = False

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut_answers(self) -> None:
        """The next answer is cut in its middle, and so on until `mend`."""
        self._cut = True

    def mend(self) -> None:
        self._cut = False

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.to_port)
            asking = asyncio.create_task(_copy(reader, to_server))
            try:
                await self._answer(from_server, writer)
            finally:
                asking.cancel()
                to_server.close()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._cut and len(chunk) > 1:
                self.cuts += 1
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return
            writer.write(chunk)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _client(server: Server) -> Redis:
    """It waits out a pause."""
    return Redis.from_url(server.url, socket_timeout=6 * PAUSE_MS / 1_000)


class Nemesis:
    """One Redis, the way to it, and faults: each lasts for its block, or is done at its start."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._server: Server = stack.enter_context(running_redis())
        self.redis: Redis = _client(self._server)
        self.way = Way(port=self._port())

    @property
    def url(self) -> str:
        """What the notifiers are told."""
        return f"redis://127.0.0.1:{self.way.port}/0"

    def _port(self) -> int:
        return int(self._server.url.rpartition(":")[2].partition("/")[0])

    async def streams(self) -> list[str]:
        return sorted([key.decode() async for key in self.redis.scan_iter(_type="stream")])

    @asynccontextmanager
    async def flushall(self) -> AsyncIterator[None]:
        await self.redis.flushall()
        yield

    @asynccontextmanager
    async def kill(self) -> AsyncIterator[None]:
        """Nothing was on disk; the new server is empty."""
        self._server.process.kill()
        self._server.process.wait()
        yield
        await self.redis.aclose()
        self._server = self._stack.enter_context(running_redis())
        self.redis = _client(self._server)
        self.way.to_port = self._port()

    @asynccontextmanager
    async def trim(self) -> AsyncIterator[None]:
        for key in await self.streams():
            await self.redis.xtrim(key, maxlen=0, approximate=False)
        yield

    @asynccontextmanager
    async def destroy_groups(self) -> AsyncIterator[None]:
        for key in await self.streams():
            await self.redis.xgroup_destroy(key, GROUP)
        yield

    @asynccontextmanager
    async def remove_consumer_with_pending(self) -> AsyncIterator[None]:
        """A consumer of the group takes entries, acknowledges none, and is removed with them."""
        taking = asyncio.create_task(self._take_as_thief())
        yield
        await taking
        lost = 0
        for key in await self.streams():
            lost += await self.redis.xgroup_delconsumer(key, GROUP, "thief")
        assert lost > 0, "nothing was pending"

    async def _take_as_thief(self) -> None:
        """Until something was got. The group may be just being made anew."""
        while True:
            with suppress(RedisError):
                wanted = dict.fromkeys(await self.streams(), ">")
                if wanted and await self.redis.xreadgroup(GROUP, "thief", wanted, block=20):
                    return
            await asyncio.sleep(0)

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        await self.redis.client_pause(PAUSE_MS)
        yield

    @asynccontextmanager
    async def cut_in_mid_reply(self) -> AsyncIterator[None]:
        before = self.way.cuts
        self.way.cut_answers()
        yield
        await eventually(lambda: self.way.cuts > before)
        self.way.mend()

    @asynccontextmanager
    async def full_memory(self) -> AsyncIterator[None]:
        await self.redis.config_set("maxmemory", 1)
        yield
        await self.redis.config_set("maxmemory", 0)

    @property
    def faults(self) -> dict[str, Fault]:
        return {
            "FLUSHALL": self.flushall,
            "kill without AOF": self.kill,
            "XTRIM": self.trim,
            "XGROUP DESTROY": self.destroy_groups,
            "DELCONSUMER with pending": self.remove_consumer_with_pending,
            "CLIENT PAUSE 10 s": self.pause,
            "cut in mid-reply": self.cut_in_mid_reply,
            "full memory": self.full_memory,
        }
