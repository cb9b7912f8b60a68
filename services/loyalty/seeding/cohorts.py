"""Members who join and shop, cohort by cohort, as the rows that the ledger makes of them.

A cohort is one `Draft`: so many members enrol and buy something within one instant, and nobody of
them comes again. So memory holds one cohort however many there are, and each member row is written
once. Cohorts follow one another through the time that the ledger is to have lived.

Everything follows from the share, but for the times: the same seed made again has the same cards,
purchases and receipt numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import NamedTuple

from stdnum import ean

from services.loyalty.chain import GENESIS
from services.loyalty.domain.basket import Basket
from services.loyalty.domain.command import Capture, Enrol, Maximum, Origin
from services.loyalty.domain.decision import Captured, Enrolled
from services.loyalty.domain.ledger import PROGRAMME_ACCOUNTS
from services.loyalty.draft import Draft
from services.loyalty.keys import BUCKET_COUNT, member_bucket
from services.loyalty.places import Known, homes_of
from services.loyalty.programmes.versions import Moment, Programmes
from services.loyalty.store import COUNTERS, Batch, BucketState, Located
from services.loyalty.wire_forms import command_fingerprint

COHORT_ROWS = 2_000
CARD_PREFIX = 28  # GS1 keeps 20 to 29 for numbers that a store gives out itself; the demo has 29
REDEEMS_EVERY = 3  # of the purchases: as many points as possible, as at the demo's tills
STORES, TILLS_PER_STORE = 100, 10
STAFF = Origin(actor="seed")

Purchase = tuple[Basket, str]  # what was bought, and its line items as they are stored


@dataclass(frozen=True, slots=True)
class Size:
    """How big the ledger is to be. Each member's enrolment is one of the journal's rows."""

    members: int
    journal_rows: int
    days: int  # for how long it has been in use; ends now

    def __post_init__(self) -> None:
        if self.members < 1 or self.days < 1:
            raise ValueError("seed one member and one day, or more")
        if self.journal_rows < self.members:
            raise ValueError("each member's enrolment is a journal row: seed as many, or more")


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several processes makes: the members and purchases number `number`, `number + of`
    and so on, who live in the buckets of the same numbers. Times are UTC microseconds.
    """

    size: Size
    number: int
    of: int
    ends_us: int
    baskets_since_us: int  # line items of earlier purchases are past their retention

    @property
    def buckets(self) -> range:
        return range(self.number, BUCKET_COUNT, self.of)

    @property
    def members(self) -> int:
        return len(range(self.number, self.size.members, self.of))

    @property
    def purchases(self) -> int:
        return len(range(self.number, self.size.journal_rows - self.size.members, self.of))

    @property
    def cohorts(self) -> int:
        """At least one member is in each."""
        return min(self.members, -(-(self.members + self.purchases) // COHORT_ROWS))


class _Shopper(NamedTuple):
    member_id: str
    card: str
    language: str


def card_of(number: int) -> str:
    """The card of the seeded member with this number, from 0: an EAN-13."""
    digits = f"{CARD_PREFIX}{number:010d}"
    return digits + ean.calc_check_digit(digits)


def till_of(number: int) -> tuple[str, str]:
    """The terminal of the purchase with this number, and its store. No till has a key to them."""
    store = number % STORES
    return f"seed-{store}-till-{number // STORES % TILLS_PER_STORE}", f"seed-{store}"


def cohorts(
    share: Share, *, programmes: Programmes, purchases: Sequence[Purchase]
) -> Iterator[Batch]:
    """The rows of the share, in the order of their sequences. Each batch has the bucket rows as
    they are after it.

    ValueError if the programme does not book these purchases.
    """
    random = Random(share.number)  # noqa: S311  for shape, not for secrets
    buckets = {number: _empty(number) for number in share.buckets}
    numbers = range(share.number, share.size.members, share.of)
    bought = iter(range(share.number, share.size.journal_rows - share.size.members, share.of))
    for cohort in range(share.cohorts):
        moment = programmes.moment(_instant_us(share, cohort))
        own = numbers[slice(*_part(share.members, share, cohort))]
        begin, end = _part(share.purchases, share, cohort)
        yield _cohort(
            [_shopper(number, moment, random, buckets) for number in own],
            list(islice(bought, end - begin)),
            moment=moment,
            programmes=programmes,
            buckets=buckets,
            purchases=purchases,
            random=random,
            keeps_baskets=moment.now_us >= share.baskets_since_us,
        )


def _cohort(
    shoppers: Sequence[_Shopper],
    bought: Sequence[int],
    *,
    moment: Moment,
    programmes: Programmes,
    buckets: dict[int, BucketState],
    purchases: Sequence[Purchase],
    random: Random,
    keeps_baskets: bool,
) -> Batch:
    owners = {s.card: Located(member_bucket(s.member_id), 0, s.member_id) for s in shoppers}
    known = Known(owners, {}, {})
    draft = Draft(
        moment=moment,
        programmes=programmes,
        buckets=buckets,
        members={},
        known=known,
        decided_before={},
        reversals={},
    )
    for shopper in shoppers:
        enrolment = _enrolment(shopper, moment, random)
        decision = draft.decide(enrolment, homes_of(enrolment, known))
        assert isinstance(decision, Enrolled), decision
    for number in bought:
        shopper = random.choice(shoppers)
        purchase = purchases[number % len(purchases)]
        capture = _capture(number, shopper, purchase, moment, random)
        captured = draft.decide(capture, homes_of(capture, known))
        if not isinstance(captured, Captured):
            raise ValueError(f"the programme does not book these purchases: {captured}")
    batch = draft.rows()
    if not keeps_baskets:
        batch.baskets = []
    return batch


def _shopper(
    number: int, moment: Moment, random: Random, buckets: dict[int, BucketState]
) -> _Shopper:
    """With an id that lives in one of the buckets."""
    member_id = _new_id(moment, random)
    while member_bucket(member_id) not in buckets:
        member_id = _new_id(moment, random)
    return _Shopper(member_id, card_of(number), "de" if number % 2 == 0 else "en")


def _enrolment(shopper: _Shopper, moment: Moment, random: Random) -> Enrol:
    return Enrol(
        operation_id=_new_id(moment, random),
        fingerprint=command_fingerprint("enrol", *shopper),
        origin=STAFF,
        member_id=shopper.member_id,
        card=shopper.card,
        language=shopper.language,
    )


def _capture(
    number: int, shopper: _Shopper, purchase: Purchase, moment: Moment, random: Random
) -> Capture:
    """A new receipt of what was bought, as loyalty/wire_requests.py reads it from a till."""
    bought, lines_json = purchase
    terminal_id, store_id = till_of(number)
    basket = Basket(
        basket_id=_new_id(moment, random),
        receipt_number=f"{number:010d}",
        business_date=moment.today.isoformat(),
        cashier=bought.cashier,
        currency=bought.currency,
        total_minor=bought.total_minor,
        line_items=bought.line_items,
    )
    redeem = Maximum.MAXIMUM if number % REDEEMS_EVERY == REDEEMS_EVERY - 1 else None
    fingerprint = command_fingerprint(
        "capture",
        terminal_id,
        shopper.card,
        redeem.value if redeem is not None else None,
        basket.basket_id,
        basket.receipt_number,
        basket.business_date,
        basket.cashier,
        basket.currency,
        lines=lines_json,
    )
    return Capture(
        operation_id=_new_id(moment, random),
        fingerprint=fingerprint,
        origin=Origin(terminal_id, store_id, "", moment.now_us),
        card=shopper.card,
        basket=basket,
        lines_json=lines_json,
        redeem=redeem,
    )


def _new_id(moment: Moment, random: Random) -> str:
    """A UUID of version 7 as of the moment."""
    value = moment.now_us // 1_000 << 80 | 0x7 << 76 | random.getrandbits(12) << 64
    text = f"{value | 0b10 << 62 | random.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _instant_us(share: Share, cohort: int) -> int:
    """Evenly spaced; the last cohort comes at the end."""
    lived_us = share.size.days * 86_400_000_000
    return share.ends_us - lived_us * (share.cohorts - 1 - cohort) // share.cohorts


def _part(count: int, share: Share, cohort: int) -> tuple[int, int]:
    """Which of so many a cohort has: from, to."""
    return count * cohort // share.cohorts, count * (cohort + 1) // share.cohorts


def _empty(number: int) -> BucketState:
    """A bucket row as it is in a new ledger."""
    return BucketState(
        bucket=number,
        sequence=0,
        chain_head=GENESIS,
        last_time_us=0,
        accounts=dict.fromkeys(PROGRAMME_ACCOUNTS, 0),
        counters=dict.fromkeys(COUNTERS, 0),
    )
