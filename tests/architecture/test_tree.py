"""The repository as a stranger finds it: readable, complete, and bound to nobody's machine."""

import re
from pathlib import Path

import pytest

from tests.architecture import tree

LINES_MAX = 500
READ_BY_PEOPLE = {".py", ".pyi", ".proto", ".html", ".css", ".js", ".sh", ".toml", ".yml", ".md"}
NOT_OURS = {"vendor", "third_party"}

MACHINE_PATHS = re.compile(r"(?<![\w.<>])/(work|root|home)/")
TEMPORARY_PATHS = re.compile(r"/tmp/")
REGISTRIES = re.compile(
    r"pypi\.org|files\.pythonhosted|registry\.npmjs|deb\.debian\.org"
    r"|proxy\.golang|registry-1\.docker|ghcr\.io|quay\.io"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")


def _lines() -> list[tuple[Path, int, str]]:
    """Every line of every text file but this one, which says what the others must not."""
    return [
        (path, number, line)
        for path in tree.files()
        if path.name != Path(__file__).name
        for number, line in enumerate((tree.text(path) or "").splitlines(), start=1)
    ]


def _found(pattern: re.Pattern[str], *, outside: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, number, line in _lines()
        if not str(path).startswith(outside) and pattern.search(line)
    ]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert _found(MACHINE_PATHS) == []


def test_no_shipped_file_names_a_temporary_path() -> None:
    assert _found(TEMPORARY_PATHS, outside=("tests/", "loadtests/")) == []


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert _found(REGISTRIES) == []


def test_nothing_is_left_unfinished() -> None:
    assert _found(UNFINISHED) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATHS, "cd /work/main"),
        (MACHINE_PATHS, "path = '/home/someone/x'"),
        (TEMPORARY_PATHS, "data = '/tmp/x'"),
        (REGISTRIES, "--index-url https://pypi.org/simple"),
        (UNFINISHED, "# TODO: later"),
    ],
)
def test_what_should_not_be_there_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_ordinary_paths_are_no_machine_paths() -> None:
    assert not MACHINE_PATHS.search("from tests.network/home/x and https://example.org/root/")


def test_a_reader_can_hold_every_file() -> None:
    too_long = [
        f"{path}: {lines} lines"
        for path in tree.files()
        if path.suffix in READ_BY_PEOPLE
        and not tree.is_generated(path)
        and not NOT_OURS.intersection(path.parts)
        and ".min." not in path.name
        if (lines := len((tree.text(path) or "").splitlines())) > LINES_MAX
    ]
    assert too_long == []


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_readme_names_the_commands_that_a_newcomer_needs(command: str) -> None:
    assert command in (tree.text(Path("README.md")) or "")


@pytest.mark.parametrize(
    "name",
    ["CHANGELOG.md", "LICENSE", "Makefile", "docker-compose.yml", ".ci/run", "docs/checkout.md"],
)
def test_the_repository_has_what_is_expected_of_one(name: str) -> None:
    assert Path(name) in tree.files()


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    """Otherwise two installations of one version could be two different programs."""
    content = (tree.ROOT / "requirements" / name).read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", content, flags=re.MULTILINE))
    named = [block for block in requirements if block.strip()]

    assert len(named) > 20
    assert [
        block.split("\n")[0]
        for block in named
        if "==" not in block or "--hash=sha256:" not in block
    ] == []
