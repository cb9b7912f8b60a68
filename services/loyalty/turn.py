"""What a writer does with a batch while it waits for nobody: what has to be looked up, the
decisions, the answers. Here is no SQL.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from services.loyalty.answers import (
    Answer,
    Item,
    Recent,
    from_journal,
    too_late,
    too_late_to_burn,
)
from services.loyalty.domain.command import Capture, Reserve, Settle
from services.loyalty.domain.decision import JOURNALLED, Decision, Refused, Reserved
from services.loyalty.draft import DEFERRED, Deferred, Draft, Moved
from services.loyalty.keys import Key, card_key, operation_key
from services.loyalty.owners import Owners
from services.loyalty.places import Home, Known, Place, homes_of, names_decided, names_record
from services.loyalty.store import Decided, Located, Recorded

DECIDING_MAX_S = 0.005


def unanswered(
    batch: Iterable[Item], recent: Recent, *, now_s: float
) -> tuple[list[Item], list[Item]]:
    """The items that need the ledger: in time, not answered lately, one for each operation id; and
    those whose twin is among them, which can be answered from memory once it is committed.
    """
    wanted: dict[str, Item] = {}
    twins: list[Item] = []
    for item in batch:
        answer = recent.find(item.command)
        if answer is not None:
            item.reply(answer)
        elif item.deadline_s <= now_s:
            item.reply(too_late(item))
        elif item.command.operation_id in wanted:
            twins.append(item)
        else:
            wanted[item.command.operation_id] = item
    return list(wanted.values()), twins


class Turn:
    """A batch of items and, step by step, what is known of them.

    `unknown` cards and the journal rows `referred` to have to be looked up first; then `homes` are
    what is to be locked and read. `answers` fills as things are decided; `late` are those whose
    time ended in the wait for the locks, `later` those for the next batch, and `moves` what was
    learnt of members who were merged.
    """

    def __init__(self, items: Sequence[Item], owners: Owners) -> None:
        self._items = items
        self._owners: dict[str, Located] = {}
        self._places: list[Place] = []
        self.unknown: dict[Key, str] = {}
        self.referred: list[Key] = []
        self.named: list[Key] = []
        self.homes: list[Home] = []
        self.answers: list[tuple[Item, Decision]] = []
        self.late: list[Item] = []
        self.later: list[Item] = []
        self.moves: list[Moved] = []
        for item in items:
            self._refer(item, owners)

    def _refer(self, item: Item, owners: Owners) -> None:
        command = item.command
        if isinstance(command, (Capture, Reserve)):
            owner = owners.known(command.card)
            if owner is not None:
                self._owners[command.card] = owner
            else:
                self.unknown[card_key(command.card)] = command.card
        else:
            key = names_record(command)
            if key is not None:
                self.referred.append(key)
        named = names_decided(command)
        if named is not None:
            self.named.append(named)

    def learn(
        self, found: Mapping[Key, Located], recorded: Mapping[Key, Recorded], owners: Owners
    ) -> Known:
        """Takes what was looked up before the lock. A member's own cards are checked again under
        it; journal rows never change.
        """
        for key, owner in found.items():
            card = self.unknown[key]
            self._owners[card] = owner
            owners.remember(card, owner)
        concerned = [owner.member_id for owner in self._owners.values() if owner.member_id]
        concerned += [row.member_id for row in recorded.values()]
        concerned += [i.command.member_id for i in self._items if isinstance(i.command, Settle)]
        known = Known(self._owners, recorded, owners.moves_of(concerned))
        self._places = [homes_of(item.command, known) for item in self._items]
        homes = {home for place in self._places if isinstance(place, tuple) for home in place}
        self.homes = list(homes)
        return known

    def decide(self, draft: Draft, clock: Callable[[], float]) -> None:
        """Decides in order of arrival, for a few milliseconds; `clock` is the loop's."""
        now_s = clock()
        until_s = now_s + DECIDING_MAX_S
        for number, item in enumerate(self._items):
            if number % 16 == 15 and clock() > until_s:
                self.later += self._items[number:]
                return
            if item.deadline_s <= now_s:
                self.late.append(item)
                continue
            decision = draft.decide(item.command, self._places[number])
            if isinstance(decision, Deferred):
                assert decision is DEFERRED
                self.later.append(item)
            elif isinstance(decision, Moved):
                self.moves.append(decision)
                self.later.append(item)
            else:
                self.answers.append((item, decision))

    def keyless(self, draft: Draft) -> list[Key]:
        """The operation keys of answers that insert none: they say nothing about repeats, so it has
        to be looked whether their ids were decided before.
        """
        return [
            operation_key(item.command.operation_id)
            for item, decision in self.answers
            if (isinstance(decision, Refused) and decision.reason not in JOURNALLED)
            or draft.found_by(item.command) is not None
        ]

    def reply(
        self,
        draft: Draft,
        found: Mapping[Key, Decided],
        recent: Recent,
        reserved: Callable[[Reserved], None],
        *,
        now_us: int,
    ) -> None:
        """Answers everybody but those for the next batch, once all is committed."""
        for item in self.late:
            item.reply(too_late(item))
        for item, decision in self.answers:
            command = item.command
            before = found.get(operation_key(command.operation_id)) if found else None
            target = draft.found_by(command)
            if before is not None:
                item.reply(from_journal(command, before))
            elif target is not None:
                item.reply(too_late_to_burn(decision, target))
            else:
                answer = Answer(decision, now_us)
                recent.keep(command, answer)
                if isinstance(decision, Reserved):
                    reserved(decision)
                item.reply(answer)
