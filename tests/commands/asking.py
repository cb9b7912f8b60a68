"""The command line, asked as an operator asks it: a process of its own against real services."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

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
    suite: Suite, *words: str, typed: str = "", person: str = "ada", loyalty: str = ""
) -> Said:
    """`person` is who sits at the machine, `loyalty` another target than the suite's."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **suite.processes["loyalty"].environment,
            "CLI_LOYALTY": loyalty or suite.loyalty_target,
            "LOGNAME": person,
        },
    )
    output, errors = await command.communicate(typed.encode())
    assert command.returncode is not None
    return Said(command.returncode, output.decode(), errors.decode())
