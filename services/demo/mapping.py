"""From the recording to Bonpunkt's words: baskets, members, cards, terminals, operation ids.

Everything here is a pure function of what was recorded, so that a replay which was interrupted says
exactly the same again, and idempotency makes the repetition harmless. docs/demo.md tells how rough
lines are mapped.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from stdnum import ean

from bonpunkt.till.v1 import till_pb2 as pb
from services.demo.recordings import Product, RecordedBasket, RecordedLine

CURRENCY = "EUR"
CARD_PREFIX = 29  # GS1 keeps 20 to 29 for numbers that a store gives out itself
TILLS_PER_STORE = 2
REDEEMS_EVERY = 3
# What else happens at a till, in shares of the baskets (of the households, for those who join).
RESERVES_EVERY = 6  # of those who redeem, every second: points are set aside before paying
HESITATES_EVERY = 24  # … gives them up, and then pays with points all the same
VOIDED_EVERY = 97
BRINGS_BACK_EVERY = 25
JOINS_AT_TILL_EVERY = 8
FUEL = "GASOLINE-REG UNLEADED"
RECORDING_BEGINS = datetime(2017, 1, 1, tzinfo=UTC)

TOBACCO = frozenset({"CIGARETTES", "CIGARS", "TOBACCO OTHER"})
UNKNOWN = Product(department="UNKNOWN", brand="", category=None, type=None)

# Food is 7 %, the rest 19 %. Every department is here, so that a new one would be noticed.
VAT_RATE_KEYS: Mapping[str, str] = {
    "AUTOMOTIVE": "DE_19",
    "CHARITABLE CONT": "DE_19",
    "CHEF SHOPPE": "DE_7",
    "CNTRL/STORE SUP": "DE_19",
    "COSMETICS": "DE_19",
    "COUPON": "DE_19",
    "DELI": "DE_7",
    "DRUG GM": "DE_19",
    "ELECT &PLUMBING": "DE_19",
    "FLORAL": "DE_19",
    "FROZEN GROCERY": "DE_7",
    "FUEL": "DE_19",
    "GARDEN CENTER": "DE_19",
    "GM MERCH EXP": "DE_19",
    "GROCERY": "DE_7",
    "HOUSEWARES": "DE_19",
    "MEAT": "DE_7",
    "MEAT-PCKGD": "DE_7",
    "MISCELLANEOUS": "DE_19",
    "NUTRITION": "DE_7",
    "PASTRY": "DE_7",
    "PHOTO & VIDEO": "DE_19",
    "POSTAL CENTER": "DE_19",
    "PROD-WHS SALES": "DE_7",
    "PRODUCE": "DE_7",
    "RESTAURANT": "DE_19",
    "SALAD BAR": "DE_7",
    "SEAFOOD": "DE_7",
    "SEAFOOD-PCKGD": "DE_7",
    "SPIRITS": "DE_19",
    "TOYS": "DE_19",
    "TRAVEL & LEISURE": "DE_19",
    UNKNOWN.department: "DE_19",
}


@dataclass(frozen=True, slots=True)
class Shopper:
    """A recorded household as a member with a card."""

    member_id: str
    card: str  # EAN-13
    language: str  # "de" for even household numbers, "en" for odd ones
    enrolment_id: str


def basket(recorded: RecordedBasket, products: Mapping[int, Product]) -> pb.Basket:
    """The recorded basket with every line it has, also those of quantity or total 0."""
    lines = [
        _line_item(position, line, products.get(line.product_id, UNKNOWN))
        for position, line in enumerate(recorded.lines, start=1)
    ]
    return pb.Basket(
        basket_id=identifier(f"basket:{recorded.basket_id}", at=recorded.recorded_at),
        receipt_number=str(recorded.basket_id),
        business_date=recorded.recorded_at.date().isoformat(),
        cashier=f"cashier-{recorded.basket_id % 7 + 1}",
        currency=CURRENCY,
        total_minor=sum(line.total_minor for line in lines),
        line_items=lines,
    )


def total_minor(sales_value: float) -> int:
    """Recorded currency units as euro cents, one to one.

    Rounded half to even from the decimal that the recorded float prints as. Everything recorded is
    whole cents except 20 lines with the dust of a float subtraction (under 1e-14), which become 0.
    """
    cents = (Decimal(repr(sales_value)) * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return int(cents)


def quantity_milli(quantity: int, product: Product) -> int:
    """Thousandths of the unit of sale.

    Fuel is recorded in thousandths of a gallon, except that 1 stands for a sale over a round sum.
    Everything else, weighed goods too, is recorded in pieces. A quantity of 0 stays 0.
    """
    if product.type == FUEL and quantity > 1:
        return quantity
    return quantity * 1000


def shopper(household_id: int) -> Shopper:
    """The member that a household becomes."""
    digits = f"{CARD_PREFIX}{household_id:010d}"
    return Shopper(
        member_id=identifier(f"household:{household_id}", at=RECORDING_BEGINS),
        card=digits + ean.calc_check_digit(digits),
        language="de" if household_id % 2 == 0 else "en",
        enrolment_id=identifier(f"enrolment:{household_id}", at=RECORDING_BEGINS),
    )


def store_name(store_id: int) -> str:
    return f"store-{store_id}"


def tills(store_id: int) -> list[str]:
    """The names of a store's tills, by which they are terminals too."""
    return [f"{store_name(store_id)}-till-{n}" for n in range(1, TILLS_PER_STORE + 1)]


