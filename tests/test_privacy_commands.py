"""`bonpunkt member export|erase` and `bonpunkt identity …`, as an operator gives them."""

import csv
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from bonpunkt.loyalty.v1 import identity_pb2_grpc
from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2, till_pb2_grpc
from services.commands.export_document import FORMAT
from services.runtime.grpc import channel
from tests.commands.asking import ask
from tests.servers.suite import CALL_WITHIN_S, Member, Suite

PERSON = {
    "given_name": "=Anna",  # a spreadsheet would take it for a formula
    "surname": "Müller",
    "email": "anna@example.org",
    "phone": "+4930123456",
    "birthday": "1990-02-28",
    "language": "de",
}


async def person(suite: Suite) -> Member:
    """Somebody of whom there is a record of every kind."""
    (member,) = await suite.enrol(1)
    async with channel(suite.loyalty_target) as opened:
        stub = identity_pb2_grpc.IdentityServiceStub(opened)
        await stub.PutIdentity(
            pb.PutIdentityRequest(member_id=member.member_id, profile=pb.Profile(**PERSON)),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )
        consent = pb.Consent(
            consent_id=operations.new_id(),
            purpose="email_marketing",
            given=True,
            text_version="2026-01",
            channel="till",
        )
        await stub.SetConsent(
            pb.SetConsentRequest(member_id=member.member_id, consent=consent),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )
    await buy(suite, member)
    return member


async def buy(suite: Suite, member: Member) -> None:
    terminal = await suite.add_terminal()
    lines = [
        operations.line_item("1", total_minor=1500, vat_rate_key="DE_19", text='Käse, "alt"'),
        operations.line_item("2", total_minor=500, vat_rate_key="DE_7"),
    ]
    basket = operations.basket(
        lines, receipt_number="4711", business_date="2026-11-20", cashier="7", currency="EUR"
    )
    async with channel(suite.gateway_target) as opened:
        answer = await till_pb2_grpc.TillServiceStub(opened).Submit(
            till_pb2.SubmitRequest(operations=[operations.capture(member.card, basket)]),
            metadata=terminal.metadata,
            timeout=CALL_WITHIN_S,
        )
    assert answer.decisions[0].HasField("captured"), answer


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with Suite(tmp_path_factory.mktemp("privacy")) as running:
        yield running


# --- export ---------------------------------------------------------------------------------


async def test_an_export_is_one_json_document(suite: Suite) -> None:
    member = await person(suite)

    by_card = await ask(suite, "member", "export", member.card)
    by_id = await ask(suite, "member", "export", member.member_id, "--format", "json")

    assert (by_card.status, by_card.errors) == (0, "")
    document, same = json.loads(by_card.output), json.loads(by_id.output)
    assert {**document, "exported_at": ""} == {**same, "exported_at": ""}
    assert document["format"] == FORMAT
    assert (document["member_id"], document["status"]) == (member.member_id, "active")
    assert document["person"] == PERSON
    assert document["erased"] is None
    assert document["cards"] == [member.card]
    (consent,) = document["consents"]
    assert (consent["purpose"], consent["given"]) == ("email_marketing", True)
    assert document["balances"]["points"] == sum(lot["points"] for lot in document["lots"]) == 10
    capture, enrol = document["entries"]
    assert (capture["kind"], enrol["kind"]) == ("capture", "enrol")
    assert capture["decision"]["points_earned"] == 10
    assert capture["movements"]["transfers"] == [["issued", "points", 10]]
    basket = capture["basket"]
    assert (basket["receipt_number"], basket["total_minor"]) == ("4711", 2000)
    assert [item["text"] for item in basket["line_items"]] == ['Käse, "alt"', ""]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))


async def test_an_export_as_csv_has_a_file_for_each_kind_of_record(
    suite: Suite, tmp_path: Path
) -> None:
    member = await person(suite)

    said = await ask(
        suite, "member", "export", member.card, "--format", "csv", "--out", str(tmp_path)
    )

    folder = tmp_path / f"member-{member.member_id}"
    assert said.status == 0, said.errors
    assert sorted(said.output.split()) == sorted(str(file) for file in folder.iterdir())
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    told = {row["field"]: row["value"] for row in rows_of(folder / "person.csv")}
    assert told == {**PERSON, "given_name": "'=Anna"}
    assert [row["card"] for row in rows_of(folder / "cards.csv")] == [member.card]
    assert [row["purpose"] for row in rows_of(folder / "consents.csv")] == ["email_marketing"]
    assert {row["account"]: row["value"] for row in rows_of(folder / "balances.csv")}[
        "points"
    ] == "10"
    assert [row["points"] for row in rows_of(folder / "lots.csv")] == ["10"]
    assert [row["kind"] for row in rows_of(folder / "entries.csv")] == ["capture", "enrol"]
    assert [row["points"] for row in rows_of(folder / "movements.csv")] == ["10"]
    baskets = rows_of(folder / "baskets.csv")
    assert [(row["receipt_number"], row["text"], row["total_minor"]) for row in baskets] == [
        ("4711", 'Käse, "alt"', "1500"),
        ("4711", "", "500"),
    ]


