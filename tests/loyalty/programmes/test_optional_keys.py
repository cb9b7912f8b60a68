"""Keys that a document may leave out, and the rules between them."""

from dataclasses import replace
from typing import Any

import pytest

from services.loyalty.domain.programme import Clawback, Ends, Tier, TierPeriod
from services.loyalty.programmes import DEMO, load_programme, read_programme
from tests.loyalty.programmes.documents import changed, errors_of, without


def test_every_optional_key_is_read(document: dict[str, Any]) -> None:
    document["earn"]["pending_days"] = 14
    document["redeem"]["reservation_s"] = 300
    document["expiry"].update(
        months=12, ends="end_of_year", announce_days=[60, 1], return_grace_days=0
    )
    document["void"] = {"hours": 48}
    document["return"] = {"clawback": "only_pending"}
    document["adjust"] = {"second_person_above_points": 0}
    document["tiers"].update(period="rolling_12_months", grace_days=0)
    document["tiers"]["levels"] = [{"name": "all", "from_points": 0, "earn_percent": 90}]

    assert load_programme(document) == replace(
        read_programme(DEMO),
        pending_days=14,
        reservation_s=300,
        expiry_months=12,
        expiry_ends=Ends.YEAR,
        announce_days=(60, 1),
        return_grace_days=0,
        void_hours=48,
        clawback=Clawback.ONLY_PENDING,
        adjust_limit_points=0,
        tiers=(Tier("all", 0, 90),),
        tier_period=TierPeriod.ROLLING_12_MONTHS,
        tier_grace_days=0,
    )


@pytest.mark.parametrize(
    "path",
    [
        "earn.pending_days",
        "redeem.reservation_s",
        "expiry.announce_days",
        "expiry.return_grace_days",
        "void",
        "return",
        "return.clawback",
        "adjust",
        "adjust.second_person_above_points",
        "tiers",
        "tiers.period",
        "tiers.grace_days",
    ],
)
def test_an_optional_key_may_be_left_out_but_not_empty(document: dict[str, Any], path: str) -> None:
    for section in ("void", "return", "adjust"):
        document.setdefault(section, {})

    load_programme(without(document, path))
    errors = errors_of(changed(document, path, None))

    assert list(errors) == [path]
    assert errors[path].startswith("has to be ")


def test_an_empty_section_has_the_defaults_of_its_keys(document: dict[str, Any]) -> None:
    sections: dict[str, Any] = {"void": {}, "return": {}, "adjust": {}}

    assert load_programme({**document, **sections}) == read_programme(DEMO)


@pytest.mark.parametrize(
    ("void", "path", "words"),
    [
        ({"until": "closing_time"}, "void.until", 'has to be "same_business_date"'),
        ({"hours": 0}, "void.hours", "has to be a whole number from 1 to 8784"),
        ({"hours": 8_785}, "void.hours", "has to be a whole number from 1 to 8784"),
        (
            {"until": "same_business_date", "hours": 2},
            "void",
            'has "until" and "hours"; remove one of the two',
        ),
        ({"days": 1}, "void.days", "is no key of a programme document"),
    ],
)
def test_a_receipt_can_be_voided_to_one_limit(
    document: dict[str, Any], void: Any, path: str, words: str
) -> None:
    errors = errors_of(changed(document, "void", void))

    assert list(errors) == [path]
    assert errors[path].startswith(words)


@pytest.mark.parametrize(
    ("days", "path"),
    [
        ([7, 30], "expiry.announce_days"),
        ([30, 30], "expiry.announce_days"),
        ([6, 5, 4, 3, 2, 1], "expiry.announce_days"),
        ([30, 0], "expiry.announce_days[1]"),
        ([367], "expiry.announce_days[0]"),
        (["30"], "expiry.announce_days[0]"),
    ],
)
def test_announcements_come_closer_to_the_end(
    document: dict[str, Any], days: Any, path: str
) -> None:
    assert list(errors_of(changed(document, "expiry.announce_days", days))) == [path]


@pytest.mark.parametrize(("months", "most"), [(1, 28), (2, 56), (3, 84)])
def test_points_do_not_wait_longer_than_they_live(
    document: dict[str, Any], months: int, most: int
) -> None:
    document["expiry"]["months"] = months

    load_programme(changed(document, "earn.pending_days", most))
    assert errors_of(changed(document, "earn.pending_days", most + 1)) == {
        "earn.pending_days": f"has to be {most} or less, or points of expiry.months {months}"
        " expire before they can be spent"
    }


def level(name: str, from_points: int) -> dict[str, Any]:
    return {"name": name, "from_points": from_points, "earn_percent": 100}


@pytest.mark.parametrize(
    ("levels", "path", "words"),
    [
        ([], "tiers.levels", "has to have 1 to 10 levels"),
        (
            [level(str(n), n) for n in range(11)],
            "tiers.levels",
            "has to have 1 to 10 levels",
        ),
        (
            [level("base", 1)],
            "tiers.levels[0].from_points",
            "has to be 0: the first level is everybody's",
        ),
        (
            [level("base", 0), level("silver", 5), level("gold", 5)],
            "tiers.levels[2].from_points",
            "has to be above the 5 of the level before",
        ),
        (
            [level("base", 0), level("silver", 5), level("base", 6)],
            "tiers.levels[2].name",
            'names "base" again; choose another',
        ),
        (
            [level("base", 0), {**level("silver", 5), "earn_percent": 0}],
            "tiers.levels[1].earn_percent",
            "has to be a whole number from 1 to 1000, 100 being the single rate",
        ),
        ([level("base", 0), "silver"], "tiers.levels[1]", "has to be a JSON object, in braces"),
    ],
)
def test_levels_are_steps_with_names_of_their_own(
    document: dict[str, Any], levels: Any, path: str, words: str
) -> None:
    assert errors_of(changed(document, "tiers.levels", levels)) == {path: words}


@pytest.mark.parametrize("key", ["name", "from_points", "earn_percent"])
def test_a_level_has_no_defaults(document: dict[str, Any], key: str) -> None:
    del document["tiers"]["levels"][1][key]

    errors = errors_of(document)

    assert list(errors) == [f"tiers.levels[1].{key}"]
    assert errors[f"tiers.levels[1].{key}"].startswith("is missing; it has to be ")
