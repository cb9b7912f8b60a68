"""Which settings the services read, and which docs/settings.md documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture import tree

DOCUMENT = Path("docs/settings.md")
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_ROW = re.compile(r"^\|\s*`([A-Z][A-Z0-9_]+)`\s*\|", re.MULTILINE)


def read_by_services() -> set[str]:
    """Names of environment variables, by environs, by os, or as `envvar` of an option."""
    return {name for path in tree.modules("services") for name in read_in(tree.syntax(path), "")}


def documented() -> list[str]:
    """The first column of the tables in docs/settings.md, in order."""
    return _ROW.findall(tree.text(DOCUMENT) or "")


def read_in(node: ast.AST, prefix: str) -> Iterator[str]:
    """The names read at or below `node`; `with env.prefixed("X_")` puts X_ before them."""
    if isinstance(node, ast.With):
        prefix += "".join(_prefixes(node))
    name = _name_read(node)
    if name is not None and _NAME.fullmatch(prefix + name):
        yield prefix + name
    for child in ast.iter_child_nodes(node):
        yield from read_in(child, prefix)


def _prefixes(node: ast.With) -> Iterator[str]:
    for item in node.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            first = call.args[0] if call.args else None
            if call.func.attr == "prefixed" and isinstance(first, ast.Constant):
                yield str(first.value)


def _name_read(node: ast.AST) -> str | None:
    """The constant name that this very node reads from the environment."""
    if isinstance(node, ast.Call) and node.args:
        source = ast.unparse(node.func)
        if source in {"env", "os.environ.get", "os.getenv"} or source.startswith("env."):
            return _constant(node.args[0])
    if isinstance(node, ast.keyword) and node.arg == "envvar":
        return _constant(node.value)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
        return _constant(node.slice) if isinstance(node.ctx, ast.Load) else None
    return None


def _constant(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None
