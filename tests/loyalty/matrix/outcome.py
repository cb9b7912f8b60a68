"""What ran of the matrix, told in the closing lines of the run."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.loyalty.matrix.cells import CELLS, Cell, Situation

DATABASES = ("sqlite", "postgresql")
# A SQLite file has one process and one lane, which a test shows.
ONE_WRITER = {(Situation.TWO_LANES, "sqlite"), (Situation.TWO_PROCESSES, "sqlite")}


class Ran(NamedTuple):
    """Cells of one situation on one database; `as_expected` of them ended as they have to."""

    cells: int
    as_expected: int


_ran: dict[tuple[Situation, str], Ran] = {}


def compare(
    situation: Situation, url: str, *, told: Mapping[Cell, str], expected: Mapping[Cell, str]
) -> None:
    """Notes what was told in each cell, and fails with those that were left out or went wrong."""
    right = sum(told.get(cell) == words for cell, words in expected.items())
    database = "sqlite" if url.startswith("sqlite") else "postgresql"
    before = _ran.get((situation, database), Ran(0, 0))
    _ran[situation, database] = Ran(before.cells + len(told), before.as_expected + right)
    left_out = [str(cell) for cell in expected if cell not in told]
    wrong = {str(cell): words for cell, words in told.items() if expected.get(cell) != words}
    assert (left_out, wrong) == ([], {}), situation.value


def lines() -> list[str]:
    """The matrix as a table, a line a situation; empty if nothing of it ran."""
    if not _ran:
        return []
    heads = [f"{'situation':46} {'sqlite':>10} {'postgresql':>10}"]
    rows = [
        f"{situation.value:46} " + " ".join(f"{_figures(situation, d):>10}" for d in DATABASES)
        for situation in Situation
    ]
    cells, right = (sum(ran[n] for ran in _ran.values()) for n in (0, 1))
    operations = len({cell.operation for cell in CELLS})
    return [
        *heads,
        *rows,
        f"{operations} operations, {len(CELLS) // operations} requests each: "
        f"{right:,} of {cells:,} cells as they have to be",
    ]


def _figures(situation: Situation, database: str) -> str:
    if (situation, database) in ONE_WRITER:
        return "one writer"
    ran = _ran.get((situation, database))
    return "not run" if ran is None else f"{ran.as_expected}/{ran.cells}"
