"""TLS between real processes: every hop of a checkout, renewal, and certificates to be refused."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bonpunkt.loyalty.v1 import journal_pb2
from bonpunkt.till.client import NotConnected, Till
from bonpunkt.till.operations import new_id
from services.commands.trial_ca import new_authority
from services.loyalty.admin.peers import Loyalty
from services.runtime.grpc import is_serving
from tests.servers.certificates import Files, certificate_files
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.waiting import eventually

TOKEN = "ab" * 32
SOON = timedelta(seconds=5)


@dataclass(frozen=True)
class House:
    """Loyalty and a gateway that speak nothing but TLS, each with a certificate of its own."""

    folder: Path
    loyalty: Process
    gateway: Process
    loyalty_files: Files
    loyalty_target: str
    gateway_target: str

    @property
    def ca(self) -> Path:
        return self.loyalty_files.ca

    async def ask(self, *words: str) -> tuple[int, str]:
        """What the command line says to an operator."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**self.loyalty.environment, "CLI_LOYALTY": self.loyalty_target},
        )
        said, _ = await command.communicate()
        assert command.returncode is not None
        return command.returncode, said.decode()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    files, of_gateway = certificate_files(tmp_path / "loyalty"), tmp_path / "gateway-tls"
    of_gateway.mkdir()
    gateway_files = Files(of_gateway, files.authority)
    gateway_files.write(gateway_files.signed())
    (tmp_path / "token").write_text(TOKEN)
    loyalty_port, gateway_port = free_port(), free_port()
    shared = {
        "BONPUNKT_DATA": str(tmp_path),
        "BONPUNKT_SERVICE_TOKEN_FILE": str(tmp_path / "token"),
        "LOYALTY_METRICS_LISTEN": "off",
        "GATEWAY_METRICS_LISTEN": "off",
    }
    loyalty_target, gateway_target = (
        f"https://localhost:{port}" for port in (loyalty_port, gateway_port)
    )
    ca = files.ca.read_bytes()
    loyalty = Process(
        "loyalty",
        module="services.loyalty",
        environment={
            **shared,
            **files.settings("LOYALTY"),
            "LOYALTY_LISTEN": f"127.0.0.1:{loyalty_port}",
        },
        log=tmp_path / "loyalty.log",
        ready=lambda: is_serving(loyalty_target, ca=ca),
    )
    gateway = Process(
        "gateway",
        module="services.pos_gateway",
        environment={
            **shared,
            **gateway_files.settings("GATEWAY"),
            "GATEWAY_LISTEN": f"127.0.0.1:{gateway_port}",
            "GATEWAY_LOYALTY": loyalty_target,
        },
        log=tmp_path / "gateway.log",
        ready=lambda: is_serving(gateway_target, ca=ca),
    )
    try:
        await loyalty.start()
        await gateway.start()
        yield House(tmp_path, loyalty, gateway, files, loyalty_target, gateway_target)
    finally:
        await gateway.stop()
        await loyalty.stop()


def logged(process: Process, event: str) -> list[dict[str, object]]:
    """The lines of a process's log that tell this."""
    lines = [json.loads(each) for each in process.log.read_text().splitlines() if each[:1] == "{"]
    return [line for line in lines if line["event"] == event]


async def a_till(house: House) -> Till:
    """A new terminal's client."""
    terminal_id = f"till-{new_id()}"
    status, said = await house.ask("terminal", "add", terminal_id, "--store", "store-1")
    assert status == 0, said
    secret = said.splitlines()[1].split()[1]
    return Till(house.gateway_target, terminal_id=terminal_id, secret=secret, ca_file=house.ca)


async def test_a_question_goes_from_till_to_ledger_and_back_by_tls(house: House) -> None:
    async with await a_till(house) as till:
        await till.connected()
        asked = await till.identify("nobody's")

    assert asked.HasField("refused")
    for process in (house.loyalty, house.gateway):
        [line] = logged(process, "listening")
        assert line["tls"] is True


