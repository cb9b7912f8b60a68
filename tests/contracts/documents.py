"""Examples in documents run as they stand there.

A fenced block whose info string says `run` after the language is an example to be run:

    ```console run
    $ bonpunkt --version
    bonpunkt, version …
    ```

In a `console` block, lines that begin with "$ " are typed at a shell; those that begin with "> "
go on the line before. The lines below a command are what it prints, when there are any: "…" stands
for anything within a line, and a line of "…" alone for any number of lines. The commands of one
block share a shell. A `python` block is a whole program, which has to end well.
"""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RUN = "run"
WITHIN_S = 120.0
_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.M | re.S
)
_SEPARATOR = "bonpunkt-example-command"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a Markdown document; `line` is that of its first line of text."""

    document: Path
    line: int
    language: str
    marks: frozenset[str]
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and the lines that it is said to print; none if nothing is said."""

    typed: str
    printed: tuple[str, ...]


def blocks(document: Path) -> list[Block]:
    """Every fenced block of a document, in order; none if there is no such document."""
    if not document.is_file():
        return []
    text = document.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, *marks = match["info"].split() or [""]
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(document, line, language, frozenset(marks), match["text"]))
    return found


def examples(document: Path) -> list[Block]:
    """The blocks that are marked to be run."""
    return [block for block in blocks(document) if RUN in block.marks]


def commands(block: Block) -> list[Command]:
    """The commands of a console block. Raises ValueError for lines before the first command."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            if line.strip():
                raise ValueError(f"{block}: output before the first command: {line!r}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [Command("\n".join(typed), tuple(printed)) for typed, printed in found]


async def run(
    block: Block,
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    replacing: Mapping[str, str] | None = None,
) -> None:
    """Runs an example in `folder`; raises AssertionError if it fails or prints something else.

    `replacing` exchanges words of the example, such as a default port for the one in use.
    """
    words = replacing or {}
    if block.language == "python":
        program = [sys.executable, "-c", _replace(block.text, words)]
        await _end_well(program, block=block, folder=folder, environment=environment or {})
        return
    assert block.language == "console", f"{block}: cannot run {block.language!r}"
    typed = commands(block)
    assert typed, f"{block}: no command"
    script = f"\necho {_SEPARATOR}\n".join(_replace(command.typed, words) for command in typed)
    shell = ["bash", "-euo", "pipefail", "-c", script]
    output = await _end_well(shell, block=block, folder=folder, environment=environment or {})
    for command, printed in zip(typed, output.split(f"{_SEPARATOR}\n"), strict=True):
        expected = [_replace(line, words) for line in command.printed]
        assert agrees(expected, printed.splitlines()), (
            f"{block}: {command.typed!r} printed\n{printed}\ninstead of\n" + "\n".join(expected)
        )


def agrees(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are as the document says; blank lines at the end do not count."""
    expected = "\n".join(expected).rstrip().splitlines()
    if not expected:
        return True
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
    return re.fullmatch(pattern, "\n".join(printed).rstrip() + "\n") is not None


def _replace(text: str, words: Mapping[str, str]) -> str:
    for word, other in words.items():
        text = text.replace(word, other)
    return text


async def _end_well(
    command: list[str], *, block: Block, folder: Path, environment: Mapping[str, str]
) -> str:
    """What the command printed on standard output."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"{block}: still running after {WITHIN_S} s") from None
    assert process.returncode == 0, (
        f"{block}: {shlex.join(command)} ended with {process.returncode}:\n"
        f"{output.decode()}{errors.decode()}"
    )
    return output.decode()
