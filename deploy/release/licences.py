"""`make licences`: writes docs/licences.md from what the packages say themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.markers import Marker

DOCUMENT = Path("docs/licences.md")
LOCKS = {"serve.txt": "What serves", "run.txt": "What the demo needs besides"}
_PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+))?", re.MULTILINE)
# The page is that of the image: the same, whichever release of Python 3.11 wrote it.
_PYTHON = {"python_full_version": "3.11.99"}
_HEAD = """# Licences

Of everything that is installed with Bonpunkt, as the packages tell it. Written by
`make licences`; a test keeps it fresh. Packages that only other systems need (`colorama` on
Windows), or only older releases of Python (`async-timeout`), are left out. What only developers
use is not distributed.
"""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    licence: str


def document() -> str:
    """The whole page."""
    parts, known = [_HEAD], set[str]()
    for lock, title in LOCKS.items():
        rows = [each for each in _packages(lock) if each.name not in known]
        known |= {each.name for each in rows}
        parts.append(f"## {title}\n\n| package | version | licence |\n|---|---|---|")
        parts.append(
            "\n".join(f"| {each.name} | {each.version} | {each.licence} |" for each in rows)
        )
        parts.append("")
    return "\n".join(parts)


def _packages(lock: str) -> Iterator[Package]:
    text = (Path("requirements") / lock).read_text(encoding="utf-8")
    for name, version, marker in _PINNED.findall(text):
        if marker and not Marker(marker).evaluate(_PYTHON):
            continue
        try:
            yield Package(name, version, _licence(name))
        except PackageNotFoundError:
            continue


def _licence(name: str) -> str:
    """The SPDX expression where there is one, else what the classifiers say, else the first line of
    the old field.
    """
    told = metadata(name)
    if expression := told.get("License-Expression"):
        return expression
    classifiers = told.get_all("Classifier") or []
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]
    named = [each for each in named if each != "OSI Approved"]
    if named:
        return ", ".join(sorted(named))
    return (told.get("License") or "not told").strip().splitlines()[0]


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
