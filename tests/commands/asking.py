"""The command line, asked as an operator asks it: a process of its own against real services."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import ROOT
from tests.servers.suite import Suite


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.errors
        return json.loads(self.output)


async def ask(
    suite: Suite,
    *words: str,
    typed: str = "",
    person: str = "ada",
    loyalty: str = "",
    folder: Path = ROOT,
) -> Said:
    """`person` is who sits at the machine, `loyalty` another target than the suite's, `folder`
    where the command is given.
    """
    environment = {
        **suite.processes["loyalty"].environment,
        "CLI_LOYALTY": loyalty or suite.loyalty_target,
        "LOGNAME": person,
        "PYTHONPATH": str(ROOT),
    }
    if suite.notifier_target:
        environment["CLI_NOTIFIER"] = suite.notifier_target
    return await ask_in(environment, *words, typed=typed, folder=folder)


async def ask_in(
    environment: Mapping[str, str], *words: str, typed: str = "", folder: Path = ROOT
) -> Said:
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    output, errors = await command.communicate(typed.encode())
    assert command.returncode is not None
    return Said(command.returncode, output.decode(), errors.decode())
