"""`bonpunkt member import`: every line has its member afterwards, or stands in the report."""

import csv
from pathlib import Path

import pytest

from services.commands.member_import import (
    BATCH,
    REFUSALS_SHOWN,
    Line,
    Refusal,
    UnreadableError,
    keyed_id,
    prepared,
    read_lines,
)
from services.loyalty.wire_forms import OPERATION_ID_FORM
from tests.commands.asking import Said, ask
from tests.commands.test_member import a_card, added, shown
from tests.servers.ports import free_port
from tests.servers.suite import Suite

KEY = b"a key of the installation"


def write(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "members.csv"
    path.write_bytes(text.encode(encoding))
    return path


async def imported(suite: Suite, file: Path, *words: str) -> Said:
    return await ask(suite, "member", "import", str(file), *words)


def a_line(card: str = "1", language: str = "de", opening_points: str = "0") -> Line:
    return Line(2, card, language, opening_points)


# --- importing ------------------------------------------------------------------------------


async def test_every_line_becomes_a_member(suite: Suite, tmp_path: Path) -> None:
    first, second = a_card(), a_card()
    file = write(tmp_path, f"card,language,opening_points\n{first},en,1200\n{second},,\n")

    said = await imported(suite, file)

    assert said.status == 0, said.errors
    assert said.output == f"{file}: 2 of 2 lines have their member\n"
    one, other = await shown(suite, first), await shown(suite, second)
    assert one["state"]["points"] == 1200  # type: ignore[index]
    assert one["state"]["language"] == "en"  # type: ignore[index]
    assert other["state"]["points"] == 0  # type: ignore[index]
    assert other["state"]["language"] == "de"  # type: ignore[index]


async def test_repeating_an_import_changes_nothing(suite: Suite, tmp_path: Path) -> None:
    card = a_card()
    file = write(tmp_path, f"card,opening_points\n{card},1200\n")
    await imported(suite, file)
    before = await shown(suite, card)

    again = await imported(suite, file)

    assert (again.status, again.errors) == (0, "")
    assert await shown(suite, card) == before


async def test_a_list_of_more_than_one_batch_is_imported_whole(
    suite: Suite, tmp_path: Path
) -> None:
    cards = [a_card() for _ in range(BATCH + 1)]
    file = write(tmp_path, "card\n" + "\n".join(cards) + "\n")

    said = await imported(suite, file)

    assert said.output == f"{file}: 513 of 513 lines have their member\n"
    assert (await shown(suite, cards[-1]))["cards"] == [cards[-1]]


async def test_each_refused_line_is_reported_with_field_and_remedy(
    suite: Suite, tmp_path: Path
) -> None:
    taken, twice, good = await added(suite), a_card(), a_card()
    report = tmp_path / "refused.csv"
    file = write(
        tmp_path,
        "card,language,opening_points\n"
        f"{taken},de,1\n"  # 2
        f"{twice},de,1\n"  # 3
        ",de,1\n"  # 4
        f"{twice},de,1\n"  # 5
        f"{a_card()},d,1\n"  # 6
        f"{a_card()},de,many\n"  # 7
        f"{a_card()},de,-1\n"  # 8
        f"{a_card()},de,1000000001\n"  # 9
        f"{a_card()},de\n"  # 10
        "\n"
        f"{good},de,7\n",
    )

    said = await imported(suite, file, "--report", str(report))

    assert said.status == 1
    assert f"{file}: 2 of 10 lines have their member\n" in said.output
    with report.open(newline="") as opened:
        rows = [list(row.values())[:3] for row in csv.DictReader(opened)]
    assert rows == [
        ["2", "card", "card_taken"],
        ["4", "card", "malformed"],
        ["5", "card", "card_twice"],
        ["6", "language", "malformed"],
        ["7", "opening_points", "malformed"],
        ["8", "opening_points", "malformed"],
        ["9", "opening_points", "malformed"],
        ["10", "line", "malformed"],
    ]
    assert "the card is in line 3 already" in said.output
    assert taken not in said.output, "a report tells lines, not cards"
    assert (await shown(suite, good))["state"]["points"] == 7  # type: ignore[index]


async def test_a_line_that_changed_since_is_refused_not_booked(
    suite: Suite, tmp_path: Path
) -> None:
    card = a_card()
    await imported(suite, write(tmp_path, f"card,opening_points\n{card},5\n"))

    said = await imported(suite, write(tmp_path, f"card,opening_points\n{card},6\n"))

    assert said.status == 1
    assert "key_reused" in said.output
    assert "imported before with another language or other points" in said.output
    assert (await shown(suite, card))["state"]["points"] == 5  # type: ignore[index]


async def test_many_refusals_are_counted_where_they_are_not_shown(
    suite: Suite, tmp_path: Path
) -> None:
    file = write(tmp_path, "card,language\n" + ",de\n" * (REFUSALS_SHOWN + 2))

    said = await imported(suite, file)

    assert said.output.count("malformed") == REFUSALS_SHOWN
    assert "and 2 more; --report FILE writes all of them" in said.output


async def test_a_ledger_that_does_not_answer_is_told_and_the_remedy(
    suite: Suite, tmp_path: Path
) -> None:
    file = write(tmp_path, f"card\n{a_card()}\n")

    said = await ask(suite, "member", "import", str(file), loyalty=f"127.0.0.1:{free_port()}")

    assert said.status == 1
    assert "repeat the import, which enrols nobody twice" in said.errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has to name the columns card, language, opening_points"),
        ("number,language\n1,de\n", "has to name the columns"),
        ("card,points\n1,5\n", "has to name the columns"),
        ("card,card\n1,5\n", "has to name the columns"),
        ('card\n"1\n', "is no CSV"),
    ],
)
async def test_a_file_that_is_no_such_list_enrols_nobody(
    suite: Suite, tmp_path: Path, text: str, words: str
) -> None:
    file = write(tmp_path, text)

    said = await imported(suite, file)

    assert said.status == 2
    assert said.errors.startswith(f"Error: {file}: ")
    assert words in said.errors
    assert said.output == ""


