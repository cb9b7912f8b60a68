"""Whoever is erased is in no file any more: not in databases, their logs and dumps, not in what the
processes log, not at the notifier; and a restored backup is made to forget them again.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from bonpunkt.loyalty.v1 import identity_pb2_grpc
from bonpunkt.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2, till_pb2_grpc
from services.runtime.grpc import channel
from tests.end_to_end.conftest import fresh
from tests.end_to_end.ledger import ledger_of
from tests.servers.ports import free_port
from tests.servers.programs import POSTGRES_FOLDER, Program
from tests.servers.suite import CALL_WITHIN_S, Member, Suite
from tests.servers.waiting import eventually

MARKER = "zq7marker"  # in everything that is known of a person
PHONE_MARKER = "9177355"  # in their telephone numbers, which have no letters
SEEN = "zq7seen"  # in a store's name: whoever searches must find it, or the search is none
READ_AT_ONCE = 1 << 24  # bytes
PG_DUMP = Program("pg_dump", "postgresql", POSTGRES_FOLDER)
OTHERS = 2


@dataclass(frozen=True, slots=True)
class House:
    """A suite with its identities, and where all of its data is."""

    suite: Suite
    databases: Sequence[str]  # of PostgreSQL: ledger, keys, notifier
    identities: "identity_pb2_grpc.IdentityServiceAsyncStub"

    async def put(self, member: Member, number: int) -> None:
        """Personal data and two consents, a marker in each text."""
        await self.identities.PutIdentity(
            pb.PutIdentityRequest(member_id=member.member_id, profile=_profile(number)),
            metadata=self.suite.metadata,
            timeout=CALL_WITHIN_S,
        )
        for given in (True, False):
            consent = pb.Consent(
                consent_id=operations.new_id(),
                purpose=f"{MARKER}_mail",
                given=given,
                text_version=f"{MARKER} {number}",
                channel=f"{MARKER}_web",
                at=Timestamp(seconds=1_700_000_000 + number),
            )
            await self.identities.SetConsent(
                pb.SetConsentRequest(member_id=member.member_id, consent=consent),
                metadata=self.suite.metadata,
                timeout=CALL_WITHIN_S,
            )

    async def found(self, number: int) -> int:
        """How many people are found by the data of this one."""
        profile = _profile(number)
        asked = [
            pb.FindMembersRequest(email=profile.email),
            pb.FindMembersRequest(phone=profile.phone),
            pb.FindMembersRequest(
                name=pb.Name(surname=profile.surname, given_name=profile.given_name)
            ),
        ]
        answers = [
            await self.identities.FindMembers(
                request, metadata=self.suite.metadata, timeout=CALL_WITHIN_S
            )
            for request in asked
        ]
        return sum(len(answer.members) for answer in answers)

    async def erase(self, member: Member) -> pb.EraseMemberResponse:
        return await self.identities.EraseMember(
            pb.EraseMemberRequest(
                operation_id=operations.new_id(),
                member_id=member.member_id,
                ground=pb.ERASURE_GROUND_REQUEST,
            ),
            metadata=self.suite.metadata,
            timeout=CALL_WITHIN_S,
        )

    async def ask(self, *words: str) -> tuple[int, str]:
        """Exit status and output of the command line."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            env={
                **self.suite.processes["loyalty"].environment,
                "CLI_LOYALTY": self.suite.loyalty_target,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await command.communicate()
        return command.returncode or 0, output.decode()


def _profile(number: int) -> pb.Profile:
    return pb.Profile(
        given_name=f"Given{MARKER}{number}",
        surname=f"Sur{MARKER}{number}",
        email=f"{MARKER}.{number}@{MARKER}.example.org",
        phone=f"+49 {PHONE_MARKER} {number:04}",
        birthday=f"19{number % 90 + 10}-02-03",
        language="de",
    )


@asynccontextmanager
async def house(
    folder: Path, database: str, databases: Sequence[str], **settings: str
) -> AsyncIterator[House]:
    async with (
        Suite(
            folder,
            database=database,
            notifier_database=databases[2] if databases else "sqlite",
            notifier=True,
            settings={"NOTIFIER_ALLOW_LOOPBACK": "true", **settings},
        ) as suite,
        channel(suite.loyalty_target) as opened,
    ):
        yield House(suite, databases, identity_pb2_grpc.IdentityServiceStub(opened))


