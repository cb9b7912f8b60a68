"""A service waits for its database, whenever that comes; and its password is in a file."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from services.runtime import databases
from services.runtime.databases import until_it_answers, with_password
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
