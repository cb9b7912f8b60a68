"""The disk with the embedded ledger is lost and comes back from last night's backup.

    python -m deploy.rehearsals.embedded_restore [BASKETS]

Tills work through the backup, and on until the loss. The notifier's database survives, so receivers
were told of a future that the restored ledger never had; and somebody was erased in it.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bonpunkt.loyalty.v1 import identity_pb2 as identity
from bonpunkt.loyalty.v1 import identity_pb2_grpc
from bonpunkt.till import operations
from deploy.rehearsals.scene import Scene, scene
from services.runtime.grpc import channel
from tests.end_to_end import recorded
from tests.servers.suite import CALL_WITHIN_S, Member, Suite

LEDGER, KEYS = "loyalty.sqlite", "identity-keys.sqlite"


@dataclass(frozen=True, slots=True)
class Report:
    kept: int  # acknowledged before the backup, and there after the restore
    lost: int  # of those that should have been kept
    told_wrongly: int  # members of whom the receiver believes what the ledger does not say
    said: str  # by `bonpunkt restore`
    still_known: int  # people who were erased and are not
    books_balance: bool


async def rehearse(folder: Path, *, baskets: int) -> Report:
    """`baskets` before the backup, and as many after it."""
    purchases = recorded.of_regulars(2 * baskets, households=max(4, baskets // 5))
    data = folder / "var"
    async with scene(data, purchases) as here:
        before = await here.shop(purchases[:baskets])
        (leaving,) = await here.suite.enrol(1, opening_points=70)
        async with here.shopping(purchases[baskets:]) as replay:
            await replay.go_on(until=0, limit=baskets)
            await here.ask(
                "backup", str(folder / "backup"), "--keys", str(folder / "backup-of-keys")
            )
        (newcomer,) = await here.suite.enrol(1)
        await _erase(here.suite, leaving)
        await here.until_told()

        await here.stop()
        _lose_and_restore(data, {LEDGER: folder / "backup", KEYS: folder / "backup-of-keys"})
        said = await here.ask("restore")
        await here.start()

        await here.until_told()
        journal = {entry.operation_id for entry in await here.ledger.journal()}
        wrong = await _told_wrongly(here, but=[leaving, newcomer])
        return Report(
            kept=len(before.keys() & journal),
            lost=len(before.keys() - journal),
            told_wrongly=wrong,
            said=said,
            still_known=await _still_known(here.suite, leaving),
            books_balance=(await here.suite.verify())["ok"],
        )


def _lose_and_restore(data: Path, copies: dict[str, Path]) -> None:
    """A database's log belongs to the file that was lost: left there, it would spoil the copy."""
    for name, copy in copies.items():
        for lost in data.glob(f"{name}*"):
            if not lost.name.endswith(".lock"):
                lost.unlink()
        (data / name).write_bytes((copy / name).read_bytes())
        (data / name).chmod(0o600)


async def _erase(suite: Suite, member: Member) -> None:
    async with channel(suite.loyalty_target) as opened:
        await identity_pb2_grpc.IdentityServiceStub(opened).EraseMember(
            identity.EraseMemberRequest(
                operation_id=operations.new_id(),
                member_id=member.member_id,
                ground=identity.ERASURE_GROUND_REQUEST,
            ),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )


async def _still_known(suite: Suite, member: Member) -> int:
    async with channel(suite.loyalty_target) as opened:
        found = await identity_pb2_grpc.IdentityServiceStub(opened).GetIdentity(
            identity.GetIdentityRequest(member_id=member.member_id),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )
    return 0 if found.HasField("erased") else 1


async def _told_wrongly(here: Scene, *, but: Sequence[Member]) -> int:
    """Everybody of whom the receiver was ever told is either known as told, or named as unknown."""
    balances = await here.balances()
    others = {member.member_id for member in but}
    return sum(
        balances.get(member_id) != data["points"]
        for member_id, data in here.told().items()
        if member_id not in others
    )


if __name__ == "__main__":
    baskets = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="bonpunkt-rehearsal-") as made:
        print(asyncio.run(rehearse(Path(made), baskets=baskets)))
