"""What a peer may say by HTTP/2 and gRPC's own server seldom does, from a server that says it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from struct import pack
from typing import Self

import hpack

from loadtests.calls import connection
from loadtests.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    PADDED,
    PEER_WINDOW_BYTES,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_BYTES,
    WINDOW_UPDATE,
    Connection,
)

UNKNOWN = 0x42
Frame = tuple[int, int, int, bytes]  # kind, flags, number of the stream, payload


class Peer:
    """The server's side of one connection, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def greeted(self) -> Self:
        """What every client begins with is there."""
        assert await self._reader.readexactly(len(PREFACE)) == PREFACE
        settings = pack(">HIHI", ENABLE_PUSH, 0, INITIAL_WINDOW_SIZE, WINDOW_BYTES)
        assert await self.read() == (SETTINGS, 0, 0, settings)
        assert (await self.read())[:3] == (WINDOW_UPDATE, 0, 0)
        return self

    async def read(self) -> Frame:
        head = await self._reader.readexactly(9)
        length, number = int.from_bytes(head[:3], "big"), int.from_bytes(head[5:], "big")
        return head[3], head[4], number, await self._reader.readexactly(length)

    def write(self, *frames: Frame) -> None:
        """All at once."""
        for kind, flags, number, payload in frames:
            length = len(payload).to_bytes(3, "big")
            self._writer.write(length + pack(">BBI", kind, flags, number) + payload)

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):  # it was reset: ours does not take leave
            await self._writer.wait_closed()

    async def sent_bytes(self, number: int, *, until_bytes: int) -> list[int]:
        """The sizes of a stream's next frames of data, until so much has come."""
        sizes: list[int] = []
        while sum(sizes) < until_bytes:
            kind, _, of, payload = await self.read()
            assert (kind, of) == (DATA, number)
            sizes.append(len(payload))
        return sizes


