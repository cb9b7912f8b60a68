"""A PostgreSQL cluster that archives its log, lost and restored with the scripts of
deploy/backup.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.rehearsals.scene import run_program
from tests.servers import child, programs
from tests.servers.postgres import SETTINGS, START_WITHIN_S, STOP_WITHIN_S, USER

SCRIPTS = Path(__file__).parents[1] / "backup"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that the user `postgres` can reach: archive, backup, and a copy of the scripts."""

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def script(self, name: str) -> Path:
        return self.folder / "scripts" / name

    def archiving(self) -> dict[str, str]:
        """Settings of a cluster whose log is archived here."""
        command = f'{self.script("archive-wal")} "%p" "%f" {self.archive}'
        return {"archive_mode": "on", "archive_command": command, "wal_level": "replica"}

    async def take_base_backup(self, url: str) -> None:
        server = psycopg.conninfo.conninfo_to_dict(url)
        await run_program(
            self.script("postgres-base"),
            self.backup,
            user=USER,
            PATH=f"{programs.POSTGRES_FOLDER}:{os.environ['PATH']}",
            PGHOST=str(server["host"]),
            PGPORT=str(server["port"]),
            PGUSER=str(server["user"]),
        )

    @asynccontextmanager
    async def restored(self, *, moment: str, port: int) -> AsyncIterator[None]:
        """A cluster as of that moment, which takes writes, at the port of the one that was lost."""
        data = self.folder / "restored"
        await run_program(
            self.script("postgres-restore"),
            *(self.backup, self.archive, data, moment),
            user=USER,
            PATH=f"{programs.POSTGRES_FOLDER}:{os.environ['PATH']}",
        )
        log = self.folder / "log"
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        process = child.spawn(
            [programs.POSTGRES.path(), "-D", data, "-k", self.folder, "-p", str(port), *settings],
            log=log,
            user=USER,
            folder=self.folder,
        )
        try:
            child.wait_until(
                lambda: _has_opened(port), process=process, log=log, within_s=START_WITHIN_S
            )
            yield
        finally:
            child.end(process, by=signal.SIGINT, within_s=STOP_WITHIN_S)


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="bonpunkt-rehearsal-"))
    try:
        made = Place(folder)
        shutil.copytree(SCRIPTS, folder / "scripts")
        made.archive.mkdir()
        for each in (folder, made.archive):
            child.give_to(USER, each)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_opened(port: int) -> bool:
    """Whether it has read the log up to its moment: until then it takes no writes."""
    url = f"postgresql://bonpunkt@127.0.0.1:{port}/postgres"
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            found = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        return False
    return found == (False,)
