"""Servers and channels over TLS: real handshakes between gRPC's own client and server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.commands.trial_ca import Signed, new_authority
from services.runtime.grpc import (
    REQUEST_ID_KEY,
    Metadata,
    Server,
    TokenInterceptor,
    bearer,
    channel,
    is_serving,
)
from services.runtime.tls import KeyPair, Loaded, why_not_connected
from tests.servers.certificates import Files, certificate_files
from tests.servers.waiting import eventually

LATER = timedelta(minutes=5)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return certificate_files(tmp_path)


class Forgotten(KeyPair):
    """A pair that was good when it was loaded, long ago."""

    def __init__(self, files: Files, ended: Signed) -> None:
        super().__init__(certificate=files.certificate, key=files.key)
        self._ended = Loaded(ended.certificate, ended.key, datetime.now(UTC) - LATER)

    def current(self) -> Loaded:
        return self._ended


@asynccontextmanager
async def serving(shown: Files | KeyPair | None) -> AsyncIterator[int]:
    """The port of a server that shows this certificate, or speaks plain text."""
    server = Server(service_names=[])
    if isinstance(shown, Files):
        shown = KeyPair(certificate=shown.certificate, key=shown.key)
    port = await server.start("127.0.0.1:0", key_pair=shown)
    try:
        yield port
    finally:
        await server.stop()


async def fault(target: str, *, ca: bytes | None) -> str:
    """What a caller is told who cannot connect."""
    async with channel(target, ca=ca) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_pb2_grpc.HealthStub(opened).Check(
                health_pb2.HealthCheckRequest(), timeout=10
            )
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return why_not_connected(caught.value.details() or "")


async def shown_at(port: int, files: Files) -> str:
    """The certificate that a new connection is shown, PEM."""

    def handshake() -> str:
        context = ssl.create_default_context(cafile=str(files.ca))
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")

    return await asyncio.to_thread(handshake)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_of_a_trusted_ca_for_the_name_is_accepted(
    files: Files, host: str
) -> None:
    async with serving(files) as port:
        assert await is_serving(f"https://{host}:{port}", ca=files.ca.read_bytes(), timeout_s=10)


async def test_loopback_is_asked_in_plain_text_unless_the_target_says_https(files: Files) -> None:
    async with serving(None) as port:
        assert await is_serving(f"127.0.0.1:{port}", timeout_s=10)
        words = await fault(f"https://127.0.0.1:{port}", ca=files.ca.read_bytes())

    assert words.startswith("it speaks plain text where TLS was expected")


async def test_a_server_with_a_certificate_answers_nothing_in_plain_text(files: Files) -> None:
    async with serving(files) as port:
        words = await fault(f"127.0.0.1:{port}", ca=None)

    assert "https://" in words


async def test_a_renewed_certificate_is_shown_without_a_restart(files: Files) -> None:
    """Connections that stand stay as they are; new ones get the new certificate."""
    ca = files.ca.read_bytes()
    async with serving(files) as port, channel(f"https://localhost:{port}", ca=ca) as standing:
        health = health_pb2_grpc.HealthStub(standing)
        await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        before = await shown_at(port, files)

        files.write(files.signed())

        assert before != files.certificate.read_text()
        assert await shown_at(port, files) == files.certificate.read_text()
        await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert await is_serving(f"https://localhost:{port}", ca=ca, timeout_s=10)


async def test_a_spoilt_renewal_leaves_the_last_good_certificate(files: Files) -> None:
    good = files.certificate.read_text()
    async with serving(files) as port:
        files.certificate.write_text("half a file")
        assert await shown_at(port, files) == good

        files.write(files.signed())
        assert await shown_at(port, files) == files.certificate.read_text()


async def test_a_certificate_that_ended_while_it_was_shown_is_refused(files: Files) -> None:
    """Nobody renewed it: the server cannot help it, the client says what is the matter."""
    async with serving(Forgotten(files, files.signed(ends_in=-LATER))) as port:
        words = await fault(f"https://127.0.0.1:{port}", ca=files.ca.read_bytes())

    assert words.startswith("its certificate has expired")


async def test_a_certificate_of_a_foreign_ca_is_refused(files: Files) -> None:
    files.write(files.signed(by=new_authority(now=datetime.now(UTC))))
    async with serving(files) as port:
        words = await fault(f"https://127.0.0.1:{port}", ca=files.ca.read_bytes())

    assert words.startswith("no CA in BONPUNKT_CA_FILE has signed its certificate")


async def test_a_certificate_for_another_name_is_refused(files: Files) -> None:
    files.write(files.signed(names=["other.example"]))
    async with serving(files) as port:
        words = await fault(f"https://127.0.0.1:{port}", ca=files.ca.read_bytes())

    assert words.startswith("its certificate is for other names than this address")


async def test_a_server_that_is_slow_to_greet_is_waited_for() -> None:
    """On a machine that has much to do a handshake takes longer than the first wait between two
    attempts to connect.
    """
    greeted = asyncio.get_running_loop().time() + 0.5
    connections = 0

    async def held_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await eventually(lambda: asyncio.get_running_loop().time() > greeted)
        with suppress(ConnectionError):
            answers, requests = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_passed_on(reader, requests), _passed_on(answers, writer))

    async with serving(None) as port:
        between = await asyncio.start_server(held_back, "127.0.0.1", 0)
        address = between.sockets[0].getsockname()
        assert await is_serving(f"127.0.0.1:{address[1]}", timeout_s=30)
        between.close()

    assert connections == 1


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()
    writer.close()


async def asked(metadata: Metadata) -> object:
    """Under which request id a handler does its work."""
    seen: list[object] = []
    structlog.contextvars.clear_contextvars()  # a server begins with what its maker had

    async def handler(_: bytes, context: object) -> bytes:
        seen.append(structlog.contextvars.get_contextvars().get("request_id"))
        return b""

    methods = {"Ask": grpc.unary_unary_rpc_method_handler(handler)}
    server = Server(service_names=[], interceptors=[TokenInterceptor("token")])
    server.grpc.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tests.Asking", methods),)
    )
    port = await server.start("127.0.0.1:0")
    try:
        async with channel(f"127.0.0.1:{port}") as opened:
            ask = opened.unary_unary("/tests.Asking/Ask")
            await ask(b"", metadata=(*bearer("token"), *metadata), timeout=10)
            await ask(b"", metadata=bearer("token"), timeout=10)
    finally:
        await server.stop()
    assert seen[1] is None, "the next call has no id, or one of its own"
    return seen[0]


async def test_a_call_logs_under_the_request_id_that_it_carries() -> None:
    assert await asked(((REQUEST_ID_KEY, "0123456789abcdef" * 2),)) == "0123456789abcdef" * 2


@pytest.mark.parametrize("foreign", ["", "an id with blanks", "0" * 33])
async def test_what_is_no_request_id_does_not_get_into_the_log(foreign: str) -> None:
    assert await asked(((REQUEST_ID_KEY, foreign),)) is None
