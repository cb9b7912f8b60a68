"""Bonpunkt as a whole: loyalty, gateways, notifier and admin page as real processes."""

import asyncio
import itertools
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import grpc
import uuid_utils.compat as uuids
from stdnum import ean

from bonpunkt.loyalty.v1 import member_pb2 as members
from bonpunkt.loyalty.v1 import member_pb2_grpc as member_service
from bonpunkt.loyalty.v1 import terminal_pb2 as terminals
from bonpunkt.loyalty.v1 import terminal_pb2_grpc as terminal_service
from bonpunkt.till.v1 import till_pb2 as till
from bonpunkt.till.v1 import till_pb2_grpc as till_service
from services.runtime.grpc import Metadata, bearer, channel, is_serving
from tests.servers.ports import free_port
from tests.servers.process import Process, Ready
from tests.servers.waiting import eventually

ENROLMENTS_A_CALL = 512
CALL_WITHIN_S = 60.0
_METRICS = [f"{service}_METRICS_LISTEN" for service in ("LOYALTY", "GATEWAY", "NOTIFIER", "ADMIN")]


@dataclass(frozen=True, slots=True)
class Terminal:
    """A till that may speak."""

    terminal_id: str
    store_id: str
    secret: str

    @property
    def metadata(self) -> Metadata:
        """What this till shows the gateway with each call."""
        return (("bonpunkt-terminal", self.terminal_id), *bearer(self.secret))


@dataclass(frozen=True, slots=True)
class Member:
    """A shopper with a card."""

    member_id: str
    card: str