async def shop(suite: Suite, members: Sequence[Member]) -> None:
    """Everybody buys something, at a store by whose name a search can show that it searches."""
    terminal = await suite.add_terminal(store_id=SEEN)
    line = operations.line_item("1", total_minor=2000, vat_rate_key="DE_19")
    async with channel(suite.gateway_target) as opened:
        stub = till_pb2_grpc.TillServiceStub(opened)
        for number, member in enumerate(members):
            basket = operations.basket(
                [line],
                receipt_number=str(number),
                business_date="2026-11-20",
                cashier="7",
                currency="EUR",
            )
            answer = await stub.Submit(
                till_pb2.SubmitRequest(operations=[operations.capture(member.card, basket)]),
                metadata=terminal.metadata,
                timeout=CALL_WITHIN_S,
            )
            assert answer.decisions[0].HasField("captured"), answer


async def add_endpoint(suite: Suite) -> None:
    """Somebody who is told of every change and never answers: deliveries stay where they are."""
    async with channel(suite.notifier_target) as opened:
        await notifier_pb2_grpc.EndpointServiceStub(opened).AddEndpoint(
            notifier_pb2.AddEndpointRequest(name="crm", url=f"http://127.0.0.1:{free_port()}/"),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )


async def until_told(suite: Suite, members: Sequence[Member]) -> None:
    """Waits until the notifier has every change of the members, and what it is to say of it."""
    async with channel(suite.notifier_target) as opened:
        stub = notifier_pb2_grpc.DeliveryServiceStub(opened)

        async def the_erasure_is_there(member: Member) -> bool:
            answer = await stub.ListDeliveries(
                notifier_pb2.ListDeliveriesRequest(member_id=member.member_id),
                metadata=suite.metadata,
                timeout=CALL_WITHIN_S,
            )
            return "member.erased" in {each.event_type for each in answer.deliveries}

        for member in members:
            await eventually(partial(the_erasure_is_there, member))


# --- the search -----------------------------------------------------------------------------


def files_with(marker: str, roots: Sequence[Path]) -> list[str]:
    """Files below the roots that contain the marker, in capitals or not."""
    return files_with_any([marker], roots)


def files_with_any(markers: Sequence[str], roots: Sequence[Path]) -> list[str]:
    wanted = re.compile(b"|".join(re.escape(marker.lower().encode()) for marker in markers))
    longest = max(map(len, markers))
    return sorted(
        str(file)
        for root in roots
        for file in root.rglob("*")
        if file.is_file() and any(wanted.search(part) for part in _parts(file, longest))
    )


def _parts(file: Path, overlap: int) -> Iterator[bytes]:
    """The file in lower case, in parts that overlap, so that nothing is cut in two."""
    rest = b""
    try:
        with file.open("rb") as content:
            while part := content.read(READ_AT_ONCE):
                yield rest + part.lower()
                rest = part.lower()[-overlap:]
    except FileNotFoundError:  # the server has removed it meanwhile
        return


def roots_of(house: House) -> list[Path]:
    """Where the suite, and PostgreSQL if there is one, keep anything; dumps are made into it."""
    roots = [house.suite.folder]
    for number, url in enumerate(house.databases):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        dump = house.suite.folder / f"dump-{number}.sql"
        with dump.open("wb") as output:
            subprocess.run([PG_DUMP.path(), url], stdout=output, check=True)
        roots = [*roots[:1], Path(data)]
    return roots


