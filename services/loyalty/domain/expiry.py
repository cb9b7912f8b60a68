"""When points end."""

import calendar
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=64)  # every purchase of a day asks the same
def expires_on(earned_on: date, months: int) -> date:
    """The last day on which points may be spent: the end of the month `months` months later.

    `earned_on` is a day in the programme's time zone. Points earned on any day of a month end
    together, none of them before `months` months are over.
    """
    assert months >= 1
    months_since_year_0 = earned_on.year * 12 + (earned_on.month - 1) + months
    year, month = months_since_year_0 // 12, months_since_year_0 % 12 + 1
    return date(year, month, calendar.monthrange(year, month)[1])
