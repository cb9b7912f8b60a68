"""`python -m loadtests.page`: writes the figures of the last run into docs/performance.md.

What stands there between the two marks, and the charts beside it, are made from
loadtests/results/latest.json; nobody types figures.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests import chart, tables

ROOT = Path(__file__).parents[1]
LATEST = ROOT / "loadtests" / "results" / "latest.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
RATES, DISKS = "bench.svg", "bench-disks.svg"
BEGIN, END = "<!-- made by `python -m loadtests.page`: begin -->", "<!-- end -->"

Json = Mapping[str, Any]


def charts(result: Json) -> dict[str, str]:
    """The charts by the names of their files."""
    made = {RATES: chart.rates(result)}
    if result.get("simulated_disks"):
        made[DISKS] = chart.disks(result)
    return made


def figures(result: Json) -> str:
    """The section, as Markdown."""
    parts = [f"{tables.made_on(result)}. {tables.validity(result)}"]
    parts += [f"![{words}](images/{name})" for name, words in _shown(result)]
    parts += [f"**{table.title}**\n\n{table.markdown()}" for table in tables.tables(result)]
    return "\n\n".join(parts)


def with_figures(page: str, result: Json) -> str:
    """The page with the section anew. ValueError if a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has to have {BEGIN!r} and, below it, {END!r}")
    return f"{before}{BEGIN}\n\n{figures(result)}\n\n{END}{after}"


def _shown(result: Json) -> list[tuple[str, str]]:
    words = {RATES: "Checkouts a second beside pgbench", DISKS: "The ratio by the time of a flush"}
    return [(name, words[name]) for name in charts(result)]


def write() -> None:
    """Page and charts, from the last run."""
    result = json.loads(LATEST.read_text(encoding="utf-8"))
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
    for name in (RATES, DISKS):
        (IMAGES / name).unlink(missing_ok=True)
    for name, drawing in charts(result).items():
        (IMAGES / name).write_text(drawing, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}, {', '.join(charts(result))}")


if __name__ == "__main__":
    write()