async def test_files_without_a_folder_are_written_where_one_stands(
    suite: Suite, tmp_path: Path
) -> None:
    member = await person(suite)

    said = await ask(suite, "member", "export", member.card, "--format", "csv", folder=tmp_path)

    assert said.status == 0, said.errors
    assert (tmp_path / f"member-{member.member_id}" / "member.csv").is_file()


async def test_a_json_file_is_for_its_owner_only(suite: Suite, tmp_path: Path) -> None:
    member = await person(suite)
    file = tmp_path / f"member-{member.member_id}.json"
    file.write_text("of yesterday")
    file.chmod(0o644)

    said = await ask(suite, "member", "export", member.card, "--out", str(tmp_path))

    assert (said.status, said.output) == (0, f"{file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["person"] == PERSON


async def test_an_export_of_nobody_fails_in_one_line(suite: Suite) -> None:
    said = await ask(suite, "member", "export", "nobody")

    assert (said.status, said.output) == (1, "")
    assert said.errors == "Error: not found: card: no member has this card\n"


# --- erase ----------------------------------------------------------------------------------


async def test_an_erased_person_is_told_and_exported_as_such(suite: Suite, tmp_path: Path) -> None:
    member = await person(suite)

    first = await ask(suite, "member", "erase", member.member_id, "--reason", "request")
    again = await ask(suite, "member", "erase", member.member_id, "--reason", "objection")

    assert first.status == 0, first.errors
    assert f"member {member.member_id} was erased on " in first.output
    assert "points forfeited  10" in first.output
    assert again.output == first.output
    exported = json.loads((await ask(suite, "member", "export", member.member_id)).output)
    assert (exported["status"], exported["erased"]["ground"]) == ("erased", "request")
    assert exported["erased"]["actor"] == "cli:ada"
    assert (exported["person"], exported["consents"], exported["cards"]) == (None, [], [])
    out = str(tmp_path)
    await ask(suite, "member", "export", member.member_id, "--format", "csv", "--out", out)
    folder = tmp_path / f"member-{member.member_id}"
    told = {row["field"]: row["value"] for row in rows_of(folder / "member.csv")}
    assert (told["status"], told["erased_ground"]) == ("erased", "request")
    assert (folder / "person.csv").read_text() == ""


@pytest.mark.parametrize("reason", [(), ("--reason", "Anna asked for it")])
async def test_the_ground_is_one_of_a_list(suite: Suite, reason: tuple[str, ...]) -> None:
    """What somebody might type is kept for ever; it must not be about the person."""
    said = await ask(suite, "member", "erase", operations.new_id(), *reason)

    assert said.status == 2
    assert "--reason" in said.errors


async def test_nobody_cannot_be_erased(suite: Suite) -> None:
    said = await ask(suite, "member", "erase", operations.new_id(), "--reason", "request")

    assert (said.status, said.output) == (1, "")
    assert said.errors == "Error: not found: member_id: there is no such member\n"


# --- master keys ----------------------------------------------------------------------------


async def test_a_master_key_is_added_rotated_to_and_the_old_one_removed(tmp_path: Path) -> None:
    async with Suite(tmp_path / "var") as suite:
        member = await person(suite)

        added = await ask(suite, "identity", "add-key")
        too_soon = await ask(suite, "identity", "remove-key", "1")
        rotated = await ask(suite, "identity", "rotate")
        used = await ask(suite, "identity", "keys")
        removed = await ask(suite, "identity", "remove-key", "1")
        newest = await ask(suite, "identity", "remove-key", "2")
        await suite.stop("loyalty")
        await suite.start("loyalty")
        exported = await ask(suite, "member", "export", member.card)

    assert added.output == f"master key 2 is the newest in {tmp_path}/var/identity-keys\n"
    assert (too_soon.status, too_soon.output) == (1, "")
    assert "master key 1 is still needed" in too_soon.errors
    assert rotated.status == 0, rotated.errors
    assert rotated.output.splitlines()[-2:] == [
        "1 of 1 data keys, 1 of 1 people's indexes",
        "everything is under master key 2",
    ]
    assert used.output == "2\t1 data keys\t1 indexed\n1\t0 data keys\t0 indexed\n"
    assert (removed.status, removed.output) == (0, "master key 1 is gone\n")
    assert newest.status == 1
    assert json.loads(exported.output)["person"] == PERSON


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LOYALTY_IDENTITY_KEYS_FILE", "nowhere", "is no file"),
        ("LOYALTY_PHONE_COUNTRY_CODE", "+49", "country calling code"),
        ("LOYALTY_PHONE_COUNTRY_CODE", "049", "country calling code"),
        ("LOYALTY_KEYS_DATABASE_URL", "sqlite:///the-ledger.sqlite", "one of their own"),
        ("LOYALTY_RETENTION_BASKETS_DAYS", "-1", ""),
        ("LOYALTY_RETENTION_AUDIT_DAYS", "ten", ""),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    token = tmp_path / "service-token"
    token.write_text("x" * 64)

    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "loyalty", "serve"],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "BONPUNKT_DATA": str(tmp_path),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(token),
            "LOYALTY_LISTEN": "127.0.0.1:0",
            "LOYALTY_DATABASE_URL": "sqlite:///the-ledger.sqlite",
            name: value,
        },
        cwd=tmp_path,
    )

    assert done.returncode in (1, 2)
    assert name in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
