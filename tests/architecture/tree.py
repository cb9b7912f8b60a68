"""What the architecture tests look at: the files of the repository and what their code imports."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the repository, whether committed yet or not; paths from ROOT."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = sorted(filter(None, listed.stdout.split("\0")))
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def is_generated(path: Path) -> bool:
    """Stubs made by protos/generate."""
    return "_pb2" in path.name


def modules(*folders: str) -> list[Path]:
    """The hand-written Python modules below the folders."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.parts[0] in folders and not is_generated(path)
    ]


def text(path: Path) -> str | None:
    """The file's text; None if it is binary."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def syntax(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """services/loyalty/__init__.py → services.loyalty; services/cli.py → services.cli."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that the file imports, also inside functions, with the line.

    `from a import b` yields a.b: whether b is a module or a name, a rule for a's parts holds.
    """
    package = path.parts[:-1]
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def is_within(module: str, package: str) -> bool:
    """services.loyalty.domain.earn is within services.loyalty, services.loyalty_old is not."""
    return module == package or module.startswith(f"{package}.")
