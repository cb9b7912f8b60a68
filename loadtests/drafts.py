"""Recorded captures as the rows that they become, drafted before the clock starts.

With these the database alone can be measured: the very statements and rows of the ledger, without
gRPC and without deciding. Each ledger has one writer here, so what every batch finds is known
beforehand.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import uuid_utils.compat as uuids

from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import recorded
from services.loyalty.clock import SystemClock
from services.loyalty.domain.command import Capture, Command, Enrol, Origin
from services.loyalty.domain.decision import Captured, Enrolled
from services.loyalty.domain.member import Member
from services.loyalty.draft import Draft
from services.loyalty.installation import open_installation, open_programmes
from services.loyalty.keys import BUCKET_COUNT, Key, card_key, member_bucket
from services.loyalty.migrations import migrate
from services.loyalty.places import Home, Known, homes_of
from services.loyalty.programmes.versions import Programmes
from services.loyalty.settings import DEMO_PROGRAMME
from services.loyalty.store import (
    MEMBER_COLUMNS,
    Batch,
    BucketState,
    Located,
    Store,
    member_from_row,
)
from services.loyalty.wire_lines import operation_from_bytes
from services.loyalty.wire_requests import request_from_wire

ENROLLED_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Drafted:
    """A transaction to be: whose cards to look up, what to lock and to read, what to write."""

    cards: Sequence[Key]
    buckets: Sequence[int]
    homes: Sequence[Home]
    rows: Batch


class Ledger:
    """A new ledger in an empty database, and what will be in it after what was drafted so far."""

    def __init__(self, store: Store, programmes: Programmes) -> None:
        self.store = store
        self._programmes = programmes
        self._buckets: dict[int, BucketState] = {}
        self._owners: dict[str, Located] = {}
        self._members: dict[str, Member] = {}
        self.captured = 0

    @classmethod
    async def made(cls, store: Store) -> "Ledger":
        """Tables, buckets and the demo's programme."""
        await migrate(store.engine)
        await open_installation(store.engine)
        now_us = SystemClock().now_us()
        ledger = cls(store, await open_programmes(store.engine, DEMO_PROGRAMME, now_us=now_us))
        async with store.writing() as transaction:
            ledger._buckets = await transaction.lock(range(BUCKET_COUNT))
        return ledger

    async def enrol(self, count: int) -> list[str]:
        """Books so many new members; their cards."""
        cards = [f"bench-{uuids.uuid7()}" for _ in range(count)]
        for first in range(0, count, ENROLLED_AT_ONCE):
            commands = [_enrolment(card) for card in cards[first : first + ENROLLED_AT_ONCE]]
            await write(self.store, self._drafted(commands))
        return cards

    def captures(
        self, cards: Sequence[str], baskets: Sequence[pb.Basket], *, size: int
    ) -> Iterator[Drafted]:
        """One capture of a recorded basket for each card, `size` in a transaction."""
        currency = self._programmes.current.currency
        commands = []
        for operation in recorded.captures(cards, baskets):
            sent = operation_from_bytes(operation.SerializeToString())
            command = request_from_wire(
                sent, terminal_id="till-1", store_id="store-1", currency=currency
            )
            assert isinstance(command, Capture), command
            commands.append(command)
        self.captured += len(commands)
        for first in range(0, len(commands), size):
            yield self._drafted(commands[first : first + size])

    def _drafted(self, commands: Sequence[Command]) -> Drafted:
        known = Known(owners=self._owners, recorded={}, moved={})
        places = [_homes(each, known) for each in commands]
        homes = list(itertools.chain.from_iterable(places))
        found = [self._members[home.member_id] for home in homes if home.member_id in self._members]
        draft = Draft(
            moment=self._programmes.moment(SystemClock().now_us()),
            programmes=self._programmes,
            buckets=self._buckets,
            members={member.member_id: member for member in found},
            known=known,
            decided_before={},
            reversals={},
        )
        for command, place in zip(commands, places, strict=True):
            decision = draft.decide(command, place)
            assert isinstance(decision, Captured | Enrolled), decision
        rows = draft.rows()
        self._learn(commands, rows)
        cards = [card_key(each.card) for each in commands if isinstance(each, Capture)]
        return Drafted(cards, sorted({home.bucket for home in homes}), homes, rows)

    def _learn(self, commands: Sequence[Command], rows: Batch) -> None:
        """Members as they will be, and whose the new cards are."""
        for row in (*rows.new_members, *rows.changed_members):
            member = member_from_row([row[name] for name in MEMBER_COLUMNS])
            self._members[member.member_id] = member
        for command in commands:
            if isinstance(command, Enrol):
                home = member_bucket(command.member_id)
                self._owners[command.card] = Located(home, 0, command.member_id)


async def write(store: Store, drafted: Drafted) -> None:
    """One transaction, as the writer makes it: lock, read, write."""
    async with store.writing() as transaction:
        await transaction.lock(drafted.buckets)
        await transaction.members(drafted.homes)
        await transaction.append(drafted.rows)


def _homes(command: Command, known: Known) -> tuple[Home, ...]:
    homes = homes_of(command, known)
    assert isinstance(homes, tuple), homes
    return homes


def _enrolment(card: str) -> Enrol:
    return Enrol(
        operation_id=str(uuids.uuid7()),
        fingerprint=bytes(32),
        origin=Origin(actor="cli:bench"),
        member_id=str(uuids.uuid7()),
        card=card,
        language="de",
    )
