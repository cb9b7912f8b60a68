"""A house with tills, members and one receiver, as the rehearsals use it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonpunkt.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from bonpunkt.till.v1 import till_pb2 as till
from services.runtime.grpc import channel
from tests.end_to_end import recorded
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.recorded import Checkout
from tests.end_to_end.replay import Replay, cashiers_of
from tests.notifier.receivers import SECRET, Receiver, receiving
from tests.servers.suite import CALL_WITHIN_S, Suite
from tests.servers.waiting import eventually

TILLS = 4
TOLD_WITHIN_S = 60.0
SERVICES = ("loyalty", "gateway", "notifier")


@dataclass(frozen=True, slots=True)
class Scene:
    suite: Suite
    ledger: Ledger
    receiver: Receiver
    purchases: Sequence[Checkout]

    @asynccontextmanager
    async def shopping(self, purchases: Sequence[Checkout]) -> AsyncIterator[Replay]:
        """These baskets at several tills; none is tried before `go_on` says so."""
        async with cashiers_of(self.suite, tills=TILLS) as cashiers:
            replay = Replay(cashiers, purchases)
            shopping = asyncio.create_task(replay.run())
            yield replay
            await shopping

    async def shop(self, purchases: Sequence[Checkout]) -> dict[str, till.Decision]:
        """Checks these baskets out; what the tills were told, by operation id."""
        async with self.shopping(purchases) as replay:
            await replay.go_on(until=len(purchases), limit=len(purchases))
        assert replay.unknown == 0, "nothing was in the way"
        return replay.decided

    async def ask(self, *words: str, **settings: str) -> str:
        """What `bonpunkt WORDS` says; raises with it unless the command succeeds."""
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            env={**self.suite.processes["notifier"].environment, **self._told(), **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await command.communicate()
        if command.returncode != 0:
            words_said = output.decode(errors="replace")
            raise RuntimeError(f"bonpunkt {' '.join(words)}: {command.returncode}\n{words_said}")
        return output.decode()

    def _told(self) -> dict[str, str]:
        environment = self.suite.processes["loyalty"].environment
        return {**environment, "CLI_LOYALTY": self.suite.loyalty_target}

    async def stop(self) -> None:
        """Everything, in the order in which nobody misses whom it needs."""
        for name in reversed(SERVICES):
            await self.suite.stop(name)

    async def start(self) -> None:
        for name in SERVICES:
            await self.suite.start(name)

    async def balances(self) -> dict[str, int]:
        """Points by member id, of everybody who shops here and is known."""
        cards = {each.shopper.card for each in self.purchases}
        members = [await self.ledger.member(card) for card in sorted(cards)]
        return {each.member_id: each.state.points for each in members}

    def told(self) -> dict[str, dict[str, Any]]:
        """The newest state of each member that the receiver was told, as docs/webhooks.md says."""
        newest: dict[str, dict[str, Any]] = {}
        for data in (post.data for post in self.receiver.posts):
            before = newest.get(data["member_id"])
            age = (data["epoch"], data["member_version"])
            if before is None or age > (before["epoch"], before["member_version"]):
                newest[data["member_id"]] = data
        return newest

    async def until_told(self) -> None:
        """Waits until the receiver's newest states are the ledger's balances."""
        wanted = await self.balances()

        def receiver_agrees_with_the_ledger() -> bool:
            told = self.told()
            return all(
                told.get(member_id, {}).get("points") == points
                for member_id, points in wanted.items()
            )

        await eventually(receiver_agrees_with_the_ledger, within_s=TOLD_WITHIN_S)


@asynccontextmanager
async def scene(folder: Path, purchases: Sequence[Checkout], **suite: Any) -> AsyncIterator[Scene]:
    """A running house in which everybody who is to shop is a member."""
    settings = {"NOTIFIER_ALLOW_LOOPBACK": "true", **suite.pop("settings", {})}
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        receiver = await enter(receiving())
        running = await enter(Suite(folder, notifier=True, settings=settings, **suite))
        await _add_endpoint(running, receiver.url)
        await recorded.enrol(running, purchases)
        ledger = await enter(ledger_of(running))
        yield Scene(running, ledger, receiver, purchases)


async def run_program(*words: str | Path, user: str | None = None, **environment: str) -> str:
    """Runs a program to its end, as `user` if this process is root; raises with its output."""
    program = await asyncio.create_subprocess_exec(
        *map(str, words),
        env={**os.environ, **environment},
        user=user if user and os.geteuid() == 0 else None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await program.communicate()
    said = output.decode(errors="replace")
    if program.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {program.returncode}:\n{said}")
    return said


async def _add_endpoint(suite: Suite, url: str) -> None:
    async with channel(suite.notifier_target) as notifier:
        await notifier_pb2_grpc.EndpointServiceStub(notifier).AddEndpoint(
            notifier_pb2.AddEndpointRequest(name="crm", url=url, secret=SECRET),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )
