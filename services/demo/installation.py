"""A running installation: the services as child processes, each told by its environment."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import grpc

from services.demo.addresses import HOST, Addresses, target, way_to
from services.demo.folder import DataFolder
from services.demo.mapping import RECORDING_BEGINS
from services.demo.supervisor import Child, Supervisor
from services.runtime.grpc import channel, is_serving

MODULES = {
    "loyalty": "services.loyalty",
    "gateway": "services.pos_gateway",
    "notifier": "services.notifier",
    "admin": "services.loyalty.admin",
}
PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Installation:
    """Its folder, where its processes listen, and who watches them.

    `ca` are the certificates by which services with TLS are checked. Without `metrics` no process
    opens its metrics port, whose number is fixed, unless the environment says where.
    """

    folder: DataFolder
    addresses: Addresses
    children: Supervisor
    demo: bool
    ca: bytes | None = None
    metrics: bool = True

    def environment(self) -> dict[str, str]:
        """What every service is told on top of this process's own environment."""
        loyalty = way_to("loyalty", self.addresses)
        told = {
            "BONPUNKT_DATA": str(self.folder.root),
            "BONPUNKT_SERVICE_TOKEN_FILE": str(self.folder.service_token_file),
            "LOYALTY_LISTEN": self.addresses.loyalty,
            "GATEWAY_LISTEN": self.addresses.gateway,
            "GATEWAY_LOYALTY": loyalty,
            "NOTIFIER_LISTEN": self.addresses.notifier,
            "NOTIFIER_LOYALTY": loyalty,
            "ADMIN_LISTEN": self.addresses.admin,
            "ADMIN_LOYALTY": loyalty,
            "ADMIN_NOTIFIER": way_to("notifier", self.addresses),
        }
        if not self.metrics:
            off = {f"{name.upper()}_METRICS_LISTEN": "off" for name in MODULES}
            told |= {name: value for name, value in off.items() if name not in os.environ}
        if self.demo:
            told |= {
                "LOYALTY_DEMO": "true",
                "LOYALTY_CLOCK": "recorded",
                "LOYALTY_CLOCK_BEGINS": RECORDING_BEGINS.isoformat(),
            }
            told |= {"NOTIFIER_ALLOW_LOOPBACK": "true"}  # its receivers are on this machine
        return told

    async def start(self, *names: str) -> None:
        """Starts these services, without waiting for them."""
        for name in names:
            await self.children.start(
                Child(name, module=MODULES[name], environment=self.environment())
            )

    async def ready(self, *names: str) -> None:
        """Waits until these services say that they serve."""
        for name in names:
            await self.children.ready(name, self._probe(name))

    def channel_to(self, name: str) -> grpc.aio.Channel:
        """A channel to one of the services."""
        return channel(way_to(name, self.addresses), ca=self.ca)

    def _probe(self, name: str) -> Callable[[], Coroutine[Any, Any, bool]]:
        if name == "admin":
            return partial(_answers, f"http://{target(self.addresses.admin)}/healthz")
        return partial(is_serving, way_to(name, self.addresses), ca=self.ca)

    async def start_receivers(self) -> None:
        """Starts the demo's e-mail system and CRM, processes of their own, and waits for them."""
        for name, port in self.addresses.receiver_ports.items():
            self.folder.endpoint_secret(name)
            arguments = ["--name", name, "--port", str(port)]
            arguments += ["--secret-file", str(self.folder.endpoint_secret_file(name))]
            arguments += ["--state", str(self.folder.receiver_state_file(name))]
            await self.children.start(
                Child(name, module="services.demo.receiver", arguments=arguments)
            )
        for name, port in self.addresses.receiver_ports.items():
            await self.children.ready(name, partial(_answers, f"http://{HOST}:{port}/figures"))

    async def books_balance(self) -> tuple[bool, str]:
        """Whether `bonpunkt verify` finds the ledger in order, and what it says."""
        verifying = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "verify", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.environment()},
        )
        said, _ = await verifying.communicate()
        return verifying.returncode == 0, said.decode(errors="replace")


async def _answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        async with (
            aiohttp.ClientSession(timeout=PROBE_TIMEOUT) as session,
            session.get(url) as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
