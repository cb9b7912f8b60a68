"""`make release`: the files of a release, in dist/.

The wheel, the contract as one file (for `buf breaking` and for code generators), the bill of
materials (CycloneDX) of what serves, the notes from CHANGELOG.md, and the checksums of all of it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

DIST = Path("dist")


def main() -> None:
    version = str(tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["version"])
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    python = sys.executable
    _run(python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", DIST, ".")
    _run(
        Path(python).with_name("buf"), "build", "protos", "-o", _named("contract", version, "binpb")
    )
    materials = _named("materials", version, "cdx.json")
    _run(
        *(Path(python).with_name("cyclonedx-py"), "requirements", "requirements/serve.txt"),
        *("--pyproject", "pyproject.toml", "--mc-type", "application", "--output-reproducible"),
        *("--output-file", materials),
    )
    changelog = Path("CHANGELOG.md").read_text(encoding="utf-8")
    _named("notes", version, "md").write_text(notes(changelog, version), encoding="utf-8")
    sums = "".join(f"{_sha256(file)}  {file.name}\n" for file in sorted(DIST.iterdir()))
    (DIST / "SHA256SUMS").write_text(sums, encoding="ascii")
    print(sums, end="")


def notes(changelog: str, version: str) -> str:
    """What changed in this version; before it has a heading of its own, what is unreleased.

    ValueError if neither is there, or is empty.
    """
    for name in (version, "Unreleased"):
        found = re.search(
            rf"^## \[{re.escape(name)}\][^\n]*\n(.*?)(?=^## |\Z)",
            changelog,
            re.MULTILINE | re.DOTALL,
        )
        if found and found[1].strip():
            return f"# Bonpunkt {version}\n\n{found[1].strip()}\n"
    raise ValueError(f"CHANGELOG.md tells nothing of {version}")


def _named(what: str, version: str, ending: str) -> Path:
    return DIST / f"bonpunkt-{what}-{version}.{ending}"


def _run(*words: str | Path) -> None:
    subprocess.run(list(map(str, words)), check=True)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
