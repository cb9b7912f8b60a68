"""Nothing on the way of a checkout knows Redis: it may be gone and no till would notice."""

from pathlib import Path

from tests.architecture import settings, tree

NOTIFIER = Path("services/notifier")


def test_only_the_notifier_imports_a_client_of_redis() -> None:
    elsewhere = [
        f"{path}:{line} imports {module}"
        for path in tree.modules("services", "protos")
        if not path.is_relative_to(NOTIFIER)
        for module, line in tree.imports(path)
        if module.split(".")[0] in {"redis", "valkey", "coredis", "hiredis"}
    ]
    assert elsewhere == []


def test_only_the_notifier_reads_where_redis_is() -> None:
    readers = {
        path
        for path in tree.modules("services")
        if "REDIS_URL" in settings.read_in(tree.syntax(path), "")
    }
    assert readers == {NOTIFIER / "settings.py"}
