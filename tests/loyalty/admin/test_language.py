"""German and English, whole and as each writes it."""

from pathlib import Path

import flask_babel
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from google.protobuf.timestamp_pb2 import Timestamp

from services.loyalty.admin.language import day, instant, local_path, money, points, quantity
from tests.loyalty.admin.conftest import Browser

ADMIN = Path(__file__).parents[3] / "services" / "loyalty" / "admin"
GERMAN = ADMIN / "translations" / "de" / "LC_MESSAGES"


@pytest.fixture(scope="module")
def german() -> Catalog:
    with (GERMAN / "messages.po").open("rb") as file:
        return read_po(file, locale="de")


def said() -> set[str]:
    """Every message of the page's code and templates."""
    found = extract_from_dir(
        ADMIN,
        method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
        keywords={"gettext": None, "lazy_gettext": None, "_": None},
    )
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_no_message_is_missing_in_german(german: Catalog) -> None:
    words = {message.id: message.string for message in german if message.id}

    assert len(said()) > 150, "the extraction finds the messages"
    assert said() - words.keys() == set()
    assert words.keys() - said() == set(), "said no more"
    assert [id for id, string in words.items() if not string] == []
    assert [message.id for message in german if message.id and message.fuzzy] == []


def test_german_keeps_the_values_that_a_message_carries(german: Catalog) -> None:
    broken = [m.id for m in german if m.id and list(m.check())]

    assert broken == []


def test_the_compiled_catalogue_is_that_of_the_written_one(german: Catalog) -> None:
    with (GERMAN / "messages.mo").open("rb") as file:
        compiled = {message.id: message.string for message in read_mo(file) if message.id}

    assert compiled == {message.id: message.string for message in german if message.id}, (
        "compile it as docs/admin.md says"
    )


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("en-US,en;q=0.9", "en"),
        ("fr,de;q=0.5", "de"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_wish_chooses_the_language(app: Flask, wanted: str, language: str) -> None:
    page = Browser(app, language=wanted).get("/sign-in").text

    assert f'<html lang="{language}">' in page
    assert ("Anmelden" in page) is (language == "de")


def test_a_chosen_language_is_kept(app: Flask) -> None:
    browser = Browser(app, language="en")

    answer = browser.post("/language", language="de", next="/sign-in")

    assert answer.headers["Location"] == "/sign-in"
    assert "Anmelden" in browser.get("/sign-in").text


def test_an_unknown_language_changes_nothing(app: Flask) -> None:
    browser = Browser(app, language="en")

    browser.post("/language", language="tlh", next="//evil.example")

    assert "Sign in" in browser.get("/sign-in").text
    assert "bonpunkt-language" not in browser.cookies()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", ("12.345.678", "-1.234,50\xa0€", "0,475", "29.02.2028", "20.11.2026, 00:30:00")),
        ("en_GB", ("12,345,678", "-€1,234.50", "0.475", "29 Feb 2028", "20 Nov 2026, 00:30:00")),
    ],
)
def test_figures_are_written_as_the_language_does(
    app: Flask, language: str, expected: tuple[str, ...]
) -> None:
    """Half past eleven in the evening in UTC is the next day in the programme's time zone."""
    late = Timestamp()
    late.FromJsonString("2026-11-19T23:30:00Z")

    with app.test_request_context(), flask_babel.force_locale(language):
        written = (
            points(12345678), money(-123450, "EUR"), quantity(475), day("2028-02-29"), instant(late)
        )  # fmt: skip

    assert written == expected


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [(1234, "JPY", "JP¥1,234"), (1234, "KWD", "KWD1.234"), (1234, "", "1,234")],
)
def test_money_has_the_decimals_of_its_currency(
    app: Flask, minor: int, currency: str, written: str
) -> None:
    with app.test_request_context(), flask_babel.force_locale("en_GB"):
        assert money(minor, currency) == written


@pytest.mark.parametrize("path", ["/", "/members/1?page=2", "/deliveries?state=dead"])
def test_pages_of_this_site_are_returned_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "elsewhere", ["", "https://e.example", "//e.example", "/\\e.example", "x", "/a\r\nb"]
)
def test_nowhere_else_is_returned_to(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"
