"""docs/ledger.md tells what a real ledger does, and draws the table on which the code runs."""

from services.loyalty.domain.decision import Kind
from services.loyalty.domain.ledger import Account
from services.loyalty.domain.life import State
from tests.contracts import ledger_story
from tests.contracts.ledger_story import PAGE


async def test_the_story_and_the_drawing_are_those_of_the_code() -> None:
    """If not: python -m tests.contracts.ledger_story --write"""
    assert PAGE.read_text(encoding="utf-8") == await ledger_story.page()


def test_every_account_is_in_the_chart() -> None:
    chart = PAGE.read_text(encoding="utf-8").split("## Accounts")[1].split("\n## ")[0]
    assert [account.value for account in Account if f"`{account.value}`" not in chart] == []


def test_every_kind_of_row_is_explained() -> None:
    kinds = PAGE.read_text(encoding="utf-8").split("## Kinds of rows")[1].split("\n## ")[0]
    assert [kind.value for kind in Kind if f"| `{kind.value}` |" not in kinds] == []


def test_every_state_is_in_the_drawing() -> None:
    drawing = ledger_story.drawing()
    assert [state for state in State if ledger_story._name(state) not in drawing] == []
