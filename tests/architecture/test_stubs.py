"""Generated code is what the contract says now."""

import subprocess
import sys
from pathlib import Path

from tests.architecture import tree

PROTOS = tree.ROOT / "protos"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def _stubs(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for pattern in GENERATED
        for path in folder.rglob(pattern)
    }


def test_the_committed_stubs_are_fresh(tmp_path: Path) -> None:
    """If this fails: `make protos`, and commit what it writes."""
    subprocess.run(
        [PROTOS / "generate", tmp_path], check=True, env={"PATH": _path(), "PYTHON": sys.executable}
    )

    committed, fresh = _stubs(PROTOS), _stubs(tmp_path)

    assert sorted(committed) == sorted(fresh)
    assert [name for name in fresh if fresh[name] != committed[name]] == []


def _path() -> str:
    return f"{Path(sys.executable).parent}:/usr/bin:/bin"
