"""What can be asked of the ledger, and what it answers.

Commands carry a `fingerprint`: a hash of everything that makes two requests the same request, and
of nothing else (no clock, no deadline, no credential), so that a retry is recognised for ever.
"""

from collections.abc import Mapping
from enum import Enum

from services.loyalty.domain.basket import Basket
from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.ledger import Transfer
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member
from services.loyalty.domain.value import value


class Kind(Enum):
    """What a journal row records."""

    ENROL = "enrol"
    CAPTURE = "capture"
    ABANDON = "abandon"
    EXPIRE = "expire"
    BLOCK = "block"
    UNBLOCK = "unblock"


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


@value
class Enrol:
    operation_id: str
    fingerprint: bytes
    origin: Origin
    member_id: str
    card: str
    language: str


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


Command = Capture | Enrol | SetBlocked | Abandon


class Refusal(Enum):
    """Why not, in the order in which the checks run."""

    MALFORMED = "malformed"
    MALFORMED_ID = "malformed_id"
    BASKET_EMPTY = "basket_empty"
    BASKET_TOTAL_OVERFLOWS = "basket_total_overflows"
    BASKET_TOTAL_NEGATIVE = "basket_total_negative"
    BASKET_TOTAL_DIFFERS = "basket_total_differs"
    CURRENCY_WRONG = "currency_wrong"
    KEY_REUSED = "key_reused"
    ABANDONED = "abandoned"
    RECEIPT_REUSED = "receipt_reused"
    CARD_TAKEN = "card_taken"
    MEMBER_EXISTS = "member_exists"
    MEMBER_UNKNOWN = "member_unknown"
    CARD_NOT_ACCEPTED = "card_not_accepted"
    REDEMPTION_BELOW_MINIMUM = "redemption_below_minimum"
    REDEMPTION_NOT_A_STEP = "redemption_not_a_step"
    EXCEEDS_SHARE = "exceeds_share"
    EXCEEDS_AVAILABLE = "exceeds_available"


# A refusal that depends on the member's state would be another one tomorrow: it is journalled, so
# that it stays.
JOURNALLED = frozenset({Refusal.EXCEEDS_AVAILABLE})


@value
class Refused:
    """Final under its operation id; nothing was booked. `points_maximum`: the most that could be
    redeemed.
    """

    reason: Refusal
    field: str
    remedy: str
    points_maximum: int = 0


@value
class Summary:
    """A member's figures as an answer tells them."""

    member_id: str
    version: int
    points: int
    available: int
    language: str


@value
class Captured:
    """`line_discounts` are (line id, minor units) and sum to `discount_minor`, as the VAT shares
    do.
    """

    member: Summary
    points_earned: int
    points_redeemed: int
    points_redeemed_from_basket: int
    discount_minor: int
    line_discounts: tuple[tuple[str, int], ...]
    vat_discounts: tuple[VatShare, ...]
    currency: str
    receipt_version: int


@value
class Enrolled:
    member: Summary


@value
class Expired:
    member: Summary
    points_expired: int


@value
class BlockedSet:
    member: Summary
    blocked: bool
    reason: str


@value
class Burnt:
    """The id `target_id` was abandoned before anything was decided under it."""

    target_id: str


@value
class AlreadyDecided:
    """An abandon came too late: the decision under `target_id` stands."""

    target_id: str


Decision = Captured | Enrolled | Expired | BlockedSet | Burnt | AlreadyDecided | Refused


@value
class Entry:
    """One journal row to be: everything that a decision changes. `member` is the state after it."""

    operation_id: str
    kind: Kind
    accepted: bool
    decision: Decision
    transfers: tuple[Transfer, ...]
    lot_moves: tuple[LotMove, ...]
    facts: Mapping[str, object]
    member: Member | None


def summary(member: Member) -> Summary:
    return Summary(
        member_id=member.member_id,
        version=member.version,
        points=member.points,
        available=member.available,
        language=member.language,
    )
