"""pgbench: its built-in TPC-B is the yardstick, what the database does without anything before it.
It also runs scripts of ours.
"""

import math
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import programs

SCALE = 50
CLIENTS = (1, 4, 16, 64)
THREADS_MAX = 2
LOGGED_SHARE = 0.1  # of the transactions, for percentiles: more would cost what is measured


@dataclass(frozen=True, slots=True)
class Script:
    """What each client repeats: SQL with pgbench's commands, and what its variables are at first;
    `settings` are those of the session.
    """

    text: str
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run of pgbench reported. Percentiles are those of every tenth transaction."""

    clients: int
    transactions_per_s: float
    latency_average_ms: float
    p50_ms: float
    p99_ms: float


def prepare(url: str) -> None:
    """Makes pgbench's tables, 100,000 accounts for each of the scale's branches."""
    _pgbench("--initialize", f"--scale={SCALE}", "--quiet", url)


def run(url: str, *, clients: int, seconds: int, script: Script | None = None) -> Rate:
    """One run with prepared statements: of TPC-B, or of a script."""
    with tempfile.TemporaryDirectory(prefix="bonpunkt-pgbench-") as made:
        folder = Path(made)
        options = [
            "--protocol=prepared",
            f"--client={clients}",
            f"--jobs={min(clients, THREADS_MAX)}",
            f"--time={seconds}",
            "--log",
            f"--log-prefix={folder / 'log'}",
            f"--sampling-rate={LOGGED_SHARE}",
        ]
        settings: Mapping[str, str] = {}
        if script is not None:
            (folder / "script").write_text(script.text, encoding="utf-8")
            options += ["--no-vacuum", f"--file={folder / 'script'}"]
            options += [f"--define={name}={value}" for name, value in script.variables.items()]
            settings = script.settings
        output = _pgbench(*options, url, settings=settings)
        took_us = sorted(_latencies_us(folder))
    return Rate(
        clients=clients,
        transactions_per_s=round(_figure(r"^tps = ([\d.]+)", output), 1),
        latency_average_ms=_figure(r"^latency average = ([\d.]+) ms", output),
        p50_ms=_percentile_ms(took_us, 0.50),
        p99_ms=_percentile_ms(took_us, 0.99),
    )


def _pgbench(*arguments: str, settings: Mapping[str, str] | None = None) -> str:
    options = " ".join(f"-c {name}={value}" for name, value in (settings or {}).items())
    done = subprocess.run(
        [programs.PGBENCH.path(), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGOPTIONS": options},
    )
    if done.returncode != 0:
        raise RuntimeError(f"pgbench ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _latencies_us(folder: Path) -> list[int]:
    """From the logs, one for each thread: client, transaction, microseconds, …"""
    return [
        int(line.split()[2])
        for log in folder.glob("log*")
        for line in log.read_text(encoding="ascii").splitlines()
    ]


def _percentile_ms(ordered_us: Sequence[int], share: float) -> float:
    assert ordered_us, "pgbench logged no transaction"
    return ordered_us[math.ceil(share * len(ordered_us)) - 1] / 1000


def _figure(pattern: str, output: str) -> float:
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise ValueError(f"pgbench did not print {pattern!r}:\n{output}")
    return float(match[1])
