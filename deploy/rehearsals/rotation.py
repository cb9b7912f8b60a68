"""Every secret is replaced while tills work: the service token, a till's secret, the master key.

    python -m deploy.rehearsals.rotation [BASKETS]

Certificates need no rehearsal of their own here: tests/runtime/test_tls.py renews them under way.
"""

import asyncio
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import grpc

from bonpunkt.loyalty.v1 import terminal_pb2, terminal_pb2_grpc
from bonpunkt.till import operations as build
from bonpunkt.till.client import Till, TillError
from deploy.rehearsals.scene import Scene, scene
from services.runtime.grpc import bearer, channel
from tests.end_to_end import recorded
from tests.end_to_end.ledger import ledger_of
from tests.end_to_end.replay import Replay, damage
from tests.servers.suite import CALL_WITHIN_S, Terminal

PROCESSES = ("loyalty", "gateway", "notifier")


@dataclass(frozen=True, slots=True)
class Report:
    old_token_works: bool
    old_till_works: bool
    new_till_works: bool
    master_keys: str  # as `bonpunkt identity keys` tells them in the end
    damage: str
    books_balance: bool


async def rehearse(folder: Path, *, baskets: int) -> Report:
    """A share of the baskets is checked out while each process is replaced."""
    purchases = recorded.of_regulars(baskets, households=max(4, baskets // 5))
    async with scene(folder / "var", purchases) as house:
        async with house.shopping(purchases) as replay:
            old = house.suite.service_token
            new = secrets.token_hex(32)
            for tokens in (f"{old}\n{new}\n", f"{new}\n{old}\n", f"{new}\n"):
                await _replace_token(house, replay, tokens)
            house.suite.service_token = new
            async with ledger_of(house.suite) as ledger:
                await replay.go_on(until=baskets, limit=baskets)
                await replay.settle()
                found = damage(replay, await ledger.journal())
        old_till_works, new_till_works = await _replace_till(house)
        return Report(
            old_token_works=await _is_admitted(house, old),
            old_till_works=old_till_works,
            new_till_works=new_till_works,
            master_keys=await _replace_master_key(house),
            damage=str(found),
            books_balance=(await house.suite.verify())["ok"],
        )


async def _replace_token(house: Scene, replay: Replay, tokens: str) -> None:
    """One file for all, then each process again, one after the other, while tills work."""
    (house.suite.folder / "service-token").write_text(tokens, encoding="ascii")
    for name in PROCESSES:
        share = replay.tried + max(1, len(house.purchases) // (3 * len(PROCESSES) + 1))
        share = min(share, len(house.purchases))
        await replay.go_on(until=min(replay.tried, share), limit=share)
        await house.suite.stop(name)
        await house.suite.start(name)
        await replay.go_on(until=share, limit=share)


async def _is_admitted(house: Scene, token: str) -> bool:
    async with channel(house.suite.loyalty_target) as opened:
        try:
            await terminal_pb2_grpc.TerminalServiceStub(opened).ListTerminals(
                terminal_pb2.ListTerminalsRequest(),
                metadata=(*bearer(token), ("bonpunkt-actor", "cli:tests")),
                timeout=CALL_WITHIN_S,
            )
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAUTHENTICATED
    return True


async def _replace_till(house: Scene) -> tuple[bool, bool]:
    """A new terminal takes the place of the old one, which is blocked."""
    old = await house.suite.add_terminal("till-1")
    new = await house.suite.add_terminal("till-1.2")
    await house.ask("terminal", "block", old.terminal_id)
    return await _works(house, old), await _works(house, new)


async def _works(house: Scene, terminal: Terminal) -> bool:
    target = house.suite.gateway_target
    async with Till(target, terminal_id=terminal.terminal_id, secret=terminal.secret) as till:
        try:
            return (await till.status(build.new_id())).HasField("status_found")
        except TillError:
            return False


async def _replace_master_key(house: Scene) -> str:
    await house.ask("identity", "add-key")
    await house.ask("identity", "rotate")
    await house.ask("identity", "remove-key", "1")
    return await house.ask("identity", "keys")


if __name__ == "__main__":
    baskets = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory(prefix="bonpunkt-rehearsal-") as made:
        print(asyncio.run(rehearse(Path(made), baskets=baskets)))
