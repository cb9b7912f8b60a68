"""The lines on the receipt: their words and numbers, and that they never change for a version."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.receipt import COLUMNS, TEMPLATE_VERSION, receipt_lines


def lines(**changes: Any) -> tuple[str, ...]:
    return receipt_lines(
        **{
            "version": 1,
            "language": "de",
            "points_earned": 9,
            "points_redeemed": 115,
            "discount_minor": 115,
            "points_after": 1234,
            "currency": "EUR",
            **changes,
        }
    )


def test_version_1_says_for_ever_what_it_said_first() -> None:
    """Golden: repeated decisions are answered with these bytes. New words are a new version."""
    assert lines() == (
        "Mit Punkten bezahlt: 115 P = 1,15 EUR",
        "Gesammelt: 9 P",
        "Punktestand: 1.234 P",
    )
    assert lines(language="en") == (
        "Paid with points: 115 P = 1.15 EUR",
        "Earned: 9 P",
        "Your points: 1,234 P",
    )


def test_new_decisions_are_told_with_a_version_that_exists() -> None:
    assert lines(version=TEMPLATE_VERSION)


def test_without_redemption_nothing_is_said_about_payment() -> None:
    assert lines(points_redeemed=0, discount_minor=0) == ("Gesammelt: 9 P", "Punktestand: 1.234 P")


def test_nothing_earned_is_said() -> None:
    """Else a shopper could not tell it from a purchase without a card."""
    assert lines(points_earned=0, points_redeemed=0, discount_minor=0, points_after=0) == (
        "Gesammelt: 0 P",
        "Punktestand: 0 P",
    )


@pytest.mark.parametrize("language", ["de", "de-AT", "de_CH", "DE", "de-Latn-DE-1996"])
def test_every_german_is_german(language: str) -> None:
    assert lines(language=language) == lines(language="de")


@pytest.mark.parametrize("language", ["en-GB", "fr", "tr-TR", "", "deu", "x"])
def test_other_languages_fall_back_to_english(language: str) -> None:
    assert lines(language=language) == lines(language="en")


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("EUR", 1, "0,01 EUR"),
        ("EUR", 99, "0,99 EUR"),
        ("EUR", 100, "1,00 EUR"),
        ("EUR", 123_456, "1.234,56 EUR"),
        ("CHF", 1_000_005, "10.000,05 CHF"),
        ("JPY", 1500, "1.500 JPY"),
        ("KWD", 1500, "1,500 KWD"),
        ("CLF", 15, "0,0015 CLF"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    currency: str, minor: int, amount: str
) -> None:
    first = lines(points_redeemed=5, discount_minor=minor, currency=currency)[0]

    assert first == f"Mit Punkten bezahlt: 5 P = {amount}"


def test_a_line_of_40_columns_stays_whole_and_a_longer_one_is_continued() -> None:
    assert lines(points_redeemed=2_345, discount_minor=1_234)[:2] == (
        "Mit Punkten bezahlt: 2.345 P = 12,34 EUR",
        "Gesammelt: 9 P",
    )
    assert lines(points_redeemed=12_345, discount_minor=1_234)[:3] == (
        "Mit Punkten bezahlt: 12.345 P",
        "  = 12,34 EUR",
        "Gesammelt: 9 P",
    )


@pytest.mark.parametrize("version", [0, 2])
def test_a_version_of_another_release_is_a_fault(version: int) -> None:
    """Guessing words would answer a repeated operation with other bytes."""
    with pytest.raises(KeyError):
        lines(version=version)


@given(
    language=st.sampled_from(["de", "en"]),
    points=st.tuples(*[st.integers(min_value=0, max_value=2**63 - 1)] * 4),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_whatever_the_figures_the_lines_fit_and_lose_nothing(
    language: str, points: tuple[int, int, int, int], currency: str
) -> None:
    earned, redeemed, minor, after = points

    printed = lines(
        language=language,
        points_earned=earned,
        points_redeemed=redeemed,
        discount_minor=minor,
        points_after=after,
        currency=currency,
    )

    assert all(0 < len(line) <= COLUMNS for line in printed)
    digits = "".join(character for line in printed for character in line if character.isdigit())
    for figure in [earned, after, *([redeemed, minor] if redeemed else [])]:
        assert str(figure) in digits


@given(
    points=st.integers(min_value=1, max_value=9_999_999),
    minor=st.integers(min_value=1, max_value=99_999_999),
)
def test_figures_of_real_purchases_take_two_to_four_lines(points: int, minor: int) -> None:
    assert 2 <= len(lines(points_redeemed=0, points_earned=points, points_after=points)) <= 4
    assert 2 <= len(lines(points_redeemed=points, discount_minor=minor, points_after=points)) <= 4
