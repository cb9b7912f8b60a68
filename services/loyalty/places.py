"""Where a command is decided: the keys that it takes and names, the members whom it concerns, and
the buckets in which they live.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.loyalty.domain.card import card_not_accepted
from services.loyalty.domain.command import (
    Abandon,
    Capture,
    ChangeCards,
    Command,
    Enrol,
    Merge,
    ReceiptReference,
    Release,
    Reserve,
    ReturnItems,
    Settle,
    VoidReceipt,
)
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.reservation import RESERVATION_UNKNOWN
from services.loyalty.keys import (
    Key,
    card_key,
    member_bucket,
    operation_key,
    receipt_key,
    reservation_key,
)
from services.loyalty.store import Located, Recorded

OfReceipt = VoidReceipt | ReturnItems


class Home(NamedTuple):
    """A bucket to lock, and the member to read in it; no member where only the bucket matters."""

    bucket: int
    member_id: str


# Where a command is decided, first, and what else it needs locked; or why nowhere.
Place = tuple[Home, ...] | Refused


@dataclass(frozen=True, slots=True)
class Known:
    """What was looked up before the lock; all of it is checked again under it, or never changes.

    `owners` by card, `recorded` journal rows by the key that names them, `moved` from those of
    their members who were merged to whom they went on as.
    """

    owners: Mapping[str, Located]
    recorded: Mapping[Key, Recorded]
    moved: Mapping[str, str]

    def home(self, member_id: str) -> Home:
        """Where the member lives now, along all merges."""
        while member_id in self.moved:
            member_id = self.moved[member_id]
        return Home(member_bucket(member_id), member_id)


def keys_of(command: Command) -> tuple[Key, ...]:
    """The keys that the command takes if it is accepted; its operation id comes first."""
    own = operation_key(command.operation_id)
    match command:
        case Capture():
            receipt = receipt_key(
                terminal_id=command.origin.terminal_id,
                business_date=command.basket.business_date,
                receipt_number=command.basket.receipt_number,
            )
            return (own, receipt)
        case ReturnItems():
            receipt = receipt_key(
                terminal_id=command.origin.terminal_id,
                business_date=command.business_date,
                receipt_number=command.receipt_number,
            )
            return (own, receipt)
        case Enrol():
            return (own, card_key(command.card))
        case ChangeCards() if command.new_card:
            return (own, card_key(command.new_card))
        case Abandon():
            return (own, operation_key(command.target_id))
        case _:
            return (own,)


def names_record(command: Command) -> Key | None:
    """The key of the journal row that the command refers to: what it releases, voids, returns."""
    match command:
        case Release():
            return operation_key(command.reservation_id)
        case VoidReceipt() | ReturnItems():
            return _receipt_named(command.receipt)
        case _:
            return None


def _receipt_named(receipt: ReceiptReference) -> Key:
    if receipt.capture_id:
        return operation_key(receipt.capture_id)
    return receipt_key(
        terminal_id=receipt.terminal_id,
        business_date=receipt.business_date,
        receipt_number=receipt.receipt_number,
    )


def names_decided(command: Command) -> Key | None:
    """The key under which something may have been decided that this command hangs on: what it
    abandons, or the end of the reservation that it names.
    """
    match command:
        case Abandon():
            return operation_key(command.target_id)
        case Capture() if command.reservation_id:
            return reservation_key(command.reservation_id)
        case Release():
            return reservation_key(command.reservation_id)
        case _:
            return None


def homes_of(command: Command, known: Known) -> Place:
    """Where the command is decided by what is known before the lock."""
    match command:
        case Capture() | Reserve():
            owner = known.owners.get(command.card)
            if owner is None or owner.member_id is None:
                kind = "capture" if isinstance(command, Capture) else "reserve"
                return card_not_accepted(kind)
            if owner.member_id not in known.moved:
                return (Home(owner.home_bucket, owner.member_id),)
            return (known.home(owner.member_id),)
        case Abandon():
            return (Home(operation_key(command.target_id).bucket, ""),)
        case Release():
            return _homes_of_release(command, known)
        case VoidReceipt() | ReturnItems():
            return _homes_of_receipt(command, known)
        case Merge():
            return (
                Home(member_bucket(command.survivor_id), command.survivor_id),
                Home(member_bucket(command.merged_id), command.merged_id),
            )
        case Settle():
            return (known.home(command.member_id),)
        case _:
            return (Home(member_bucket(command.member_id), command.member_id),)


def _homes_of_release(command: Release, known: Known) -> Place:
    found = known.recorded.get(operation_key(command.reservation_id))
    if found is None or found.kind != "reserve" or not found.accepted:
        return RESERVATION_UNKNOWN
    return (known.home(found.member_id),)


def _homes_of_receipt(command: OfReceipt, known: Known) -> Place:
    found = known.recorded.get(_receipt_named(command.receipt))
    if found is None or found.kind != "capture" or not found.accepted:
        kind = "void_receipt" if isinstance(command, VoidReceipt) else "return_items"
        return Refused(
            Refusal.RECEIPT_UNKNOWN,
            f"{kind}.receipt",
            "no points were booked on such a receipt; check terminal, business date and number",
        )
    home = known.home(found.member_id)
    if home.bucket == found.bucket:
        return (home,)
    return (home, Home(found.bucket, ""))