class Suite:
    """`async with Suite(folder) as suite`: starts everything, and ends everything afterwards.

    `folder` becomes the data folder. `database` and `notifier_database` are addresses; "sqlite" is
    the default file in the data folder. Several loyalty processes need PostgreSQL; gateway n talks
    to loyalty process n, counted round. `settings` are further environment variables of all;
    `loyalty_module` is what runs as loyalty.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "sqlite",
        notifier_database: str = "sqlite",
        loyalties: int = 1,
        gateways: int = 1,
        notifier: bool = False,
        admin: bool = False,
        settings: Mapping[str, str] | None = None,
        loyalty_module: str = "services.loyalty",
    ) -> None:
        self.folder = folder
        self.service_token = secrets.token_hex(32)
        self.processes: dict[str, Process] = {}
        self._shared = {
            "BONPUNKT_DATA": str(folder),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(folder / "service-token"),
            **dict.fromkeys(_METRICS, "off"),
            **_address("LOYALTY_DATABASE_URL", database),
            **_address("NOTIFIER_DATABASE_URL", notifier_database),
            **(settings or {}),
        }
        self.loyalty_targets = [f"127.0.0.1:{free_port()}" for _ in range(loyalties)]
        self.gateway_targets = [f"127.0.0.1:{free_port()}" for _ in range(gateways)]
        self.notifier_target = f"127.0.0.1:{free_port()}" if notifier else ""
        self.admin_address = f"127.0.0.1:{free_port()}" if admin else ""
        self._cards = itertools.count(1)
        self._loyalty_module = loyalty_module
        self._add_processes()

    @property
    def loyalty_target(self) -> str:
        return self.loyalty_targets[0]

    @property
    def gateway_target(self) -> str:
        return self.gateway_targets[0]

    @property
    def admin_url(self) -> str:
        return f"http://{self.admin_address}"

    @property
    def metadata(self) -> Metadata:
        """What a caller inside the house shows; the tests act as `cli:tests`."""
        return (*bearer(self.service_token), ("bonpunkt-actor", "cli:tests"))

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        token_file = self.folder / "service-token"
        token_file.write_text(self.service_token, encoding="ascii")
        token_file.chmod(0o600)
        try:
            for process in self.processes.values():
                await process.start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def start(self, name: str) -> None:
        """Starts "loyalty", "loyalty-2", "gateway", "notifier" or "admin" again, as it was."""
        await self.processes[name].start()

    async def stop(self, name: str) -> int:
        """Ends a process in order; returns its exit status."""
        return await self.processes[name].stop()

    async def kill(self, name: str) -> None:
        """Ends a process as a power cut would."""
        await self.processes[name].kill()

    async def add_terminal(
        self, terminal_id: str | None = None, *, store_id: str = "store-1"
    ) -> Terminal:
        """A new till, known to loyalty and to every gateway that runs."""
        terminal_id = terminal_id or f"till-{uuids.uuid7()}"
        request = terminals.AddTerminalRequest(terminal_id=terminal_id, store_id=store_id)
        async with channel(self.loyalty_target) as to_loyalty:
            stub = terminal_service.TerminalServiceStub(to_loyalty)
            added = await stub.AddTerminal(request, metadata=self.metadata, timeout=CALL_WITHIN_S)
        terminal = Terminal(terminal_id=terminal_id, store_id=store_id, secret=added.secret)
        for number, target in enumerate(self.gateway_targets, start=1):
            if self.processes[_name("gateway", number)].is_running:
                await _until_known(terminal, gateway=target)
        return terminal

    async def enrol(
        self, count: int, *, language: str = "de", opening_points: int = 0
    ) -> list[Member]:
        """So many new members, each with a card, and with points that they bring along."""
        new = [Member(member_id=str(uuids.uuid7()), card=self.card()) for _ in range(count)]
        async with channel(self.loyalty_target) as to_loyalty:
            stub = member_service.MemberServiceStub(to_loyalty)
            for first in range(0, count, ENROLMENTS_A_CALL):
                some = new[first : first + ENROLMENTS_A_CALL]
                request = _enrolments(some, language=language, opening_points=opening_points)
                answer = await stub.EnrolMembers(
                    request, metadata=self.metadata, timeout=CALL_WITHIN_S
                )
                refused = [outcome for outcome in answer.outcomes if not outcome.accepted]
                assert not refused, refused[:3]
        return new

    async def verify(self) -> dict[str, Any]:
        """What `bonpunkt verify --json` finds in the ledger's database, by invariant."""
        verifying = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "verify", "--json"),
            env=self.processes["loyalty"].environment,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await verifying.communicate()
        found: dict[str, Any] = json.loads(output)
        return found

    def card(self) -> str:
        """Nobody's yet: a valid EAN-13 of the range that a company may number for itself."""
        digits = f"29{next(self._cards):010d}"
        return digits + ean.calc_check_digit(digits)

    def _add_processes(self) -> None:
        for number, target in enumerate(self.loyalty_targets, start=1):
            self._add("loyalty", self._loyalty_module, number, {"LOYALTY_LISTEN": target})
        for number, target in enumerate(self.gateway_targets, start=1):
            loyalty = self.loyalty_targets[(number - 1) % len(self.loyalty_targets)]
            settings = {"GATEWAY_LISTEN": target, "GATEWAY_LOYALTY": loyalty}
            if number > 1:
                settings["BONPUNKT_DATA"] = str(self.folder / f"gateway-{number}")
            self._add("gateway", "services.pos_gateway", number, settings)
        loyalty = self.loyalty_target
        if self.notifier_target:
            settings = {"NOTIFIER_LISTEN": self.notifier_target, "NOTIFIER_LOYALTY": loyalty}
            self._add("notifier", "services.notifier", 1, settings)
        if self.admin_address:
            settings = {"ADMIN_LISTEN": self.admin_address, "ADMIN_LOYALTY": loyalty}
            if self.notifier_target:
                settings["ADMIN_NOTIFIER"] = self.notifier_target
            self._add("admin", "services.loyalty.admin", 1, settings)

    def _add(self, kind: str, module: str, number: int, settings: Mapping[str, str]) -> None:
        name = _name(kind, number)
        listen = settings[f"{kind.upper()}_LISTEN"]
        self.processes[name] = Process(
            name,
            module=module,
            environment={**self._shared, **settings},
            log=self.folder / f"{name}.log",
            ready=_answers_http(listen) if kind == "admin" else _answers_grpc(listen),
        )

    async def _end(self) -> None:
        """In the reverse order of the start, so that nobody misses whom it needs."""
        for process in reversed(self.processes.values()):
            await process.stop()


def _name(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}-{number}"


async def _until_known(terminal: Terminal, *, gateway: str) -> None:
    """Asks for an operation that never was until the gateway knows the till; writes nothing."""
    never_was = till.Status(operation_id=str(uuids.uuid7()))
    question = till.Operation(id=str(uuids.uuid7()), status=never_was)
    request = till.SubmitRequest(operations=[question])
    async with channel(gateway) as to_gateway:
        stub = till_service.TillServiceStub(to_gateway)

        async def gateway_knows_the_till() -> bool:
            try:
                await stub.Submit(request, metadata=terminal.metadata, timeout=CALL_WITHIN_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                    raise
                return False
            return True

        await eventually(gateway_knows_the_till)


def _address(name: str, database: str) -> dict[str, str]:
    return {} if database == "sqlite" else {name: database}


def _enrolments(
    new: list[Member], *, language: str, opening_points: int
) -> members.EnrolMembersRequest:
    return members.EnrolMembersRequest(
        enrolments=[
            members.Enrolment(
                operation_id=str(uuids.uuid7()),
                member_id=member.member_id,
                card=member.card,
                language=language,
                opening_points=opening_points,
            )
            for member in new
        ]
    )


def _answers_grpc(target: str) -> Ready:
    async def ready() -> bool:
        return await is_serving(target)

    return ready


def _answers_http(address: str) -> Ready:
    async def ready() -> bool:
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"http://{address}/healthz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

    return ready