async def test_a_file_that_cannot_be_read_is_told(suite: Suite, tmp_path: Path) -> None:
    missing = await imported(suite, tmp_path / "nothing.csv")
    folder = await imported(suite, tmp_path)
    binary = await imported(suite, write(tmp_path, "card\nmüller\n", encoding="latin-1"))

    assert [each.status for each in (missing, folder, binary)] == [2, 2, 2]
    assert "No such file" in missing.errors
    assert "is not UTF-8 at byte 6" in binary.errors


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "card,language,opening_points\n1,en,5\n",
        "card;language;opening_points\r\n1;en;5\r\n",
        "\ufeffCard, Language ,OPENING_POINTS\n 1 , en , 5 \n",
        "opening_points,card,language\n5,1,en",
        '"card","language","opening_points"\n"1","en","5"\n',
    ],
)
def test_a_list_may_be_written_as_office_programs_do(tmp_path: Path, text: str) -> None:
    assert read_lines(write(tmp_path, text)) == [Line(2, "1", "en", "5")]


def test_columns_that_are_not_there_have_their_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, "card\n1\n\n2\n")

    assert read_lines(file, language="fr") == [Line(2, "1", "fr", "0"), Line(4, "2", "fr", "0")]


def test_nothing_is_read_of_a_broken_list(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is no CSV"):
        read_lines(write(tmp_path, 'card\n1\n"2\n'))


# --- ids ------------------------------------------------------------------------------------


def test_ids_follow_from_card_and_installation() -> None:
    operation_id = keyed_id(KEY, "operation", "1")

    assert OPERATION_ID_FORM.fullmatch(operation_id)
    assert operation_id == keyed_id(KEY, "operation", "1")
    others = {
        keyed_id(KEY, "member", "1"),
        keyed_id(KEY, "operation", "2"),
        keyed_id(b"another installation", "operation", "1"),
    }
    assert operation_id not in others
    assert len(others) == 3


@pytest.mark.parametrize(("points", "is_sent"), [("0", True), ("1000000000", True), ("٣", False)])
def test_only_what_is_well_formed_is_sent(points: str, is_sent: bool) -> None:
    enrolments, refusals = prepared([a_line(opening_points=points)], key=KEY)

    assert (len(enrolments), len(refusals)) == (int(is_sent), int(not is_sent))


def test_a_line_whose_fields_cannot_be_told_apart_stays_refused() -> None:
    refusal = Refusal(3, "line", "malformed", "write 3 fields")

    assert prepared([refusal], key=KEY) == ([], [refusal])
