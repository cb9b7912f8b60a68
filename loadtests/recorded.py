"""Checkouts to be replayed: recorded baskets, each for another member, serialised in advance.

Building a message costs more than sending it. What is measured is the service, so everything is
built before the clock starts.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import uuid_utils.compat as uuids

from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping
from services.demo.recordings import Recordings

TIMEOUT_MS = 30_000  # longer than any run's queue: an operation that expires is a finding
BASKETS_KEPT = 20_000  # distinct recorded baskets in use; after these, the same with other numbers


@dataclass(frozen=True, slots=True)
class Frame:
    """A serialised OpenRequest, the number of operations in it, and the id of the first."""

    request: bytes
    operations: int
    first_id: str


def baskets(count: int) -> list[pb.Basket]:
    """The first `count` recorded baskets, at most BASKETS_KEPT, in the order of the recording."""
    recordings = Recordings()
    products = recordings.products
    first = itertools.islice(recordings.baskets(), min(count, BASKETS_KEPT))
    return [mapping.basket(recorded, products) for recorded in first]


def captures(cards: Iterable[str], recorded: Sequence[pb.Basket]) -> Iterator[pb.Operation]:
    """One capture for each card, with the recorded baskets in turn.

    Every third redeems as much as possible, as the demo's tills do.
    """
    for number, card in enumerate(cards):
        redeems = number % mapping.REDEEMS_EVERY == mapping.REDEEMS_EVERY - 1
        yield capture(card, recorded[number % len(recorded)], redeems=redeems)


def visits(cards: Iterable[str], recorded: Sequence[pb.Basket]) -> Iterator[list[Frame]]:
    """What a till sends for one customer after the other: who is it, what would this basket earn,
    and the capture, each as a message of its own.
    """
    for operation in captures(cards, recorded):
        card, basket = operation.capture.card, operation.capture.basket
        identify = _question(pb.Operation(identify=pb.Identify(card=card)))
        quote = _question(pb.Operation(quote=pb.Quote(card=card, basket=basket)))
        yield list(frames([identify, quote, operation], size=1))


def capture(card: str, recorded: pb.Basket, *, redeems: bool) -> pb.Operation:
    """A capture of a recorded basket, as a new purchase with a receipt of its own."""
    basket = pb.Basket()
    basket.CopyFrom(recorded)
    basket.basket_id = str(uuids.uuid7())
    basket.receipt_number = str(uuids.uuid7())
    kind = pb.Capture(card=card, basket=basket)
    if redeems:
        kind.redeem_maximum = True
    operation = pb.Operation(id=str(uuids.uuid7()), timeout_ms=TIMEOUT_MS, capture=kind)
    operation.occurred_at.GetCurrentTime()
    return operation


def _question(operation: pb.Operation) -> pb.Operation:
    operation.id = str(uuids.uuid7())
    operation.timeout_ms = TIMEOUT_MS
    return operation


def frames(operations: Iterable[pb.Operation], *, size: int) -> Iterator[Frame]:
    """Messages of `size` operations each; the last may be smaller."""
    iterator = iter(operations)
    while chunk := list(itertools.islice(iterator, size)):
        request = pb.OpenRequest(operations=chunk).SerializeToString()
        yield Frame(request, len(chunk), chunk[0].id)
