"""The erasure log: who was to be erased, outside every backup, so that a restore can repeat it.

One JSON object a line, each with the hash of the line before it; only ever appended to. It names a
member's random id, never a person.
"""

import fcntl
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import orjson

GENESIS = bytes(32).hex()
_FIELDS = ("sequence", "at", "event", "operation_id", "member_id", "ground", "actor", "previous")


class ErasureLogError(Exception):
    """The log cannot be read or its chain is broken; names the line."""


class Event(Enum):
    ERASE = "erase"  # it was decided: from now on it is carried out, however often it is broken off
    REFUSED = "refused"  # the ledger would not: the line before of this operation is void


@dataclass(frozen=True, slots=True)
class Erasure:
    """Somebody's erasure, as often as it is carried out."""

    operation_id: str
    member_id: str
    ground: str
    actor: str
    at: datetime


class ErasureLog:
    """Blocking: call it from a thread. Several processes may append to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, erasure: Erasure, event: Event = Event.ERASE) -> str:
        """On disk when it returns; answers the new head of the chain. The same line twice is one.

        ErasureLogError if what is there is broken: nothing is appended to a broken chain.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = _whole_lines(file.read())
            lines = _parsed(whole)
            for line in lines:
                if (line["operation_id"], line["event"]) == (erasure.operation_id, event.value):
                    return str(line["hash"])
            file.truncate(len(whole))  # a line that a crash cut short was never acted on
            previous = str(lines[-1]["hash"]) if lines else GENESIS
            line = _line(erasure, event, sequence=len(lines) + 1, previous=previous)
            file.write(orjson.dumps(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _keep_name(self.path.parent)
        return str(line["hash"])

    def read(self) -> list[Erasure]:
        """Every erasure that stands, oldest first. ErasureLogError if the chain is broken."""
        try:
            lines = _parsed(_whole_lines(self.path.read_bytes()))
        except FileNotFoundError:
            return []
        void = {line["operation_id"] for line in lines if line["event"] == Event.REFUSED.value}
        return [
            Erasure(
                operation_id=str(line["operation_id"]),
                member_id=str(line["member_id"]),
                ground=str(line["ground"]),
                actor=str(line["actor"]),
                at=datetime.fromisoformat(str(line["at"])),
            )
            for line in lines
            if line["event"] == Event.ERASE.value and line["operation_id"] not in void
        ]


def _line(erasure: Erasure, event: Event, *, sequence: int, previous: str) -> dict[str, str | int]:
    line: dict[str, str | int] = {
        "sequence": sequence,
        "at": erasure.at.isoformat(),
        "event": event.value,
        "operation_id": erasure.operation_id,
        "member_id": erasure.member_id,
        "ground": erasure.ground,
        "actor": erasure.actor,
        "previous": previous,
    }
    return {**line, "hash": _hash(line)}


def _hash(line: dict[str, str | int]) -> str:
    """SHA-256 of the fields in their order as a JSON array."""
    return hashlib.sha256(orjson.dumps([line[name] for name in _FIELDS])).hexdigest()


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _parsed(content: bytes) -> list[dict[str, str | int]]:
    lines: list[dict[str, str | int]] = []
    previous = GENESIS
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            line = orjson.loads(text)
            right = line["sequence"] == number and line["previous"] == previous
            right = right and line["hash"] == _hash(line)
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            raise ErasureLogError(
                f"the erasure log is broken at line {number}: it was changed, or a line is missing"
            )
        previous = line["hash"]
        lines.append(line)
    return lines


def _keep_name(folder: Path) -> None:
    """A new file's name is on disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
