"""Days and months of the programme's calendar, and the instants at which they begin.

Dates are days in the programme's time zone, instants are UTC in microseconds since 1970, and a
month is one number: 12 × year + month − 1.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
SECOND_US = 1_000_000


@lru_cache(maxsize=4096)  # the days of all open lots of all members are few
def start_of_day_us(day: date, time_zone: str) -> int:
    """The first instant of `day` in the IANA zone `time_zone`.

    It is midnight unless a change of clocks skips that: then the day begins with the change. Of a
    midnight that comes twice it is the first.
    """
    zone = ZoneInfo(time_zone)
    midnight = datetime.combine(day, time(), zone)
    second = _second(midnight)
    if datetime.fromtimestamp(second, zone).time() == time():
        return second * SECOND_US
    # It was skipped: the change lies between its reading by the clocks after it and before it.
    earliest = _second(midnight.replace(fold=1))
    began = bisect_left(
        range(earliest, second),
        True,
        key=lambda second: datetime.fromtimestamp(second, zone).date() >= day,
    )
    return (earliest + began) * SECOND_US


@lru_cache(maxsize=4096)
def end_of_day_us(day: date, time_zone: str) -> int:
    """The first instant after `day`: what may be done on that day may be done before it."""
    return start_of_day_us(day + ONE_DAY, time_zone)


@lru_cache(maxsize=4096)
def days_before_us(day: date, days: int, time_zone: str) -> int:
    """The first instant of the day that is `days` days before `day`."""
    return start_of_day_us(day - timedelta(days=days), time_zone)


@lru_cache(maxsize=4096)
def day_text(day: date) -> str:
    """YYYY-MM-DD."""
    return day.isoformat()


@lru_cache(maxsize=4096)
def day_from_text(text: str) -> date:
    """From `day_text`. ValueError for anything that is no day."""
    return date.fromisoformat(text)


def month_number(day: date) -> int:
    return 12 * day.year + day.month - 1


def first_of_month(month: int) -> date:
    """The first day of a month by its number."""
    return date(month // 12, month % 12 + 1, 1)


def _second(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())
