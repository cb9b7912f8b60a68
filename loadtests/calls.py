"""gRPC calls over a connection of our own, for bytes that go both ways."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from struct import Struct
from typing import Protocol
from urllib.parse import unquote

import grpc

from loadtests.http2 import Connection
from services.runtime.grpc import Metadata
from services.runtime.tls import split_target

_PREFIX = Struct(">BI")  # of a message: whether it is compressed, and its length
_PREFIX_BYTES = _PREFIX.size
_prefix_at = _PREFIX.unpack_from
_CODES = {str(code.value[0]): code.name for code in grpc.StatusCode}


class Listener(Protocol):
    """Who is told what comes on a call: messages, and that nothing more will come."""

    def answered(self, message: bytes) -> None: ...

    def ended(self, error: ConnectionError) -> None: ...


class Call:
    """A call with messages both ways that goes on until somebody ends it."""

    __slots__ = ("_awaited_bytes", "_connection", "_end", "_listener", "_partial", "_stream")

    def __init__(
        self, connection: Connection, path: str, metadata: Metadata, listener: Listener
    ) -> None:
        self._connection = connection
        self._listener = listener
        self._end: ConnectionError | None = None
        self._partial = bytearray()  # messages of which a part is still to come
        self._awaited_bytes = 0  # until the first of them is whole, or its length is known
        fields = (("te", "trailers"), ("content-type", "application/grpc"), *metadata)
        self._stream = connection.open(path, fields, receiver=self)

    def listen(self, listener: Listener) -> None:
        """From now on this one is told; at once if the call has ended."""
        self._listener = listener
        if self._end is not None:
            listener.ended(self._end)

    def send(self, message: bytes) -> None:
        """Dropped if the call has ended: who listens was told."""
        if self._end is None:
            self._connection.send(self._stream, _PREFIX.pack(0, len(message)) + message)

    def finish(self) -> None:
        """Says that nothing more will be sent."""
        if self._end is None:
            self._connection.finish(self._stream)

    def received(self, data: bytes) -> None:
        if self._partial:
            self._partial += data
            if len(self._partial) < self._awaited_bytes:
                return
            data = bytes(self._partial)
            self._partial.clear()
        begin, size = _PREFIX_BYTES, len(data)
        while begin <= size:
            compressed, length = _prefix_at(data, begin - _PREFIX_BYTES)
            if compressed:
                raise ConnectionError("a message is compressed, which nobody asked for")
            end = begin + length
            if end > size:
                break
            self._listener.answered(data[begin:end])
            begin = end + _PREFIX_BYTES
        if begin < size + _PREFIX_BYTES:
            self._keep(data[begin - _PREFIX_BYTES :])

    def ended(self, fields: Mapping[str, str]) -> None:
        code = fields.get("grpc-status", "")
        words = unquote(fields.get("grpc-message", ""))
        self.broken(words or _CODES.get(code) or f"HTTP status {fields.get(':status')}")

    def broken(self, why: str) -> None:
        self._end = ConnectionError(f"the gateway ended a stream: {why}")
        self._listener.ended(self._end)

    def _keep(self, rest: bytes) -> None:
        self._partial += rest
        self._awaited_bytes = _PREFIX_BYTES
        if len(rest) >= _PREFIX_BYTES:
            self._awaited_bytes += _prefix_at(rest)[1]


@asynccontextmanager
async def connection(target: str, *, ca: bytes | None = None) -> AsyncIterator[Connection]:
    """As `services.runtime.grpc.channel` has it: `host:port` is plain text on loopback, TLS
    elsewhere, where `ca` (PEM) is trusted. ConnectionError if nobody can be reached or trusted.
    """
    address, encrypted = split_target(target)
    host, _, port = address.rpartition(":")

    def made() -> Connection:
        return Connection(scheme="https" if encrypted else "http", authority=address)

    try:
        _, opened = await asyncio.get_running_loop().create_connection(
            made, host.strip("[]"), int(port), ssl=_trusting(ca) if encrypted else None
        )
    except OSError as error:
        raise ConnectionError(f"cannot connect to {target}: {error}") from error
    try:
        yield opened
    finally:
        await opened.close()


def _trusting(ca: bytes | None) -> ssl.SSLContext:
    assert ca is not None, "what is asked by TLS is asked with a CA"
    context = ssl.create_default_context(cadata=ca.decode())
    context.set_alpn_protocols(["h2"])
    return context
