"""`bonpunkt backup` and `restore`: what they refuse. What they do is in tests/deploy."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import func, select

from services.loyalty import schema
from services.loyalty.installation import open_installation, raise_epoch
from services.loyalty.migrations import migrate
from services.loyalty.store import open_store
from services.loyalty.verify import verify
from tests.servers.process import ROOT

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def bonpunkt(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command on an installation whose data folder this is."""
    (folder / "service-token").write_text("ab" * 32)
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        env={"PATH": "/usr/bin:/bin", "BONPUNKT_DATA": str(folder), **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


async def new_ledger(url: str) -> None:
    store = await open_store(url)
    await migrate(store.engine)
    await open_installation(store.engine)
    await store.close()


async def test_two_restores_of_one_backup_are_two_epochs(database_url: str) -> None:
    """Also if the second comes within a second, or by a clock that is behind."""
    store = await open_store(database_url)
    await migrate(store.engine)
    await open_installation(store.engine)

    first = await raise_epoch(store.engine, at=NOON, actor="cli:tests")
    second = await raise_epoch(store.engine, at=NOON, actor="cli:tests")
    third = await raise_epoch(store.engine, at=NOON - timedelta(days=1), actor="cli:tests")

    assert (first, second, third) == (int(NOON.timestamp()), first + 1, first + 2)
    assert (await open_installation(store.engine)).epoch == third
    await store.close()
    assert (await verify(database_url)).ok


async def test_a_restore_refuses_a_database_in_use(tmp_path: Path, postgres_url: str) -> None:
    await new_ledger(postgres_url)
    with psycopg.connect(postgres_url, application_name="a report"):
        done = bonpunkt(tmp_path, "restore", LOYALTY_DATABASE_URL=postgres_url)

    assert done.returncode == 1
    assert "is in use by a report" in done.stderr


async def test_a_restore_changes_nothing_where_the_books_do_not_balance(
    tmp_path: Path, postgres_url: str
) -> None:
    await new_ledger(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE bucket SET issued = -1 WHERE bucket = 3")

    done = bonpunkt(tmp_path, "restore", LOYALTY_DATABASE_URL=postgres_url)

    assert done.returncode == 1
    assert "the books do not balance" in done.stderr
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute("SELECT value FROM installation WHERE name = 'epoch'")
        assert found.fetchone() == ("1",)


def backup(folder: Path, *, keys: str) -> subprocess.CompletedProcess[str]:
    return bonpunkt(folder, "backup", str(folder / "backup"), "--keys", str(folder / keys))


async def test_keys_are_not_kept_with_what_they_open(tmp_path: Path) -> None:
    await new_ledger(f"sqlite:///{tmp_path / 'loyalty.sqlite'}")

    assert "--keys" in backup(tmp_path, keys="backup").stderr
    assert not (tmp_path / "backup").exists()


async def test_a_backup_does_not_go_over_another(tmp_path: Path) -> None:
    await new_ledger(f"sqlite:///{tmp_path / 'loyalty.sqlite'}")

    assert backup(tmp_path, keys="keys").returncode == 0
    again = backup(tmp_path, keys="keys")

    assert again.returncode == 1
    assert "File exists" in again.stderr


async def test_without_embedded_databases_there_is_nothing_to_copy(tmp_path: Path) -> None:
    done = backup(tmp_path, keys="keys")

    assert done.returncode == 1
    assert "no database here is SQLite" in done.stderr


async def test_a_copy_is_the_ledger(tmp_path: Path) -> None:
    await new_ledger(f"sqlite:///{tmp_path / 'loyalty.sqlite'}")
    assert backup(tmp_path, keys="keys").returncode == 0

    copied = f"sqlite:///{tmp_path / 'backup' / 'loyalty.sqlite'}"
    assert (await verify(copied)).ok
    store = await open_store(copied)
    async with store.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.bucket)) == 32
    await store.close()
