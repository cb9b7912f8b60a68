"""Every operation that books: how it is asked for, what else could be asked under its id, what one
booking of it changes, and how it is refused.

The matrix is the product of this table with situations, requests and databases. `Settle` is not in
it: it has a row of its own nowhere, so there is nothing of it to repeat.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bonpunkt.till import operations
from services.loyalty.domain.decision import Kind
from tests.loyalty.commands import (
    a_change_of_cards,
    a_merge,
    an_adjustment,
    an_erasure,
    an_opening,
)
from tests.loyalty.ledgers import a_block
from tests.loyalty.matrix.scene import (
    RESERVED,
    Made,
    Scene,
    a_wire_abandon,
    a_wire_return,
    a_wire_void,
    enrolled_at_the_till,
)

Make = Callable[[Scene, str], Made]  # with this operation id; always the same request
Steps = Callable[[Scene], Sequence[Made]]
MANY_POINTS = 9_000  # more than a member of a scene has
MANY_MINOR = 1_000_000


def nothing(_: Scene) -> Sequence[Made]:
    return ()


@dataclass(frozen=True, slots=True)
class Once:
    """What one booking changes of its member, and how many rows it is."""

    points: int = 0
    held: int = 0
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Refusing:
    """A request that is refused for `reason` after `before`.

    `lifted` is what would make it acceptable under an id of its own; None: nothing ever does.
    """

    reason: str
    request: Make
    before: Steps = nothing
    lifted: Steps | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """`other` is another request of the same kind, acceptable too. `booked` is a refusal that is a
    row, None where there is none; `unbooked` an answer that leaves no row.
    """

    kind: Kind
    request: Make
    other: Make
    once: Once
    booked: Refusing | None
    unbooked: Refusing
    before: Steps = nothing
    subject: Callable[[Scene, str], str] = lambda scene, _: scene.member_id


# --- refusals -------------------------------------------------------------------------------


def more_points(scene: Scene) -> Sequence[Made]:
    return [an_adjustment(scene.member_id, 2 * MANY_POINTS)]


def erased_before(scene: Scene) -> Sequence[Made]:
    return [an_erasure(scene.member_id)]


def of_nobody(request: Make) -> Refusing:
    """The member's id is nobody's until somebody is enrolled with it."""
    return Refusing(
        "member_unknown",
        request,
        lifted=lambda s: [an_opening(s.new_id, s.new_card, points=100)],
    )


def of_no_receipt(request: Make) -> Refusing:
    return Refusing("receipt_unknown", request, lifted=lambda s: [s.purchase(s.new_id)])


def of_the_erased(request: Make) -> Refusing:
    return Refusing("member_erased", request, before=erased_before)


# --- the table ------------------------------------------------------------------------------

CARD_TAKEN_AT_THE_TILL = Refusing(
    "card_taken", lambda s, i: operations.enrol(s.card, language="de", operation_id=i)
)

AT_THE_TILL: Mapping[str, Operation] = {
    "enrol at the till": Operation(
        Kind.ENROL,
        lambda s, i: operations.enrol(s.new_card, language="de", operation_id=i),
        lambda s, i: operations.enrol(s.other_new_card, language="de", operation_id=i),
        Once(),
        booked=None,  # an enrolment depends on keys, not on a member's state
        unbooked=CARD_TAKEN_AT_THE_TILL,
        subject=lambda _, i: enrolled_at_the_till(i),
    ),
    "reserve": Operation(
        Kind.RESERVE,
        lambda s, i: s.reservation(i, s.new_basket_id, points=50),
        lambda s, i: s.reservation(i, s.new_basket_id, points=60),
        Once(held=50),
        booked=Refusing(
            "exceeds_available",
            lambda s, i: s.reservation(i, s.new_basket_id, points=MANY_POINTS, minor=MANY_MINOR),
            lifted=more_points,
        ),
        unbooked=Refusing(
            "card_not_accepted",
            lambda s, i: s.reservation(i, s.new_basket_id, points=50, card=s.new_card),
            lifted=lambda s: [an_opening(s.new_id, s.new_card, points=100)],
        ),
    ),
    "capture": Operation(
        Kind.CAPTURE,
        lambda s, i: s.capture(i, redeem=30),
        lambda s, i: s.capture(i, redeem=40),
        Once(points=9 - 30),
        booked=Refusing(
            "exceeds_available",
            lambda s, i: s.capture(i, redeem=MANY_POINTS, minor=MANY_MINOR),
            lifted=more_points,
        ),
        unbooked=Refusing(
            "card_not_accepted",
            lambda s, i: s.capture(i, redeem=30, card=s.new_card),
            lifted=lambda s: [an_opening(s.new_id, s.new_card, points=100)],
        ),
    ),
    "capture of a reservation": Operation(
        Kind.CAPTURE,
        lambda s, i: s.capture_of(i, s.reservation_id, s.basket_id),
        lambda s, i: s.capture_of(i, s.other_reservation_id, s.other_basket_id),
        Once(points=24 - RESERVED, held=-RESERVED),
        booked=Refusing(
            "reservation_ended",
            lambda s, i: s.capture_of(i, s.reservation_id, s.basket_id),
            before=lambda s: [operations.release(s.reservation_id)],
        ),
        unbooked=Refusing(
            "reservation_unknown",
            lambda s, i: s.capture_of(i, s.new_id, s.new_basket_id),
            lifted=lambda s: [s.reservation(s.new_id, s.new_basket_id)],
        ),
    ),
    "release": Operation(
        Kind.RELEASE,
        lambda s, i: operations.release(s.reservation_id, operation_id=i),
        lambda s, i: operations.release(s.other_reservation_id, operation_id=i),
        Once(held=-RESERVED),
        booked=Refusing(
            "reservation_ended",
            lambda s, i: operations.release(s.reservation_id, operation_id=i),
            before=lambda s: [operations.release(s.reservation_id)],
        ),
        unbooked=Refusing(
            "reservation_unknown",
            lambda s, i: operations.release(s.new_id, operation_id=i),
            lifted=lambda s: [s.reservation(s.new_id, s.new_basket_id)],
        ),
    ),
    "void": Operation(
        Kind.VOID,
        lambda s, i: a_wire_void(i, s.receipt_id),
        lambda s, i: a_wire_void(i, s.other_receipt_id),
        Once(points=100 - 99),
        booked=Refusing(
            "receipt_voided",
            lambda s, i: a_wire_void(i, s.receipt_id),
            before=lambda s: [a_wire_void(operations.new_id(), s.receipt_id)],
        ),
        unbooked=of_no_receipt(lambda s, i: a_wire_void(i, s.new_id)),
    ),
    "return": Operation(
        Kind.RETURN,
        lambda s, i: a_wire_return(i, s.receipt_id, s.number),
        lambda s, i: a_wire_return(i, s.other_receipt_id, s.number),
        Once(points=100 - 99),
        booked=Refusing(
            "exceeds_returnable",
            lambda s, i: a_wire_return(i, s.receipt_id, s.number),
            before=lambda s: [a_wire_return(operations.new_id(), s.receipt_id, f"{s.number}-1")],
        ),
        unbooked=of_no_receipt(lambda s, i: a_wire_return(i, s.new_id, s.number)),
    ),
    "abandon": Operation(
        Kind.ABANDON,
        lambda s, i: a_wire_abandon(i, s.target_id),
        lambda s, i: a_wire_abandon(i, s.other_target_id),
        Once(),
        booked=None,  # burnt, or too late, which the row of its target tells
        unbooked=Refusing("already_decided", lambda s, i: a_wire_abandon(i, s.receipt_id)),
    ),
}

BY_STAFF: Mapping[str, Operation] = {
    "enrol by staff": Operation(
        Kind.ENROL,
        lambda s, i: an_opening(s.new_id, s.new_card, points=70, operation_id=i),
        lambda s, i: an_opening(s.new_id, s.other_new_card, points=70, operation_id=i),
        Once(points=70),
        booked=None,
        unbooked=Refusing("card_taken", lambda s, i: an_opening(s.new_id, s.card, operation_id=i)),
        subject=lambda s, _: s.new_id,
    ),
    "adjust": Operation(
        Kind.ADJUST,
        lambda s, i: an_adjustment(s.member_id, 10, operation_id=i),
        lambda s, i: an_adjustment(s.member_id, 11, operation_id=i),
        Once(points=10),
        booked=Refusing(
            "exceeds_available",
            lambda s, i: an_adjustment(s.member_id, -MANY_POINTS, operation_id=i),
            lifted=more_points,
        ),
        unbooked=of_nobody(lambda s, i: an_adjustment(s.new_id, 10, operation_id=i)),
    ),
    "merge": Operation(
        Kind.MERGE,
        lambda s, i: a_merge(s.member_id, s.other_id, operation_id=i),
        lambda s, i: a_merge(s.member_id, s.third_id, operation_id=i),
        Once(points=300, rows=2),
        booked=of_the_erased(lambda s, i: a_merge(s.member_id, s.other_id, operation_id=i)),
        unbooked=of_nobody(lambda s, i: a_merge(s.member_id, s.new_id, operation_id=i)),
    ),
    "cards": Operation(
        Kind.CARDS,
        lambda s, i: a_change_of_cards(s.member_id, lost=s.card, new=s.new_card, operation_id=i),
        lambda s, i: a_change_of_cards(s.member_id, new=s.other_new_card, operation_id=i),
        Once(),
        booked=of_the_erased(
            lambda s, i: a_change_of_cards(s.member_id, new=s.new_card, operation_id=i)
        ),
        unbooked=Refusing(
            "card_unknown",
            lambda s, i: a_change_of_cards(s.member_id, lost=s.new_card, operation_id=i),
            lifted=lambda s: [a_change_of_cards(s.member_id, new=s.new_card)],
        ),
    ),
    "block": Operation(
        Kind.BLOCK,
        lambda s, i: a_block(s.member_id, operation_id=i),
        lambda s, i: a_block(s.other_id, operation_id=i),
        Once(),
        booked=of_the_erased(lambda s, i: a_block(s.member_id, operation_id=i)),
        unbooked=of_nobody(lambda s, i: a_block(s.new_id, operation_id=i)),
    ),
    "unblock": Operation(
        Kind.UNBLOCK,
        lambda s, i: a_block(s.member_id, blocked=False, operation_id=i),
        lambda s, i: a_block(s.other_id, blocked=False, operation_id=i),
        Once(),
        before=lambda s: [a_block(s.member_id)],
        booked=of_the_erased(lambda s, i: a_block(s.member_id, blocked=False, operation_id=i)),
        unbooked=of_nobody(lambda s, i: a_block(s.new_id, blocked=False, operation_id=i)),
    ),
    "erase": Operation(
        Kind.ERASE,
        lambda s, i: an_erasure(s.member_id, operation_id=i),
        lambda s, i: an_erasure(s.other_id, operation_id=i),
        Once(points=-998, held=-2 * RESERVED),
        booked=of_the_erased(lambda s, i: an_erasure(s.member_id, operation_id=i)),
        unbooked=of_nobody(lambda s, i: an_erasure(s.new_id, operation_id=i)),
    ),
}

OPERATIONS: Mapping[str, Operation] = {**AT_THE_TILL, **BY_STAFF}
