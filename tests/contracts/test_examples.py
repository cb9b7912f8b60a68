"""The examples for whoever connects a till run as they stand in the documents.

They find the till's name, its secret, a member's card and a fresh one in the environment, as the
documents tell the reader to put them there. Only the default addresses are exchanged for those of
the test.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contracts import documents
from tests.servers.suite import Member, Suite, Terminal

ROOT = Path(__file__).parents[2]
NEW_CARD = "2950000000016"  # of nobody
EXAMPLES = [
    block for name in ("README.md", "docs/till.md") for block in documents.examples(ROOT / name)
]


@dataclass(frozen=True, slots=True)
class House:
    """What the examples talk to."""

    suite: Suite
    terminal: Terminal
    member: Member


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with Suite(tmp_path_factory.mktemp("examples"), notifier=True) as suite:
        terminal = await suite.add_terminal("till-7")
        (member,) = await suite.enrol(1)
        yield House(suite, terminal, member)


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
async def test_the_example_runs(block: documents.Block, house: House) -> None:
    suite = house.suite
    await documents.run(
        block,
        folder=ROOT,
        environment={
            "BONPUNKT_DATA": str(suite.folder),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(suite.folder / "service-token"),
            "BONPUNKT_TERMINAL": house.terminal.terminal_id,
            "BONPUNKT_SECRET": house.terminal.secret,
            "BONPUNKT_CARD": house.member.card,
            "BONPUNKT_NEW_CARD": NEW_CARD,
            "CLI_LOYALTY": suite.loyalty_target,
            "CLI_NOTIFIER": suite.notifier_target,
        },
        replacing={
            "127.0.0.1:7701": suite.gateway_target,
            "127.0.0.1:7702": suite.loyalty_target,
            "127.0.0.1:7703": suite.notifier_target,
        },
    )


@pytest.mark.parametrize("language", ["console", "python"])
def test_there_is_an_example_of_each_kind(language: str) -> None:
    assert language in {block.language for block in EXAMPLES}
