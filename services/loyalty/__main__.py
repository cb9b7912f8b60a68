"""The loyalty process: wiring only."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

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
from services.loyalty.installation import WrongInstallationError, open_installation, open_programmes
from services.loyalty.job_service import JobServicer
from services.loyalty.jobs import Nightly, ReservationTimer, every_night
from services.loyalty.journal_service import JournalServicer
from services.loyalty.lanes import Lanes
from services.loyalty.ledger_service import LedgerServicer
from services.loyalty.member_service import MemberServicer
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
from services.runtime.grpc import Server, TokenInterceptor
from services.runtime.logs import configure, logger
from services.runtime.process import run
from services.runtime.settings import load

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
        lanes = Lanes(store, programmes, clock, committed=signal.notify, reserved=timer.reserved)
        quotes = Quotes(store.reader, programmes, clock)
        server = Server(
            service_names=SERVICES, interceptors=[TokenInterceptor(settings.service_token)]
        )
        ledger = LedgerServicer(lanes, quotes, programmes, clock)
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, server.grpc)
        feed_pb2_grpc.add_FeedServiceServicer_to_server(
            FeedServicer(store.engine, installation, signal), server.grpc
        )
        journal_pb2_grpc.add_JournalServiceServicer_to_server(
            JournalServicer(store.engine, installation, programmes), server.grpc
        )
        _add_office(server, store, lanes, terminals_changed, programmes=programmes, clock=clock)
        await _add_identity(server, settings, vault, lanes, programmes=programmes, clock=clock)
        nightly = Nightly(
            lanes, store.engine, clock, retention=settings.retention, wall_clock=_wall_clock
        )
        job_pb2_grpc.add_JobServiceServicer_to_server(
            JobServicer(nightly, Actors(store.engine, _wall_clock)), server.grpc
        )
        beside = [asyncio.create_task(timer.run(lanes))]
        if settings.nightly_at is not None:
            zone = programmes.current.time_zone
            at_night = every_night(
                nightly, at=settings.nightly_at, time_zone=zone, wall_clock=_wall_clock
            )
            beside.append(asyncio.create_task(at_night))
        working = [asyncio.create_task(lanes.run()), asyncio.create_task(quotes.run())]
        port = await server.start(settings.listen)
        log.info("loyalty serves", listen=settings.listen, port=port, tls=False)
        await _until_stopped(stop, [*working, *beside])
        for job in beside:
            job.cancel()
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


async def _until_stopped(stop: asyncio.Event, working: list[asyncio.Task[None]]) -> None:
    """Waits for the stop; a worker that ends before it is a bug that must not go unseen."""
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopped, *working}, return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        task.result()
        raise AssertionError("a worker ended although nothing was stopped")


if __name__ == "__main__":
    main()
