"""The command line, asked as an operator asks it: a process of its own against real services."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bonpunkt.loyalty.v1 import staff_pb2, staff_pb2_grpc
from services.runtime.grpc import channel
from tests.commands.asking import ask, ask_in
from tests.servers.ports import free_port
from tests.servers.suite import Suite

COMMANDS: list[Sequence[str]] = [
    (),
    ("up",),
    ("verify",),
    ("certs",),
    ("config",),
    ("loyalty", "nightly"),
    *((service, "serve") for service in ("loyalty", "gateway", "notifier", "admin")),
    ("loyalty", "migrate"),
    *(("terminal", verb) for verb in ("add", "list", "block")),
    *(("staff", verb) for verb in ("add", "set-password")),
    *(("endpoint", verb) for verb in ("add", "list", "enable", "disable")),
    ("member",),
    *(("member", verb) for verb in ("add", "import", "show", "block", "unblock", "cards", "merge")),
    *(("member", verb) for verb in ("adjust", "adjustments", "approve", "decline", "statement")),
    ("terminal", "end-of-day"),
    ("member", "export"),
    ("member", "erase"),
    ("identity",),
    *(
        ("identity", verb)
        for verb in ("add-key", "rotate", "keys", "remove-key", "repeat-erasures")
    ),
]


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    folder = tmp_path_factory.mktemp("cli")
    settings = {"NOTIFIER_ALLOW_LOOPBACK": "true"}
    async with Suite(folder, gateways=0, notifier=True, settings=settings) as running:
        yield running


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *words, "--help"], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


def test_help_loads_nothing_that_takes_time() -> None:
    program = (
        "import sys; import services.cli;"
        "print([n for n in ('grpc', 'sqlalchemy', 'rich', 'pyarrow', 'flask') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


async def test_a_terminal_is_added_listed_and_blocked(suite: Suite) -> None:
    added = await ask(suite, "terminal", "add", "s1-till-1", "--store", "s1")
    before = await ask(suite, "terminal", "list")
    blocked = await ask(suite, "terminal", "block", "s1-till-1")
    after = await ask(suite, "terminal", "list")

    assert added.status == blocked.status == 0
    assert "secret   " in added.output
    assert "s1-till-1\ts1\tactive" in before.output
    assert "s1-till-1\ts1\tblocked" in after.output


async def test_a_refusal_is_one_line_and_status_1(suite: Suite) -> None:
    await ask(suite, "terminal", "add", "twice", "--store", "s1")
    again = await ask(suite, "terminal", "add", "twice", "--store", "s1")

    assert again.status == 1
    assert again.output == ""
    assert again.errors.startswith("Error: already exists: ")
    assert again.errors.count("\n") == 1


async def test_what_was_written_names_who_asked(suite: Suite) -> None:
    await ask(suite, "terminal", "add", "by-ada", "--store", "s1")

    async with channel(suite.loyalty_target) as loyalty:
        audit = await staff_pb2_grpc.StaffServiceStub(loyalty).ListAudit(
            staff_pb2.ListAuditRequest(), metadata=suite.metadata
        )
    assert [entry.actor for entry in audit.entries if entry.subject == "by-ada"] == ["cli:ada"]


async def test_staff_sign_in_with_the_password_from_standard_input(suite: Suite) -> None:
    words = ("staff", "add", "berta", "--role", "clerk", "--password-stdin")
    added = await ask(suite, *words, typed="correct horse battery\n")
    changed = await ask(
        suite, "staff", "set-password", "berta", "--password-stdin", typed="another long one\n"
    )

    assert added.output == "berta may sign in as clerk\n"
    assert changed.status == 0
    async with channel(suite.loyalty_target) as loyalty:
        signed_in = await staff_pb2_grpc.StaffServiceStub(loyalty).SignIn(
            staff_pb2.SignInRequest(name="berta", password="another long one"),
            metadata=suite.metadata,
        )
    assert signed_in.staff.role == "clerk"


async def test_a_password_is_never_an_argument(suite: Suite) -> None:
    """The machine's other users would see it in the list of processes."""
    said = await ask(suite, "staff", "add", "carl", "--password", "correct horse battery")

    assert said.status == 2


async def test_a_password_that_is_too_short_is_refused(suite: Suite) -> None:
    said = await ask(suite, "staff", "add", "dora", "--password-stdin", typed="short\n")

    assert said.status == 1
    assert said.errors.startswith("Error: invalid argument: ")


async def test_an_endpoint_is_added_disabled_and_enabled(suite: Suite) -> None:
    url = f"http://127.0.0.1:{free_port()}/webhook"
    added = await ask(suite, "endpoint", "add", "crm", url)
    await ask(suite, "endpoint", "disable", "crm")
    disabled = await ask(suite, "endpoint", "list")
    await ask(suite, "endpoint", "enable", "crm")
    enabled = await ask(suite, "endpoint", "list")

    assert "secret   whsec_" in added.output
    assert f"crm\t{url}\tdisabled: by staff" in disabled.output
    assert f"crm\t{url}\tenabled" in enabled.output


async def test_verify_tells_every_invariant(suite: Suite) -> None:
    lines = await ask(suite, "verify")
    report = await suite.verify()

    assert lines.status == 0, lines.output + lines.errors
    assert "I1 " in lines.output
    assert report["ok"] is True


async def test_a_service_that_does_not_answer_is_told(suite: Suite) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    said = await ask(suite, "terminal", "list", "--loyalty", nobody)

    assert said.status == 1
    assert said.errors.startswith(f"Error: nothing answers at {nobody}: ")
    assert said.errors.count("\n") == 1


async def test_a_wrong_service_token_is_told(suite: Suite, tmp_path: Path) -> None:
    other = tmp_path / "token"
    other.write_text("ab" * 32)
    environment = {**os.environ, "BONPUNKT_SERVICE_TOKEN_FILE": str(other)}
    said = await ask_in(environment, "terminal", "list", "--loyalty", suite.loyalty_target)

    assert said.status == 1
    assert said.errors.startswith("Error: unauthenticated: ")


async def test_a_missing_service_token_is_told(suite: Suite, tmp_path: Path) -> None:
    environment = {**os.environ, "BONPUNKT_DATA": str(tmp_path)}
    said = await ask_in(environment, "terminal", "list", "--loyalty", suite.loyalty_target)

    assert said.status == 2
    assert "BONPUNKT_SERVICE_TOKEN_FILE" in said.errors


@pytest.mark.parametrize("words", [("--once",), ("--baskets", "3")])
def test_words_that_belong_to_the_demo_are_refused_without_it(words: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "up", *words], capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "belong to --demo" in done.stderr
