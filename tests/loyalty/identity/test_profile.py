"""A person's data are well-formed before they are sealed, and no error repeats them."""

from dataclasses import fields, replace
from datetime import date, timedelta

import pytest

from services.loyalty.identity.normal import Kind
from services.loyalty.identity.profile import (
    BIRTHDAY_FIRST,
    NAME_MAX,
    Profile,
    index_texts,
    profile_document,
    profile_from,
    well_formed,
)
from services.loyalty.wire_forms import LANGUAGE_MAX
from tests.loyalty.identity.conftest import ANNA

TODAY = date(2026, 11, 20)


def checked(profile: Profile) -> tuple[Profile | None, str | None]:
    return well_formed(profile, country_code="49", today=TODAY)


def test_addresses_are_kept_in_their_one_form_and_names_as_they_are_written() -> None:
    written = replace(ANNA, given_name=" Anna ", email="ANNA@example.org", phone="030 123456")

    assert checked(written) == (ANNA, None)


@pytest.mark.parametrize("name", [field.name for field in fields(Profile)])
def test_any_single_field_is_enough(name: str) -> None:
    alone = Profile(**{name: getattr(ANNA, name)})

    assert checked(alone) == (alone, None)


@pytest.mark.parametrize("blank", ["", "  "])
def test_nothing_at_all_is_no_profile(blank: str) -> None:
    profile, problem = checked(Profile(given_name=blank))

    assert profile is None
    assert problem is not None
    assert problem.startswith("profile:")


@pytest.mark.parametrize(
    ("field", "right"),
    [
        ("given_name", "x" * NAME_MAX),
        ("given_name", "Anna\u00a0Maria"),
        ("birthday", BIRTHDAY_FIRST.isoformat()),
        ("birthday", TODAY.isoformat()),
        ("birthday", "2024-02-29"),
        ("language", "de-AT"),
        ("language", "x" * LANGUAGE_MAX),
    ],
)
def test_up_to_the_limit_is_right(field: str, right: str) -> None:
    assert checked(replace(ANNA, **{field: right}))[1] is None


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("given_name", "x" * (NAME_MAX + 1)),
        ("surname", "x" * (NAME_MAX + 1)),
        ("surname", "Mar\nker"),
        ("surname", "Mar\u202eker"),
        ("email", "marker"),
        ("phone", "marker"),
        ("birthday", (BIRTHDAY_FIRST - timedelta(days=1)).isoformat()),
        ("birthday", (TODAY + timedelta(days=1)).isoformat()),
        ("birthday", "2023-02-29"),
        ("birthday", "19900228"),
        ("birthday", "28.02.1990"),
        ("language", "d"),
        ("language", "d" * (LANGUAGE_MAX + 1)),
        ("language", "de_AT"),
        ("language", "dé"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(field: str, wrong: str) -> None:
    profile, problem = checked(replace(ANNA, **{field: wrong}))

    assert profile is None
    assert problem is not None
    assert problem.startswith(f"{field}:")
    assert len(wrong) == 1 or wrong not in problem


def test_a_person_is_found_by_what_they_have() -> None:
    assert index_texts(ANNA) == {
        Kind.EMAIL: "anna@example.org",
        Kind.PHONE: "+4930123456",
        Kind.SURNAME: "mueller",
        Kind.FULL_NAME: "mueller\nanna",
    }
    assert index_texts(Profile(given_name="Anna", birthday="1990-02-28")) == {}


def test_a_document_is_read_back_and_its_length_tells_little() -> None:
    short, long = Profile(surname="Ng"), Profile(surname="Schmidt-Rottluff")

    assert profile_from(profile_document(ANNA)) == ANNA
    assert len(profile_document(short)) == len(profile_document(long))


def test_a_document_of_another_version_is_read() -> None:
    assert profile_from(b'{"surname":"Ng","shoe_size":41}') == Profile(surname="Ng")


def test_nobody_is_shown_by_mistake() -> None:
    """As in the words of an exception, which are logged."""
    assert "Anna" not in repr(ANNA)
    assert "Anna" not in f"{[ANNA]}"
