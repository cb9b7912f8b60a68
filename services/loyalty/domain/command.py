"""What can be asked of the ledger.

Commands carry a `fingerprint`: a hash of everything that makes two requests the same request, and
of nothing else (no clock, no deadline, no credential), so that a retry is recognised for ever.
"""

from enum import Enum

from services.loyalty.domain.basket import Basket
from services.loyalty.domain.value import value


class Maximum(Enum):
    """Redeem as many points as possible."""

    MAXIMUM = "maximum"


@value
class Origin:
    """Who asked: a terminal of a store, or staff or a command line (`actor`). `occurred_at_us` is
    the till's clock.
    """

    terminal_id: str = ""
    store_id: str = ""
    actor: str = ""
    occurred_at_us: int | None = None


@value
class Capture:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    card: str
    basket: Basket
    lines_json: str  # the line items as they are stored; hashed into the journal
    redeem: int | Maximum | None
    reservation_id: str = ""  # the reservation that the till means to capture


@value
class Reserve:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    card: str
    basket: Basket
    redeem: int | Maximum


@value
class Release:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    reservation_id: str


@value
class ReceiptReference:
    """An earlier receipt: by what is printed on it, or, instead, by its capture's operation id."""

    terminal_id: str = ""
    business_date: str = ""
    receipt_number: str = ""
    capture_id: str = ""


@value
class VoidReceipt:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    receipt: ReceiptReference
    business_date: str  # of the till, now
    cashier: str


@value
class ReturnItems:
    """`lines` are (line id, thousandths; 0: what is left of it); none means all that is left."""

    operation_id: str
    fingerprint: bytes
    origin: Origin
    receipt: ReceiptReference
    lines: tuple[tuple[str, int], ...]
    receipt_number: str  # of the return itself
    business_date: str
    cashier: str


@value
class Enrol:
    """`opening_points` are brought along from another programme."""

    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    card: str
    language: str
    opening_points: int = 0


@value
class Adjust:
    """`points` is never 0; a negative number takes away, at most what is available."""

    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    points: int
    reason_code: str
    reason: str


@value
class Merge:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    survivor_id: str
    merged_id: str
    reason: str


@value
class ChangeCards:
    """`lost_card` is no longer accepted, `new_card` is from now on; either may be empty."""

    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    lost_card: str
    new_card: str
    reason: str


@value
class Erase:
    """What the ledger does when a person is forgotten: their points are forfeited, their cards
    are nobody's. `reason` names the ground, never the person.
    """

    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    reason: str


@value
class Settle:
    """Nothing but what time has done to a member. Leaves no row of its own."""

    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str


@value
class SetBlocked:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    blocked: bool
    reason: str


@value
class Abandon:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    target_id: str


Command = (
    Capture
    | Reserve
    | Release
    | VoidReceipt
    | ReturnItems
    | Enrol
    | Adjust
    | Merge
    | ChangeCards
    | SetBlocked
    | Erase
    | Settle
    | Abandon
)
