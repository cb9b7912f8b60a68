"""The erasure log: appended to, chained, whole after a crash, and refused when it was touched."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from bonpunkt.till import operations
from services.loyalty.identity.erasure_log import Erasure, ErasureLog, ErasureLogError, Event


def an_erasure() -> Erasure:
    return Erasure(
        operation_id=operations.new_id(),
        member_id=operations.new_id(),
        ground="request",
        actor="staff:mia",
        at=datetime(2026, 11, 20, 11, 0, 0, 125, tzinfo=UTC),
    )


@pytest.fixture
def log(tmp_path: Path) -> ErasureLog:
    return ErasureLog(tmp_path / "apart" / "erasures.log")


def test_what_was_appended_is_read_in_order(log: ErasureLog) -> None:
    erasures = [an_erasure() for _ in range(3)]

    heads = [log.append(erasure) for erasure in erasures]

    assert log.read() == erasures
    assert len(set(heads)) == 3
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_not_there_is_empty(log: ErasureLog) -> None:
    assert log.read() == []


def test_the_same_erasure_again_is_one_line(log: ErasureLog) -> None:
    erasure = an_erasure()

    assert log.append(erasure) == log.append(erasure)

    assert log.read() == [erasure]


def test_a_refused_erasure_does_not_stand(log: ErasureLog) -> None:
    refused, stands = an_erasure(), an_erasure()
    log.append(refused)
    log.append(stands)

    log.append(refused, Event.REFUSED)

    assert log.read() == [stands]


def test_a_line_that_a_crash_cut_short_was_never_there(log: ErasureLog) -> None:
    first, second = an_erasure(), an_erasure()
    log.append(first)
    with log.path.open("ab") as file:
        file.write(b'{"sequence":2,"at":"20')

    assert log.read() == [first]
    log.append(second)

    assert log.read() == [first, second]


@pytest.mark.parametrize("field", ["sequence", "at", "event", "operation_id", "member_id",
                                   "ground", "actor", "previous", "hash"])  # fmt: skip
def test_every_changed_field_is_noticed(log: ErasureLog, field: str) -> None:
    for _ in range(3):
        log.append(an_erasure())
    lines = [orjson.loads(line) for line in log.path.read_bytes().splitlines()]
    lines[1][field] = 7 if field == "sequence" else lines[0][field] + "0"
    log.path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    with pytest.raises(ErasureLogError, match="line 2"):
        log.read()
    with pytest.raises(ErasureLogError, match="line 2"):
        log.append(an_erasure())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines, lines[2]], 4),
        (lambda lines: [lines[0], b"words", lines[2]], 2),
        (lambda lines: [lines[0], b"[]", lines[2]], 2),
    ],
    ids=["first gone", "one gone", "swapped", "doubled", "no JSON", "no object"],
)
def test_lines_cannot_go_or_change_places(log: ErasureLog, change: object, line: int) -> None:
    for _ in range(3):
        log.append(an_erasure())
    lines = log.path.read_bytes().splitlines()
    log.path.write_bytes(b"".join(each + b"\n" for each in change(lines)))  # type: ignore[operator]

    with pytest.raises(ErasureLogError, match=f"line {line}"):
        log.read()
