"""Shoppers who ask in the end whether what they were told still stands."""

import asyncio
import itertools
from contextlib import AsyncExitStack
from pathlib import Path

from bonpunkt.till.client import Till
from services.demo import mapping
from services.demo.recordings import Recordings
from services.demo.shoppers import Shopping
from tests.end_to_end.recorded import enrol_shoppers
from tests.servers.suite import Suite

BASKETS = 12


async def test_a_ledger_that_is_away_is_asked_again_and_contradicts_nobody(tmp_path: Path) -> None:
    recordings = Recordings()
    wanted = list(itertools.islice(recordings.baskets(), BASKETS))
    shoppers = {each.household_id: mapping.shopper(each.household_id) for each in wanted}
    async with Suite(tmp_path) as suite, AsyncExitStack() as closing:
        await enrol_shoppers(suite, list(shoppers.values()))
        names = sorted({mapping.till_of(each) for each in wanted})
        terminals = {name: await suite.add_terminal(name) for name in names}
        tills = {
            name: await closing.enter_async_context(
                Till(suite.gateway_target, terminal_id=each.terminal_id, secret=each.secret)
            )
            for name, each in terminals.items()
        }
        shopping = Shopping(tills)
        for each in wanted:
            await shopping.check_out(each, mapping.basket(each, recordings.products))
        assert shopping.outcomes() == {"captured": BASKETS}

        await suite.kill("loyalty")
        asking = asyncio.create_task(shopping.contradictions())
        await suite.start("loyalty")

        assert await asking == 0
