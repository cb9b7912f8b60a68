"""German and English, with numbers, money and times (in the programme's zone) as each has them."""

from datetime import UTC, date
from decimal import Decimal
from urllib.parse import urlsplit

import flask_babel
from babel.numbers import format_currency, get_currency_precision
from flask import Flask, redirect, request
from google.protobuf.timestamp_pb2 import Timestamp
from werkzeug.wrappers import Response as AnyResponse

from services.loyalty.admin.cookies import Cookies
from services.loyalty.admin.figures import Figures
from services.loyalty.admin.visitors import Need, needs

# What the page calls a language, and the conventions it writes in.
LOCALES = {"de": "de", "en": "en_GB"}
NAMES = {"de": "Deutsch", "en": "English"}
_NO_VALUE = "–"


class Language:
    """Chooses by cookie, else by what the browser asks for; English otherwise."""

    def __init__(self, cookies: Cookies, figures: Figures) -> None:
        self._cookies = cookies
        self._figures = figures

    def register(self, app: Flask) -> None:
        flask_babel.Babel(
            app,
            locale_selector=lambda: LOCALES[self.chosen()],
            timezone_selector=lambda: self._figures.programme().time_zone or "UTC",
        )
        app.jinja_env.globals.update(languages=NAMES, language=self.chosen)
        app.jinja_env.filters.update(
            points=points, money=self.money, instant=instant, day=day, quantity=quantity
        )
        app.add_url_rule("/language", "language", self.switch, methods=["POST"])

    def chosen(self) -> str:
        kept = self._cookies.language(request)
        if kept in LOCALES:
            return kept
        return request.accept_languages.best_match(list(LOCALES), default="en") or "en"

    @needs(Need.ANYBODY)
    def switch(self) -> AnyResponse:
        response = redirect(local_path(request.form.get("next", "")), 303)
        language = request.form.get("language", "")
        if language in LOCALES:
            self._cookies.set_language(response, language)  # type: ignore[arg-type]
        return response

    def money(self, minor: int) -> str:
        """Minor units of the programme's currency."""
        return money(minor, self._figures.programme().currency)


def gettext(message: str, **values: object) -> str:
    """The words in the visitor's language."""
    return str(flask_babel.gettext(message, **values))


def money(minor: int, currency: str) -> str:
    """Minor units of an ISO 4217 currency; a bare number where none is known."""
    if not currency:
        return points(minor)
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return str(format_currency(amount, currency, locale=flask_babel.get_locale()))


def points(count: int) -> str:
    return str(flask_babel.format_decimal(count))


def quantity(milli: int) -> str:
    """Thousandths of the unit of sale: 475 is 0.475."""
    return str(flask_babel.format_decimal(Decimal(milli).scaleb(-3).normalize()))


def instant(at: Timestamp) -> str:
    if not at.seconds:
        return _NO_VALUE
    aware = at.ToDatetime(tzinfo=UTC)
    return str(flask_babel.format_datetime(aware, "medium"))


def day(iso: str) -> str:
    """A day of the programme's calendar, which no time zone moves."""
    if not iso:
        return _NO_VALUE
    return str(flask_babel.format_date(date.fromisoformat(iso), "medium", rebase=False))


def local_path(wanted: str) -> str:
    """`wanted` if it is a page of this site, else the first page: redirects never lead away."""
    parts = urlsplit(wanted)
    is_local = not parts.scheme and not parts.netloc and wanted.startswith("/")
    is_safe = is_local and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_safe else "/"
