"""Two members become one: everything of the one goes on to the other, and nothing is rewritten.

The one who goes on gets points, waiting points, debts, reservations and cards of both. The other
keeps their journal and a pointer; their old cards and receipts are followed along it.
"""

from datetime import date

from services.loyalty.domain import lots, tiers
from services.loyalty.domain.command import Merge
from services.loyalty.domain.decision import (
    Entry,
    Kind,
    LegBooked,
    Merged,
    Refusal,
    Refused,
    summary,
)
from services.loyalty.domain.due import derived_id
from services.loyalty.domain.ledger import Account, Transfer, transfers
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import (
    Member,
    PendingMove,
    Status,
    apply_pending,
    everything_out,
)
from services.loyalty.domain.membership import erased_entry, out_of_reach
from services.loyalty.domain.programme import Programme


def merge(
    survivor: Member | None,
    merged: Member | None,
    command: Merge,
    *,
    programme: Programme,
    today: date,
) -> tuple[Entry, Entry] | Entry | Refused:
    """The rows of the survivor and of the member who goes on into them, each balanced within its
    bucket by the account in_transit.
    """
    if command.survivor_id == command.merged_id:
        return Refused(Refusal.MEMBER_SAME, "merged_id", "name two different members")
    refused = out_of_reach(survivor) or out_of_reach(merged)
    if refused is not None:
        at_fault = "survivor_id" if out_of_reach(survivor) is not None else "merged_id"
        return Refused(refused.reason, at_fault, refused.remedy)
    assert survivor is not None
    assert merged is not None
    if Status.ERASED in (survivor.status, merged.status):
        return erased_entry(survivor, command.operation_id, Kind.MERGE)
    return (
        _survivor_entry(survivor, merged, command, programme=programme, today=today),
        _merged_entry(merged, command),
    )


def _survivor_entry(
    survivor: Member, merged: Member, command: Merge, *, programme: Programme, today: date
) -> Entry:
    lot_moves = tuple([LotMove(lot.expires_on, lot.points) for lot in merged.lots])
    pending_moves = tuple([PendingMove(*lot) for lot in merged.pending_lots])
    blocked = Status.BLOCKED in (survivor.status, merged.status)
    tier, standing = tiers.combined(survivor, merged, today=today, programme=programme)
    after = survivor.changed(
        status=Status.BLOCKED if blocked else Status.ACTIVE,
        points=survivor.points + merged.points,
        lots=lots.apply(survivor.lots, lot_moves),
        pending_lots=apply_pending(survivor.pending_lots, pending_moves),
        receivable=survivor.receivable + merged.receivable,
        reservations=(*survivor.reservations, *merged.reservations),
        cards=(*survivor.cards, *merged.cards),
        tier=tier,
        standing=standing,
    )
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.MERGE,
        accepted=True,
        decision=Merged(member=summary(after), merged_id=merged.member_id, reason=command.reason),
        transfers=transfers(
            Transfer(Account.IN_TRANSIT, Account.POINTS, merged.points),
            Transfer(Account.IN_TRANSIT, Account.PENDING, merged.pending),
            Transfer(Account.RECEIVABLE, Account.IN_TRANSIT, merged.owed),
        ),
        lot_moves=lot_moves,
        facts={"merged_id": merged.member_id, "reason": command.reason},
        member=after,
        pending_moves=pending_moves,
    )


def _merged_entry(merged: Member, command: Merge) -> Entry:
    lot_moves, pending_moves = everything_out(merged)
    return Entry(
        operation_id=derived_id(merged.member_id, f"merged {command.operation_id}"),
        kind=Kind.MERGED,
        accepted=True,
        decision=LegBooked(main_id=command.operation_id),
        transfers=transfers(
            Transfer(Account.POINTS, Account.IN_TRANSIT, merged.points),
            Transfer(Account.PENDING, Account.IN_TRANSIT, merged.pending),
            Transfer(Account.IN_TRANSIT, Account.RECEIVABLE, merged.owed),
        ),
        lot_moves=lot_moves,
        facts={"merged_into": command.survivor_id},
        member=merged.emptied(Status.MERGED, merged_into=command.survivor_id),
        pending_moves=pending_moves,
    )
