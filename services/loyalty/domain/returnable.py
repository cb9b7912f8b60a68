"""What of a receipt can still come back, and whether a return asks for no more than that."""

from collections.abc import Mapping, Sequence

from services.loyalty.domain.allocation import Piece, pieces_of
from services.loyalty.domain.basket import LineItem
from services.loyalty.domain.command import ReturnItems
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.life import Event, State, may
from services.loyalty.domain.original import Original, Reversal

NOTHING_LEFT = Refused(
    Refusal.EXCEEDS_RETURNABLE,
    "return_items.receipt",
    "everything on this receipt came back before; nothing is left to return",
)
RECEIPT_TOO_OLD = Refused(
    Refusal.RECEIPT_TOO_OLD,
    "return_items.receipt",
    "the line items of so old a receipt are no longer kept; refund the goods without points",
)
PAYS_NOTHING = Refused(
    Refusal.MALFORMED,
    "return_items.lines",
    "these lines together would take money from the customer; return a coupon or a deposit with"
    " the goods that it belongs to, or leave it",
)


def coming_back(
    command: ReturnItems, original: Original, so_far: Reversal
) -> tuple[Piece, ...] | Refused:
    """The pieces of lines that come back: those asked for, or everything that is left."""
    lines = original.line_items
    malformed = _malformed(command, lines) if lines is not None else None
    if malformed is not None:
        return malformed
    if so_far.state is State.VOIDED:
        return receipt_voided("return_items.receipt")
    if not may(so_far.state, Event.RETURN):
        return NOTHING_LEFT
    if lines is None:
        return RECEIPT_TOO_OLD
    quantities = _quantities(command, _left(lines, so_far))
    if isinstance(quantities, Refused):
        return quantities
    pieces = pieces_of(lines, so_far, quantities)
    return PAYS_NOTHING if sum([piece.refund_minor for piece in pieces]) < 0 else pieces


def receipt_voided(path: str) -> Refused:
    return Refused(
        Refusal.RECEIPT_VOIDED, path, "this receipt was voided; nothing of it is left to take back"
    )


def _malformed(command: ReturnItems, lines: Sequence[LineItem]) -> Refused | None:
    """Lines that the receipt does not have, or not so."""
    quantity_of = {line.line_id: line.quantity_milli for line in lines}
    seen: set[str] = set()
    for number, (line_id, quantity_milli) in enumerate(command.lines):
        field, remedy = "quantity_milli", ""
        if line_id not in quantity_of:
            field, remedy = "line_id", "name a line of the receipt, by the id that its capture gave"
        elif line_id in seen:
            field, remedy = "line_id", "name each line once, with all of its quantity"
        elif quantity_milli and quantity_of[line_id] == 0:
            remedy = "send 0: this line has no quantity, it comes back whole"
        elif quantity_milli * quantity_of[line_id] < 0:
            remedy = "send the quantity with the sign that it has on the receipt"
        if remedy:
            return Refused(Refusal.MALFORMED, f"return_items.lines[{number}].{field}", remedy)
        seen.add(line_id)
    return None


def _quantities(command: ReturnItems, left: Mapping[str, int]) -> Mapping[str, int] | Refused:
    """Thousandths by line id; `left` is what can still come back."""
    quantities: dict[str, int] = {}
    for number, (line_id, quantity_milli) in enumerate(command.lines):
        most = left.get(line_id)
        if most is None or abs(quantity_milli) > abs(most):
            at_most = "nothing" if most is None else f"at most {most} thousandths"
            return Refused(
                Refusal.EXCEEDS_RETURNABLE,
                f"return_items.lines[{number}].quantity_milli",
                f"{at_most} of this line can still come back; return that, under a new id",
            )
        quantities[line_id] = quantity_milli or most
    return quantities or left


def _left(lines: Sequence[LineItem], so_far: Reversal) -> dict[str, int]:
    """Thousandths that can still come back, by the ids of the lines that are not back whole. A
    line of quantity 0 is there until it comes back.
    """
    came_back = {line_id: quantity_milli for line_id, quantity_milli, _ in so_far.lines}
    return {
        line.line_id: line.quantity_milli - came_back.get(line.line_id, 0)
        for line in lines
        if came_back.get(line.line_id) != line.quantity_milli
    }