def till_of(recorded: RecordedBasket) -> str:
    """At which of its store's tills a basket is checked out, always the same."""
    return tills(recorded.store_id)[recorded.basket_id % TILLS_PER_STORE]


def capture_id(recorded: RecordedBasket) -> str:
    """The operation id of the basket's capture."""
    return identifier(f"capture:{recorded.basket_id}", at=recorded.recorded_at)


def redeems(recorded: RecordedBasket) -> bool:
    """Whether the customer pays with as many points as possible: every third basket."""
    return recorded.number % REDEEMS_EVERY == REDEEMS_EVERY - 1


def operation_id(kind: str, recorded: RecordedBasket) -> str:
    """The id of what else is done with a basket: `kind` is "reserve", "void" …"""
    return identifier(f"{kind}:{recorded.basket_id}", at=recorded.recorded_at)


def reserves(recorded: RecordedBasket) -> bool:
    """Whether the points are set aside before the customer pays."""
    return recorded.number % RESERVES_EVERY == RESERVES_EVERY - 1


def hesitates(recorded: RecordedBasket) -> bool:
    """Whether the customer gives the reservation up before they pay with points after all."""
    return recorded.number % HESITATES_EVERY == HESITATES_EVERY - 1


def is_voided(recorded: RecordedBasket) -> bool:
    """Whether the cashier takes the whole receipt back."""
    return recorded.number % VOIDED_EVERY == VOIDED_EVERY // 2


def brings_back(recorded: RecordedBasket) -> bool:
    """Whether the customer has something of their purchase before with them."""
    return recorded.number % BRINGS_BACK_EVERY == BRINGS_BACK_EVERY // 2


def joins_at_till(household_id: int) -> bool:
    """Whether the household becomes a member at its first checkout, not before the replay."""
    return household_id % JOINS_AT_TILL_EVERY == 0


def brought_back(bought: pb.Basket, *, whole: bool) -> tuple[str, int] | None:
    """The first line that is worth anything, and how much of it comes back: all, or about half.
    None if there is no such line.
    """
    for line in bought.line_items:
        if line.total_minor > 0 and line.quantity_milli > 0:
            half = line.quantity_milli // 2000 * 1000
            return line.line_id, line.quantity_milli if whole else half or line.quantity_milli
    return None


def identifier(name: str, *, at: datetime) -> str:
    """A UUID of version 7's shape: `at` in its time field, bits of SHA-256(name) behind it."""
    digest = int.from_bytes(hashlib.sha256(f"bonpunkt-demo:{name}".encode()).digest()[:16])
    milliseconds = int(at.timestamp()) * 1000
    value = milliseconds << 80 | 0x7 << 76 | (digest >> 64 & 0xFFF) << 64
    return str(UUID(int=value | 0b10 << 62 | digest & (1 << 62) - 1))


def _category(product: Product) -> str:
    """The department; but tobacco, which no programme rewards, is a category of its own."""
    return product.category if product.category in TOBACCO else product.department


def _line_item(position: int, line: RecordedLine, product: Product) -> pb.LineItem:
    return pb.LineItem(
        line_id=str(position),
        article_number=str(line.product_id),
        text=product.type or product.category or product.department,
        category=_category(product),
        brand=product.brand,
        quantity_milli=quantity_milli(line.quantity, product),
        total_minor=total_minor(line.sales_value),
        vat_rate_key=VAT_RATE_KEYS[product.department],
    )
