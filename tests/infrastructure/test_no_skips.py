"""A test that did not run has shown nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = "import pytest\n"


def _run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """A pytest of its own, with the plugin under test and nothing else of this project."""
    (folder / "test_sample.py").write_text(HEAD + source)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-c", "/dev/null", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.skip(reason='no time')\ndef test_sample(): pass\n",
        "def test_sample(): pytest.skip('no time')\n",
        "@pytest.mark.xfail\ndef test_sample(): assert False\n",
        "pytest.importorskip('no_such_module')\ndef test_sample(): pass\n",
    ],
    ids=["marked", "while running", "expected to fail", "whole module"],
)
def test_a_skipped_test_makes_the_run_fail(tmp_path: Path, source: str) -> None:
    done = _run(tmp_path, source)

    assert done.returncode != 0
    assert "Nothing may be skipped here" in done.stdout


def test_tests_that_ran_are_judged_as_always(tmp_path: Path) -> None:
    assert _run(tmp_path, "def test_sample(): pass\n").returncode == 0
    assert _run(tmp_path, "def test_sample(): assert False\n").returncode == 1
