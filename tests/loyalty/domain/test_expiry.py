"""Points live to the end of the month, the quarter or the year, so many months later."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain.expiry import expires_on
from services.loyalty.domain.programme import Ends


@pytest.mark.parametrize(
    ("earned_on", "months", "expected"),
    [
        (date(2025, 8, 20), 36, date(2028, 8, 31)),
        (date(2025, 8, 1), 36, date(2028, 8, 31)),
        (date(2025, 8, 31), 36, date(2028, 8, 31)),
        (date(2025, 9, 1), 36, date(2028, 9, 30)),
        (date(2025, 12, 31), 1, date(2026, 1, 31)),
        (date(2025, 11, 30), 1, date(2025, 12, 31)),
        (date(2025, 12, 1), 12, date(2026, 12, 31)),
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2021, 2, 28), 36, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2099, 2, 28), 12, date(2100, 2, 28)),  # no leap year
        (date(1999, 2, 28), 12, date(2000, 2, 29)),  # a leap year
    ],
)
def test_points_end_with_their_month(earned_on: date, months: int, expected: date) -> None:
    assert expires_on(earned_on, months) == expected


@settings(deadline=None)
@given(
    earned_on=st.dates(min_value=date(1990, 1, 1), max_value=date(2200, 12, 31)),
    months=st.integers(min_value=1, max_value=1200),
)
def test_points_end_on_the_last_day_of_the_month_so_many_months_later(
    earned_on: date, months: int
) -> None:
    end = expires_on(earned_on, months)

    assert (end.year - earned_on.year) * 12 + end.month - earned_on.month == months
    assert end.day == calendar.monthrange(end.year, end.month)[1]
    assert (end + timedelta(days=1)).day == 1


@pytest.mark.parametrize(
    ("earned_on", "months", "quarter", "year"),
    [
        (date(2025, 1, 1), 12, date(2026, 3, 31), date(2026, 12, 31)),
        (date(2025, 3, 31), 12, date(2026, 3, 31), date(2026, 12, 31)),
        (date(2025, 4, 1), 12, date(2026, 6, 30), date(2026, 12, 31)),
        (date(2025, 9, 30), 12, date(2026, 9, 30), date(2026, 12, 31)),
        (date(2025, 12, 31), 12, date(2026, 12, 31), date(2026, 12, 31)),
        (date(2025, 11, 30), 1, date(2025, 12, 31), date(2025, 12, 31)),
        (date(2025, 12, 1), 1, date(2026, 3, 31), date(2026, 12, 31)),
        (date(2025, 8, 20), 36, date(2028, 9, 30), date(2028, 12, 31)),
    ],
)
def test_points_end_with_their_quarter_or_year(
    earned_on: date, months: int, quarter: date, year: date
) -> None:
    assert expires_on(earned_on, months, Ends.QUARTER) == quarter
    assert expires_on(earned_on, months, Ends.YEAR) == year


@settings(deadline=None)
@given(
    earned_on=st.dates(min_value=date(1990, 1, 1), max_value=date(2200, 12, 31)),
    months=st.integers(min_value=1, max_value=1200),
    ends=st.sampled_from(Ends),
)
def test_no_shape_ends_before_its_month_and_none_lasts_longer_than_it_has_to(
    earned_on: date, months: int, ends: Ends
) -> None:
    """The next day begins a month, a quarter or a year."""
    end, month = expires_on(earned_on, months, ends), expires_on(earned_on, months)
    after = end + timedelta(days=1)

    assert end >= month
    assert after.day == 1
    if ends is Ends.QUARTER:
        assert after.month in (1, 4, 7, 10)
        assert (end - month).days <= 62
    if ends is Ends.YEAR:
        assert after.month == 1
        assert end.year == month.year


def test_no_months_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        expires_on(date(2025, 8, 20), 0)
