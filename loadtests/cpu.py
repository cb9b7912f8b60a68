"""CPU time of processes, from the kernel's own accounts."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# Positions in /proc/<pid>/stat behind the command's name, which may itself contain blanks.
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 11, 12, 13, 14


def own(pid: int) -> float:
    """User and system seconds of a process itself."""
    fields = _fields(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / TICKS_PER_S


def family(pid: int) -> float:
    """User and system seconds of a process, of its children, and of children that have ended."""
    fields = _fields(pid)
    ended = (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) / TICKS_PER_S
    return own(pid) + ended + sum(family(child) for child in _children(pid))


def _fields(pid: int) -> list[str]:
    """The fields of a process, none of them the name; zeros if it has just ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * (_CHILDREN_SYSTEM + 1)
    return stat.rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in listed.split()]
