"""What a shopper's visit consists of: the mix, decided by the shopper's number alone.

The shares are those of the demo (`make run`), where it has them, so that load and demo tell the
same story.
"""

from itertools import count

from services.demo import mapping

OPERATIONS = (
    "identify",
    "quote",
    "reserve",
    "release",
    "capture",
    "status",
    "abandon",
    "void",
    "return",
    "enrol",
)
# What the demo has no share of.
JOINS_EVERY = 32
ASKS_AGAIN_EVERY = 40  # the till has lost an answer and asks for it
LEAVES_EVERY = 36  # the shopper goes without paying: the till burns the id of its capture


def visit(number: int) -> tuple[str, ...]:
    """The operations of the shopper with this number, in the order in which the till asks."""
    first = []
    if _is_one_of(number, mapping.BRINGS_BACK_EVERY):
        first.append("return")
    if _is_one_of(number, JOINS_EVERY):
        first.append("enrol")
    first += ["identify", "quote"]
    if _is_one_of(number, LEAVES_EVERY):
        return (*first, "abandon")
    return (*first, *_reservation(number), "capture", *_afterwards(number))


def redeems(number: int) -> bool:
    """Whether the shopper pays with as many points as possible: every third."""
    return number % mapping.REDEEMS_EVERY == mapping.REDEEMS_EVERY - 1


def shoppers_min() -> int:
    """How many shoppers have to come until every operation was asked for."""
    missing = set(OPERATIONS)
    for number in count():
        missing -= set(visit(number))
        if not missing:
            return number + 1
    raise AssertionError("count() never ends")


def _reservation(number: int) -> tuple[str, ...]:
    if number % mapping.HESITATES_EVERY == mapping.HESITATES_EVERY - 1:
        return ("reserve", "release")
    return ("reserve",) if number % mapping.RESERVES_EVERY == mapping.RESERVES_EVERY - 1 else ()


def _afterwards(number: int) -> tuple[str, ...]:
    if _is_one_of(number, mapping.VOIDED_EVERY):
        return ("void",)
    return ("status",) if _is_one_of(number, ASKS_AGAIN_EVERY) else ()


def _is_one_of(number: int, every: int) -> bool:
    """The one in the middle, so that the kinds do not all begin with the first shopper."""
    return number % every == every // 2
