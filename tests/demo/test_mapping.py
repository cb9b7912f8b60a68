"""How the recording is put into Bonpunkt's words; nothing of it is dropped."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

import pytest
from stdnum import ean

from bonpunkt.till.v1 import till_pb2 as pb
from services.demo import mapping
from services.demo.recordings import Product, RecordedBasket, RecordedLine, Recordings

NOON = datetime(2017, 6, 1, 12, 0, tzinfo=UTC)
BREAD = Product(department="PASTRY", brand="Private", category="BREAD", type="BREAD:ITALIAN")
PETROL = Product(department="FUEL", brand="National", category="FUEL", type=mapping.FUEL)


def _recorded(
    *lines: RecordedLine, number: int = 0, basket_id: int = 31_198_570_044
) -> RecordedBasket:
    return RecordedBasket(
        number=number,
        basket_id=basket_id,
        household_id=900,
        store_id=330,
        recorded_at=NOON,
        lines=lines,
    )


@dataclass
class Census:
    """The whole recording, counted on both sides of the mapping."""

    baskets: int = 0
    lines: int = 0
    recorded: Decimal = Decimal(0)
    mapped_minor: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    departments: set[str] = field(default_factory=set)
    basket_ids: set[str] = field(default_factory=set)
    capture_ids: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def count(self, recorded: RecordedBasket, mapped: pb.Basket) -> None:
        self.baskets += 1
        self.lines += len(mapped.line_items)
        self.mapped_minor += mapped.total_minor
        self.classes["basket of 0.00"] += mapped.total_minor == 0
        self.basket_ids.add(mapped.basket_id)
        self.capture_ids.add(mapping.capture_id(recorded))
        if mapped.total_minor != sum(item.total_minor for item in mapped.line_items):
            self.wrong.append(f"{recorded.basket_id} does not add up")
        for line, item in zip(recorded.lines, mapped.line_items, strict=True):
            self._count_line(line, item)

    def _count_line(self, line: RecordedLine, item: pb.LineItem) -> None:
        self.recorded += Decimal(repr(line.sales_value))
        if item.category not in mapping.TOBACCO:
            self.departments.add(item.category)
        zero_quantity, nothing = line.quantity == 0, line.sales_value == 0
        self.classes["quantity 0"] += zero_quantity
        self.classes["total 0"] += nothing
        self.classes["quantity 0 with a total"] += zero_quantity and not nothing
        self.classes["dust"] += not nothing and item.total_minor == 0
        self.classes["no product entry"] += item.category == mapping.UNKNOWN.department
        fuel = item.text == mapping.FUEL
        self.classes["fuel by volume"] += fuel and line.quantity > 1
        self.classes["fuel over a sum"] += fuel and line.quantity == 1
        expected_milli = line.quantity if fuel and line.quantity > 1 else line.quantity * 1000
        if item.quantity_milli != expected_milli:
            self.wrong.append(f"{line} has quantity {item.quantity_milli}")


@cache
def census() -> Census:
    everything, counted = Recordings(), Census()
    for recorded in everything.baskets():
        counted.count(recorded, mapping.basket(recorded, everything.products))
    return counted


def test_every_recorded_basket_and_line_is_mapped() -> None:
    assert (census().baskets, census().lines) == (155_848, 1_469_307)
    assert census().wrong == []


def test_the_mapped_totals_add_up_to_what_was_recorded() -> None:
    """The 20 lines of float dust are together less than a cent."""
    assert census().mapped_minor == 459_603_958
    assert abs(census().recorded * 100 - census().mapped_minor) < Decimal("1e-10")


def test_rough_lines_are_as_many_as_the_documentation_says() -> None:
    """docs/demo.md has this table; each is mapped by a rule of its own."""
    assert census().classes == {
        "quantity 0": 8_869,
        "total 0": 11_226,
        "quantity 0 with a total": 49,
        "dust": 20,
        "no product entry": 4_836,
        "fuel by volume": 13_520,
        "fuel over a sum": 1_177,
        "basket of 0.00": 478,
    }


def test_ids_of_the_recording_never_collide() -> None:
    assert len(census().basket_ids) == len(census().capture_ids) == 155_848
    assert not census().basket_ids & census().capture_ids


def test_every_department_has_a_vat_rate_key_and_no_other_is_listed() -> None:
    known = {product.department for product in Recordings().products.values()}

    assert set(mapping.VAT_RATE_KEYS) == known | {mapping.UNKNOWN.department}
    assert census().departments <= set(mapping.VAT_RATE_KEYS)
    assert set(mapping.VAT_RATE_KEYS.values()) == {"DE_7", "DE_19"}


@pytest.mark.parametrize(
    ("sales_value", "cents"),
    [(0.0, 0), (0.5, 50), (1.43, 143), (840.0, 84_000), (0.005, 0), (0.015, 2), (1.776357e-15, 0)],
)
def test_amounts_become_cents_rounded_half_to_even(sales_value: float, cents: int) -> None:
    assert mapping.total_minor(sales_value) == cents


@pytest.mark.parametrize(
    ("quantity", "product", "milli"),
    [
        (0, BREAD, 0),
        (1, BREAD, 1_000),
        (144, BREAD, 144_000),
        (0, PETROL, 0),
        (1, PETROL, 1_000),
        (2, PETROL, 2),
        (89_638, PETROL, 89_638),
    ],
)
def test_only_fuel_is_recorded_in_thousandths(quantity: int, product: Product, milli: int) -> None:
    assert mapping.quantity_milli(quantity, product) == milli


def test_a_line_keeps_what_is_known_of_its_article() -> None:
    recorded = _recorded(RecordedLine(product_id=26_093, quantity=2, sales_value=2.78))

    assert mapping.basket(recorded, {26_093: BREAD}).line_items == [
        pb.LineItem(
            line_id="1",
            article_number="26093",
            text="BREAD:ITALIAN",
            category="PASTRY",
            brand="Private",
            quantity_milli=2_000,
            total_minor=278,
            vat_rate_key="DE_7",
        )
    ]


def test_a_line_without_product_entry_is_mapped_as_unknown() -> None:
    item = mapping.basket(_recorded(RecordedLine(1, 1, 0.99)), {}).line_items[0]

    assert (item.category, item.text, item.vat_rate_key) == ("UNKNOWN", "UNKNOWN", "DE_19")
    assert item.total_minor == 99


def test_tobacco_is_a_category_of_its_own() -> None:
    """It is recorded in a department with toys and pans; a programme excludes it by its name."""
    product = Product(department="DRUG GM", brand="", category="CIGARETTES", type="CIGARETTES")
    item = mapping.basket(_recorded(RecordedLine(1, 1, 5.0)), {1: product}).line_items[0]

    assert (item.category, item.vat_rate_key) == ("CIGARETTES", "DE_19")


@pytest.mark.parametrize(
    ("category", "type_", "text"),
    [("BREAD", "BREAD:RYE", "BREAD:RYE"), ("BREAD", None, "BREAD"), (None, None, "PASTRY")],
)
def test_an_article_is_called_by_the_closest_name_there_is(
    category: str | None, type_: str | None, text: str
) -> None:
    product = Product(department="PASTRY", brand="", category=category, type=type_)

    assert (
        mapping.basket(_recorded(RecordedLine(1, 1, 1.0)), {1: product}).line_items[0].text == text
    )


def test_the_same_recording_always_says_the_same() -> None:
    """A repeated operation is answered from the journal only if it is the same request."""
    recorded = _recorded(RecordedLine(1, 1, 1.0))

    assert mapping.basket(recorded, {1: BREAD}) == mapping.basket(recorded, {1: BREAD})
    assert mapping.capture_id(recorded) == "015c6386-d600-766b-a830-83af4e527e80"
    assert mapping.till_of(recorded) == "store-330-till-1"


def test_identifiers_have_the_shape_of_version_7_and_tell_the_recorded_time() -> None:
    identifier = UUID(mapping.identifier("basket:1", at=NOON))

    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert identifier.int >> 80 == NOON.timestamp() * 1000
    assert str(identifier) != mapping.identifier("basket:2", at=NOON)


def test_every_household_has_a_card_of_its_own_that_a_scanner_accepts() -> None:
    shoppers = [mapping.shopper(number) for number in Recordings().households()]

    assert all(ean.is_valid(shopper.card) and shopper.card[:2] == "29" for shopper in shoppers)
    for attribute in ("card", "member_id", "enrolment_id"):
        assert len({getattr(shopper, attribute) for shopper in shoppers}) == len(shoppers)


@pytest.mark.parametrize(("household", "language"), [(1, "en"), (2, "de"), (2_500, "de")])
def test_even_households_are_spoken_to_in_german(household: int, language: str) -> None:
    assert mapping.shopper(household).language == language


def test_every_third_basket_redeems() -> None:
    redeeming = [number for number in range(9) if mapping.redeems(_recorded(number=number))]

    assert redeeming == [2, 5, 8]


def test_a_basket_is_checked_out_at_a_till_of_its_store() -> None:
    names = {mapping.till_of(_recorded(basket_id=number)) for number in range(10)}

    assert names == set(mapping.tills(330))
    assert len(names) == mapping.TILLS_PER_STORE
