"""Our own gRPC client against gRPC's own server, on both event loops."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

import grpc
import pytest
import uvloop

from loadtests.calls import Call, connection
from loadtests.http2 import FRAME_BYTES, PEER_WINDOW_BYTES, WINDOW_BYTES, Connection
from services.commands.trial_ca import new_authority
from tests.servers.certificates import Files, certificate_files
from tests.servers.ports import free_port

PATH = "/test.Echo/Open"
WORDS = "not % today: Größe 7 → ✗"
TILL = (("bonpunkt-terminal", "till-1"), ("authorization", "Bearer " + "s" * 300))

Context = grpc.aio.ServicerContext[bytes, bytes]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Tills are driven on uvloop, and tested on the other loop, too."""
    found: Run = request.param
    return found


class Heard:
    """Keeps what came on a call."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def answered(self, message: bytes) -> None:
        self.messages.put_nowait(message)

    def ended(self, error: ConnectionError) -> None:
        self.end.set_result(str(error))


async def answer(_: object, context: Context) -> None:
    """Each message comes back; some are orders."""
    while isinstance(message := await context.read(), bytes):
        if message == b"abort":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, WORDS)
        elif message == b"abort without words":
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        elif message == b"metadata":
            shown = dict(context.invocation_metadata() or ())
            await context.write(repr([shown[name] for name, _ in TILL]).encode())
        elif message == b"thrice":
            for number in range(3):
                await context.write(b"%d" % number)
        else:
            await context.write(message)


@asynccontextmanager
async def serving(files: Files | None = None) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """gRPC's own server and its port; TLS with a certificate."""
    unbounded = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    server = grpc.aio.server(options=unbounded)
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Open": grpc.stream_stream_rpc_method_handler(answer)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    if files is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop(None)


@asynccontextmanager
async def relay(port: int, *, bytes_a_read: int) -> AsyncIterator[int]:
    """A port that leads to the other; what comes back arrives in so small pieces."""

    async def backward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = writer.get_extra_info("socket")
        socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        while piece := await reader.read(bytes_a_read):
            writer.write(piece)
            await asyncio.sleep(0)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(backward(to_reader, writer))
        with suppress(ConnectionError):
            while some := await reader.read(1 << 16):
                to_writer.write(some)
        back.cancel()
        to_writer.close()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def opened(over: Connection) -> tuple[Call, Heard]:
    heard = Heard()
    return Call(over, PATH, TILL, listener=heard), heard


@asynccontextmanager
async def calling() -> AsyncIterator[tuple[Call, Heard]]:
    """One call of a server in plain text."""
    async with serving() as (_, port), connection(f"127.0.0.1:{port}") as over:
        yield opened(over)


