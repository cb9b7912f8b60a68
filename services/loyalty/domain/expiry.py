"""When points end."""

from datetime import date
from functools import lru_cache

from services.loyalty.domain.days import ONE_DAY, first_of_month, month_number
from services.loyalty.domain.programme import Ends

MONTHS_OF = {Ends.MONTH: 1, Ends.QUARTER: 3, Ends.YEAR: 12}


@lru_cache(maxsize=64)  # every purchase of a day asks the same
def expires_on(earned_on: date, months: int, ends: Ends = Ends.MONTH) -> date:
    """The last day on which points may be spent: the end of the month, the quarter or the year of
    the day `months` months later.

    `earned_on` is a day in the programme's time zone. Points earned on any day of a month end
    together, none of them before `months` months are over.
    """
    assert months >= 1
    span = MONTHS_OF[ends]  # January begins a year, so spans begin at multiples of their length
    month = month_number(earned_on) + months
    return first_of_month(month // span * span + span) - ONE_DAY