def test_the_search_finds_a_marker_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is cut in two by the parts in which a file is read."""
    monkeypatch.setattr(sys.modules[__name__], "READ_AT_ONCE", 16)
    for before in range(40):
        file = tmp_path / "sub" / f"{before}.sqlite-wal"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * before + MARKER.upper().encode() + b"x" * 20)
    (tmp_path / "other").write_text("x" * 100)

    assert len(files_with(MARKER, [tmp_path])) == 40


# --- the rule -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> list[str]:
    """Ledger, keys and notifier on PostgreSQL; none where all are SQLite files."""
    if request.param == "sqlite":
        return []
    return [fresh("postgresql", request) for _ in range(3)]


def settings_of(databases: Sequence[str]) -> Mapping[str, str]:
    return {"LOYALTY_KEYS_DATABASE_URL": databases[1]} if databases else {}


async def test_no_file_knows_who_was_erased(
    tmp_path: Path, databases: list[str], scaled: Callable[[int], int]
) -> None:
    count = scaled(200)
    database = databases[0] if databases else "sqlite"
    async with house(tmp_path / "var", database, databases, **settings_of(databases)) as home:
        await add_endpoint(home.suite)
        members = await home.suite.enrol(count + OTHERS)
        erased, others = members[:count], members[count:]
        await shop(home.suite, members)
        for number, member in enumerate(erased):
            await home.put(member, number)
            assert await home.found(number) == 3

        answers = [await home.erase(member) for member in erased]

        assert [answer.points_forfeited for answer in answers] == [10] * count
        await until_told(home.suite, erased)
        _assert_forgotten(home)
        for number, member in enumerate(erased):
            assert await home.found(number) == 0
            said = await home.identities.GetIdentity(
                pb.GetIdentityRequest(member_id=member.member_id),
                metadata=home.suite.metadata,
                timeout=CALL_WITHIN_S,
            )
            assert said.HasField("erased")
            assert not said.HasField("profile")
        await _assert_export_says_erased(home, erased[0])
        async with ledger_of(home.suite) as ledger:
            for member in others:
                assert (await ledger.member(member.card)).state.points == 10
        assert (await home.suite.verify())["ok"] is True
        await home.suite.stop("loyalty")
        await home.suite.stop("notifier")
        _assert_forgotten(home)
        # card numbers too; only PostgreSQL's own files keep dead rows until they need the room
        cards = [member.card for member in erased]
        assert files_with_any(cards, [home.suite.folder]) == []


def _assert_forgotten(home: House) -> None:
    roots = roots_of(home)
    assert files_with(SEEN, roots), "the search does not look where the data are"
    assert files_with(MARKER, roots) == []
    assert files_with(PHONE_MARKER, roots) == []


async def _assert_export_says_erased(home: House, member: Member) -> None:
    for named in (member.member_id, member.card):
        status, output = await home.ask("member", "export", named)
        assert status == 0, output
        document = json.loads(output)
        assert document["status"] == "erased"
        assert document["erased"]["ground"] == "request"
        assert document["person"] is None
        assert [entry["kind"] for entry in document["entries"]] == ["erase", "capture", "enrol"]
        assert [entry["basket"] for entry in document["entries"]] == [None, None, None]


# --- a restore ------------------------------------------------------------------------------

BACKED_UP = ("loyalty.sqlite", "identity-keys.sqlite")


async def test_a_restored_backup_forgets_whom_the_log_names(tmp_path: Path) -> None:
    """The log is no part of the backup: it is of today, the databases are of before."""
    folder, backup = tmp_path / "var", tmp_path / "backup"
    async with house(folder, "sqlite", []) as home:
        members = await home.suite.enrol(3)
        await shop(home.suite, members)
        for number, member in enumerate(members):
            await home.put(member, number)
        await home.suite.stop("loyalty")
        backup.mkdir()
        for name in BACKED_UP:
            shutil.copy(folder / name, backup / name)
        await home.suite.start("loyalty")
        for member in members[:2]:
            await home.erase(member)

        await home.suite.stop("loyalty")
        for name in BACKED_UP:
            for left in folder.glob(f"{name}-*"):
                left.unlink()
            shutil.copy(backup / name, folder / name)
        await home.suite.start("loyalty")
        assert await home.found(0) == 3, "the backup brought them back"
        assert (
            "people who were erased are in this database"
            in home.suite.processes["loyalty"].log.read_text()
        )

        status, output = await home.ask("identity", "repeat-erasures")

        assert (status, output) == (0, "2 of 2 erasures had to be repeated\n")
        assert [await home.found(number) for number in range(3)] == [0, 0, 3]
        assert (await home.suite.verify())["ok"] is True
        status, output = await home.ask("identity", "repeat-erasures")
        assert (status, output) == (0, "0 of 2 erasures had to be repeated\n")
