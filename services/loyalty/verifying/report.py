"""What verify tells: each check by name, with what was counted and what was wrong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CHECKS = {
    "I1": "each bucket's accounts sum to zero, in_transit over all buckets too",
    "I2": "a member's points are the sum of their open lots and of their transfers",
    "I3": "available is never negative; held is the sum of open reservations",
    "I4": "a reservation ends exactly once",
    "I5": "at most one effect per operation id; every key leads to its row",
    "I8": "sequences have no gap, the hash chain verifies, baskets match their hash",
    "I9": "an operation of several legs is whole",
    "I10": "reversals of a transfer never exceed it",
    "members": "each member row is what its journal rows say",
    "rules": "each version of the programme is whole, and rows name only such",
    "audit": "the audit chain verifies",
}
# What rows cannot show, and what shows it instead.
NOT_PROVABLE_FROM_ROWS = {
    "I6": "that what was acknowledged is there: kill tests compare answers with rows",
    "I7": "that what was not acknowledged is whole or absent: kill tests settle it by Status",
    "end": "that nobody set every table back to an earlier end, or wrote a new one with all its "
    "hashes: the notifier keeps the last chain hash of each bucket outside of this database",
    "since": "when exactly a later version of the programme came into force: rows show that it was "
    "before the first of them that it decided",
    "epoch": "the epoch, once the audit entry of the last restore is past its retention: the "
    "notifier keeps the one that it follows",
}
PROBLEMS_MAX = 100


@dataclass(slots=True)
class Report:
    """Rows checked and what was wrong, by invariant; `problems` are sentences that name the row."""

    rows: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong

    def check(self, invariant: str, right: bool, problem: str, *about: object) -> None:
        """Counts a check; where it fails, `problem` is told, its {} filled with what it is
        about.
        """
        self.rows[invariant] += 1
        if not right:
            self.wrong[invariant] += 1
            if len(self.problems) < PROBLEMS_MAX:
                told = problem.format(*about) if about else problem
                self.problems.append(f"{invariant}: {told}")

    def as_json(self) -> dict[str, Any]:
        checks: dict[str, Any] = {
            name: {"ok": not self.wrong[name], "rows_checked": self.rows[name], "says": says}
            for name, says in CHECKS.items()
        }
        return {
            "ok": self.ok,
            **checks,
            "not_provable_from_rows": NOT_PROVABLE_FROM_ROWS,
            "problems": self.problems,
        }
