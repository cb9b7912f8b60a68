"""The client's side of HTTP/2 (RFC 9113), as far as long streams of small messages need it.

What is sent within one turn of the event loop leaves as one write, and what one read brought is
handed on by plain calls: a message costs neither a task nor a future nor a system call of its own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Protocol, cast

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What the peer may send us unasked, on one stream and on all of them: the most that there is.
WINDOW_BYTES, WINDOW_OF_ALL_BYTES = 1 << 20, (1 << 31) - 1
FRAME_BYTES = 1 << 14  # as large as frames are unless somebody asks for larger ones: we do not
PEER_WINDOW_BYTES = (1 << 16) - 1  # what we may send, until the peer says otherwise

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    *(0x0, 0x1, 0x3, 0x4),
    *(0x6, 0x7, 0x8, 0x9),
)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 0x1, 0x2, 0x4, 0x5
CONNECTION = 0  # the number of the stream that stands for all of them

_HEADER = Struct(">IBI")  # length (24 bits) and kind (8), flags, number of the stream
_SETTING = Struct(">HI")
_NUMBER = Struct(">I")
_HEADER_BYTES = _HEADER.size
_header_at, _number_at = _HEADER.unpack_from, _NUMBER.unpack_from

Fields = tuple[tuple[str, str], ...]


class Receiver(Protocol):
    """Who is told what comes on a stream: data, cut anywhere, and then one of the two ends."""

    def received(self, data: bytes) -> None: ...

    def ended(self, fields: Mapping[str, str]) -> None:
        """By the peer, in order, with these trailers."""

    def broken(self, why: str) -> None:
        """Reset, or the connection is gone."""


class Stream:
    """One request and its answer, both without end."""

    __slots__ = ("number", "receiver", "sendable", "taken", "unsent")

    def __init__(self, number: int, receiver: Receiver, sendable: int) -> None:
        self.number = number
        self.receiver = receiver
        self.sendable = sendable  # bytes; below zero if the peer has made its windows smaller
        self.taken = 0  # bytes received for which the peer was not given room again
        self.unsent: deque[memoryview] = deque()


class Connection(asyncio.Protocol):
    """One connection with its streams. A fault of the peer, which is raised as ConnectionError in
    here, ends the connection; every stream is told why.
    """

    def __init__(self, *, scheme: str, authority: str) -> None:
        self._scheme, self._authority = scheme, authority
        self._loop = asyncio.get_running_loop()
        self._lost = self._loop.create_future()
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._streams: dict[int, Stream] = {}
        self._next_number = 1
        self._waiting: dict[int, Stream] = {}  # for a window to open; the first come first
        self._sendable = self._initial = PEER_WINDOW_BYTES
        self._frame_bytes = FRAME_BYTES
        self._outgoing: list[bytes | memoryview] = []
        self._rest = b""  # a frame of which a part is still to come
        self._block = b""  # header fields of which a part is still to come
        self._block_flags = 0
        self._going_away = ""  # what the peer said about it
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            DATA: self._on_late_data,
            HEADERS: self._on_headers,
            CONTINUATION: self._on_continuation,
            RST_STREAM: self._on_reset,
            SETTINGS: self._on_settings,
            PING: self._on_ping,
            GOAWAY: self._on_going_away,
            WINDOW_UPDATE: self._on_window,
        }

    def open(self, path: str, fields: Fields, *, receiver: Receiver) -> Stream:
        """A new stream: a POST with these header fields, few enough for one frame. ConnectionError
        if the peer takes none any more.
        """
        if self._going_away or self._transport.is_closing():
            raise ConnectionError(self._going_away or "the connection is closed")
        stream = Stream(self._next_number, receiver, self._initial)
        self._next_number += 2
        self._streams[stream.number] = stream
        request = ((":method", "POST"), (":scheme", self._scheme), (":path", path))
        fields = (*request, (":authority", self._authority), *fields)
        block = self._encoder.encode(fields, huffman=False)
        assert len(block) <= FRAME_BYTES, "a till shows little about itself"
        self._write_frame(HEADERS, END_HEADERS, stream.number, block)
        return stream

    def send(self, stream: Stream, data: bytes) -> None:
        """On an open stream. What the peer's windows do not let through follows when they open."""
        size = len(data)
        if (
            size <= self._frame_bytes
            and size <= stream.sendable
            and size <= self._sendable
            and not stream.unsent
        ):
            stream.sendable -= size
            self._sendable -= size
            if not self._outgoing:
                self._loop.call_soon(self._flush)
            self._outgoing += (_HEADER.pack(size << 8, 0, stream.number), data)
        else:
            stream.unsent.append(memoryview(data))
            self._waiting[stream.number] = stream
            self._send_waiting()

    def finish(self, stream: Stream) -> None:
        """Says on an open stream that nothing more will be sent than what was."""
        assert not stream.unsent, "what was answered was sent"
        self._write_frame(DATA, END_STREAM, stream.number, b"")

    async def close(self) -> None:
        """At once: streams that are open are told, and gRPC's server would not answer TLS's way to
        take leave.
        """
        self._transport.abort()
        await self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has no such class
        wanted = {ENABLE_PUSH: 0, INITIAL_WINDOW_SIZE: WINDOW_BYTES}
        self._write(PREFACE)
        settings = b"".join(_SETTING.pack(*each) for each in wanted.items())
        self._write_frame(SETTINGS, 0, CONNECTION, settings)
        self._give_room(CONNECTION, WINDOW_OF_ALL_BYTES - PEER_WINDOW_BYTES)

    def connection_lost(self, error: Exception | None) -> None:
        why = self._going_away or (str(error) or repr(error) if error else "it is over")
        for number in list(self._streams):
            self._over(number).receiver.broken(why)
        self._lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Most of what comes is small messages, and room for others: that is done without ado."""
        if self._rest:
            data = self._rest + data
        streams = self._streams
        begin, size = _HEADER_BYTES, len(data)
        while begin <= size:
            length_and_kind, flags, number = _header_at(data, begin - _HEADER_BYTES)
            kind = length_and_kind & 0xFF
            end = begin + (length_and_kind >> 8)
            if end > size:
                if end - begin > FRAME_BYTES:
                    raise ConnectionError("it does not speak HTTP/2")
                break
            if kind == WINDOW_UPDATE and number in streams:
                streams[number].sendable += _number_at(data, begin)[0]
            elif kind == DATA and number in streams:
                self._take_data(streams[number], flags, data[begin:end])
            elif kind in self._handlers:  # a kind that is not known is to be ignored
                self._handlers[kind](flags, number, data[begin:end])
            begin = end + _HEADER_BYTES
        self._rest = data[begin - _HEADER_BYTES :]
        if self._waiting:
            self._send_waiting()

    def _take_data(self, stream: Stream, flags: int, payload: bytes) -> None:
        """Room is given again in large steps, on the stream and with it on the connection, which
        has as much as two thousand streams.
        """
        stream.taken += len(payload)
        if stream.taken >= WINDOW_BYTES // 2:
            self._give_room(stream.number, stream.taken)
            self._give_room(CONNECTION, stream.taken)
            stream.taken = 0
        stream.receiver.received(_unpadded(payload) if flags & PADDED else payload)
        if flags & END_STREAM:
            self._over(stream.number).receiver.ended({})

    def _on_late_data(self, flags: int, number: int, payload: bytes) -> None:
        """Of a stream that is over on our side."""
        if payload:
            self._give_room(CONNECTION, len(payload))

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        payload = _unpadded(payload) if flags & PADDED else payload
        self._block = payload[5:] if flags & PRIORITY else payload
        self._block_flags = flags
        if flags & END_HEADERS:
            self._take_block(number)

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        self._block += payload
        if flags & END_HEADERS:
            self._take_block(number)

    def _take_block(self, number: int) -> None:
        """Every block is decoded, also of streams that are over: the table of names is shared."""
        fields = {
            bytes(name).decode(): bytes(value).decode(errors="replace")
            for name, value in self._decoder.decode(self._block, raw=True)
        }
        if self._block_flags & END_STREAM and number in self._streams:
            self._over(number).receiver.ended(fields)

    def _on_reset(self, flags: int, number: int, payload: bytes) -> None:
        if number in self._streams:
            why = f"it reset a stream (error {_number_at(payload)[0]})"
            self._over(number).receiver.broken(why)

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in _SETTING.iter_unpack(payload):
            if name == INITIAL_WINDOW_SIZE:
                for stream in self._streams.values():
                    stream.sendable += value - self._initial
                self._initial = value
            elif name == MAX_FRAME_SIZE:
                self._frame_bytes = value
            elif name == HEADER_TABLE_SIZE:
                self._encoder.header_table_size = value
        self._write_frame(SETTINGS, ACK, CONNECTION, b"")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if not flags & ACK:
            self._write_frame(PING, ACK, CONNECTION, payload)

    def _on_going_away(self, flags: int, number: int, payload: bytes) -> None:
        """Streams that the peer has seen may go on to their end."""
        last_seen, code = _number_at(payload)[0], _number_at(payload, 4)[0]
        words = payload[8:].decode(errors="replace")
        self._going_away = f"it is going away (error {code}) {words}".rstrip()
        for unseen in [each for each in self._streams if each > last_seen]:
            self._over(unseen).receiver.broken(self._going_away)

    def _on_window(self, flags: int, number: int, payload: bytes) -> None:
        if number == CONNECTION:
            self._sendable += _number_at(payload)[0]

    def _send_waiting(self) -> None:
        """As much of what waits as the windows let through."""
        for stream in list(self._waiting.values()):
            while stream.unsent:
                data = stream.unsent[0]
                size = min(len(data), self._frame_bytes, stream.sendable, self._sendable)
                if size <= 0:
                    break
                self._write_data(stream, data[:size])
                if size < len(data):
                    stream.unsent[0] = data[size:]
                else:
                    stream.unsent.popleft()
            else:
                del self._waiting[stream.number]

    def _over(self, number: int) -> Stream:
        stream = self._streams.pop(number)
        self._waiting.pop(number, None)
        if stream.taken:
            self._give_room(CONNECTION, stream.taken)
        return stream

    def _give_room(self, number: int, size_bytes: int) -> None:
        self._write_frame(WINDOW_UPDATE, 0, number, _NUMBER.pack(size_bytes))

    def _write_data(self, stream: Stream, data: bytes | memoryview) -> None:
        stream.sendable -= len(data)
        self._sendable -= len(data)
        self._write_frame(DATA, 0, stream.number, data)

    def _write_frame(self, kind: int, flags: int, number: int, payload: bytes | memoryview) -> None:
        self._write(_HEADER.pack(len(payload) << 8 | kind, flags, number))
        self._write(payload)

    def _write(self, data: bytes | memoryview) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)

    def _flush(self) -> None:
        if self._outgoing and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


def _unpadded(payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]]
