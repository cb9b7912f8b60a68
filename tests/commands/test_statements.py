"""`bonpunkt member statement` and `bonpunkt terminal end-of-day`."""

import grpc
import pytest

from tests.commands.asking import ask
from tests.commands.test_member import added
from tests.loyalty.admin.shop import BUSINESS_DATE, Article, Shop
from tests.servers.suite import Member, Suite

PLAIN = (Article("Milk", "DAIRY", 2000, "DE_7"),)


@pytest.fixture(scope="module")
def shop(suite: Suite) -> Shop:
    return Shop(suite.loyalty_target, suite.metadata)


async def test_a_statement_tells_opening_movements_and_closing(suite: Suite, shop: Shop) -> None:
    card = await added(suite, points=300)
    shop.check_out(Member("", card), articles=PLAIN, redeem=100)

    said = await ask(suite, "member", "statement", card)
    found = (await ask(suite, "member", "statement", card, "--json")).json
    before = await ask(
        suite, "member", "statement", card, "--to", "2020-12-31", "--from", "2020-01-01"
    )

    rows = [line.split() for line in said.output.splitlines()]
    assert ["opening", "0"] in rows
    assert ["closing", "209"] in rows
    assert any(row[2:6] == ["capture", "store-1", "till-1", "R1"] for row in rows if len(row) > 5)
    assert "−91" in said.output
    assert [line["change"]["points"] for line in found["lines"]] == [300, -91]
    assert found["opening"]["points"] + 300 - 91 == found["closing"]["points"]
    assert ["closing", "0"] in [line.split() for line in before.output.splitlines()]


@pytest.mark.parametrize(
    ("words", "field"),
    [(("--from", "x"), "from_date"), (("--from", "2026-02-01", "--to", "2026-01-01"), "to_date")],
)
async def test_a_period_that_is_none_is_named(
    suite: Suite, words: tuple[str, ...], field: str
) -> None:
    card = await added(suite)

    said = await ask(suite, "member", "statement", card, *words)

    assert said.status == 1
    assert said.errors.startswith(f"Error: invalid argument: {field}: ")


async def test_a_terminals_day_is_told(suite: Suite, shop: Shop) -> None:
    card = await added(suite)
    bought = shop.check_out(Member("", card), articles=PLAIN)
    shop.void(bought.operation_id)

    words = ("terminal", "end-of-day", "--business-date", BUSINESS_DATE)
    said = await ask(suite, *words)
    found = (await ask(suite, *words, "--terminal", "till-1", "--json")).json
    nobody = await ask(suite, *words, "--terminal", "till-9")

    (day,) = found["terminals"]
    assert day["captures"] >= 1
    assert day["voids"] == 1
    assert day["voided_basket_minor"] == 2000
    assert "till-1" in said.output
    assert "20.00 EUR" in said.output
    assert nobody.output == f"no terminal did anything on {BUSINESS_DATE}\n"


async def test_a_day_that_is_none_is_named(suite: Suite) -> None:
    said = await ask(suite, "terminal", "end-of-day", "--business-date", "yesterday")

    assert said.status == 1
    assert grpc.StatusCode.INVALID_ARGUMENT.name.lower().replace("_", " ") in said.errors
    assert "business_date: " in said.errors
