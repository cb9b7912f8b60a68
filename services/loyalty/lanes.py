"""Several writers of one process, each for its share of the buckets.

A writer waits for the database four times a batch. With two lanes the other one decides meanwhile,
so that neither the processor nor the database stands idle; their batches lock different buckets.

Card → member is looked up before a lane is chosen, on a connection of its own, batched by the same
rule as everything here: idle, ask at once; busy, collect.
"""

import asyncio
from collections.abc import Callable

from services.loyalty.answers import Answer, Cause, Item
from services.loyalty.clock import Clock
from services.loyalty.domain.command import (
    Abandon,
    Capture,
    Command,
    Merge,
    Release,
    Reserve,
    ReturnItems,
    VoidReceipt,
)
from services.loyalty.domain.decision import Reserved
from services.loyalty.keys import card_key, member_bucket, operation_key
from services.loyalty.owners import Owners
from services.loyalty.places import names_record
from services.loyalty.programmes.versions import Programmes
from services.loyalty.store import Store, StoreLostError
from services.loyalty.writer import QUEUE_MAX, Writer, nobody
from services.runtime.logs import logger

LOOK_UPS_MAX = 512

log = logger(__name__)


class Lanes:
    """Takes commands, finds the lane of each, and runs the writers."""

    def __init__(
        self,
        store: Store,
        programmes: Programmes,
        clock: Clock,
        *,
        committed: Callable[[], None] = nobody,
        reserved: Callable[[Reserved], None] = nobody,
        observed: Callable[[int, float, float], None] = nobody,
    ) -> None:
        """`observed` hears of every batch: operations, wait of the first of them, time of the
        transaction (both in seconds).
        """
        self._store = store
        self._owners = Owners()
        self._writers = [
            Writer(
                store,
                programmes,
                clock,
                committed=committed,
                reserved=reserved,
                observed=observed,
                lane=lane,
                owners=self._owners,
            )
            for lane in range(store.lanes)
        ]
        self._unknown: dict[str, list[Item]] = {}  # by card, in order of arrival
        self._unknown_items = 0
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def queued(self) -> int:
        """Commands that wait for a batch, or for the owner of their card to be looked up."""
        return self._unknown_items + sum(writer.queued for writer in self._writers)

    def submit(self, item: Item) -> None:
        """Takes a command; its reply is called exactly once."""
        command = item.command
        if not isinstance(command, Capture | Reserve):
            self._writer_of(_bucket(command)).submit(item)
            return
        owner = self._owners.known(command.card)
        if owner is not None and command.card not in self._unknown:
            self._writer_of(owner.home_bucket).submit(item)
        elif self._unknown_items >= QUEUE_MAX or self._stopping:
            item.reply(Answer(cause=Cause.OVERLOADED))
        else:
            self._unknown.setdefault(command.card, []).append(item)
            self._unknown_items += 1
            self._wake.set()

    async def commit(self, command: Command, *, timeout_s: float) -> Answer:
        """One command from inside the house, answered when it is durable."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        now_s = loop.time()
        self.submit(Item(command, now_s + timeout_s, reply, arrived_s=now_s))
        return await answered

    async def run(self) -> None:
        """Commits until `stop`; then finishes what had arrived."""
        async with asyncio.TaskGroup() as group:
            for writer in self._writers:
                group.create_task(writer.run())
            await self._look_up()
            for writer in self._writers:
                writer.stop()

    def stop(self) -> None:
        """No new commands; `run` returns once everything is answered."""
        self._stopping = True
        self._wake.set()

    async def _look_up(self) -> None:
        """Finds the owners of unknown cards until `stop`, and sends their items on."""
        while self._unknown or not self._stopping:
            if not self._unknown:
                self._wake.clear()
                await self._wake.wait()
                continue
            cards = list(self._unknown)[:LOOK_UPS_MAX]
            keys = {card_key(card): card for card in cards}
            try:
                found = await self._store.owners(list(keys))
            except StoreLostError as error:
                log.warning("cards are looked up by the writers", error=str(error))
                found = {}
            for key, owner in found.items():
                self._owners.remember(keys[key], owner)
            for card in cards:
                self._send_on(card)

    def _send_on(self, card: str) -> None:
        """To the lane of the card's owner. A card of nobody is refused by any writer."""
        owner = self._owners.known(card)
        writer = self._writer_of(owner.home_bucket if owner is not None else 0)
        for item in self._unknown.pop(card):
            self._unknown_items -= 1
            writer.submit(item)

    def _writer_of(self, bucket: int) -> Writer:
        return self._writers[bucket % len(self._writers)]


def _bucket(command: Command) -> int:
    """Where a command that names no card is decided, or, if that takes a look-up, any bucket:
    whichever writer gets it locks the right ones.
    """
    match command:
        case Abandon():
            return operation_key(command.target_id).bucket
        case Release() | VoidReceipt() | ReturnItems():
            key = names_record(command)
            assert key is not None
            return key.bucket
        case Merge():
            return member_bucket(command.survivor_id)
        case _:
            assert not isinstance(command, Capture | Reserve)
            return member_bucket(command.member_id)
