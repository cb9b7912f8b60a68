"""What the ledger answers, and the journal row in which it keeps the answer."""

from collections.abc import Mapping
from datetime import date
from enum import Enum

from services.loyalty.domain.discount import VatShare
from services.loyalty.domain.ledger import Transfer
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import Member, PendingMove
from services.loyalty.domain.value import value


class Kind(Enum):
    """What a journal row records."""

    ENROL = "enrol"
    RESERVE = "reserve"
    CAPTURE = "capture"
    RELEASE = "release"
    VOID = "void"
    RETURN = "return"
    ABANDON = "abandon"
    # by staff
    ADJUST = "adjust"
    MERGE = "merge"  # of the member who goes on
    CARDS = "cards"
    BLOCK = "block"
    UNBLOCK = "unblock"
    ERASE = "erase"
    # by time alone
    TIMEOUT = "timeout"  # of a reservation
    ACTIVATE = "activate"  # pending points become spendable
    EXPIRE = "expire"
    ANNOUNCE = "announce"  # points will expire soon
    TIER = "tier"
    # a second row of an operation that touches two buckets or two members
    MERGED = "merged"  # of the member who went on into another
    LEG = "leg"  # of a bucket whose receipt was reversed by a member of another


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
    RECEIPT_UNKNOWN = "receipt_unknown"
    RESERVATION_UNKNOWN = "reservation_unknown"
    MEMBER_EXISTS = "member_exists"
    MEMBER_UNKNOWN = "member_unknown"
    MEMBER_MERGED = "member_merged"
    MEMBER_SAME = "member_same"
    CARD_UNKNOWN = "card_unknown"
    CARD_NOT_ACCEPTED = "card_not_accepted"
    REDEMPTION_BELOW_MINIMUM = "redemption_below_minimum"
    REDEMPTION_NOT_A_STEP = "redemption_not_a_step"
    EXCEEDS_SHARE = "exceeds_share"
    EXCEEDS_AVAILABLE = "exceeds_available"
    RESERVATION_ENDED = "reservation_ended"
    RECEIPT_VOIDED = "receipt_voided"
    RECEIPT_RETURNED = "receipt_returned"
    VOID_TOO_LATE = "void_too_late"
    EXCEEDS_RETURNABLE = "exceeds_returnable"
    RECEIPT_TOO_OLD = "receipt_too_old"
    MEMBER_ERASED = "member_erased"


# A refusal that depends on the member's state would be another one tomorrow: it is journalled, so
# that it stays.
JOURNALLED = frozenset(
    {
        Refusal.EXCEEDS_AVAILABLE,
        Refusal.RESERVATION_ENDED,
        Refusal.RECEIPT_VOIDED,
        Refusal.RECEIPT_RETURNED,
        Refusal.VOID_TOO_LATE,
        Refusal.EXCEEDS_RETURNABLE,
        Refusal.RECEIPT_TOO_OLD,
        Refusal.MEMBER_ERASED,
    }
)


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
    pending: int = 0
    tier: str = ""


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
    points_pending: int = 0  # of those earned: spendable only later
    points_settled: int = 0  # of those earned: paid back what was owed


@value
class Reserved:
    """`points` = `points_held` + `points_promised`, until `expires_at_us`."""

    member: Summary
    points_held: int
    points_promised: int
    discount_minor: int
    line_discounts: tuple[tuple[str, int], ...]
    vat_discounts: tuple[VatShare, ...]
    expires_at_us: int

    @property
    def points(self) -> int:
        return self.points_held + self.points_promised


@value
class Released:
    """Of a till, or of time: `reservation_id` is over, what it held is available again."""

    member: Summary
    reservation_id: str
    points_held: int
    timed_out: bool


@value
class Voided:
    """Of the points that the receipt had earned: taken back + owed + let go."""

    member: Summary
    points_restored: int
    points_taken_back: int
    points_owed: int
    points_let_go: int


@value
class LineRefund:
    line_id: str
    quantity_milli: int
    refund_minor: int  # as it was rung up
    discount_minor: int  # the part of it that had been paid in points


@value
class VatRefund:
    """What comes back of one VAT rate: gross, and the part of it that had been paid in points."""

    vat_rate_key: str
    refund_minor: int
    discount_minor: int


@value
class Returned:
    """`refund_minor` is what came back is worth; `discount_minor` of it had been paid in points,
    the rest is to be paid out. Both are sums over the lines, and over the VAT rates.
    """

    member: Summary
    refund_minor: int
    discount_minor: int
    line_refunds: tuple[LineRefund, ...]
    vat_refunds: tuple[VatRefund, ...]
    points_restored: int
    points_taken_back: int
    points_owed: int
    points_let_go: int
    complete: bool  # nothing of the receipt is left


@value
class Enrolled:
    member: Summary


@value
class Adjusted:
    member: Summary
    points: int
    reason_code: str
    reason: str


@value
class Merged:
    """`merged_id` is over; everything of theirs is this member's."""

    member: Summary
    merged_id: str
    reason: str


@value
class CardsChanged:
    member: Summary
    reason: str


@value
class Erased:
    member: Summary
    points_forfeited: int
    reason: str


@value
class Settled:
    """The member as of now; what time did has rows of its own."""

    member: Summary


@value
class Activated:
    member: Summary
    points_activated: int


@value
class Expired:
    member: Summary
    points_expired: int


@value
class Announced:
    """`points` will expire after `expires_on`, told `days_ahead` days before, or as soon after
    that as the member was looked at.
    """

    member: Summary
    points: int
    expires_on: date
    days_ahead: int


@value
class TierMoved:
    member: Summary
    tier_before: str


@value
class LegBooked:
    """The second row of the operation `main_id`."""

    main_id: str


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


OfMember = (
    Reserved
    | Released
    | Voided
    | Returned
    | Enrolled
    | Adjusted
    | Merged
    | CardsChanged
    | BlockedSet
    | Erased
    | Settled
    | Activated
    | Expired
    | Announced
    | TierMoved
)
Decision = Captured | OfMember | LegBooked | Burnt | AlreadyDecided | Refused


@value
class Entry:
    """One journal row to be: everything that a decision changes. `member` is the state after it;
    `ended` are the reservations that it ends.
    """

    operation_id: str
    kind: Kind
    accepted: bool
    decision: Decision
    transfers: tuple[Transfer, ...]
    lot_moves: tuple[LotMove, ...]
    facts: Mapping[str, object]
    member: Member | None
    pending_moves: tuple[PendingMove, ...] = ()
    ended: tuple[str, ...] = ()


def entry_without_points(
    operation_id: str,
    kind: Kind,
    decision: Decision,
    *,
    facts: Mapping[str, object],
    member: Member | None,
    ended: tuple[str, ...] = (),
) -> Entry:
    """A row that moves no points: a refusal that stays, or what is not about points."""
    return Entry(
        operation_id=operation_id,
        kind=kind,
        accepted=not isinstance(decision, Refused),
        decision=decision,
        transfers=(),
        lot_moves=(),
        facts=facts,
        member=member,
        ended=ended,
    )


def summary(member: Member) -> Summary:
    return Summary(
        member_id=member.member_id,
        version=member.version,
        points=member.points,
        available=member.available,
        language=member.language,
        pending=member.pending,
        tier=member.tier,
    )
