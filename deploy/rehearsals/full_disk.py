"""The disk with the embedded ledger fills up while tills work, and has room again later.

    python -m deploy.rehearsals.full_disk [BASKETS]

As root on Linux: the data folder is a small file system in memory. What was acknowledged stays,
what cannot be booked is said to be undecided by name, and nobody has to restart anything.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bonpunkt.till.client import TillError
from bonpunkt.till.v1 import till_pb2 as pb
from deploy.rehearsals.scene import scene
from tests.end_to_end import recorded
from tests.end_to_end.recorded import Checkout
from tests.end_to_end.replay import Cashier, contradictions, damage
from tests.servers.waiting import eventually

SIZE = "48m"
TIMEOUT_MS = 1_000  # of checkouts while the disk is full: short, they would wait for room


@dataclass(frozen=True, slots=True)
class Report:
    told: dict[str, int]  # what tills heard while there was no room: answers, or causes by name
    after: int  # decided once there was room again; nothing was restarted
    damage: str
    contradictions: int  # acknowledged, and something else now
    books_balance: bool


async def rehearse(folder: Path, *, baskets: int) -> Report:
    """A third of the baskets before, while and after the disk is full; `folder` is that disk."""
    purchases = recorded.of_regulars(baskets, households=max(4, baskets // 5))
    third = baskets // 3
    tried, others = purchases[:third], purchases[third:]
    async with scene(folder / "var", purchases) as house, house.shopping(others) as replay:
        await replay.go_on(until=third, limit=third)
        ballast = _fill(folder)
        told = await _try(tried, replay.cashiers)
        ballast.unlink()
        before = len(replay.decided)
        await eventually(replay.cashiers[0].is_served)
        await replay.go_on(until=len(others), limit=len(others))
        await eventually(lambda: replay.tried == len(purchases))
        await replay.settle()
        found = damage(replay, await house.ledger.journal())
        return Report(
            told=dict(told),
            after=len(replay.decided) - before,
            damage=str(found),
            contradictions=len(await contradictions(replay)),
            books_balance=(await house.suite.verify())["ok"],
        )


def _fill(folder: Path) -> Path:
    """Takes all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            return ballast


async def _try(purchases: Sequence[Checkout], cashiers: Sequence[Cashier]) -> Counter[str]:
    """All at once; what has no answer stays with its cashier, to be settled later."""

    async def told(purchase: Checkout, cashier: Cashier) -> str:
        operation = purchase.capture()
        operation.timeout_ms = TIMEOUT_MS
        cashier.sent[operation.id] = operation
        try:
            decision = await cashier.till.send(operation)
        except TillError as error:
            cashier.unknown[operation.id] = operation
            return type(error).__name__
        if not decision.HasField("undecided"):
            cashier.decided[operation.id] = decision
            return str(decision.WhichOneof("result"))
        operation.timeout_ms = recorded.TIMEOUT_MS
        cashier.unknown[operation.id] = operation
        return pb.Undecided.Cause.Name(decision.undecided.cause)

    pairs = zip(purchases, list(cashiers) * len(purchases), strict=False)
    return Counter(await asyncio.gather(*(told(purchase, cashier) for purchase, cashier in pairs)))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own at `folder`, in memory; needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


if __name__ == "__main__":
    baskets = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with (
        tempfile.TemporaryDirectory(prefix="bonpunkt-rehearsal-") as made,
        small_disk(Path(made) / "disk") as disk,
    ):
        print(asyncio.run(rehearse(disk, baskets=baskets)))
