"""One batch in memory: decisions in order of arrival, and the rows that they become.

Several operations of one member in a batch are right by construction, because each decides on the
state that the one before it left.
"""

from collections.abc import Mapping, Sequence

from services.loyalty.chain import basket_hash, row_hash
from services.loyalty.domain.capture import CARD_NOT_ACCEPTED, capture
from services.loyalty.domain.decision import (
    Abandon,
    AlreadyDecided,
    Burnt,
    Capture,
    Captured,
    Command,
    Decision,
    Enrol,
    Entry,
    Kind,
    Origin,
    Refusal,
    Refused,
    SetBlocked,
)
from services.loyalty.domain.due import settle_due
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS
from services.loyalty.domain.member import Member
from services.loyalty.domain.membership import enrol, set_blocked
from services.loyalty.keys import Key, KeyKind, card_key, member_bucket, operation_key, receipt_key
from services.loyalty.programmes.versions import Moment
from services.loyalty.record import after_json, decision_json, facts_json, movements_json
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


def keys_of(command: Command) -> tuple[Key, ...]:
    """The keys that the command takes if it is decided; its operation id comes first."""
    own = operation_key(command.operation_id)
    match command:
        case Capture():
            receipt = receipt_key(
                terminal_id=command.origin.terminal_id,
                business_date=command.basket.business_date,
                receipt_number=command.basket.receipt_number,
            )
            return (own, receipt)
        case Enrol():
            return (own, card_key(command.card))
        case Abandon():
            return (own, operation_key(command.target_id))
        case _:
            return (own,)


def home_of(command: Command, owners: Mapping[str, Located]) -> tuple[int, str] | None:
    """(bucket, member id) where the command is decided; no member for an abandon, None for an
    unknown card.
    """
    match command:
        case Capture():
            owner = owners.get(command.card)
            return (owner.home_bucket, owner.member_id) if owner and owner.member_id else None
        case Enrol() | SetBlocked():
            return member_bucket(command.member_id), command.member_id
        case Abandon():
            return operation_key(command.target_id).bucket, ""


class Draft:
    """Locked bucket rows and members, and what the batch makes of them."""

    def __init__(
        self,
        *,
        moment: Moment,
        buckets: Mapping[int, BucketState],
        members: Mapping[str, Member],
        owners: Mapping[str, Located],
        targets: Mapping[Key, Decided],
    ) -> None:
        self._moment = moment
        self._buckets = buckets
        self._members = dict(members)
        self._owners = owners
        self._targets = targets
        self._known = set(members)
        self._touched: dict[str, int] = {}
        self._taken: set[Key] = set()
        self._batch = Batch()

    def decide(self, command: Command) -> Decision | Deferred:
        """Decides one command and drafts its rows. A refusal that is not journalled drafts
        nothing.
        """
        keys = keys_of(command)
        if not self._taken.isdisjoint(keys):
            return DEFERRED
        home = home_of(command, self._owners)
        if home is None:
            return CARD_NOT_ACCEPTED
        bucket, member_id = home
        member = self._settled(bucket, member_id)
        entry = self._entry(command, member)
        if not isinstance(entry, Entry):
            return entry
        if not entry.accepted:
            keys = keys[:1]  # a refused receipt may be captured under a new id
        basket = _basket_row(command) if isinstance(command, Capture) and entry.accepted else None
        place = self._append(
            bucket,
            entry,
            command.origin,
            fingerprint=command.fingerprint,
            basket_hash=basket_hash(basket) if basket is not None else None,
        )
        if basket is not None:
            basket["bucket"], basket["sequence"] = place.home_bucket, place.sequence
            self._batch.baskets.append(basket)
        self._take(keys, place, command)
        return entry.decision

    def found_by(self, command: Command) -> Decided | None:
        """The row that an abandon found under the id that it names; it leaves none of its own
        then.
        """
        if not isinstance(command, Abandon):
            return None
        return self._targets.get(operation_key(command.target_id))

    def rows(self) -> Batch:
        """Everything drafted, ready to be written."""
        batch = self._batch
        for member_id, bucket in self._touched.items():
            row = member_row(bucket, self._members[member_id])
            (batch.changed_members if member_id in self._known else batch.new_members).append(row)
        changed = {row["bucket"] for row in batch.journal}
        batch.buckets = [bucket_row(self._buckets[number]) for number in sorted(changed)]
        return batch

    def _settled(self, bucket: int, member_id: str) -> Member | None:
        """The member after everything that time alone has done to them, journalled on the way."""
        member = self._members.get(member_id)
        if member is None:
            return None
        member, effects = settle_due(member, today=self._moment.today)
        for effect in effects:
            place = self._append(bucket, effect, BY_ITSELF, fingerprint=NO_FINGERPRINT)
            self._take((operation_key(effect.operation_id),), place, None)
        return self._members[member_id]

    def _entry(self, command: Command, member: Member | None) -> Entry | Decision:
        match command:
            case Capture():
                if member is None:
                    return CARD_NOT_ACCEPTED
                return capture(
                    member, command, programme=self._moment.programme, today=self._moment.today
                )
            case Enrol():
                if member is not None:
                    return Refused(
                        Refusal.MEMBER_EXISTS, "member_id", "choose another id for a new member"
                    )
                return enrol(command, now_us=self._moment.now_us)
            case SetBlocked():
                return set_blocked(member, command)
            case Abandon():
                return self._abandoned(command)

    def _abandoned(self, command: Abandon) -> Entry | Decision:
        found = self.found_by(command)
        if found is not None and found.operation_id == command.target_id:
            return AlreadyDecided(command.target_id)
        if found is not None:  # the row of another abandon
            return Burnt(command.target_id)
        return Entry(
            operation_id=command.operation_id,
            kind=Kind.ABANDON,
            accepted=True,
            decision=Burnt(command.target_id),
            transfers=(),
            lot_moves=(),
            facts={"target_id": command.target_id},
            member=None,
        )

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
        if entry.member is not None:
            member_id, version = entry.member.member_id, entry.member.version
            before = self._members.get(member_id)
            previous = before.last_sequence if before is not None else 0
            self._members[member_id] = entry.member.journalled(state.sequence)
            self._touched[member_id] = bucket
        row: JsonRow = {
            "bucket": bucket,
            "sequence": state.sequence,
            "operation_id": entry.operation_id,
            "kind": entry.kind.value,
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
            "after": after_json(entry.member),
        }
        count(state.counters, entry)
        row["chain_hash"] = state.chain_head = row_hash(state.chain_head, row)
        self._batch.journal.append(row)
        return Located(bucket, state.sequence, None)

    def _take(self, keys: Sequence[Key], place: Located, command: Command | None) -> None:
        for key in keys:
            located = place
            if isinstance(command, Enrol) and key.kind == KeyKind.CARD:
                located = place._replace(member_id=command.member_id)
            self._batch.locators.append((key, located))
        self._taken.update(keys)


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
