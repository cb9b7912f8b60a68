"""The loyalty process: wiring only."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from bonpunkt.loyalty.v1 import (
    feed_pb2_grpc,
    identity_pb2_grpc,
    job_pb2_grpc,
    journal_pb2_grpc,
    ledger_pb2_grpc,
    member_pb2_grpc,
    staff_pb2_grpc,
    terminal_pb2_grpc,
)
from services.loyalty.clock import Clock, RecordedClock, SystemClock
from services.loyalty.feed import FeedServicer, Signal
from services.loyalty.identity.masterkeys import MasterKeysError
from services.loyalty.identity.opening import open_eraser, open_vault
from services.loyalty.identity.vault import Vault
from services.loyalty.identity_service import IdentityServicer
from services.loyalty.installation import (
    Installation,
    WrongInstallationError,
    open_installation,
    open_programmes,
)
from services.loyalty.job_service import JobServicer
from services.loyalty.jobs import Nightly, ReservationTimer, every_night
from services.loyalty.journal_service import JournalServicer
from services.loyalty.lanes import Lanes
from services.loyalty.ledger_service import LedgerServicer
from services.loyalty.member_service import MemberServicer
from services.loyalty.metrics import LoyaltyMetrics
from services.loyalty.migrations import migrate
from services.loyalty.office.actors import Actors
from services.loyalty.office.instants import micros
from services.loyalty.office.staff import StaffServicer
from services.loyalty.office.terminals import TerminalsChanged, TerminalServicer
from services.loyalty.programmes.document import ProgrammeError
from services.loyalty.programmes.versions import Programmes
from services.loyalty.quotes import Quotes
from services.loyalty.settings import LoyaltySettings, read
from services.loyalty.store import Store, open_store
from services.loyalty.store_sqlite import AlreadyOpenError
from services.loyalty.traces import TracedLanes
from services.runtime import metrics
from services.runtime.compiled import CODE
from services.runtime.databases import until_it_answers
from services.runtime.grpc import Server, TokenInterceptor
from services.runtime.logs import configure, logger
from services.runtime.process import run
from services.runtime.settings import load
from services.runtime.tracing import traced

log = logger(__name__)
SERVICES = [
    f"bonpunkt.loyalty.v1.{name}Service"
    for name in (
        *("Ledger", "Feed", "Member", "Journal"),
        *("Terminal", "Staff", "Identity", "Job"),
    )
]
CANNOT_START = (
    WrongInstallationError,
    ProgrammeError,
    MasterKeysError,
    AlreadyOpenError,
    OSError,
    ValueError,
)


def main() -> None:
    settings = load(read)
    configure("loyalty", level=settings.log_level)
    try:
        run(lambda stop: serve(settings, stop))
    except CANNOT_START as error:
        raise SystemExit(f"loyalty cannot start: {error}") from error


async def serve(settings: LoyaltySettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set; then finishes what had arrived, and closes."""
    for url in (settings.database_url, settings.identity.keys_database_url):
        if not await until_it_answers(url, stop=stop):
            return
    async with AsyncExitStack() as closing:
        store = await open_store(settings.database_url, lanes=settings.lanes)
        closing.push_async_callback(store.close)
        clock: Clock = _clock(settings)
        if settings.migrate_at_start:
            await migrate(store.engine)
        installation = await open_installation(store.engine)
        programmes = await open_programmes(store.engine, settings.programme, now_us=clock.now_us())
        vault = await open_vault(store.engine, settings.identity, _wall_clock)
        closing.push_async_callback(vault.keys.close)
        signal, terminals_changed = Signal(), TerminalsChanged()
        timer = ReservationTimer(clock)
        registry = metrics.registry_of("loyalty", key_pair=settings.key_pair)
        seen = LoyaltyMetrics(registry)
        traces = traced(settings.tracing, service="loyalty", registry=registry)
        tracing = await closing.enter_async_context(traces)
        make_lanes = Lanes if tracing is None else partial(TracedLanes, tracing)
        lanes = make_lanes(
            store,
            programmes,
            clock,
            committed=signal.notify,
            reserved=timer.reserved,
            observed=seen.committed,
        )
        seen.watch_queue(lambda: lanes.queued)
        quotes = Quotes(store.reader, programmes, clock, observed=seen.questioned)
        admitting = TokenInterceptor(settings.service_token)
        server = Server(service_names=SERVICES, interceptors=[admitting])
        ledger = LedgerServicer(lanes, quotes, programmes, clock, observed=seen.answered)
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, server.grpc)
        _add_reading(server, store, installation, programmes, signal)
        _add_office(server, store, lanes, terminals_changed, programmes=programmes, clock=clock)
        await _add_identity(server, settings, vault, lanes, programmes=programmes, clock=clock)
        beside = [
            asyncio.create_task(timer.run(lanes)),
            *_add_nightly(server, settings, store, lanes, programmes=programmes, clock=clock),
        ]
        working = [asyncio.create_task(lanes.run()), asyncio.create_task(quotes.run())]
        watched = metrics.served(
            settings.metrics_listen,
            registry,
            is_ready=lambda: server.is_serving,
            key_pair=settings.key_pair,
            look_up=lambda: seen.look_up(store.engine),
        )
        await closing.enter_async_context(watched)
        await server.start(settings.listen, key_pair=settings.key_pair)
        log.info("loyalty serves", code=CODE)
        await _until_stopped(stop, working, beside=beside)
        ledger.drain()
        signal.close()
        terminals_changed.close()
        await server.stop()
        lanes.stop()
        quotes.stop()
        await asyncio.gather(*working)
        log.info("loyalty stopped")


