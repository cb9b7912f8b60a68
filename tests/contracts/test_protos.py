"""The contract keeps to its style, and to what terminals of the last release understand."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).with_name("buf")
RELEASED = ROOT / "protos" / "released.binpb"


def _buf(*arguments: str | Path, cache: Path) -> None:
    done = subprocess.run(
        [BUF, *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cache), "BUF_CACHE_DIR": str(cache)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_is_in_good_style(tmp_path: Path) -> None:
    _buf("lint", "protos", cache=tmp_path)


def test_the_contract_is_formatted(tmp_path: Path) -> None:
    _buf("format", "--diff", "--exit-code", "protos", cache=tmp_path)


def test_a_till_of_the_last_release_is_still_understood(tmp_path: Path) -> None:
    """Fields are only ever added. A release replaces the image: `buf build protos -o …`."""
    _buf("breaking", "protos", "--against", RELEASED, cache=tmp_path)


def test_a_field_that_went_missing_would_be_noticed(tmp_path: Path) -> None:
    """The check above would prove nothing against an empty image."""
    changed = tmp_path / "protos"
    source = (ROOT / "protos/bonpunkt/till/v1/till.proto").read_text(encoding="utf-8")
    for path in (ROOT / "protos").rglob("*.proto"):
        copy = changed / path.relative_to(ROOT / "protos")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (changed / "buf.yaml").write_bytes((ROOT / "protos/buf.yaml").read_bytes())
    without = source.replace("  string receipt_number = 2;\n", "", 1)
    assert without != source
    (changed / "bonpunkt/till/v1/till.proto").write_text(without, encoding="utf-8")

    with pytest.raises(AssertionError, match='"receipt_number"'):
        _buf("breaking", changed, "--against", RELEASED, cache=tmp_path)
