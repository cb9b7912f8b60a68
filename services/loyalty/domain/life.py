"""The life of a redemption as one table; what is missing in it is illegal.

A basket's points are reserved and then captured, or captured in one step. docs/ledger.md shows the
table as a drawing.
"""

from enum import Enum


class State(Enum):
    """Where a redemption is; NEW: nothing was said of it yet."""

    NEW = "new"
    RESERVED = "reserved"
    REPLACED = "replaced"  # reserved again for the same basket
    RELEASED = "released"
    EXPIRED = "expired"  # the reservation timed out
    CAPTURED = "captured"
    VOIDED = "voided"
    RETURNED_IN_PART = "returned_in_part"
    RETURNED = "returned"


class Event(Enum):
    RESERVE = "reserve"
    RESERVE_AGAIN = "reserve_again"
    CAPTURE = "capture"
    RELEASE = "release"
    TIMEOUT = "timeout"
    ERASE = "erase"
    VOID = "void"
    RETURN = "return"
    RETURN_THE_REST = "return_the_rest"


LIFE = {
    (State.NEW, Event.RESERVE): State.RESERVED,
    (State.NEW, Event.CAPTURE): State.CAPTURED,
    (State.RESERVED, Event.RESERVE_AGAIN): State.REPLACED,
    (State.RESERVED, Event.CAPTURE): State.CAPTURED,
    (State.RESERVED, Event.RELEASE): State.RELEASED,
    (State.RESERVED, Event.TIMEOUT): State.EXPIRED,
    (State.RESERVED, Event.ERASE): State.RELEASED,
    (State.EXPIRED, Event.CAPTURE): State.CAPTURED,  # in one step, as if nothing had been reserved
    (State.CAPTURED, Event.VOID): State.VOIDED,
    (State.CAPTURED, Event.RETURN): State.RETURNED_IN_PART,
    (State.CAPTURED, Event.RETURN_THE_REST): State.RETURNED,
    (State.RETURNED_IN_PART, Event.RETURN): State.RETURNED_IN_PART,
    (State.RETURNED_IN_PART, Event.RETURN_THE_REST): State.RETURNED,
}


def may(state: State, event: Event) -> bool:
    return (state, event) in LIFE