async def test_the_admin_pages_questions_go_by_tls(house: House) -> None:
    peer = Loyalty(house.loyalty_target, TOKEN, ca=house.ca.read_bytes())

    answer = await asyncio.to_thread(
        peer.ask, peer.journal.GetOverview, journal_pb2.GetOverviewRequest()
    )

    assert answer.currency


async def test_a_renewed_certificate_is_taken_while_tills_go_on(house: House) -> None:
    async with await a_till(house) as till:
        await till.connected()
        house.loyalty_files.write(house.loyalty_files.signed())

        status, said = await house.ask("terminal", "list")

        assert status == 0, said
        assert logged(house.loyalty, "certificate renewed")
        assert (await till.identify("nobody's")).HasField("refused")
        assert not logged(house.gateway, "the stream to loyalty ended")


async def test_an_expired_certificate_is_refused_and_said_so(house: House) -> None:
    files = house.loyalty_files
    files.write(files.signed(ends_in=SOON))
    assert await is_serving(house.loyalty_target, ca=house.ca.read_bytes()), "it still holds"

    async def expired() -> bool:
        status, said = await house.ask("terminal", "list")
        return status == 1 and "its certificate has expired" in said

    await eventually(expired)
    files.write(files.signed())
    status, said = await house.ask("terminal", "list")
    assert status == 0, said


async def test_a_foreign_certificate_is_refused_by_command_line_gateway_and_till(
    house: House,
) -> None:
    await house.gateway.stop()
    files = house.loyalty_files
    files.write(files.signed(by=new_authority(now=datetime.now(UTC))))

    status, said = await house.ask("terminal", "list")
    await house.gateway.start()  # it knows its terminals from disk

    words = "no CA in BONPUNKT_CA_FILE has signed its certificate"
    assert status == 1
    assert words in said
    await eventually(lambda: bool(logged(house.gateway, "cannot connect")))
    [line, *_] = logged(house.gateway, "cannot connect")
    assert str(line["why"]).startswith(words)


async def test_a_till_gives_its_secret_to_no_gateway_that_it_does_not_trust(
    house: House, tmp_path: Path
) -> None:
    foreign = certificate_files(tmp_path / "foreign").ca
    # one address: of several, gRPC tells the last one's error, which may be that nobody listens
    target = house.gateway_target.replace("localhost", "127.0.0.1")
    async with Till(target, terminal_id="till-1", secret="secret-1", ca_file=foreign) as till:
        with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
            await till.connected(timeout_s=3)


async def test_plain_text_on_loopback_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    target = f"127.0.0.1:{free_port()}"
    loyalty = Process(
        "loyalty",
        module="services.loyalty",
        environment={
            "BONPUNKT_DATA": str(tmp_path),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(tmp_path / "token"),
            "LOYALTY_LISTEN": target,
            "LOYALTY_METRICS_LISTEN": "off",
        },
        log=tmp_path / "loyalty.log",
        ready=lambda: is_serving(target),
    )
    await loyalty.start()
    await loyalty.stop()

    [line] = logged(loyalty, "plain text is spoken here")
    assert line["level"] == "warning"
    assert (line["listen"], line["tls"]) == (target, False)


@pytest.mark.parametrize(
    ("module", "setting"),
    [
        ("services.loyalty", "LOYALTY"),
        ("services.pos_gateway", "GATEWAY"),
        ("services.notifier", "NOTIFIER"),
    ],
)
async def test_no_service_serves_others_in_plain_text(
    tmp_path: Path, module: str, setting: str
) -> None:
    (tmp_path / "token").write_text(TOKEN)

    async def never() -> bool:
        return False

    service = Process(
        "service",
        module=module,
        environment={
            "BONPUNKT_DATA": str(tmp_path),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(tmp_path / "token"),
            f"{setting}_LISTEN": f"0.0.0.0:{free_port()}",
        },
        log=tmp_path / "service.log",
        ready=never,
    )

    with pytest.raises(RuntimeError, match="ended with 2") as ended:
        await service.start()

    assert f"setting {setting}_LISTEN: " in str(ended.value)
    assert f"{setting}_TLS_CERTIFICATE_FILE and {setting}_TLS_KEY_FILE" in str(ended.value)
