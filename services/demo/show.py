"""One run of the demo: services, members and tills made ready, baskets replayed, results told."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
from rich.console import Console

from bonpunkt.loyalty.v1 import job_pb2, job_pb2_grpc
from services.demo import deliveries, mapping, provision
from services.demo.addresses import target, way_to
from services.demo.deliveries import Received
from services.demo.figures import percentile
from services.demo.folder import Terminal
from services.demo.installation import Installation
from services.demo.progress import Progress, Snapshot
from services.demo.recordings import RecordedBasket, Recordings
from services.demo.replay import Position, Replay

WATCH_EVERY_S = 0.5
RECENT_CAPTURES = 2_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the demo is asked for. `baskets` None is all that are left; `per_s` 0 is no limit."""

    once: bool
    baskets: int | None
    at_once: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """How a finished replay ended. The field names are the keys of the run's last line.

    Points earned and redeemed are what is left of them after voids and returns, as in the ledger.
    """

    baskets: int
    checkouts_per_s: float
    p50_ms: float
    p99_ms: float
    points_earned: int
    points_redeemed: int
    same_basket_redemptions: int
    refused: int
    enrolled: int
    reserved: int
    released: int
    voided: int
    returned: int
    points_restored: int
    points_taken_back: int
    settled_by_night: int
    deliveries_expected: int
    deliveries_verified: int
    books_balance: bool
    seconds: float


