"""`python -m loadtests.hot`: whether one hot member, or one hot store, costs anybody else.

48 tills check out members from anywhere in the ledger; their rate and latencies count. 16 more are
at work beside them in three ways that take turns: at sixteen stores, each checkout another
member's; the same at one store; and all of them with one and the same member. A machine shared with
16 more tills has less for the 48: so the first of the three is the measure, and ratios to it tell
what heat alone does. docs/growth.md tells what came out.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from loadtests import recorded
from loadtests.generator import Call
from loadtests.growth import ROOT
from loadtests.machine import machine
from loadtests.plan import POSTGRES_SETTINGS
from loadtests.recorded import Frame
from loadtests.seeded import Seeded, seed, serving, verify
from services.loyalty.seeding.cohorts import card_of
from tests.servers.postgres import running_cluster

RESULT = ROOT / "loadtests" / "results" / "hot.json"
BASKETS = 2_000
HOT_STORE = "store-hot"
WAYS = ("cold", "hot_store", "hot_member")


@dataclass(frozen=True, slots=True)
class Plan:
    """`checkouts` are those of the others in one run."""

    journal_rows: int = 200_000
    repetitions: int = 7
    checkouts: int = 12_000
    other_tills: int = 48
    hot_tills: int = 16

    def stores(self) -> list[str]:
        """Of the others; of the tills that are hot, spread over stores; and of those at one."""
        spread = [f"store-{number % 16}" for number in range(self.other_tills + self.hot_tills)]
        return [*spread, *repeat(HOT_STORE, self.hot_tills)]


@dataclass(frozen=True, slots=True)
class Run:
    """What the others had, and how many checkouts the 16 made meanwhile."""

    checkouts_per_s: float
    p50_ms: float
    p99_ms: float
    beside_per_s: float


async def measure(plan: Plan, *, folder: Path, console: Console) -> dict[str, Any]:
    """RuntimeError where anything was refused, or if the books do not balance."""
    members = plan.journal_rows // 2
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    with running_cluster(POSTGRES_SETTINGS, parent=folder) as cluster:
        url = cluster.create_database()
        await seed(url, members=members, journal_rows=plan.journal_rows)
        async with serving(
            url,
            cluster=cluster,
            members=members,
            stores=plan.stores(),
            baskets=recorded.baskets(BASKETS),
        ) as ledger:
            await ledger.run(checkouts=2_000)
            for repetition in range(plan.repetitions):
                turn = repetition % len(WAYS)
                for way in (*WAYS[turn:], *WAYS[:turn]):
                    runs[way].append(await _run(ledger, plan, way))
                rates = ", ".join(f"{way} {runs[way][-1].checkouts_per_s:,.0f}" for way in WAYS)
                console.print(f"  {rates}")
        await verify(url)
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(folder),
        "postgresql_settings": POSTGRES_SETTINGS,
        **asdict(plan),
        "ways": {way: _told(runs[way], beside=runs[WAYS[0]]) for way in WAYS},
    }


async def _run(ledger: Seeded, plan: Plan, way: str) -> Run:
    """The 16 go on for as long as the others are at work."""
    others, spread, together = _groups(ledger.calls, plan)
    visits = ledger.frames(ledger.cards(), count=plan.checkouts)
    cards = repeat(card_of(0)) if way == "hot_member" else ledger.cards()
    beside = ledger.frames(cards, count=plan.checkouts)
    hot = together if way == "hot_store" else spread
    under_way = True

    def meanwhile() -> Iterator[Sequence[Frame]]:
        for visit in beside:
            if not under_way:
                return
            yield visit

    noise = asyncio.create_task(ledger.drive(hot, meanwhile()))
    outcome = await ledger.drive(others, visits)
    under_way = False
    made = await noise
    refused = outcome.others + made.others
    if refused:
        raise RuntimeError(f"not every checkout was captured: {refused}")
    return Run(
        checkouts_per_s=round(outcome.per_s, 1),
        p50_ms=round(outcome.percentile_ms(0.50), 2),
        p99_ms=round(outcome.percentile_ms(0.99), 2),
        beside_per_s=round(made.per_s, 1),
    )


def _groups(calls: Sequence[Call], plan: Plan) -> tuple[Sequence[Call], ...]:
    """As `Plan.stores` has them."""
    others, both = plan.other_tills, plan.other_tills + plan.hot_tills
    return calls[:others], calls[others:both], calls[both:]


def _told(runs: Sequence[Run], *, beside: Sequence[Run]) -> dict[str, Any]:
    """Medians, and ratios of what was measured one after the other."""

    def middle(name: str) -> float:
        median: float = statistics.median(getattr(run, name) for run in runs)
        return round(median, 2)

    def ratio(name: str) -> float:
        pairs = zip(runs, beside, strict=True)
        median: float = statistics.median(getattr(a, name) / getattr(b, name) for a, b in pairs)
        return round(median, 3)

    names = ("checkouts_per_s", "p50_ms", "p99_ms", "beside_per_s")
    return {
        **{name: middle(name) for name in names},
        "ratios_to_cold": {name: ratio(name) for name in names},
        "runs": [asdict(run) for run in runs],
    }


def main() -> None:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m loadtests.hot", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=plan.repetitions)
    parser.add_argument("--checkouts", type=int, default=plan.checkouts, help="of the 48, a run")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--output", type=Path, default=RESULT)
    asked = parser.parse_args()
    plan = Plan(repetitions=asked.repetitions, checkouts=asked.checkouts)
    result = uvloop.run(measure(plan, folder=asked.folder, console=Console(stderr=True)))
    asked.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