class Heard:
    """Keeps what came on a stream."""

    def __init__(self) -> None:
        self.data = b""
        self.end: asyncio.Future[Mapping[str, str] | str] = (
            asyncio.get_running_loop().create_future()
        )

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self, fields: Mapping[str, str]) -> None:
        self.end.set_result(fields)

    def broken(self, why: str) -> None:
        self.end.set_result(why)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Connection, Peer]]:
    peers: asyncio.Queue[Peer] = asyncio.Queue()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.put_nowait(Peer(reader, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connection(f"127.0.0.1:{port}") as over:
            peer = await peers.get()
            yield over, await peer.greeted()
        await peer.close()


async def test_pings_and_settings_are_answered_and_what_is_unknown_is_not() -> None:
    async with connected() as (_, peer):
        peer.write(
            (PING, ACK, 0, b"ours----"),
            (UNKNOWN, 0xFF, 7, b"?" * 100),
            (SETTINGS, 0, 0, pack(">HI", 0x42, 1)),
            (SETTINGS, ACK, 0, b""),
            (PING, 0, 0, b"12345678"),
        )
        assert await peer.read() == (SETTINGS, ACK, 0, b"")
        assert await peer.read() == (PING, ACK, 0, b"12345678")


async def test_padding_and_priorities_are_left_out() -> None:
    encoder = hpack.Encoder()
    first = encoder.encode([(":status", "200")])
    last = encoder.encode([("grpc-status", "0")])
    async with connected() as (over, peer):
        heard = Heard()
        over.open("/", (), receiver=heard)
        peer.write(
            (HEADERS, END_HEADERS | PADDED | PRIORITY, 1, b"\3" + b"\0" * 5 + first + b"\0" * 3),
            (DATA, PADDED, 1, b"\4here\0\0\0\0"),
            (DATA, PADDED, 1, b"\0!"),
            (DATA, 0, 1, b""),
            (HEADERS, END_HEADERS | END_STREAM, 1, last),
        )
        assert await heard.end == {"grpc-status": "0"}
        assert heard.data == b"here!"


async def test_fields_may_be_compressed_and_come_in_pieces() -> None:
    """Names that were told on one stream are only numbers on the next."""
    words = [("grpc-status", "8"), ("grpc-message", "no " * 50)]
    encoder = hpack.Encoder()
    blocks = [encoder.encode(words, huffman=True) for _ in range(2)]
    assert len(blocks[1]) < len(blocks[0])
    async with connected() as (over, peer):
        ends = []
        for number, block in zip((1, 3), blocks, strict=True):
            heard = Heard()
            over.open("/", (), receiver=heard)
            peer.write(
                (HEADERS, END_STREAM, number, block[:1]),
                (CONTINUATION, 0, number, block[1:2]),
                (CONTINUATION, END_HEADERS, number, block[2:]),
            )
            ends.append(await heard.end)
    assert ends == [dict(words), dict(words)]


async def test_a_reset_stream_is_over_and_what_still_comes_on_it_is_let_go() -> None:
    async with connected() as (over, peer):
        reset, other = Heard(), Heard()
        over.open("/", (), receiver=reset)
        over.open("/", (), receiver=other)
        peer.write(
            (RST_STREAM, 0, 1, pack(">I", 11)),
            (RST_STREAM, 0, 1, pack(">I", 0)),
            (DATA, 0, 1, b"late"),
            (WINDOW_UPDATE, 0, 1, pack(">I", 1)),
            (DATA, END_STREAM, 3, b"in time"),
        )
        assert await reset.end == "it reset a stream (error 11)"
        assert await other.end == {}
        assert (reset.data, other.data) == (b"", b"in time")


async def test_who_goes_away_says_which_streams_it_will_not_look_at() -> None:
    async with connected() as (over, peer):
        seen, unseen = Heard(), Heard()
        over.open("/", (), receiver=seen)
        over.open("/", (), receiver=unseen)
        peer.write((GOAWAY, 0, 0, pack(">II", 1, 11) + b"too_many_pings"))
        assert await unseen.end == "it is going away (error 11) too_many_pings"
        peer.write((DATA, END_STREAM, 1, b"the end"))
        assert await seen.end == {}
        assert seen.data == b"the end"


async def test_room_is_given_again_when_half_of_it_is_taken() -> None:
    async with connected() as (over, peer):
        over.open("/", (), receiver=Heard())
        await peer.read()
        half = [(DATA, 0, 1, bytes(FRAME_BYTES))] * (WINDOW_BYTES // 2 // FRAME_BYTES)
        peer.write(*half[:-1], (PING, 0, 0, b"so far  "), half[-1])
        assert (await peer.read())[0] == PING
        given = pack(">I", WINDOW_BYTES // 2)
        assert await peer.read() == (WINDOW_UPDATE, 0, 1, given)
        assert await peer.read() == (WINDOW_UPDATE, 0, 0, given)


async def test_no_more_is_sent_than_there_is_room_for() -> None:
    """On the stream, on the connection, in a frame; and room may be taken back."""
    async with connected() as (over, peer):
        stream = over.open("/", (), receiver=Heard())
        await peer.read()
        over.send(stream, bytes(PEER_WINDOW_BYTES + 50_000))
        sizes = await peer.sent_bytes(1, until_bytes=PEER_WINDOW_BYTES)
        assert sizes == [FRAME_BYTES] * 3 + [FRAME_BYTES - 1]

        smaller = pack(">HI", INITIAL_WINDOW_SIZE, PEER_WINDOW_BYTES - 100)
        larger = pack(">HI", MAX_FRAME_SIZE, 2 * FRAME_BYTES)
        peer.write(
            (SETTINGS, 0, 0, smaller + larger),
            (WINDOW_UPDATE, 0, 0, pack(">I", 60_000)),
            (WINDOW_UPDATE, 0, 1, pack(">I", 100)),
            (PING, 0, 0, b"no room "),
            (WINDOW_UPDATE, 0, 1, pack(">I", 50_000)),
        )
        assert [(await peer.read())[0] for _ in range(2)] == [SETTINGS, PING]
        assert await peer.sent_bytes(1, until_bytes=50_000) == [2 * FRAME_BYTES, 17_232]


async def test_what_is_sent_in_one_turn_arrives_in_its_order() -> None:
    """A stream that waits does not keep another waiting."""
    async with connected() as (over, peer):
        waiting, other = (over.open("/", (), receiver=Heard()) for _ in "12")
        assert [(await peer.read())[0] for _ in range(2)] == [HEADERS, HEADERS]
        peer.write((SETTINGS, 0, 0, pack(">HI", INITIAL_WINDOW_SIZE, 10)))
        assert await peer.read() == (SETTINGS, ACK, 0, b"")
        over.send(waiting, b"eleven byte")
        over.send(waiting, b"s and more")
        over.send(other, b"ten bytes.")
        assert await peer.read() == (DATA, 0, 1, b"eleven byt")
        assert await peer.read() == (DATA, 0, 3, b"ten bytes.")
        peer.write((WINDOW_UPDATE, 0, 1, pack(">I", 100)))
        assert await peer.read() == (DATA, 0, 1, b"e")
        assert await peer.read() == (DATA, 0, 1, b"s and more")
