"""Spellings of the same are one; what is no address or number is none."""

import pytest

from services.loyalty.identity.normal import (
    EMAIL_MAX,
    PHONE_DIGITS_MAX,
    PHONE_DIGITS_MIN,
    normal_email,
    normal_full_name,
    normal_name,
    normal_phone,
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("anna@example.org", "anna@example.org"),
        ("  Anna.B@Example.ORG ", "anna.b@example.org"),
        ("anna+shop@example.org", "anna+shop@example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("ａｎｎａ@example.org", "anna@example.org"),
        ("a@b.c.d", "a@b.c.d"),
    ],
)
def test_an_email_address_in_its_one_form(written: str, normal: str) -> None:
    assert normal_email(written) == normal


@pytest.mark.parametrize(
    "written",
    ["", "anna", "anna@", "@example.org", "anna@example", "a b@example.org", "a@b@c.org",
     "anna@example..org", "anna@.org", "anna@example.org.", "x" * 65 + "@example.org"],
)  # fmt: skip
def test_what_is_no_email_address(written: str) -> None:
    assert normal_email(written) is None


def test_an_email_address_may_be_so_long() -> None:
    def of(length: int) -> str:
        address = "a@" + ".".join(["x" * 63] * 3) + "."
        return address + "y" * (length - len(address))

    assert normal_email(of(EMAIL_MAX)) == of(EMAIL_MAX)
    assert normal_email(of(EMAIL_MAX + 1)) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("+49 30 123456", "+4930123456"),
        ("0049 30 123456", "+4930123456"),
        ("030 / 12 34-56", "+4930123456"),
        ("(030) 123456", "+4930123456"),
        ("+49 (0)30 123456", "+4930123456"),
        ("0170.1234567", "+491701234567"),
        ("170 1234567", "+491701234567"),
        ("+43 1 234567", "+431234567"),
        ("030\u2013123456", "+4930123456"),
        ("０３０１２３４５６", "+4930123456"),
    ],
)
def test_a_telephone_number_in_its_one_form(written: str, normal: str) -> None:
    assert normal_phone(written, country_code="49") == normal


def test_a_number_without_a_country_is_of_this_one() -> None:
    assert normal_phone("01 234567", country_code="43") == "+431234567"


@pytest.mark.parametrize(
    "written", ["", "x", "+49", "+", "030 12a456", "+0301234567", "++4930123456", "030,123456"]
)
def test_what_is_no_telephone_number(written: str) -> None:
    assert normal_phone(written, country_code="49") is None


@pytest.mark.parametrize(
    ("digits", "is_number"),
    [
        (PHONE_DIGITS_MIN - 1, False),
        (PHONE_DIGITS_MIN, True),
        (PHONE_DIGITS_MAX, True),
        (PHONE_DIGITS_MAX + 1, False),
    ],
)
def test_a_telephone_number_has_so_many_digits(digits: int, is_number: bool) -> None:
    written = "+" + "1" * digits

    assert (normal_phone(written, country_code="49") == written) is is_number


@pytest.mark.parametrize(
    "spelling",
    ["Müller", "MÜLLER", "Mueller", "mu\u0308ller", " Müller ", "Mu-eller", "M\u00fcller\u00a0"],
)
def test_a_german_name_however_it_is_written(spelling: str) -> None:
    assert normal_name(spelling) == "mueller"


@pytest.mark.parametrize(
    ("spelling", "normal"),
    [
        ("Weiß", "weiss"),
        ("O'Brien", "obrien"),
        ("von der Heide", "vonderheide"),
        ("Núñez", "nunez"),
        ("Müller-Lüdenscheidt", "muellerluedenscheidt"),
        ("Łukasz", "łukasz"),  # a letter of its own: no accent to take away
        ("李", "李"),
        ("…", ""),
    ],
)
def test_a_name_without_case_accents_and_signs(spelling: str, normal: str) -> None:
    assert normal_name(spelling) == normal


def test_a_full_name_needs_both_parts_and_keeps_them_apart() -> None:
    assert normal_full_name(surname="Müller", given_name="Anna") == "mueller\nanna"
    assert normal_full_name(surname="Müller", given_name=" - ") is None
    assert normal_full_name(surname="", given_name="Anna") is None
    assert normal_full_name(surname="ab", given_name="c") != normal_full_name(
        surname="a", given_name="bc"
    )