def _clock(settings: LoyaltySettings) -> Clock:
    if settings.recorded_clock_begins is None:
        return SystemClock()
    return RecordedClock(begins_at_us=micros(settings.recorded_clock_begins))


def _add_reading(
    server: Server,
    store: Store,
    installation: Installation,
    programmes: Programmes,
    signal: Signal,
) -> None:
    """What was booked, for the notifier and for people."""
    feed = FeedServicer(store.engine, installation, signal)
    feed_pb2_grpc.add_FeedServiceServicer_to_server(feed, server.grpc)
    journal = JournalServicer(store.engine, installation, programmes)
    journal_pb2_grpc.add_JournalServiceServicer_to_server(journal, server.grpc)


def _add_office(
    server: Server,
    store: Store,
    lanes: Lanes,
    terminals_changed: TerminalsChanged,
    *,
    programmes: Programmes,
    clock: Clock,
) -> None:
    """Members, terminals and staff: everything that people, not tills, ask for."""

    actors = Actors(store.engine, _wall_clock)
    member_pb2_grpc.add_MemberServiceServicer_to_server(
        MemberServicer(
            lanes, store.engine, actors, programmes, clock=clock, wall_clock=_wall_clock
        ),
        server.grpc,
    )
    terminal_pb2_grpc.add_TerminalServiceServicer_to_server(
        TerminalServicer(store.engine, _wall_clock, terminals_changed), server.grpc
    )
    staff_pb2_grpc.add_StaffServiceServicer_to_server(
        StaffServicer(store.engine, _wall_clock), server.grpc
    )


def _add_nightly(
    server: Server,
    settings: LoyaltySettings,
    store: Store,
    lanes: Lanes,
    *,
    programmes: Programmes,
    clock: Clock,
) -> list[asyncio.Task[None]]:
    """The nightly run, for whoever orders it and, unless that is wished otherwise, by itself."""
    nightly = Nightly(
        lanes, store.engine, clock, retention=settings.retention, wall_clock=_wall_clock
    )
    job_pb2_grpc.add_JobServiceServicer_to_server(
        JobServicer(nightly, Actors(store.engine, _wall_clock)), server.grpc
    )
    if settings.nightly_at is None:
        return []
    zone = programmes.current.time_zone
    by_itself = every_night(nightly, at=settings.nightly_at, time_zone=zone, wall_clock=_wall_clock)
    return [asyncio.create_task(by_itself)]


async def _add_identity(
    server: Server,
    settings: LoyaltySettings,
    vault: Vault,
    lanes: Lanes,
    *,
    programmes: Programmes,
    clock: Clock,
) -> None:
    """Who the members are, kept apart from what they have."""
    eraser = await open_eraser(vault, settings.identity, lanes)
    identity_pb2_grpc.add_IdentityServiceServicer_to_server(
        IdentityServicer(
            vault,
            eraser,
            Actors(vault.engine, _wall_clock),
            programmes,
            clock,
            country_code=settings.identity.phone_country_code,
        ),
        server.grpc,
    )


def _wall_clock() -> datetime:
    return datetime.now(UTC)


async def _until_stopped(
    stop: asyncio.Event,
    working: list[asyncio.Task[None]],
    *,
    beside: list[asyncio.Task[None]],
) -> None:
    """Waits for the stop, and ends what runs beside. A worker that ends before it is a bug that
    must not go unseen.
    """
    stopped = asyncio.create_task(stop.wait())
    everything = {stopped, *working, *beside}
    done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        task.result()
        raise AssertionError("a worker ended although nothing was stopped")
    for job in beside:
        job.cancel()


if __name__ == "__main__":
    main()
