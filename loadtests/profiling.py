"""Where the time goes: py-spy looks at loyalty and gateway while 256 tills check out."""

import asyncio
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.installation import Installation
from loadtests.plan import MAIN, PROFILED_CHECKOUTS

PROGRAM = Path(sys.executable).with_name("py-spy")
LOOKS_PER_S = 250
WATCHED = ("loyalty", "gateway")
SHOWN = 15
# Innermost frames of a thread that waits; what has no name in the C library is a system call.
WAITING = re.compile(r"epoll_|poll |__poll|pthread_cond_|__futex|somewhere \(libc\.so")
NAMELESS = re.compile(r"^0x[0-9a-f]+")  # addresses in libraries that were stripped


async def profile(
    installation: Installation, *, folder: Path, console: Console
) -> dict[str, dict[str, Any]]:
    """Writes `<process>.svg` into `folder`, a flame graph each; for the result, what is busiest.

    Two runs, none of which counts: py-spy stops a process for each look, and makes one form at a
    time.
    """
    for form, suffix in (("flamegraph", "svg"), ("raw", "txt")):
        console.print(f"profiling: {form}")
        async with AsyncExitStack() as watching:
            for name in WATCHED:
                process = installation.suite.processes[name]
                output = folder / f"{name}.{suffix}"
                await watching.enter_async_context(_watched(process.pid, form, output))
            await installation.run(MAIN, checkouts=PROFILED_CHECKOUTS)
    return {name: busiest(folder / f"{name}.txt") for name in WATCHED}


@asynccontextmanager
async def _watched(pid: int, form: str, output: Path) -> AsyncIterator[None]:
    """py-spy looks at the process until the block ends; then it writes what it saw.

    `--native`: with the frames of compiled modules and libraries.
    """
    looking = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "record", "--pid", str(pid), "--format", form, "--output", str(output)),
        *("--rate", str(LOOKS_PER_S), "--native", "--function"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield
    finally:
        if looking.returncode is None:
            looking.send_signal(signal.SIGINT)
        _, said = await looking.communicate()
    if looking.returncode != 0:
        raise RuntimeError(f"py-spy could not look (it needs root):\n{said.decode()}")


def busiest(stacks: Path) -> dict[str, Any]:
    """Functions by the share of looks at which they were at work, themselves or in what they
    called; looks at a thread that waits for a socket are left out.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for frames, looks in _looks(stacks):
        if WAITING.match(frames[-1]):
            continue
        own[frames[-1]] += looks
        for function in set(frames):
            within[function] += looks
    total = own.total()
    functions = [
        {
            "function": function,
            "own_share": round(looks / total, 4),
            "share": round(within[function] / total, 4),
        }
        for function, looks in own.most_common(SHOWN)
    ]
    return {"looks": total, "functions": functions}


def _looks(stacks: Path) -> Iterator[tuple[list[str], int]]:
    """Each stack, outermost frame first, and how often it was seen."""
    for line in stacks.read_text(encoding="utf-8").splitlines():
        frames, _, looks = line.rpartition(" ")
        yield [NAMELESS.sub("somewhere", frame) for frame in frames.split(";")], int(looks)
