"""When the programme's days begin, also where a change of clocks is in the way."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain.days import (
    day_from_text,
    day_text,
    days_before_us,
    end_of_day_us,
    first_of_month,
    month_number,
    start_of_day_us,
)

HOUR_US = 3_600_000_000
ZONES = ("Europe/Berlin", "UTC", "Asia/Kathmandu", "America/Sao_Paulo", "America/Havana")


@given(st.dates())
def test_a_day_is_written_as_in_iso_8601_and_read_again(day: date) -> None:
    assert day_text(day) == day.isoformat()
    assert day_from_text(day_text(day)) == day


def test_what_is_no_day_is_none_however_often_it_is_asked() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="out of range"):
            day_from_text("2027-02-29")


def utc(us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat()


@pytest.mark.parametrize(
    ("day", "time_zone", "begins"),
    [
        (date(2026, 1, 1), "Europe/Berlin", "2025-12-31T23:00:00+00:00"),
        (date(2026, 7, 1), "Europe/Berlin", "2026-06-30T22:00:00+00:00"),
        (date(2027, 3, 28), "Europe/Berlin", "2027-03-27T23:00:00+00:00"),
        (date(2027, 3, 29), "Europe/Berlin", "2027-03-28T22:00:00+00:00"),
        (date(2027, 10, 31), "Europe/Berlin", "2027-10-30T22:00:00+00:00"),
        (date(2027, 11, 1), "Europe/Berlin", "2027-10-31T23:00:00+00:00"),
        (date(2026, 1, 1), "UTC", "2026-01-01T00:00:00+00:00"),
        (date(1960, 1, 1), "UTC", "1960-01-01T00:00:00+00:00"),
        # 00:00 was followed by 01:00: the day began with the change
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
        # the clock went from 23:30 to 00:30: no midnight either
        (date(1919, 3, 31), "America/Toronto", "1919-03-31T04:30:00+00:00"),
        # midnight came twice: the first
        (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00:00+00:00"),
        # the whole day was left out: it is over when it begins
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        (date(2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(day: date, time_zone: str, begins: str) -> None:
    assert utc(start_of_day_us(day, time_zone)) == begins


@settings(deadline=None)
@given(st.dates(date(1990, 1, 1), date(2120, 1, 1)), st.sampled_from(ZONES))
def test_one_microsecond_before_its_beginning_it_is_the_day_before(
    day: date, time_zone: str
) -> None:
    began_us = start_of_day_us(day, time_zone)

    def local(us: int) -> date:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
        return instant.astimezone(ZoneInfo(time_zone)).date()

    assert local(began_us) == day
    assert local(began_us - 1) == day - timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2027, 3, 28), 23), (date(2027, 3, 29), 24), (date(2027, 10, 31), 25)]
)
def test_a_day_has_the_hours_that_its_clocks_give_it(day: date, hours: int) -> None:
    began_us = start_of_day_us(day, "Europe/Berlin")

    assert end_of_day_us(day, "Europe/Berlin") - began_us == hours * HOUR_US


def test_days_before_are_counted_on_the_calendar() -> None:
    """Seven days across a change of clocks are not 168 hours."""
    told_us = days_before_us(date(2027, 4, 1), 7, "Europe/Berlin")

    assert told_us == start_of_day_us(date(2027, 3, 25), "Europe/Berlin")


@settings(deadline=None)
@given(st.dates(date(1, 1, 1), date(9998, 12, 31)))
def test_months_follow_each_other(day: date) -> None:
    month = month_number(day)

    assert first_of_month(month) == day.replace(day=1)
    assert first_of_month(month) <= day < first_of_month(month + 1)
    assert month_number(first_of_month(month + 1)) == month + 1
