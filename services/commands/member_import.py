"""`bonpunkt member import`: members of another programme, with the points that they bring along.

Ids follow from the card, so that an import can be broken off and repeated: who is there already
stays as they are. They are keyed with the installation's service token, so that nobody can find the
card of an id by trying numbers.
"""

import csv
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import click

from services.commands.connection import call, loyalty_option, service_token
from services.commands.showing import console, plain, table

if TYPE_CHECKING:
    from bonpunkt.loyalty.v1.member_pb2 import Enrolment, EnrolmentOutcome

COLUMNS = ("card", "language", "opening_points")
BATCH = 512
REFUSALS_SHOWN = 20
UNREADABLE = 2

# The ledger's own words are for who makes ids; these are for who reads the file.
REMEDIES = {
    "card_taken": "this card belongs to a member already",
    "key_reused": "imported before with another language or other points; change that member",
    "abandoned": "this line was given up before; enrol the card by hand",
}


class Line(NamedTuple):
    """A line of the file; `number` is where it ends, counted from 1 and with the header."""

    number: int
    card: str
    language: str
    opening_points: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line was left out: the field at fault, a word for scripts, and what to do."""

    line: int
    field: str
    reason: str
    remedy: str


class UnreadableError(Exception):
    """The file is no such list; says where and why."""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--language", default="de", show_default=True, help="Of lines that name none.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every refused line there, as CSV.",
)
@loyalty_option
def import_file(file: Path, language: str, report: Path | None, target: str) -> None:
    """Opens a member for each line of FILE, a CSV with the columns card, language and
    opening_points.

    Repeating an import changes nothing. Status 1: lines were refused; 2: the file was not read, and
    nobody was enrolled.
    """
    try:
        read = read_lines(file, language=language)
    except UnreadableError as error:
        click.echo(f"Error: {file}: {error}", err=True)
        raise SystemExit(UNREADABLE) from None
    key = hmac.digest(service_token().encode(), b"bonpunkt member import", hashlib.sha256)
    enrolments, refusals = prepared(read, key=key)
    refusals += _enrolled(enrolments, target)
    refusals.sort(key=lambda refusal: refusal.line)
    if report is not None:
        _write(report, refusals)
    _tell(file, len(read), refusals, report)
    raise SystemExit(1 if refusals else 0)


def read_lines(file: Path, *, language: str = "de") -> list[Line | Refusal]:
    """Every line that is not empty; a refusal in place of one whose fields cannot be told apart.

    Raises UnreadableError.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return list(_lines(opened, language))
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except csv.Error as error:
        raise UnreadableError(f"is no CSV: {error}") from error


def _lines(opened: Iterable[str], language: str) -> Iterator[Line | Refusal]:
    """Separated by commas, or by semicolons as a German Excel writes it."""
    texts = iter(opened)
    header = next(texts, "")
    separator = ";" if ";" in header else ","
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=separator), [])]
    if "card" not in names or not set(names) <= set(COLUMNS) or len(set(names)) < len(names):
        raise UnreadableError(f"the first line has to name the columns {', '.join(COLUMNS)}")
    reader = csv.reader(texts, delimiter=separator, strict=True)
    for row in reader:
        values = [value.strip() for value in row]
        if not any(values):
            continue
        number = reader.line_num + 1
        if len(values) != len(names):
            remedy = f"write {len(names)} fields, as the first line does, instead of {len(values)}"
            yield Refusal(number, "line", "malformed", remedy)
            continue
        found = dict(zip(names, values, strict=True))
        yield Line(
            number,
            found["card"],
            found.get("language") or language,
            found.get("opening_points") or "0",
        )


def prepared(
    read: Sequence[Line | Refusal], *, key: bytes
) -> "tuple[list[tuple[int, Enrolment]], list[Refusal]]":
    """Enrolments with the numbers of their lines, and the lines that need not be sent."""
    from services.loyalty.member_forms import enrolment_problem

    enrolments, refusals = [], []
    seen: dict[str, int] = {}
    for line in read:
        if isinstance(line, Refusal):
            refusals.append(line)
            continue
        earlier = seen.setdefault(line.card, line.number)
        enrolment = _enrolment(line, key)
        problem = enrolment_problem(enrolment) if enrolment is not None else _NO_NUMBER
        if problem is not None:
            field, _, remedy = problem.partition(": ")
            refusals.append(Refusal(line.number, field, "malformed", remedy))
        elif earlier != line.number:
            remedy = f"the card is in line {earlier} already; keep one of the two"
            refusals.append(Refusal(line.number, "card", "card_twice", remedy))
        else:
            assert enrolment is not None
            enrolments.append((line.number, enrolment))
    return enrolments, refusals


_NO_NUMBER = "opening_points: write a whole number of points, such as 1200"


def _enrolment(line: Line, key: bytes) -> "Enrolment | None":
    """None if its points are no number that a message can carry."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    digits = line.opening_points.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    return pb.Enrolment(
        operation_id=keyed_id(key, "operation", line.card),
        member_id=keyed_id(key, "member", line.card),
        card=line.card,
        language=line.language,
        opening_points=int(line.opening_points),
    )


def keyed_id(key: bytes, purpose: str, card: str) -> str:
    """A UUID that is always the same for the same card in the same installation."""
    digest = hmac.digest(key, f"{purpose}\n{card}".encode(), hashlib.sha256)
    return str(UUID(bytes=digest[:16], version=4))


def _enrolled(enrolments: "Sequence[tuple[int, Enrolment]]", target: str) -> list[Refusal]:
    """Sends them by batches; what was refused."""
    from rich.console import Console
    from rich.progress import Progress

    from bonpunkt.loyalty.v1 import member_pb2 as pb
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    refusals: list[Refusal] = []
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("enrolling", total=len(enrolments))
        for first in range(0, len(enrolments), BATCH):
            batch = enrolments[first : first + BATCH]
            answer = call(
                target,
                lambda channel: stubs.MemberServiceStub(channel).EnrolMembers,
                pb.EnrolMembersRequest(enrolments=[enrolment for _, enrolment in batch]),
                again="repeat the import, which enrols nobody twice",
            )
            refusals += [
                _refusal(number, outcome)
                for (number, _), outcome in zip(batch, answer.outcomes, strict=True)
                if not outcome.accepted
            ]
            progress.advance(task, len(batch))
    return refusals


def _refusal(number: int, outcome: "EnrolmentOutcome") -> Refusal:
    remedy = REMEDIES.get(outcome.reason, outcome.remedy)
    return Refusal(number, "card", outcome.reason, remedy)


def _write(report: Path, refusals: Iterable[Refusal]) -> None:
    try:
        with report.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(("line", "field", "reason", "remedy"))
            for each in refusals:
                writer.writerow((each.line, each.field, each.reason, each.remedy))
    except OSError as error:
        words = f"{report}: the report could not be written: {error.strerror}"
        raise click.ClickException(words) from None


def _tell(file: Path, count: int, refusals: Sequence[Refusal], report: Path | None) -> None:
    enrolled = count - len(refusals)
    click.echo(f"{file}: {enrolled:,} of {count:,} lines have their member")
    if not refusals:
        return
    shown = refusals[:REFUSALS_SHOWN]
    rows = [(f"{each.line}", each.field, each.reason, plain(each.remedy)) for each in shown]
    console().print(
        table("line", "field", "reason", "remedy", numbers=("line",), title="Refused", rows=rows)
    )
    if len(refusals) > len(shown):
        where = f"all are in {report}" if report is not None else "--report FILE writes all of them"
        click.echo(f"and {len(refusals) - len(shown):,} more; {where}")
