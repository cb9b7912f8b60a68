"""What the replays with faults left behind, told in the closing lines of the run."""

_lines: list[str] = []


def tell(line: str) -> None:
    _lines.append(line)


def told() -> list[str]:
    return list(_lines)
