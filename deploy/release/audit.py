"""`make audit`: is anything known against a package that we have locked?

Asks the vulnerability service of the package index about every package of the lock files. Strict:
what could not be looked up counts as a finding. Exit code 0: nothing is known. 1: something is. 3:
the service cannot be reached from here, so nothing was learnt.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCKS = ("serve.txt", "run.txt", "dev.txt")
NOTHING_LEARNT = 3


@dataclass(frozen=True, slots=True)
class Findings:
    looked_up: int
    vulnerable: Sequence[str]
    not_looked_up: Sequence[str]

    @property
    def unreachable(self) -> bool:
        """Whether no package at all was found there: then it is the way that is missing."""
        return not self.looked_up and bool(self.not_looked_up)


def main() -> int:
    status = 0
    for lock in LOCKS:
        findings, words = look_up(Path("requirements") / lock)
        status = max(status, tell(lock, findings, words))
        if status == NOTHING_LEARNT:
            break
    return status


def look_up(lock: Path) -> tuple[Findings | None, str]:
    """What pip-audit knows of each package; None, and its last words, if it broke off."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
            *("--require-hashes", "--disable-pip", "--requirement", str(lock)),
        ],
        capture_output=True,
        text=True,
    )
    try:
        return findings_of(json.loads(ran.stdout)), ""
    except ValueError:
        return None, (ran.stderr.strip().splitlines() or ["no word"])[-1]


def findings_of(document: dict[str, Any]) -> Findings:
    """From pip-audit's JSON."""
    packages = document["dependencies"]
    looked_up = [each for each in packages if "skip_reason" not in each]
    return Findings(
        looked_up=len(looked_up),
        vulnerable=[
            f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in "
            f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
            for each in looked_up
            for vulnerability in each["vulns"]
        ],
        not_looked_up=[each["name"] for each in packages if "skip_reason" in each],
    )


def tell(lock: str, findings: Findings | None, words: str) -> int:
    """Prints what was found; answers the exit code."""
    if findings is None or findings.unreachable:
        print(f"{lock}: the vulnerability service cannot be reached from here; nothing was learnt")
        print(f"run this where the package index answers with its JSON interface. {words}".rstrip())
        return NOTHING_LEARNT
    for each in findings.vulnerable:
        print(f"{lock}: {each}")
    for name in findings.not_looked_up:
        print(f"{lock}: {name} could not be looked up")
    if findings.vulnerable or findings.not_looked_up:
        return 1
    print(f"{lock}: nothing is known against its {findings.looked_up} packages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
