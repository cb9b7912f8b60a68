"""A service waits for its database, whenever that comes; and its password is in a file."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from services.runtime import databases
from services.runtime.databases import until_it_answers, with_password, write_ahead
from services.runtime.settings import Environment, read_all
from tests.servers.ports import free_port
from tests.servers.waiting import eventually


async def test_a_service_waits_until_its_database_is_there(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    connect = asyncpg.connect

    async def refused_three_times(*arguments: object, **options: object) -> asyncpg.Connection:
        nonlocal tried
        tried += 1
        if tried <= 3:
            raise ConnectionRefusedError
        return await connect(*arguments, **options)

    monkeypatch.setattr(databases.asyncpg, "connect", refused_three_times)

    assert await until_it_answers(postgres_url, stop=asyncio.Event())
    assert tried == 4


async def test_a_service_that_waits_can_be_stopped() -> None:
    stop = asyncio.Event()
    nobody = f"postgresql://bonpunkt@127.0.0.1:{free_port()}/ledger"
    waiting = asyncio.create_task(until_it_answers(nobody, stop=stop))
    await asyncio.sleep(0)
    stop.set()

    await eventually(waiting.done)
    assert waiting.result() is False


async def test_what_waiting_does_not_mend_is_told_at_once(postgres_url: str) -> None:
    missing = postgres_url.rpartition("/")[0] + "/nowhere"

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await until_it_answers(missing, stop=asyncio.Event())


async def test_a_file_is_not_waited_for(sqlite_url: str) -> None:
    assert await until_it_answers(sqlite_url, stop=asyncio.Event())


def _read(url: str, file: Path | None) -> tuple[str | None, Environment]:
    return read_all(lambda env: with_password(env, url, setting="X_PASSWORD_FILE", file=file))


def test_a_password_comes_from_its_file_whatever_signs_it_has(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/w:rd?\n")

    url, env = _read("postgresql://bonpunkt@db/ledger", file)

    assert env.wrong == {}
    assert url is not None
    assert make_url(url).password == "p@ss/w:rd?"


def test_without_a_file_the_address_stays_as_it_is() -> None:
    assert _read("postgresql://a:b@db/ledger", None)[0] == "postgresql://a:b@db/ledger"


def test_two_passwords_and_a_missing_file_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "password"
    assert "cannot read" in _read("postgresql://a@db/x", file)[1].wrong["X_PASSWORD_FILE"][0]
    file.write_text("secret")
    assert "already" in _read("postgresql://a:b@db/x", file)[1].wrong["X_PASSWORD_FILE"][0]


def test_who_opens_a_file_while_another_reads_it_waits_to_switch_it_to_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SQLite has it: the busy timeout does not apply to this lock."""
    path = tmp_path / "both.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as reading,
        closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as opening,
    ):
        reading.execute("CREATE TABLE anything (x)")
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM anything").fetchall()
        waited: list[float] = []

        def the_other_ends(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                reading.execute("COMMIT")

        monkeypatch.setattr("services.runtime.databases.time.sleep", the_other_ends)

        opening.execute("PRAGMA busy_timeout=0")
        write_ahead(opening.execute)

        assert len(waited) == 3
        assert opening.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_stays_locked_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "busy.sqlite"
    monkeypatch.setattr(databases, "SWITCH_TIMEOUT_S", -1.0)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as reading,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as opening,
    ):
        reading.execute("CREATE TABLE anything (x)")
        reading.execute("BEGIN EXCLUSIVE")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write_ahead(opening.execute)
