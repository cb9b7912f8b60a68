"""pgbench's built-in TPC-B, the yardstick: what the database does without anything before it."""

import re
import subprocess
from dataclasses import dataclass

from tests.servers import programs

SCALE = 50
CLIENTS = (1, 4, 16, 64)
THREADS_MAX = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run of pgbench reported."""

    clients: int
    transactions_per_s: float
    latency_average_ms: float


def prepare(url: str) -> None:
    """Makes pgbench's tables, 100,000 accounts for each of the scale's branches."""
    _pgbench("--initialize", f"--scale={SCALE}", "--quiet", url)


def run(url: str, *, clients: int, seconds: int) -> Rate:
    """One run with prepared statements."""
    output = _pgbench(
        "--protocol=prepared",
        f"--client={clients}",
        f"--jobs={min(clients, THREADS_MAX)}",
        f"--time={seconds}",
        url,
    )
    return Rate(
        clients=clients,
        transactions_per_s=_figure(r"^tps = ([\d.]+)", output),
        latency_average_ms=_figure(r"^latency average = ([\d.]+) ms", output),
    )


def _pgbench(*arguments: str) -> str:
    done = subprocess.run(
        [programs.PGBENCH.path(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"pgbench ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _figure(pattern: str, output: str) -> float:
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise ValueError(f"pgbench did not print {pattern!r}:\n{output}")
    return float(match[1])
