"""Compiled modules are never older than their sources, and nothing needs them."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from services.runtime import compiled
from services.runtime.compiled import BUILT_IN, LIST, ROOT, SUFFIX, SWITCH, digest

SOURCE = "services/pure.py"


@pytest.fixture(autouse=True)
def _finders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is switched off or found yet, and what is found is forgotten afterwards."""
    monkeypatch.delenv(SWITCH, raising=False)
    others = [each for each in sys.meta_path if not isinstance(each, compiled.Finder)]
    monkeypatch.setattr(sys, "meta_path", others)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / SOURCE
    path.parent.mkdir()
    path.write_text("ONE = 1\n", encoding="utf-8")
    return tmp_path


def a_build(root: Path, **changes: object) -> Path:
    """The folder of a build that saw the source as it is now."""
    folder = root / "compiled"
    folder.mkdir()
    built = {
        "suffix": SUFFIX,
        "modules": ["services.pure"],
        "sources": {SOURCE: digest(root / SOURCE)},
        **changes,
    }
    (folder / LIST).write_text(json.dumps(built), encoding="utf-8")
    return folder


def test_what_was_built_from_these_sources_is_used(root: Path) -> None:
    folder = a_build(root)

    assert compiled.use(folder, root=root) == "compiled"

    finder = sys.meta_path[0]
    assert isinstance(finder, compiled.Finder)
    spec = finder.find_spec("services.pure")
    assert spec is not None
    assert spec.origin == str(folder / f"services/pure{SUFFIX}")
    assert finder.find_spec("services.other") is None


def test_a_changed_source_makes_all_of_them_plain(root: Path) -> None:
    folder = a_build(root)
    with (root / SOURCE).open("a", encoding="utf-8") as source:
        source.write("# a comment suffices\n")

    assert compiled.use(folder, root=root) == f"plain Python: {SOURCE} was changed since"
    assert not isinstance(sys.meta_path[0], compiled.Finder)


def test_a_source_that_is_gone_makes_all_of_them_plain(root: Path) -> None:
    folder = a_build(root)
    (root / SOURCE).unlink()

    assert compiled.use(folder, root=root) == f"plain Python: {SOURCE} was changed since"


def test_a_build_of_another_python_is_not_used(root: Path) -> None:
    folder = a_build(root, suffix=".cpython-310-x86_64-linux-gnu.so")

    assert compiled.use(folder, root=root) == "plain Python: built for another Python"


def test_without_a_build_everything_is_plain(root: Path) -> None:
    assert compiled.use(root / "nowhere", root=root) == "plain Python: nothing was built"


def test_it_can_be_switched_off(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")

    assert compiled.use(a_build(root), root=root) == "plain Python: switched off"


def test_everything_that_is_named_was_built_here() -> None:
    """`make test` compiles first, and has a compiler: so what the other tests ran is compiled."""
    subprocess.run([sys.executable, ".ci/compile"], cwd=ROOT, check=True)
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["bonpunkt"]

    for pattern in named["compiled"]:
        for source in set(ROOT.glob(pattern)) - {ROOT / name for name in named["not-compiled"]}:
            library = BUILT_IN / source.relative_to(ROOT).with_suffix(SUFFIX)
            assert library.is_file(), f"{library} is missing"
    where = "import services.loyalty.draft as draft; print(draft.__file__)"
    shown = subprocess.run(
        [sys.executable, "-c", where], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == str(BUILT_IN / f"services/loyalty/draft{SUFFIX}")


def test_without_a_compiler_nothing_is_built_and_that_is_no_error(tmp_path: Path) -> None:
    """In a copy: the recipe removes what it cannot vouch for."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / ".ci", copy / ".ci")
    shutil.copytree(ROOT / "services", copy / "services")
    (copy / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    environment = tmp_path / "environment"
    run = (
        "import runpy, sys; "
        f"sys.prefix = {str(environment)!r}; "
        f"runpy.run_path({str(copy / '.ci/compile')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", run], capture_output=True, text=True, check=False, env={"PATH": ""}
    )

    assert done.returncode == 0, done.stderr
    assert "there is no C compiler: everything runs, loyalty slower" in done.stdout
    assert not (environment / "compiled").exists()
