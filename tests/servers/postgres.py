"""A private PostgreSQL cluster with the durability that production has."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers import child, programs
from tests.servers.ports import free_port

USER = "postgres"  # PostgreSQL refuses to run as root
START_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "timezone": "UTC",
}


class Cluster:
    """A running cluster. Its databases belong to the superuser `bonpunkt`; loopback is trusted."""

    def __init__(self, *, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        """A plain address, as an operator would write it."""
        return f"postgresql://bonpunkt@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str | None = None) -> str:
        """The address of a new, empty database."""
        name = name or f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Removes a database that `create_database` made, ending whoever is still connected."""
        name = sql.Identifier(url.rpartition("/")[2])
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@contextmanager
def running_cluster(
    settings: Mapping[str, str] | None = None,
    *,
    parent: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """A new cluster in a folder of its own; stopped and removed at the end, also after Ctrl-C.

    `settings` come on top of SETTINGS, `environment` on top of this process's. The folder is made
    in `parent`, by default the system's temporary folder: the user `postgres` has to reach it, and
    a socket's path may have 107 characters.
    """
    folder = Path(tempfile.mkdtemp(prefix="bonpunkt-postgres-", dir=parent))
    try:
        child.give_to(USER, folder)
        _initialise(folder)
        cluster = _start(folder, {**SETTINGS, **(settings or {})}, environment or {})
        try:
            yield cluster
        finally:
            child.end(cluster.process, by=signal.SIGINT, within_s=STOP_WITHIN_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(folder: Path) -> None:
    options = ["--username=bonpunkt", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    child.run_as(
        USER,
        [programs.INITDB.path(), "-D", str(folder / "data"), "--no-instructions", *options],
        folder=folder,
    )


def _start(folder: Path, settings: Mapping[str, str], environment: Mapping[str, str]) -> Cluster:
    port = free_port()
    options = [f"--{name}={value}" for name, value in settings.items()]
    log = folder / "log"
    process = child.spawn(
        [programs.POSTGRES.path(), "-D", folder / "data", "-k", folder, "-p", str(port), *options],
        log=log,
        user=USER,
        environment={**os.environ, **environment},
        folder=folder,
    )
    cluster = Cluster(port=port, process=process, log=log)
    try:
        child.wait_until(
            lambda: _accepts(cluster), process=process, log=log, within_s=START_WITHIN_S
        )
    except BaseException:
        child.end(process, by=signal.SIGINT, within_s=STOP_WITHIN_S)
        raise
    return cluster


def _accepts(cluster: Cluster) -> bool:
    try:
        psycopg.connect(cluster.url("postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
