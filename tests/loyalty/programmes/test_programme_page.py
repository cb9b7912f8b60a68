"""docs/programme.md has every key of the document, and what it says of a key is so."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from marshmallow import Schema, fields

from services.loyalty.programmes import load_programme
from services.loyalty.programmes.document import DocumentSchema
from tests.loyalty.programmes.documents import changed, errors_of, without

PAGE = (Path(__file__).parents[3] / "docs" / "programme.md").read_text(encoding="utf-8")
RANGE = re.compile(r"([\d,]+) to ([\d,]+)")


class Row(NamedTuple):
    key: str
    says: str
    unit: str
    bounds: str
    default: str
    example: str


def rows() -> list[Row]:
    tables = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line[:3] == "| `"]
    return [Row(key.strip("`"), *cells) for key, *cells in tables]


ROWS = rows()


def row_id(row: Row) -> str:
    return row.key


@pytest.fixture
def example() -> dict[str, Any]:
    """The page's example, a document with every key."""
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    document: dict[str, Any] = json.loads(text)
    load_programme(document)
    return document


def keys(schema: Schema, under: str = "") -> Iterator[tuple[str, fields.Field[Any]]]:
    """Every key of a document that is no section, as the page names it."""
    for name, field in schema.fields.items():
        path = f"{under}{field.data_key or name}"
        if isinstance(field, fields.Nested):
            yield from keys(field.schema, f"{path}.")
            continue
        yield path, field
        if isinstance(field, fields.List) and isinstance(field.inner, fields.Nested):
            yield from keys(field.inner.schema, f"{path}[].")


def place(key: str) -> str:
    """Where a key is, in the first of its list."""
    return key.replace("[]", "[0]")


def put(document: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    if key.startswith("void."):  # one key or the other
        return changed(document, "void", {key.removeprefix("void."): value})
    if "[]" not in key:
        return changed(document, key, value)
    path, inner = key.split("[].")
    levels = [dict(level) for level in document["tiers"]["levels"]]
    levels[0][inner] = value
    return changed(document, path, levels)


def value_in(document: dict[str, Any], key: str) -> Any:
    found: Any = document
    for part in key.replace("[]", ".0").split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def test_the_page_has_exactly_the_keys_of_the_document_in_their_order() -> None:
    assert [row.key for row in ROWS] == [key for key, _ in keys(DocumentSchema())]


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_a_key_is_required_or_has_the_default_of_the_page(
    row: Row, example: dict[str, Any]
) -> None:
    field = dict(keys(DocumentSchema()))[row.key]
    assert (row.default == "required") == field.required
    if field.required:
        return
    if row.default == "none":
        assert field.load_default is None
        return
    section, _, _ = row.key.partition(".")
    left_out = without(example, "void") if section == "void" else without(example, row.key)
    default = json.loads(row.default.strip("`"))
    assert load_programme(left_out) == load_programme(put(example, row.key, default))
    assert load_programme(left_out) != load_programme(example), "the example shows another value"


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_the_example_of_a_key_is_that_of_the_document(row: Row, example: dict[str, Any]) -> None:
    if row.example == "see below":
        return
    value = json.loads(row.example.strip("`"))
    load_programme(put(example, row.key, value))
    if row.key != "void.until":
        assert value_in(example, row.key) == value


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_the_bounds_of_a_key_are_those_of_the_document(row: Row, example: dict[str, Any]) -> None:
    bounds = RANGE.match(row.bounds)
    if bounds is not None and "characters" not in row.bounds and "levels" not in row.bounds:
        least, most = (int(number.replace(",", "")) for number in bounds.groups())
        for wrong in (least - 1, most + 1):
            words = errors_of(put(example, row.key, wrong))[place(row.key)]
            assert words.startswith(f"has to be a whole number from {least} to {most}")
    elif row.bounds.startswith("`"):
        words = errors_of(put(example, row.key, "something else"))[place(row.key)]
        assert words == f"has to be {row.bounds.replace('`', '')}"
    else:
        assert row.key in ASSERTED_IN_WORDS


# Bounds that are no range and no choice: test_document.py and test_optional_keys.py have them.
ASSERTED_IN_WORDS = {
    "name": "1 to 100 printable characters",
    "currency": "three capital letters",
    "time_zone": "a known time zone",
    "earn.excluded_categories": "each 1 to 100 printable characters, once",
    "earn.category_multipliers_percent": "each 1 to 1,000; 100 is the single rate",
    "expiry.announce_days": "up to 5, each 1 to 366",
    "tiers.levels": "1 to 10 levels",
    "tiers.levels[].name": "1 to 100 printable characters",
}


def test_bounds_in_words_are_as_they_are_tested_elsewhere() -> None:
    assert {row.key: row.bounds for row in ROWS if row.key in ASSERTED_IN_WORDS} == (
        ASSERTED_IN_WORDS
    )
