"""The demo's e-mail system and CRM as processes: they verify webhooks as strangers would."""

import base64
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bonpunkt.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from services.runtime.grpc import channel
from tests.end_to_end.ledger import Ledger
from tests.servers import child
from tests.servers.ports import free_port
from tests.servers.suite import CALL_WITHIN_S, Suite
from tests.servers.waiting import eventually

# The notifier sends to this machine only where its operator says so.
LOOPBACK_ALLOWED = {"NOTIFIER_ALLOW_LOOPBACK": "true"}
NAMES = ("email", "crm")
STOP_WITHIN_S = 10.0
DELIVERED_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Received:
    """What one receiver counted: verified by the independent package, or turned away."""

    verified_distinct: int
    verified_total: int
    rejected: int
    versions_backwards: int


class Receivers:
    """Both receivers, told of every event."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports

    async def figures(self) -> dict[str, Received]:
        """By receiver."""
        found = {}
        async with aiohttp.ClientSession() as session:
            for name, port in self._ports.items():
                async with session.get(f"http://127.0.0.1:{port}/figures") as answer:
                    said = await answer.json()
                found[name] = Received(*(said[field] for field in Received.__slots__))
        return found

    async def have_all_of(self, ledger: Ledger) -> dict[str, Received]:
        """Waits until each receiver has as many distinct webhooks as members were changed.

        Returns what they have then; raises with it if that is not all within the time.
        """
        due = (await ledger.overview()).member_changes
        figures: dict[str, Received] = {}

        async def every_webhook_has_arrived() -> bool:
            figures.update(await self.figures())
            return all(each.verified_distinct >= due for each in figures.values())

        try:
            await eventually(every_webhook_has_arrived, within_s=DELIVERED_WITHIN_S)
        except TimeoutError:
            raise AssertionError(f"{due} webhooks are due to each of {figures}") from None
        return figures

    async def answer(self) -> bool:
        """Whether both are up."""
        try:
            return bool(await self.figures())
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def running_receivers(suite: Suite) -> AsyncIterator[Receivers]:
    """Starts both and tells the notifier of them, before the first member is known."""
    ports = {name: free_port() for name in NAMES}
    running = []
    try:
        for name, port in ports.items():
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
            command = _command(suite.folder, name=name, port=port, secret=secret)
            running.append(child.spawn(command, log=suite.folder / f"{name}.log"))
            await _add_endpoint(suite, name=name, port=port, secret=secret)
        receivers = Receivers(ports)
        await eventually(receivers.answer)
        yield receivers
    finally:
        for process in running:
            child.end(process, by=signal.SIGTERM, within_s=STOP_WITHIN_S)


def _command(folder: Path, *, name: str, port: int, secret: str) -> list[str | Path]:
    secret_file = folder / f"{name}.secret"
    secret_file.write_text(secret, encoding="ascii")
    return [
        *(sys.executable, "-m", "services.demo.receiver"),
        *("--name", name, "--port", str(port)),
        *("--secret-file", secret_file, "--state", folder / f"{name}.received"),
    ]


async def _add_endpoint(suite: Suite, *, name: str, port: int, secret: str) -> None:
    request = notifier_pb2.AddEndpointRequest(
        name=name, url=f"http://127.0.0.1:{port}/", secret=secret
    )
    async with channel(suite.notifier_target) as notifier:
        await notifier_pb2_grpc.EndpointServiceStub(notifier).AddEndpoint(
            request, metadata=suite.metadata, timeout=CALL_WITHIN_S
        )
