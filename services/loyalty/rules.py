"""From a command and what is known under the lock to what the domain says of it."""

import orjson

from services.loyalty.domain.capture import capture
from services.loyalty.domain.card import card_not_accepted
from services.loyalty.domain.command import (
    Abandon,
    Adjust,
    Capture,
    ChangeCards,
    Command,
    Enrol,
    Erase,
    Merge,
    Release,
    Reserve,
    ReturnItems,
    SetBlocked,
    Settle,
    VoidReceipt,
)
from services.loyalty.domain.decision import (
    AlreadyDecided,
    Burnt,
    Decision,
    Entry,
    Kind,
    Refusal,
    Refused,
    Settled,
    entry_without_points,
    summary,
)
from services.loyalty.domain.life import State
from services.loyalty.domain.member import Member
from services.loyalty.domain.membership import (
    adjust,
    change_cards,
    enrol,
    erase,
    out_of_reach,
    set_blocked,
)
from services.loyalty.domain.merge import merge
from services.loyalty.domain.original import Original, Reversal
from services.loyalty.domain.reservation import release, reserve
from services.loyalty.domain.reversal import Reversing, give_back, void
from services.loyalty.domain.value import value
from services.loyalty.programmes.versions import Moment
from services.loyalty.store import Decided


@value
class Receipt:
    """A receipt that is taken back, and what was taken back of it."""

    original: Original
    so_far: Reversal


@value
class Situation:
    """What a decision looks at. `member` is settled; `other` is the second member of a merge;
    `named` is the row under the key that the command hangs on.
    """

    moment: Moment
    bucket: int
    member: Member | None
    other: Member | None
    named: Decided | None
    receipt: Receipt | None


@value
class Outcome:
    """Rows to be: the operation's own and, where it touches a second member or bucket, its leg;
    `receipt` with what is taken back of it from now on.
    """

    entry: Entry
    leg: Entry | None = None
    receipt: Receipt | None = None


def decided(command: Command, at: Situation) -> Outcome | Decision:
    """An outcome to be booked, or an answer that leaves no row."""
    match command:
        case Capture() | Reserve() | Release():
            return _booked(_of_basket(command, at))
        case VoidReceipt() | ReturnItems():
            return _reversed(command, at)
        case Enrol():
            return _enrolled(command, at)
        case Merge():
            return _merged(command, at)
        case Abandon():
            return _abandoned(command, at)
        case _:
            return _of_member(command, at)


def _booked(result: Entry | Refused) -> Outcome | Refused:
    return Outcome(result) if isinstance(result, Entry) else result


def _of_basket(command: Capture | Reserve | Release, at: Situation) -> Entry | Refused:
    member, programme = at.member, at.moment.programme
    if isinstance(command, Release):
        assert member is not None, "a reservation is of a member"
        return release(member, command, named=_ended(at.named))
    if isinstance(command, Reserve):
        if member is None:
            return card_not_accepted("reserve")
        return reserve(member, command, programme=programme, now_us=at.moment.now_us)
    if member is None:
        return card_not_accepted("capture")
    return capture(
        member, command, programme=programme, today=at.moment.today, named=_ended(at.named)
    )


# What a decision did to the reservation that it ended.
_STATES = {
    "captured": State.CAPTURED,
    "released": State.RELEASED,
    "timed_out": State.EXPIRED,
    "reserved": State.REPLACED,
    "erased": State.RELEASED,
}


def _ended(row: Decided | None) -> State:
    """What became of a reservation, from the row that ended it; NEW where none did."""
    return State.NEW if row is None else _STATES[orjson.loads(row.decision)["result"]]


def _reversed(command: VoidReceipt | ReturnItems, at: Situation) -> Outcome | Decision:
    assert at.member is not None, "a receipt is of a member"
    assert at.receipt is not None
    moment, original = at.moment, at.receipt.original
    if isinstance(command, VoidReceipt):
        result: Reversing | Entry | Refused = void(
            at.member,
            command,
            original,
            at.receipt.so_far,
            bucket=at.bucket,
            programme=moment.programme,
            today=moment.today,
            now_us=moment.now_us,
        )
    else:
        result = give_back(
            at.member,
            command,
            original,
            at.receipt.so_far,
            bucket=at.bucket,
            programme=moment.programme,
            today=moment.today,
        )
    if isinstance(result, Reversing):
        return Outcome(result.entry, result.leg, Receipt(original, result.reversal))
    return _booked(result)


def _enrolled(command: Enrol, at: Situation) -> Outcome | Refused:
    if at.member is not None:
        return Refused(Refusal.MEMBER_EXISTS, "member_id", "choose another id for a new member")
    return Outcome(
        enrol(
            command,
            programme=at.moment.programme,
            today=at.moment.today,
            now_us=at.moment.now_us,
        )
    )


def _merged(command: Merge, at: Situation) -> Outcome | Refused:
    result = merge(
        at.member, at.other, command, programme=at.moment.programme, today=at.moment.today
    )
    if isinstance(result, tuple):
        return Outcome(*result)
    return _booked(result)


def _of_member(
    command: Adjust | ChangeCards | SetBlocked | Erase | Settle, at: Situation
) -> Outcome | Decision:
    refused = out_of_reach(at.member)
    if refused is not None:
        return refused
    member = at.member
    assert member is not None
    match command:
        case Settle():
            return Settled(summary(member))
        case SetBlocked():
            return Outcome(set_blocked(member, command))
        case ChangeCards():
            return _booked(change_cards(member, command))
        case Erase():
            return Outcome(erase(member, command))
        case Adjust():
            return Outcome(
                adjust(member, command, programme=at.moment.programme, today=at.moment.today)
            )


def _abandoned(command: Abandon, at: Situation) -> Outcome | Decision:
    if at.named is not None and at.named.operation_id == command.target_id:
        return AlreadyDecided(command.target_id)
    if at.named is not None:  # the row of another abandon
        return Burnt(command.target_id)
    return Outcome(
        entry_without_points(
            command.operation_id,
            Kind.ABANDON,
            Burnt(command.target_id),
            facts={"target_id": command.target_id},
            member=None,
        )
    )
