"""Tests wait for what happens, not for a while, and judge no clock: a slow machine is no bug."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import tree

# The only places that poll, each until a deadline.
POLLING = (Path("tests/servers"),)

SLEEPS = {"time.sleep", "asyncio.sleep", "sleep"}
CLOCKS = {"time.time", "time.monotonic", "time.perf_counter", "monotonic", "perf_counter"}


def _modules() -> list[Path]:
    return [
        path
        for path in tree.modules("tests")
        if not any(path.is_relative_to(folder) for folder in POLLING)
    ]


def sleeps(module: ast.AST) -> Iterator[int]:
    """Lines that sleep. `sleep(0)` only lets other tasks run, and `sleep(inf)` never returns."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS:
            length = ast.unparse(node.args[0]) if node.args else ""
            if length not in {"0", "math.inf", "float('inf')"}:
                yield node.lineno


def clock_assertions(module: ast.AST) -> Iterator[int]:
    """Lines with an assertion on what a clock said, directly or through a name."""
    told = {
        name.id
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and _reads_clock(node.value)
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Assert):
            names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
            if _reads_clock(node.test) or names & told:
                yield node.lineno


def _reads_clock(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call) and ast.unparse(part.func) in CLOCKS for part in ast.walk(node)
    )


def test_no_test_waits_for_a_while() -> None:
    """`tests.servers.waiting.eventually` waits for a condition, until a deadline."""
    assert [f"{path}:{line}" for path in _modules() for line in sleeps(tree.syntax(path))] == []


def test_no_test_judges_a_clock() -> None:
    found = [
        f"{path}:{line}" for path in _modules() for line in clock_assertions(tree.syntax(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("time.sleep(0.1)", [1]),
        ("async def f():\n    await asyncio.sleep(1)", [2]),
        ("async def f():\n    await asyncio.sleep(0)", []),
        ("'time.sleep(1)'", []),
    ],
)
def test_sleeping_is_found(source: str, found: list[int]) -> None:
    assert list(sleeps(ast.parse(source))) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("assert time.monotonic() < 5", [1]),
        ("took = time.perf_counter() - begun\nassert took < 1", [2]),
        ("begun = time.monotonic()\nprint(begun)", []),
        ("assert settings.timeout_s == 5", []),
    ],
)
def test_judging_a_clock_is_found(source: str, found: list[int]) -> None:
    assert list(clock_assertions(ast.parse(source))) == found
