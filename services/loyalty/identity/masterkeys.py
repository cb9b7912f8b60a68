"""Master keys: a file with one line for each, newest first. They wrap the data keys of all people.

    # version, 32 random bytes in hex
    2 7c0f…
    1 91ab…

The first line is used for everything new; the others open what is old, until a rotation has
replaced it. The file is read again whenever it changes.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.loyalty.identity.sealing import (
    KEY_BYTES,
    binding,
    derived,
    keyed_hash,
    new_key,
    seal,
    unseal,
)

_LINE = re.compile(r"([1-9][0-9]{0,8}) ([0-9a-f]{64})")
_HEAD = (
    "# Master keys of Bonpunkt's identity vault, newest first: version, 32 random bytes in hex.\n"
    "# Without them nobody's data can be read. Keep a copy apart from the backups.\n"
)


class MasterKeysError(Exception):
    """The file is missing or wrong, or not the one with which the vault was written; says what to
    do.
    """


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One version, and what is derived from it. The secret itself is used for nothing else."""

    version: int
    secret: bytes = field(repr=False)
    _wrapping: bytes = field(init=False, repr=False)
    _indexing: bytes = field(init=False, repr=False)
    fingerprint: bytes = field(init=False)  # tells one secret from another, and nothing about it

    def __post_init__(self) -> None:
        assert len(self.secret) == KEY_BYTES
        for name, purpose in (
            ("_wrapping", "wrap"),
            ("_indexing", "index"),
            ("fingerprint", "fingerprint"),
        ):
            object.__setattr__(self, name, derived(self.secret, purpose=purpose))

    def wrapped(self, data_key: bytes, *, member_id: str) -> bytes:
        bound_to = binding(member_id, purpose="data-key", version=self.version)
        return seal(self._wrapping, data_key, bound_to=bound_to)

    def unwrapped(self, wrapped: bytes, *, member_id: str) -> bytes:
        """BrokenSealError if it is another member's, or was wrapped by another key."""
        bound_to = binding(member_id, purpose="data-key", version=self.version)
        return unseal(self._wrapping, wrapped, bound_to=bound_to)

    def digest(self, *, kind: int, normal: str) -> bytes:
        """The blind index of a normalised text."""
        return keyed_hash(self._indexing, kind=kind, normal=normal)


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Newest first; at least one."""

    keys: tuple[MasterKey, ...]

    @property
    def newest(self) -> MasterKey:
        return self.keys[0]

    def of(self, version: int) -> MasterKey:
        """MasterKeysError if the file has no such version."""
        for key in self.keys:
            if key.version == version:
                return key
        raise MasterKeysError(
            f"LOYALTY_IDENTITY_KEYS_FILE: master key {version} is still in use and not in the file;"
            " put its line back"
        )


class MasterKeyFile:
    """The keys as the file has them now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: MasterKeys | None = None

    def keys(self) -> MasterKeys:
        """Reads the file only if it has changed. MasterKeysError names what is wrong with it."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            raise MasterKeysError(
                f"LOYALTY_IDENTITY_KEYS_FILE: {self.path} is no file; `bonpunkt identity add-key` "
                "makes one, but data already in the vault needs the file with which it was written"
            ) from None
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._keys is None or seen != self._seen:
            self._keys = MasterKeys(_parsed(self.path))
            self._seen = seen
        return self._keys


def make_file(path: Path) -> None:
    """A file with a first master key, readable by its owner only, unless somebody is faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = _written(path, [MasterKey(1, new_key())])
    try:
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()


def add_key(path: Path) -> int:
    """Puts a new master key at the head of the file, or makes the file; answers its version."""
    if not path.exists():
        make_file(path)
        return MasterKeyFile(path).keys().newest.version
    known = MasterKeyFile(path).keys()
    added = MasterKey(known.newest.version + 1, new_key())
    _written(path, [added, *known.keys]).replace(path)
    return added.version


def remove_key(path: Path, version: int) -> None:
    """Takes a master key out of the file. MasterKeysError if it is the newest or not there."""
    known = MasterKeyFile(path).keys()
    known.of(version)
    if version == known.newest.version:
        raise MasterKeysError(f"master key {version} is the one in use; add a newer one first")
    _written(path, [key for key in known.keys if key.version != version]).replace(path)


def _written(beside: Path, keys: Sequence[MasterKey]) -> Path:
    """A new file beside the given one, mode 0600, on disk before it takes a name."""
    lines = [f"{key.version} {key.secret.hex()}\n" for key in keys]
    descriptor, name = tempfile.mkstemp(prefix=f".{beside.name}-", dir=beside.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as output:
        output.write(_HEAD + "".join(lines))
        output.flush()
        os.fsync(output.fileno())
    return Path(name)


def _parsed(path: Path) -> tuple[MasterKey, ...]:
    """Errors name the line, never what is on it."""
    keys: list[MasterKey] = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            words = "send a version and 64 hexadecimal digits, with a space between them"
            raise MasterKeysError(f"LOYALTY_IDENTITY_KEYS_FILE: line {number}: {words}")
        key = MasterKey(int(found[1]), bytes.fromhex(found[2]))
        if keys and key.version >= keys[-1].version:
            words = "the newest key comes first, each version once"
            raise MasterKeysError(f"LOYALTY_IDENTITY_KEYS_FILE: line {number}: {words}")
        keys.append(key)
    if not keys:
        raise MasterKeysError(f"LOYALTY_IDENTITY_KEYS_FILE: {path} has no key in it")
    return tuple(keys)
