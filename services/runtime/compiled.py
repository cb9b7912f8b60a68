"""Which modules run compiled: those that were built from exactly the sources that are here.

`.ci/compile` builds some pure modules with mypyc into `compiled/` of the Python environment, with a
list of the sources that it saw. If one of them is another now, or was built for another Python,
none of them is used: the code that runs is always the code that stands in the files. Compiled or
not it does the same; compiled it does it faster (decision 0030).
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

SWITCH = "BONPUNKT_COMPILED"  # "0" leaves everything plain
BUILT_IN = Path(sys.prefix) / "compiled"
LIST = "built.json"
ROOT = Path(__file__).parents[2]
SUFFIX = EXTENSION_SUFFIXES[0]  # names this Python and its platform


class Finder:
    """Finds compiled modules before Python finds their sources."""

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self._paths = {name: str(folder / f"{name.replace('.', '/')}{SUFFIX}") for name in modules}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a compiled module is; None for every other."""
        found = self._paths.get(name)
        if found is None:
            return None
        return spec_from_file_location(name, found, loader=ExtensionFileLoader(name, found))


def digest(source: Path) -> str:
    """What a source is known by."""
    return sha256(source.read_bytes()).hexdigest()


def why_plain(built: Mapping[str, object], sources: Mapping[str, str], *, root: Path) -> str | None:
    """Why what was built cannot be used here; None if it can."""
    if built["suffix"] != SUFFIX:
        return "built for another Python"
    for source, known in sources.items():
        path = root / source
        if not path.is_file() or digest(path) != known:
            return f"{source} was changed since"
    return None


def use(folder: Path = BUILT_IN, *, root: Path = ROOT) -> str:
    """Uses what was built, if it was built from what is here; says in words which it is."""
    if os.environ.get(SWITCH) == "0":
        return "plain Python: switched off"
    try:
        built = json.loads((folder / LIST).read_text(encoding="utf-8"))
        why = why_plain(built, built["sources"], root=root)
    except FileNotFoundError:
        why = "nothing was built"
    if why is not None:
        return f"plain Python: {why}"
    sys.meta_path.insert(0, Finder(folder, built["modules"]))
    return "compiled"


CODE = use()  # once, when `services` is imported; each service says it when it starts
