"""What happened in all programs of a run, by kind of operation; told at the end of the test run."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

Outcomes = Counter[tuple[str, str]]  # by kind of operation and name of the outcome

BOTH = frozenset({"accepted", "refused"})
ACCEPTED, REFUSED = frozenset({"accepted"}), frozenset({"refused"})

# Every kind has to happen, and to end in each of these ways.
KINDS: Mapping[str, Set[str]] = {
    "enrol": BOTH,
    "capture": BOTH,
    "capture, some": BOTH,
    "capture, the most": BOTH,
    "capture, wrong reservation": BOTH,
    "reserve": BOTH,
    "reserve again": BOTH,
    "capture reserved": BOTH,
    "capture reserved, some": BOTH,
    "capture reserved, the most": BOTH,
    "release": BOTH,
    "void": BOTH,
    "return lines": BOTH,
    "return the rest": BOTH,
    "print a number again": REFUSED,
    "adjust up": BOTH,
    "adjust down": BOTH,
    "merge": BOTH,
    "block": BOTH,
    "unblock": BOTH,
    "cards": BOTH,
    "erase": BOTH,
    "nightly": BOTH,
    "identify": BOTH,
    "quote": BOTH,
    "status": ACCEPTED,
    "abandon": BOTH,
    "come late": REFUSED,
    "repeat": ACCEPTED,
    "reuse an id": REFUSED,
    "time": ACCEPTED,
    "restart": ACCEPTED,
}

# Figures of answers, each of which has to be above 0 now and then.
SEEN = "figures above 0"
FIGURES = (
    "from_basket",
    "waiting",
    "paid_back",
    "held",
    "promised",
    "restored",
    "taken_back",
    "owed",
    "let_go",
    "forfeited",
)


@dataclass(frozen=True, slots=True)
class Run:
    """`seeds` as Hypothesis takes them; a program is whole if it had all of its steps."""

    name: str
    seeds: tuple[int, ...]
    whole_programs: int
    programs: int
    steps: int
    outcomes: Outcomes


runs: list[Run] = []


def way(outcome: str) -> str:
    """Refusals are told by their names in the contract; an abandon that came too late is one."""
    return "refused" if outcome.isupper() or outcome == "AlreadyDecided" else "accepted"


def missing(outcomes: Outcomes) -> list[str]:
    """What has not happened though it can."""
    happened = {(kind, way(name)) for (kind, name), count in outcomes.items() if count}
    ways_missing = [
        f"{kind} was never {each}"
        for kind, ways in KINDS.items()
        for each in sorted(ways)
        if (kind, each) not in happened
    ]
    return ways_missing + [
        f"{name} was never above 0" for name in FIGURES if not outcomes[SEEN, name]
    ]


def lines(run: Run) -> list[str]:
    """One line for each kind: how often it happened, its shares, and why it was refused."""
    seeds = ", ".join(map(str, run.seeds))
    told = [
        f"{run.name}: {run.whole_programs} whole programs of {run.programs}, {run.steps:,} steps,"
        f" seeds {seeds}",
        f"{'operation':28}{'times':>7}{'accepted':>10}{'refused':>9}  because",
    ]
    for kind in KINDS:
        counts = Counter({name: n for (k, name), n in run.outcomes.items() if k == kind})
        times = max(1, counts.total())
        refusals = {name: n for name, n in counts.most_common() if way(name) == "refused"}
        share = sum(refusals.values()) / times
        because = ", ".join(f"{name.lower()} {n}" for name, n in refusals.items())
        told.append(
            f"{kind:28}{counts.total():>7,}{1 - share:>10.0%}{share:>9.0%}  {because}".rstrip()
        )
    seen = ", ".join(f"{name} {run.outcomes[SEEN, name]:,}" for name in FIGURES)
    return [*told, f"{SEEN}: {seen}"]
