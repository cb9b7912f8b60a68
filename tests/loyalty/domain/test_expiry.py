"""Points live to the end of the month, so many months later."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.expiry import expires_on


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


def test_no_months_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        expires_on(date(2025, 8, 20), 0)
