"""`python -m loadtests.load`: shoppers at simulated tills, judged by budgets (`make load`).

Brings an installation of its own up on SQLite or a private PostgreSQL, lets Locust load it, has
`bonpunkt verify` look at the books, and takes it down; or loads one that is there (`--target`).
The exit code is that of the judgement: 1 for a broken budget or books out of balance.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtests.arrivals import TILLS_MIN, Arrivals, TooFewError
from loadtests.machine import machine
from tests.servers.postgres import running_cluster
from tests.servers.programs import ProgramMissingError
from tests.servers.suite import Suite

ROOT = Path(__file__).parents[1]
CANNOT_START = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where the tills and the ledger are, for Locust."""

    words: str
    gateway: str
    loyalty: str
    token_file: Path


def locust(arrivals: Arrivals, *, at: Installation, budget: Path, results: Path) -> list[str]:
    """The command that loads an installation."""
    tills = str(arrivals.tills)
    options = {
        "--users": tills,
        "--spawn-rate": tills,
        "--shoppers-per-s": str(arrivals.shoppers_per_s),
        "--seconds": str(arrivals.seconds),
        "--target": at.gateway,
        "--loyalty": at.loyalty,
        "--token-file": str(at.token_file),
        "--installation": at.words,
        "--budget": str(budget),
        "--results": str(results),
        "--html": str(results / "locust.html"),
        "--json-file": str(results / "locust"),
        "--loglevel": "WARNING",
    }
    words = [word for option in options.items() for word in option]
    file = str(ROOT / "loadtests" / "locustfile.py")
    return [sys.executable, "-m", "locust", "-f", file, "--headless", "--only-summary", *words]


async def load_own(
    arrivals: Arrivals, *, db: str, folder: Path, budget: Path, results: Path, console: Console
) -> int:
    """Loads an installation that lives for the run; returns the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="bonpunkt-load-", dir=folder) as data,
        _database(db, folder, console) as database,
    ):
        console.print("starting loyalty and gateway")
        async with Suite(Path(data), database=database) as suite:
            disk = machine(folder)
            at = Installation(
                words=f"{db} ({disk['file_system']}, a page is safe in {disk['flush_us']} µs)",
                gateway=suite.gateway_target,
                loyalty=suite.loyalty_target,
                token_file=Path(data) / "service-token",
            )
            code = await _ended(locust(arrivals, at=at, budget=budget, results=results))
            console.print("bonpunkt verify looks at the books")
            books = await suite.verify()
    console.print(f"books in balance: {'yes' if books['ok'] else json.dumps(books)}")
    return code if books["ok"] else 1


@contextlib.contextmanager
def _database(db: str, folder: Path, console: Console) -> Iterator[str]:
    """The address of an empty database, as Suite wants it."""
    if db == "sqlite":
        yield "sqlite"
        return
    console.print("starting a private PostgreSQL")
    with running_cluster(parent=folder) as cluster:
        yield cluster.create_database("loyalty")


async def _ended(command: Sequence[str]) -> int:
    """The exit code of a command that writes to this terminal; ended with this process."""
    running = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", "--", *command, stdin=subprocess.DEVNULL
    )
    try:
        return await running.wait()
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.load", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    where.add_argument("--target", help="the gateway of an installation that is there")
    parser.add_argument(
        "--loyalty", default=os.environ.get("LOYALTY", "127.0.0.1:7702"), help="with --target"
    )
    parser.add_argument("--token-file", type=Path, help="its service token, with --target")
    parser.add_argument("--shoppers-per-s", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long shoppers arrive")
    parser.add_argument("--tills", type=int, help="default: one for each shopper a second")
    parser.add_argument("--budget", type=Path, default=ROOT / "loadtests" / "budget.toml")
    parser.add_argument("--results", type=Path, default=ROOT / "var" / "load")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the database is put; a folder in memory would measure no disk",
    )
    return parser.parse_args(words)


async def load(options: argparse.Namespace, *, console: Console) -> int:
    """Raises TooFewError and ProgramMissingError."""
    arrivals = Arrivals(
        shoppers_per_s=options.shoppers_per_s,
        seconds=options.seconds,
        tills=options.tills or max(TILLS_MIN, math.ceil(options.shoppers_per_s)),
    )
    if options.target is None:
        return await load_own(
            arrivals,
            db=options.db,
            folder=options.folder,
            budget=options.budget,
            results=options.results,
            console=console,
        )
    default = Path(os.environ.get("BONPUNKT_DATA", "var")) / "service-token"
    named = options.token_file or os.environ.get("BONPUNKT_SERVICE_TOKEN_FILE") or default
    at = Installation(
        words=options.target,
        gateway=options.target,
        loyalty=options.loyalty,
        token_file=Path(named),
    )
    return await _ended(locust(arrivals, at=at, budget=options.budget, results=options.results))


def main(words: Sequence[str] | None = None) -> int:
    console = Console(highlight=False)
    try:
        return asyncio.run(load(_arguments(words), console=console))
    except (TooFewError, ProgramMissingError) as error:
        console.print(str(error), style="red")
        return CANNOT_START
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