class Show:
    """A run of the demo on an installation that is about to start."""

    def __init__(self, installation: Installation, console: Console, wishes: Wishes) -> None:
        self._installation = installation
        self._console = console
        self._wishes = wishes
        self._recordings = Recordings()
        self._actor = provision.actor(installation.folder.service_token())
        self._received = Received(verified_distinct=0, rejected=0)
        self._begun_s = time.perf_counter()

    async def run(self) -> int:
        """Goes on until cancelled; with `once`, returns the exit code when everything is done."""
        terminals = await self._make_ready()
        position = Position(self._installation.folder.baskets_done())
        replay = Replay(
            gateway=way_to("gateway", self._installation.addresses),
            ca=self._installation.ca,
            terminals=terminals,
            products=self._recordings.products,
            position=position,
        )
        left = self._recordings.basket_count() - position.baskets
        total = left if self._wishes.baskets is None else min(self._wishes.baskets, left)
        baskets = itertools.islice(self._recordings.baskets(start=position.baskets), total)
        try:
            return await self._replay(replay, baskets, total=total)
        finally:
            self._installation.folder.keep_baskets_done(position.baskets)

    async def _make_ready(self) -> dict[str, Terminal]:
        """Starts everything in order and fills it; returns the tills.

        Endpoints are known before the first member, so that they are told of every one. Terminals
        are added before the gateway starts, which then knows them all at once.
        """
        self._console.print("starting …")
        running, folder = self._installation, self._installation.folder
        await running.start("loyalty")
        await running.start_receivers()
        await running.ready("loyalty")
        await running.start("notifier", "admin")
        async with (
            running.channel_to("loyalty") as loyalty,
            running.channel_to("notifier") as notifier,
        ):
            terminals = await provision.add_terminals(
                loyalty, metadata=self._actor, stores=self._recordings.stores(), folder=folder
            )
            await running.start("gateway")
            await running.ready("gateway", "notifier")
            await provision.add_endpoints(
                notifier,
                metadata=self._actor,
                ports=running.addresses.receiver_ports,
                folder=folder,
            )
            shoppers = [
                mapping.shopper(number)
                for number in self._recordings.households()
                if not mapping.joins_at_till(number)
            ]
            await provision.enrol(loyalty, metadata=self._actor, shoppers=shoppers)
            password = await provision.renew_staff_password(loyalty, metadata=self._actor)
        await running.ready("admin")
        self._announce(password)
        return terminals

    def _announce(self, password: str) -> None:
        at = self._installation.addresses
        self._console.print(
            f"Bonpunkt is up. Admin page: http://{target(at.admin)}\n"
            f"Sign in as {provision.STAFF_NAME} with the password {password} "
            "(good until the next start)",
            soft_wrap=True,
        )

    async def _replay(
        self, replay: Replay, baskets: Iterator[RecordedBasket], *, total: int
    ) -> int:
        async with (
            aiohttp.ClientSession() as session,
            asyncio.TaskGroup() as group,
        ):
            with Progress(self._console) as progress:
                watching = group.create_task(self._watch(replay, progress, session, total=total))
                begun_s = time.perf_counter()
                await replay.run(baskets, at_once=self._wishes.at_once, per_s=self._wishes.per_s)
                took_s = time.perf_counter() - begun_s
                if not self._wishes.once:
                    await asyncio.Event().wait()  # until somebody stops the demo
                night = await self._nightly_run()
                due = await self._wait_for_deliveries()
                watching.cancel()
                self._show(replay, progress, total=total, last=True)
        return await self._tell(replay, total=total, took_s=took_s, night=night, due=due)

    async def _watch(
        self,
        replay: Replay,
        progress: Progress,
        session: aiohttp.ClientSession,
        *,
        total: int,
    ) -> None:
        """Keeps figures, picture and position fresh until cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError):  # if it died, the supervisor tells
                self._received = await deliveries.received(
                    session, self._installation.addresses.receiver_ports.values()
                )
            self._show(replay, progress, total=total)
            self._installation.folder.keep_baskets_done(replay.position.baskets)
            await asyncio.sleep(WATCH_EVERY_S)

    def _show(self, replay: Replay, progress: Progress, *, total: int, last: bool = False) -> None:
        figures = replay.figures
        now_s = time.perf_counter()
        recent_ms = figures.latencies_ms[-RECENT_CAPTURES:]
        snapshot = Snapshot(
            done=figures.answered,
            total=total,
            per_s=figures.per_s(now_s=now_s),
            points_earned=figures.points_earned,
            points_redeemed=figures.points_redeemed,
            same_basket_redemptions=figures.same_basket_redemptions,
            refused=figures.refused.total(),
            p50_ms=percentile(recent_ms, 50),
            p99_ms=percentile(recent_ms, 99),
            webhooks_verified=self._received.verified_distinct,
        )
        progress.show(snapshot, now_s=now_s, last=last)

    async def _nightly_run(self) -> int:
        """What loyalty does every night, as of the recorded time; how many members it settled."""
        async with self._installation.channel_to("loyalty") as loyalty:
            told = job_pb2_grpc.JobServiceStub(loyalty).RunNightly(
                job_pb2.RunNightlyRequest(), metadata=self._actor
            )
            return [progress.members_settled async for progress in told][-1]

    async def _wait_for_deliveries(self) -> int:
        """Waits until the receivers have what the ledger owes them; returns how many that is."""
        addresses = self._installation.addresses
        async with self._installation.channel_to("loyalty") as loyalty:
            due = await deliveries.expected(
                loyalty, metadata=self._actor, endpoints=len(addresses.receiver_ports)
            )
        await deliveries.wait_until_complete(due, lambda: self._received.verified_distinct)
        return due

    async def _tell(
        self, replay: Replay, *, total: int, took_s: float, night: int, due: int
    ) -> int:
        """Verifies the books, prints the last line, and judges."""
        figures = replay.figures
        balanced, said = await self._installation.books_balance()
        result = Result(
            baskets=figures.answered,
            checkouts_per_s=round(figures.answered / took_s, 1) if figures.answered else 0.0,
            p50_ms=round(percentile(figures.latencies_ms, 50), 2),
            p99_ms=round(percentile(figures.latencies_ms, 99), 2),
            points_earned=figures.points_earned - figures.points_taken_back,
            points_redeemed=figures.points_redeemed - figures.points_restored,
            same_basket_redemptions=figures.same_basket_redemptions,
            refused=figures.refused.total(),
            enrolled=figures.beside["enrolled"],
            reserved=figures.beside["reservation"],
            released=figures.beside["released"],
            voided=figures.beside["voided"],
            returned=figures.beside["returned"],
            points_restored=figures.points_restored,
            points_taken_back=figures.points_taken_back,
            settled_by_night=night,
            deliveries_expected=due,
            deliveries_verified=self._received.verified_distinct,
            books_balance=balanced,
            seconds=round(time.perf_counter() - self._begun_s, 2),
        )
        complete = figures.answered == total and result.deliveries_verified == due
        for reason, count in sorted(figures.refused.items()):
            print(f"refused: {count} {reason}")
        if self._received.rejected:
            print(f"receivers turned away {self._received.rejected} posts")
        if figures.unsettled:
            print(f"{figures.unsettled} checkouts were not answered", file=sys.stderr)
        if result.deliveries_verified != due:
            print("not every webhook arrived; see logs/notifier.log", file=sys.stderr)
        if not balanced:
            print(said, file=sys.stderr)
        print(json.dumps(dataclasses.asdict(result)), flush=True)
        return 0 if complete and balanced else 1
