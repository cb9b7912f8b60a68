"""`python -m services.demo.shoppers`: recorded baskets, checked out at an installation that runs.

Unlike `bonpunkt up --demo` it starts nothing: it adds members and tills, shops, and in the end asks
for every acknowledged checkout whether it is still what the till was told. Processes may be killed
meanwhile; tills settle what they were not told.
"""

import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import click

from bonpunkt.till import operations as build
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping, provision
from services.demo.folder import DataFolder, Terminal
from services.demo.recordings import RecordedBasket, Recordings
from services.runtime.grpc import channel
from services.runtime.settings import default_var, load, service_token
from services.runtime.tls import read_ca

SETTLE_WITHIN_S = 120.0
FRAME = 64  # checkouts that are asked about together
TOLD_EVERY = 100
STATUS_TIMEOUT_S, ASK_AGAIN_S = 60.0, 0.2


@dataclass(slots=True)
class Shopping:
    """What tills were told. Every run has receipts of its own, so it can be repeated."""

    tills: Mapping[str, Till]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    told: dict[str, dict[str, pb.Decision]] = field(default_factory=dict)  # by till, operation id

    async def check_out(self, recorded: RecordedBasket, basket: pb.Basket) -> None:
        """Returns when it is certain whether it was booked, and how."""
        name = mapping.till_of(recorded)
        basket.receipt_number = f"{self.run}-{basket.receipt_number}"
        operation = build.capture(
            mapping.shopper(recorded.household_id).card,
            basket,
            redeem="maximum" if mapping.redeems(recorded) else None,
        )
        decision = await self.tills[name].settle(operation, within_s=SETTLE_WITHIN_S)
        of_till = self.told.setdefault(name, {})
        of_till[operation.id] = decision
        if (count := sum(map(len, self.told.values()))) % TOLD_EVERY == 0:
            click.echo(f"{count} checked out")

    async def contradictions(self) -> int:
        """How many captures are by now something else than the till was told."""
        found = 0
        for name, decisions in self.told.items():
            captured = [key for key, each in decisions.items() if each.HasField("captured")]
            for some in _framed(captured):
                now = await _status_of(some, till=self.tills[name])
                found += sum(
                    _bytes(answer.status_found.decision) != _bytes(decisions[each])
                    for each, answer in zip(some, now, strict=True)
                )
        return found

    def outcomes(self) -> Counter[str]:
        """How checkouts ended, by the name of the decision."""
        return Counter(
            str(decision.WhichOneof("result"))
            for of_till in self.told.values()
            for decision in of_till.values()
        )


@click.command()
@click.option("--loyalty", required=True, metavar="HOST:PORT", help="Where loyalty listens.")
@click.option("--gateway", required=True, metavar="HOST:PORT", help="Where the gateway listens.")
@click.option("--baskets", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--at-once", type=click.IntRange(1, 512), default=16, show_default=True)
def main(loyalty: str, gateway: str, baskets: int, at_once: int) -> None:
    """Checks out so many recorded baskets; one line of JSON at the end.

    Exit code 1 if a checkout is not what the till was told.
    """
    report = asyncio.run(shop(loyalty=loyalty, gateway=gateway, baskets=baskets, at_once=at_once))
    click.echo(json.dumps(report))
    raise SystemExit(1 if report["contradictions"] else 0)


async def shop(*, loyalty: str, gateway: str, baskets: int, at_once: int) -> dict[str, int]:
    """What became of the checkouts, and how many of them were not kept as told."""
    recordings = Recordings()
    wanted = list(itertools.islice(recordings.baskets(), baskets))
    asked = {"--loyalty": loyalty, "--gateway": gateway}
    (ca,) = load(lambda env: (read_ca(env, asked),))
    async with AsyncExitStack() as closing:
        terminals = await _provide(wanted, loyalty=loyalty, ca=ca)
        shared = await closing.enter_async_context(channel(gateway, ca=ca))
        tills = {
            name: await closing.enter_async_context(
                Till(gateway, terminal_id=each.terminal_id, secret=each.secret, channel=shared)
            )
            for name, each in terminals.items()
        }
        shopping = Shopping(tills)
        queue = iter(wanted)  # shared by all customers

        async def customers() -> None:
            for recorded in queue:
                basket = mapping.basket(recorded, recordings.products)
                await shopping.check_out(recorded, basket)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(customers())
        contradictions = await shopping.contradictions()
        return {**shopping.outcomes(), "contradictions": contradictions}


async def _provide(
    wanted: Sequence[RecordedBasket], *, loyalty: str, ca: bytes | None
) -> dict[str, Terminal]:
    """Makes everybody a member and adds their stores' tills, as far as they are not there."""
    folder = DataFolder(default_var().absolute())
    (folder.root / "demo").mkdir(parents=True, exist_ok=True)
    metadata = provision.actor(load(service_token))
    households = dict.fromkeys(each.household_id for each in wanted)
    async with channel(loyalty, ca=ca) as opened:
        shoppers = [mapping.shopper(each) for each in households]
        await provision.enrol(opened, metadata=metadata, shoppers=shoppers)
        stores = sorted({each.store_id for each in wanted})
        known = await provision.add_terminals(
            opened, metadata=metadata, stores=stores, folder=folder
        )
    return {name: known[name] for store in stores for name in mapping.tills(store)}


async def _status_of(ids: Sequence[str], *, till: Till) -> Sequence[pb.Decision]:
    """What is known of the operations; asked again while the ledger is away. TimeoutError if that
    takes more than a minute.
    """
    async with asyncio.timeout(STATUS_TIMEOUT_S):
        while True:
            answers = await till.send_many([build.status(each) for each in ids])
            if not any(answer.HasField("undecided") for answer in answers):
                return answers
            await asyncio.sleep(ASK_AGAIN_S)


def _framed(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), FRAME):
        yield ids[first : first + FRAME]


def _bytes(decision: pb.Decision) -> bytes:
    return decision.SerializeToString(deterministic=True)


if __name__ == "__main__":
    main()
