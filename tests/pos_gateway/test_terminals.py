import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from services.pos_gateway.terminals import Terminal, Terminals
from services.runtime import grpc
from tests.pos_gateway.peer import (
    BLOCKED_TERMINAL,
    OTHER_TERMINAL,
    TERMINAL,
    TOKEN,
    Loyalty,
    Metadata,
    metadata,
    running,
)
from tests.servers.waiting import eventually

KNOWN = Terminal(
    terminal_id="till-1", store_id="store-1", secret_sha256=sha256(b"secret-1").digest()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway" / "terminals.json"


@asynccontextmanager
async def following(loyalty: Loyalty, path: Path) -> AsyncIterator[Terminals]:
    async with grpc.channel(loyalty.target) as channel:
        terminals = Terminals(channel, token=TOKEN, path=path)
        async with running(terminals.follow()):
            await terminals.known.wait()
            yield terminals


async def written(path: Path, *terminal_ids: str) -> None:
    """Waits until the copy on disk names exactly these terminals."""

    def names_them() -> bool:
        if not path.exists():
            return False
        entries = json.loads(path.read_text(encoding="utf-8"))["terminals"]
        return [entry["terminal_id"] for entry in entries] == list(terminal_ids)

    await eventually(names_them)


def spoil(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))


def from_disk(path: Path) -> Terminals:
    """What a gateway knows that cannot reach loyalty."""
    terminals = Terminals(grpc.channel("127.0.0.1:1"), token=TOKEN, path=path)
    terminals.load()
    return terminals


async def test_a_terminal_with_its_secret_is_admitted(loyalty: Loyalty, path: Path) -> None:
    async with following(loyalty, path) as terminals:
        assert terminals.admitted(metadata()) == KNOWN


@pytest.mark.parametrize(
    "shown",
    [
        (),
        (("bonpunkt-terminal", "till-1"),),
        (("authorization", "Bearer secret-1"),),
        metadata("till-9", "secret-1"),
        metadata("", ""),
        metadata("till-1", ""),
        metadata("till-1", "secret-2"),
        metadata("till-1", "secret-1 "),
        metadata("till-3", "secret-3"),
        (("bonpunkt-terminal", "till-1"), ("authorization", "secret-1")),
        (("bonpunkt-terminal", "till-1"), ("authorization", "Basic secret-1")),
    ],
)
async def test_everybody_else_is_not(loyalty: Loyalty, path: Path, shown: Metadata) -> None:
    """Unknown, without or with a wrong secret, blocked, or of another scheme."""
    async with following(loyalty, path) as terminals:
        assert terminals.admitted(shown) is None


async def test_the_list_is_followed(loyalty: Loyalty, path: Path) -> None:
    loyalty.terminals = []
    async with following(loyalty, path) as terminals:
        assert terminals.admitted(metadata()) is None

        loyalty.tell_terminals(TERMINAL)

        await eventually(lambda: terminals.admitted(metadata()) is not None)


async def test_the_list_is_followed_again_after_loyalty_was_away(
    loyalty: Loyalty, path: Path
) -> None:
    async with following(loyalty, path) as terminals:
        await loyalty.kill()
        loyalty.terminals = [OTHER_TERMINAL]
        assert terminals.admitted(metadata()) == KNOWN  # meanwhile the old list stands

        await loyalty.start()

        await eventually(lambda: terminals.admitted(metadata()) is None)
        assert terminals.admitted(metadata("till-2", "secret-2")) is not None


async def test_every_change_is_written_to_disk(loyalty: Loyalty, path: Path) -> None:
    async with following(loyalty, path):
        await written(path, "till-1", "till-2", "till-3")

        loyalty.tell_terminals(OTHER_TERMINAL)

        await written(path, "till-2")


async def test_the_copy_on_disk_admits_the_same_terminals(loyalty: Loyalty, path: Path) -> None:
    async with following(loyalty, path):
        await written(path, "till-1", "till-2", "till-3")

    terminals = from_disk(path)

    assert terminals.known.is_set()
    assert terminals.admitted(metadata()) == KNOWN
    assert terminals.admitted(metadata("till-1", "wrong")) is None
    assert terminals.admitted(metadata("till-3", "secret-3")) is None


async def test_the_copy_on_disk_is_private_and_holds_no_secret(
    loyalty: Loyalty, path: Path
) -> None:
    async with following(loyalty, path):
        await written(path, "till-1", "till-2", "till-3")

    assert_private(path)


def assert_private(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret-1" not in path.read_text(encoding="utf-8")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_without_a_copy_no_terminal_is_known(path: Path) -> None:
    assert not from_disk(path).known.is_set()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"terminals": 7}',
        '{"terminals": [{"terminal_id": "till-1"}]}',
        '{"terminals": [{"terminal_id": "", "store_id": "", "secret_sha256": 5, "blocked": 0}]}',
        '{"terminals": [{"terminal_id": "", "store_id": "", "secret_sha256": "", "blocked": 0}]}',
        "\x00\xff",
    ],
)
async def test_an_unreadable_copy_is_as_good_as_none(path: Path, content: str) -> None:
    """Loyalty will tell the list; a half-read one would turn rightful tills away."""
    spoil(path, content)

    assert not from_disk(path).known.is_set()


async def test_a_copy_that_cannot_be_written_stops_nobody(loyalty: Loyalty, path: Path) -> None:
    path.parent.write_text("a file where the folder should be", encoding="utf-8")

    async with following(loyalty, path) as terminals:
        loyalty.tell_terminals(OTHER_TERMINAL, BLOCKED_TERMINAL)

        await eventually(lambda: terminals.admitted(metadata("till-1", "secret-1")) is None)
        assert terminals.admitted(metadata("till-2", "secret-2")) is not None


async def test_whoever_asks_hears_of_every_change(loyalty: Loyalty, path: Path) -> None:
    heard: list[bool] = []
    async with following(loyalty, path) as terminals:
        terminals.on_change(lambda: heard.append(terminals.still_admits(KNOWN)))

        loyalty.tell_terminals(OTHER_TERMINAL)
        await eventually(lambda: heard == [False])
        loyalty.tell_terminals(TERMINAL)
        await eventually(lambda: heard == [False, True])