def pattern(size_bytes: int) -> bytes:
    """So many bytes, of which none could take another's place unseen."""
    numbers = itertools.count(7_000_000_000)
    return b"".join(b"%d" % next(numbers) for _ in range(size_bytes // 10 + 1))[:size_bytes]


@pytest.mark.parametrize("size_bytes", [
    0, 1,
    FRAME_BYTES - 5, FRAME_BYTES - 4,  # with the prefix: one frame, and one byte more
    PEER_WINDOW_BYTES - 5, PEER_WINDOW_BYTES - 4,
    WINDOW_BYTES - 5, WINDOW_BYTES - 4, 5 * WINDOW_BYTES,
])  # fmt: skip
def test_a_message_of_any_size_goes_both_ways(run: Run, size_bytes: int) -> None:
    async def scenario() -> None:
        message = pattern(size_bytes)
        async with calling() as (call, heard):
            call.send(message)
            assert await heard.messages.get() == message

    run(scenario())


def test_windows_open_again_for_as_long_as_a_stream_lasts(run: Run) -> None:
    """Many messages at once, more than all the windows together, keep their order."""

    async def scenario() -> None:
        messages = [pattern(size) for size in range(100, 60_000, 200)]
        async with calling() as (call, heard):
            for message in messages:
                call.send(message)
            assert [await heard.messages.get() for _ in messages] == messages

    run(scenario())


def test_streams_of_one_connection_do_not_mix(run: Run) -> None:
    """Nor does one that waits for room keep another from sending."""

    async def scenario() -> None:
        async with serving() as (_, port), connection(f"127.0.0.1:{port}") as over:
            tills = [opened(over) for _ in range(40)]
            for number, (call, _) in enumerate(tills):
                call.send(b"%d" % number * 20_000)
                call.send(b"%d" % number)
            for number, (_, heard) in enumerate(tills):
                assert await heard.messages.get() == b"%d" % number * 20_000
                assert await heard.messages.get() == b"%d" % number

    run(scenario())


def test_a_message_may_be_answered_by_several(run: Run) -> None:
    async def scenario() -> None:
        async with calling() as (call, heard):
            call.send(b"thrice")
            assert [await heard.messages.get() for _ in range(3)] == [b"0", b"1", b"2"]

    run(scenario())


def test_what_a_till_shows_arrives_as_it_is(run: Run) -> None:
    async def scenario() -> None:
        async with calling() as (call, heard):
            call.send(b"metadata")
            assert await heard.messages.get() == repr([value for _, value in TILL]).encode()

    run(scenario())


def test_the_end_of_a_call_is_told_in_the_servers_words(run: Run) -> None:
    """Whatever signs they have; where there are none, the status has a name. Other calls go on."""

    async def scenario() -> None:
        async with serving() as (_, port), connection(f"127.0.0.1:{port}") as over:
            (with_words, first), (without, second), (other, third) = (opened(over) for _ in "123")
            with_words.send(b"abort")
            without.send(b"abort without words")
            assert (await first.end).endswith(f": {WORDS}")
            assert (await second.end).endswith(": UNAVAILABLE")
            with_words.send(b"dropped")
            other.send(b"still there")
            assert await third.messages.get() == b"still there"

    run(scenario())


def test_who_listens_after_the_end_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with calling() as (call, heard):
            call.send(b"abort")
            await heard.end
            late = Heard()
            call.listen(late)
            assert WORDS in late.end.result()

    run(scenario())


def test_a_call_that_is_finished_is_ended_by_the_server(run: Run) -> None:
    async def scenario() -> None:
        async with calling() as (call, heard):
            call.finish()
            assert (await heard.end).endswith(": OK")

    run(scenario())


def test_an_unknown_method_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (_, port), connection(f"127.0.0.1:{port}") as over:
            heard = Heard()
            Call(over, "/test.Echo/Nothing", TILL, listener=heard)
            assert (await heard.end).endswith("Method not found!")

    run(scenario())


def test_a_server_that_stops_ends_its_calls_and_takes_no_others(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as (server, port), connection(f"127.0.0.1:{port}") as over:
            call, heard = opened(over)
            call.send(b"here")
            await heard.messages.get()
            await server.stop(None)
            assert "the gateway ended a stream: " in await heard.end
            with pytest.raises(ConnectionError):
                opened(over)

    run(scenario())


def test_closing_a_connection_ends_its_calls(run: Run) -> None:
    async def scenario() -> None:
        async with calling() as (_, heard):
            pass
        assert (await heard.end).endswith("it is over")

    run(scenario())


def test_nobody_there_is_a_connection_error(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionError, match="cannot connect to"):
            async with connection(f"127.0.0.1:{free_port()}"):
                pass

    run(scenario())


def test_who_does_not_speak_http_2_is_found_out(run: Run) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async def scenario() -> None:
        async with (
            await asyncio.start_server(greet, "127.0.0.1", 0) as server,
            connection(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as over,
        ):
            assert (await opened(over)[1].end).endswith("it does not speak HTTP/2")

    run(scenario())


@pytest.mark.parametrize("bytes_a_read", [1, 8, 13, 4096])
def test_what_is_read_may_be_cut_anywhere(run: Run, bytes_a_read: int) -> None:
    """Within a frame's header, a message's prefix, a message, the trailers."""

    async def scenario() -> None:
        async with (
            serving() as (_, port),
            relay(port, bytes_a_read=bytes_a_read) as cut,
            connection(f"127.0.0.1:{cut}") as over,
        ):
            call, heard = opened(over)
            messages = [pattern(size) for size in (1, 300, 3000)]
            for message in messages:
                call.send(message)
            assert [await heard.messages.get() for _ in messages] == messages
            call.send(b"abort")
            assert WORDS in await heard.end

    run(scenario())


def test_tls_is_spoken_to_whom_the_ca_has_signed_for(run: Run, tmp_path: Path) -> None:
    files = certificate_files(tmp_path)

    async def scenario() -> None:
        ca, message = files.ca.read_bytes(), pattern(3 * WINDOW_BYTES)
        async with (
            serving(files) as (_, port),
            connection(f"https://localhost:{port}", ca=ca) as over,
        ):
            call, heard = opened(over)
            call.send(message)
            assert await heard.messages.get() == message

    run(scenario())


WRONG = {
    "authority": "unable to get local issuer certificate|self.signed certificate",
    "names": "not valid for '127.0.0.1'",
    "ended": "certificate has expired",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_certificate_is_not_spoken_to(run: Run, tmp_path: Path, what: str) -> None:
    files = certificate_files(tmp_path)
    ca = files.ca.read_bytes()
    if what == "authority":
        files.write(files.signed(by=new_authority(now=datetime.now(UTC))))
    elif what == "names":
        files.write(files.signed(names=["elsewhere.example"]))
    else:
        files.write(files.signed(ends_in=timedelta(days=-1)))

    async def scenario() -> None:
        async with serving(files) as (_, port):
            with pytest.raises(ConnectionError, match=WRONG[what]):
                async with connection(f"https://127.0.0.1:{port}", ca=ca):
                    pass

    run(scenario())
