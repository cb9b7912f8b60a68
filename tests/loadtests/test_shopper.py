"""A shopper tells an answer that is right from one that is not, also where it is a refusal."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bonpunkt.loyalty.v1 import terminal_pb2, terminal_pb2_grpc
from loadtests import mix
from loadtests.shop import Shop
from loadtests.shopper import Shopper
from services.runtime.grpc import channel
from tests.servers.suite import Suite

BRINGS_BACK = 12


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
async def shop(suite: Suite) -> AsyncIterator[Shop]:
    opened = _shop(suite)
    try:
        await asyncio.to_thread(opened.open)
        yield opened
    finally:
        await asyncio.to_thread(opened.close)


def _shop(suite: Suite) -> Shop:
    return Shop(
        gateway=suite.gateway_target,
        loyalty=suite.loyalty_target,
        token_file=suite.folder / "service-token",
        ca=None,
        tills=2,
    )


async def asked(shopper: Shopper, shop: Shop, *operations: str) -> list[str | None]:
    """Why each failed."""
    way = shop.unary_way()
    return [await asyncio.to_thread(shopper.ask, name, way=way) for name in operations]


@pytest.mark.parametrize("number", range(mix.shoppers_min()))
async def test_every_kind_of_visit_is_answered_as_it_should_be(shop: Shop, number: int) -> None:
    visit = mix.visit(number)

    assert await asked(Shopper(number, shop), shop, *visit) == [None] * len(visit)


async def test_who_has_nothing_to_redeem_is_rightly_refused_a_reservation(shop: Shop) -> None:
    """The quote said so before; and what was not reserved cannot be given up."""
    shopper = Shopper(0, shop)
    line = shopper.basket.line_items[0]
    del shopper.basket.line_items[1:]
    shopper.basket.total_minor = line.total_minor = 1

    assert (
        await asked(shopper, shop, "enrol", "quote", "reserve", "release", "capture") == [None] * 5
    )


async def test_a_refusal_that_the_quote_did_not_announce_is_a_failure(shop: Shop) -> None:
    shopper = Shopper(1, shop)
    refused = await asked(shopper, shop, "quote", "release")
    shopper.basket.total_minor += 1
    refused += await asked(shopper, shop, "reserve")

    assert refused == [
        None,
        None,
        "REASON_BASKET_TOTAL_DIFFERS reserve.basket.total_minor",
    ]


async def test_without_a_receipt_nothing_can_be_brought_back(shop: Shop) -> None:
    receipts = list(shop.returnable)
    shop.returnable.clear()

    assert await asked(Shopper(BRINGS_BACK, shop), shop, "return") == [
        "there is no receipt of which something could come back"
    ]
    shop.returnable.extend(receipts)


async def test_the_tills_of_a_run_may_not_speak_after_it(suite: Suite) -> None:
    shop = _shop(suite)
    await asyncio.to_thread(shop.open)
    await asyncio.to_thread(shop.close)

    async with channel(suite.loyalty_target) as loyalty:
        stub = terminal_pb2_grpc.TerminalServiceStub(loyalty)
        request = terminal_pb2.ListTerminalsRequest()
        listed = await stub.ListTerminals(request, metadata=suite.metadata, timeout=30)

    blocked = {each.terminal_id for each in listed.terminals if each.blocked}
    assert blocked == {metadata[0][1] for metadata in shop.tills}
