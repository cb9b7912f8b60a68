"""Who may know whom. DESIGN: the services share the contract, not code; the domain is pure."""

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture import tree

DOMAIN = "services.loyalty.domain"

# Every part may import itself, the contract (`bonpunkt`) and what stands here. The longest prefix
# of a module's name says to which part it belongs.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "services.runtime": (),
    "services.loyalty": ("services.runtime",),
    "services.loyalty.domain": (),
    "services.loyalty.admin": ("services.runtime",),
    "services.pos_gateway": ("services.runtime",),
    "services.notifier": ("services.runtime",),
    "services.demo": ("services.runtime",),
}

# The command line starts every service and asks every API: it may import anything.
COMMAND_LINE = ("services.cli", "services.commands")

# A decision is a function of state and command: it cannot ask a clock, roll dice, or reach out.
IMPURE_MODULES = {
    "asyncio", "http", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil",
    "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}


def _part(module: str) -> str | None:
    """The part a module belongs to; None for the command line and the package itself."""
    if any(tree.is_within(module, name) for name in COMMAND_LINE):
        return None
    parts = [part for part in MAY_IMPORT if tree.is_within(module, part)]
    return max(parts, key=len, default=None)


def _modules() -> list[Path]:
    return tree.modules("services")


def test_every_module_belongs_to_a_part() -> None:
    """A new folder under services/ has to say here whom it may import."""
    homeless = [
        str(path)
        for path in _modules()
        if _part(tree.module_name(path)) is None
        and tree.module_name(path) != "services"
        and not any(tree.is_within(tree.module_name(path), name) for name in COMMAND_LINE)
    ]
    assert homeless == []


def test_no_service_imports_another() -> None:
    trespasses = []
    for path in _modules():
        part = _part(tree.module_name(path))
        if part is None:
            continue
        allowed = {part, *MAY_IMPORT[part]}
        trespasses += [
            f"{path}:{line} imports {module}"
            for module, line in tree.imports(path)
            if tree.is_within(module, "services") and _part(module) not in allowed
            if not _is_domain_of(part, module)
        ]
    assert trespasses == []


def _is_domain_of(part: str, module: str) -> bool:
    """Loyalty uses its own domain; nobody else does."""
    return part == "services.loyalty" and tree.is_within(module, DOMAIN)


def test_the_domain_imports_the_standard_library_only() -> None:
    foreign = [
        f"{path}:{line} imports {module}"
        for path in _modules()
        if tree.is_within(tree.module_name(path), DOMAIN)
        for module, line in tree.imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not tree.is_within(module, DOMAIN)
    ]
    assert foreign == []


def test_the_domain_has_no_clock_no_ids_and_no_doors() -> None:
    impure = []
    for path in _modules():
        if not tree.is_within(tree.module_name(path), DOMAIN):
            continue
        impure += [
            f"{path}:{line} imports {module}"
            for module, line in tree.imports(path)
            if module.split(".")[0] in IMPURE_MODULES
        ]
        impure += [
            f"{path}:{node.lineno} calls {_called(node)}"
            for node in ast.walk(tree.syntax(path))
            if isinstance(node, ast.Call) and _called(node) in IMPURE_CALLS
        ]
    assert impure == []


def _called(node: ast.Call) -> str | None:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def test_nothing_shipped_imports_the_tests() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in tree.modules("services", "protos")
        for module, line in tree.imports(path)
        if module.split(".")[0] in {"tests", "loadtests", "pytest"}
    ]
    assert wrong == []


def test_the_orm_stays_off_the_checkout_path() -> None:
    """Its unit of work costs several times as much as the statements themselves."""
    wrong = [
        f"{path}:{line} imports {module}"
        for path in _modules()
        for module, line in tree.imports(path)
        if tree.is_within(module, "sqlalchemy.orm") or tree.is_within(module, "sqlalchemy.ext.orm")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("from services.notifier import sender", "services.notifier.sender"),
        ("from . import store", "services.loyalty.store"),
        ("from ..notifier.sender import send", "services.notifier.sender.send"),
        ("def later():\n    import services.notifier", "services.notifier"),
    ],
)
def test_imports_are_found_however_they_are_written(
    monkeypatch: pytest.MonkeyPatch, source: str, imported: str
) -> None:
    monkeypatch.setattr(tree, "syntax", lambda _: ast.parse(source))

    found = [module for module, _ in tree.imports(Path("services/loyalty/wire.py"))]

    assert found == [imported]
