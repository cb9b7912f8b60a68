"""The lines a till prints about points, in the member's language.

A repeated operation is answered byte for byte as it was the first time, so the journal keeps the
template version that a decision was told with, not its text. Everything here that shapes the text
of a version (words, number formats, line breaks) therefore stays as it is for ever; other words
are a new version beside the old ones, and nothing is left to a library whose data may change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

TEMPLATE_VERSION = 1  # what new decisions are told with

COLUMNS = 40  # of the narrowest receipt printers
FALLBACK_LANGUAGE = "en"

# ISO 4217 currencies whose minor unit is not a hundredth.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


class _Statement:
    """Pieces that are never broken; a line may end between them."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces
        self.whole = " ".join(pieces)


@dataclass(frozen=True, slots=True)
class _Template:
    paid_with_points: _Statement
    earned: _Statement
    balance: _Statement
    thousands: str
    decimal_mark: str


_TEMPLATES: Mapping[int, Mapping[str, _Template]] = {
    1: {
        "de": _Template(
            paid_with_points=_Statement("Mit Punkten bezahlt:", "{points} P", "= {money}"),
            earned=_Statement("Gesammelt:", "{points} P"),
            balance=_Statement("Punktestand:", "{points} P"),
            thousands=".",
            decimal_mark=",",
        ),
        "en": _Template(
            paid_with_points=_Statement("Paid with points:", "{points} P", "= {money}"),
            earned=_Statement("Earned:", "{points} P"),
            balance=_Statement("Your points:", "{points} P"),
            thousands=",",
            decimal_mark=".",
        ),
    }
}


def receipt_lines(
    *,
    version: int,
    language: str,
    points_earned: int,
    points_redeemed: int,
    discount_minor: int,
    points_after: int,
    currency: str,
) -> tuple[str, ...]:
    """What was paid with points (if anything), what was earned, what the member has now.

    Lines of at most 40 columns; one that would be longer continues, indented, on the next.
    `language` is BCP 47; without a template for it the words are English. The same arguments give
    the same text for ever. KeyError: `version` was written by a newer release than this.
    """
    by_language = _TEMPLATES[version]
    template = by_language.get(_primary_subtag(language)) or by_language[FALLBACK_LANGUAGE]
    lines: list[str] = []
    if points_redeemed:
        points = _grouped(points_redeemed, template.thousands)
        amount = _amount(discount_minor, currency, template)
        lines += _filled(template.paid_with_points, points, f"{amount} {currency}")
    lines += _filled(template.earned, _grouped(points_earned, template.thousands), "")
    lines += _filled(template.balance, _grouped(points_after, template.thousands), "")
    return tuple(lines)


def _filled(statement: _Statement, points: str, money: str) -> list[str]:
    """The statement as lines of at most 40 columns, broken only between its pieces."""
    whole = _with_figures(statement.whole, points, money)
    if len(whole) <= COLUMNS:
        return [whole]
    lines: list[str] = []
    for words in statement.pieces:
        piece = _with_figures(words, points, money)
        if not lines:
            lines.append(piece)
            continue
        if len(lines[-1]) + 1 + len(piece) <= COLUMNS:
            lines[-1] += f" {piece}"
        else:
            lines.append(f"  {piece}")
    return lines


def _with_figures(words: str, points: str, money: str) -> str:
    words = words.replace("{points}", points)
    return words.replace("{money}", money) if money else words


@lru_cache(maxsize=64)
def _primary_subtag(language: str) -> str:
    """The language of a BCP 47 tag: "de" for "de-AT"."""
    return language.replace("_", "-").partition("-")[0].lower()


def _amount(minor: int, currency: str, template: _Template) -> str:
    decimals = _DECIMALS.get(currency, 2)
    whole, part = divmod(minor, 10**decimals)
    if decimals == 0:
        return _grouped(whole, template.thousands)
    return f"{_grouped(whole, template.thousands)}{template.decimal_mark}{part:0{decimals}d}"


def _grouped(number: int, thousands: str) -> str:
    assert number >= 0, "points and payments on a receipt are never negative"
    return str(number) if number < 1000 else f"{number:,}".replace(",", thousands)
