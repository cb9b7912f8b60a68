"""One batch in memory: decisions in order of arrival, and the rows that they become.

Several operations of one member in a batch are right by construction, because each decides on the
state that the one before it left.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.loyalty.chain import basket_hash, row_hash
from services.loyalty.domain.command import (
    Abandon,
    Capture,
    ChangeCards,
    Command,
    Enrol,
    Origin,
    Release,
    Reserve,
    ReturnItems,
    Settle,
    VoidReceipt,
)
from services.loyalty.domain.decision import Captured, Decision, Entry, Kind, Refused
from services.loyalty.domain.due import due_at_us, settle_due
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS
from services.loyalty.domain.member import Member, Status
from services.loyalty.keys import Key, KeyKind, card_key, operation_key, reservation_key
from services.loyalty.places import Home, Known, Place, keys_of, names_decided, names_record
from services.loyalty.programmes.versions import Moment, Programmes
from services.loyalty.receipts import original_from, reversal_from_json, reversal_json
from services.loyalty.record import after_json, decision_json, facts_json, movements_json
from services.loyalty.rules import Outcome, Receipt, Situation, decided
from services.loyalty.store import (
    Batch,
    BucketState,
    Decided,
    JsonRow,
    Located,
    bucket_row,
    member_row,
)

BY_ITSELF = Origin(actor="time")
NO_FINGERPRINT = bytes(32)


class Deferred:
    """The answer hangs on a key that this very batch inserts: ask again once it is committed."""


DEFERRED = Deferred()


class Moved(NamedTuple):
    """The member went on as another one, whose bucket is not locked: ask again with it."""

    member_id: str
    merged_into: str


class Draft:
    """Locked bucket rows and members, and what the batch makes of them."""

    def __init__(
        self,
        *,
        moment: Moment,
        programmes: Programmes,
        buckets: Mapping[int, BucketState],
        members: Mapping[str, Member],
        known: Known,
        decided_before: Mapping[Key, Decided],
        reversals: Mapping[tuple[int, int], str],
    ) -> None:
        self._moment = moment
        self._programmes = programmes
        self._buckets = buckets
        self._members = dict(members)
        self._known = known
        self._decided_before = decided_before
        self._reversals = dict(reversals)
        self._reversed: set[tuple[int, int]] = set()
        self._stored = set(members)
        self._touched: dict[str, int] = {}
        self._taken: set[Key] = set()
        self._waiting: set[Key] = set()
        self._batch = Batch()

    def decide(self, command: Command, homes: Place) -> Decision | Deferred | Moved:
        """Decides one command, where `homes_of` says, and drafts its rows. A refusal that is not
        journalled drafts nothing.
        """
        keys = keys_of(command)
        if not self._taken.isdisjoint(keys):
            return self._deferred(keys)
        if isinstance(homes, Refused):
            return self._deferred(keys) if self._hangs_on_this_batch(command) else homes
        for home in homes:
            if home.member_id:
                self._settle(home)
        member = self._members.get(homes[0].member_id)
        if member is not None and member.status is Status.MERGED and _follows(command):
            return Moved(member.member_id, member.merged_into)
        named = names_decided(command)
        if named is not None and named in self._taken:
            return self._deferred(keys)
        outcome = decided(command, self._situation(command, homes, member, named))
        if not isinstance(outcome, Outcome):
            return outcome
        return self._book(command, homes, outcome, keys)

    def _hangs_on_this_batch(self, command: Command) -> bool:
        """Whether what the command refers to is drafted or waits itself: a card just handed out, a
        receipt just captured, a reservation just made.
        """
        if isinstance(command, (Capture, Reserve)):
            key: Key | None = card_key(command.card)
        else:
            key = names_record(command)
        return key in self._taken or key in self._waiting

    def _deferred(self, keys: tuple[Key, ...]) -> Deferred:
        """Ask again; so must whoever refers to it."""
        self._waiting.update(keys)
        return DEFERRED

    def found_by(self, command: Command) -> Decided | None:
        """The row that an abandon found under the id that it names; it leaves none of its own
        then.
        """
        if not isinstance(command, Abandon):
            return None
        return self._decided_before.get(operation_key(command.target_id))

    def rows(self) -> Batch:
        """Everything drafted, ready to be written."""
        batch = self._batch
        for member_id, bucket in self._touched.items():
            row = member_row(bucket, self._members[member_id])
            rows = batch.changed_members if member_id in self._stored else batch.new_members
            rows.append(row)
        changed = {row["bucket"] for row in batch.journal}
        batch.buckets = [bucket_row(self._buckets[number]) for number in sorted(changed)]
        batch.reversals = [
            {"bucket": bucket, "sequence": sequence, "so_far": self._reversals[bucket, sequence]}
            for bucket, sequence in sorted(self._reversed)
        ]
        return batch

    def _settle(self, home: Home) -> None:
        """Journals everything that time alone has done to the member."""
        member = self._members.get(home.member_id)
        if member is None or self._moment.now_us < member.due_at_us:
            return
        _, effects = settle_due(
            member,
            programme=self._moment.programme,
            now_us=self._moment.now_us,
            today=self._moment.today,
        )
        for effect in effects:
            place = self._append(home.bucket, effect, BY_ITSELF, fingerprint=NO_FINGERPRINT)
            keys = (operation_key(effect.operation_id), *map(reservation_key, effect.ended))
            self._take(keys, place)

    def _situation(
        self,
        command: Command,
        homes: tuple[Home, ...],
        member: Member | None,
        named: Key | None,
    ) -> Situation:
        other = self._members.get(homes[1].member_id) if len(homes) > 1 else None
        return Situation(
            moment=self._moment,
            bucket=homes[0].bucket,
            member=member,
            other=other,
            named=self._decided_before.get(named) if named is not None else None,
            receipt=self._receipt(command),
        )

    def _receipt(self, command: Command) -> Receipt | None:
        if not isinstance(command, (VoidReceipt, ReturnItems)):
            return None
        key = names_record(command)
        assert key is not None
        row = self._known.recorded[key]
        so_far = reversal_from_json(self._reversals.get((row.bucket, row.sequence)))
        return Receipt(original_from(row, self._programmes), so_far)

    def _book(
        self, command: Command, homes: tuple[Home, ...], outcome: Outcome, keys: tuple[Key, ...]
    ) -> Decision:
        """Drafts the rows of an outcome: its own, and the second one of an operation of two
        legs.
        """
        entry = outcome.entry
        if not entry.accepted:
            keys = keys[:1]  # a refused receipt may be captured under a new id
        elif entry.ended:
            keys = (*keys, *map(reservation_key, entry.ended))
        basket = _basket_row(command) if isinstance(command, Capture) and entry.accepted else None
        place = self._append(
            homes[0].bucket,
            entry,
            command.origin,
            fingerprint=command.fingerprint,
            basket_hash=basket_hash(basket) if basket is not None else None,
        )
        if basket is not None:
            basket["bucket"], basket["sequence"] = place.home_bucket, place.sequence
            self._batch.baskets.append(basket)
        self._take(keys, place, member_id=_card_owner(command))
        if outcome.leg is not None:
            leg = self._append(
                homes[1].bucket, outcome.leg, command.origin, fingerprint=NO_FINGERPRINT
            )
            self._take((operation_key(outcome.leg.operation_id),), leg)
        if outcome.receipt is not None:
            original, so_far = outcome.receipt.original, outcome.receipt.so_far
            self._reversals[original.bucket, original.sequence] = reversal_json(so_far)
            self._reversed.add((original.bucket, original.sequence))
        return entry.decision

    def _append(
        self,
        bucket: int,
        entry: Entry,
        origin: Origin,
        *,
        fingerprint: bytes,
        basket_hash: bytes | None = None,
    ) -> Located:
        """Drafts the journal row, chains it, and moves the balances of bucket and member."""
        state = self._buckets[bucket]
        state.sequence += 1
        state.last_time_us = self._moment.now_us
        for source, target, points in entry.transfers:
            if source not in MEMBER_ACCOUNTS:
                state.accounts[source] -= points
            if target not in MEMBER_ACCOUNTS:
                state.accounts[target] += points
        member_id, previous, version = None, 0, 0
        member = entry.member
        if member is not None:
            member_id, version = member.member_id, member.version
            before = self._members.get(member_id)
            previous = before.last_sequence if before is not None else 0
            due = due_at_us(member, programme=self._moment.programme)
            member = member.journalled(state.sequence, due)
            self._members[member_id] = member
            self._touched[member_id] = bucket
        row: JsonRow = {
            "bucket": bucket,
            "sequence": state.sequence,
            "operation_id": entry.operation_id,
            "kind": entry.kind._value_,  # as in store.py
            "accepted": entry.accepted,
            "member_id": member_id,
            "member_version": version,
            "member_previous": previous,
            "terminal_id": origin.terminal_id,
            "store_id": origin.store_id,
            "actor": origin.actor,
            "effective_at_us": self._moment.now_us,
            "occurred_at_us": origin.occurred_at_us,
            "fingerprint": fingerprint,
            "basket_hash": basket_hash,
            "decision": decision_json(entry.decision),
            "movements": movements_json(entry),
            "facts": facts_json(entry.facts),
            "after": after_json(member),
        }
        count(state.counters, entry)
        row["chain_hash"] = state.chain_head = row_hash(state.chain_head, row)
        self._batch.journal.append(row)
        return Located(bucket, state.sequence, None)

    def _take(self, keys: Sequence[Key], place: Located, *, member_id: str | None = None) -> None:
        """`member_id` is written with cards only: whose they are."""
        locators = self._batch.locators
        for key in keys:
            of_card = member_id is not None and key.kind == KeyKind.CARD
            located = place._replace(member_id=member_id) if of_card else place
            locators.append((key, located))
        self._taken.update(keys)


def _follows(command: Command) -> bool:
    """Whether the command reached its member by a card, a receipt or a reservation, or is by time
    alone: such go on to whom the member went on as. An order that names a member's id means that
    very member.
    """
    return isinstance(command, Capture | Reserve | Release | VoidReceipt | ReturnItems | Settle)


def _card_owner(command: Command) -> str | None:
    return command.member_id if isinstance(command, (Enrol, ChangeCards)) else None


def _basket_row(command: Capture) -> JsonRow:
    basket = command.basket
    return {
        "basket_id": basket.basket_id,
        "receipt_number": basket.receipt_number,
        "business_date": basket.business_date,
        "cashier": basket.cashier,
        "total_minor": basket.total_minor,
        "line_items": command.lines_json,
    }


def count(counters: dict[str, int], entry: Entry) -> None:
    """Adds a journal row to the figures that its bucket keeps."""
    if not entry.accepted:
        counters["refusals"] += 1
        return
    if entry.member is not None:
        counters["member_changes"] += 1
    if entry.kind is Kind.ENROL:
        counters["members"] += 1
    if isinstance(entry.decision, Captured):
        counters["captures"] += 1
        if entry.decision.points_redeemed_from_basket:
            counters["same_basket_redemptions"] += 1
