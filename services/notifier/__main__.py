"""The notifier's process: `bonpunkt notifier serve`."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack

import asyncpg
import grpc

from bonpunkt.notifier.v1 import notifier_pb2_grpc as pb_grpc
from services.notifier.actors import Actors
from services.notifier.addresses import Policy
from services.notifier.api import SERVICE_NAMES, DeliveryService, EndpointService
from services.notifier.database import AlreadyRunningError, Database, NotMigratedError
from services.notifier.endpoints import Endpoints
from services.notifier.intake import Intake
from services.notifier.line import Habits
from services.notifier.sender import Sender
from services.notifier.settings import Settings, read
from services.notifier.store import Store
from services.runtime import logs, process, settings
from services.runtime.grpc import Server, TokenInterceptor, bearer, channel

log = logs.logger(__name__)


def main() -> None:
    """Serves until SIGTERM; exit status 1 if the database is not to be had."""
    loaded = settings.load(read)
    logs.configure("notifier")
    try:
        process.run(lambda stop: serve(loaded, stop))
    except (AlreadyRunningError, NotMigratedError, OSError, asyncpg.PostgresError) as error:
        log.error("cannot start", reason=str(error))
        sys.exit(1)


async def serve(of: Settings, stop: asyncio.Event) -> None:
    """The whole service, until `stop` is set."""
    async with AsyncExitStack() as stack:
        database = Database(of.database_url)
        stack.push_async_callback(database.close)
        await stack.enter_async_context(database.alone(lost=lambda: _give_up(stop)))
        await (database.migrate() if of.migrate_at_start else database.check_migrated())
        loyalty = await stack.enter_async_context(channel(of.loyalty))
        await _work(of, stop=stop, database=database, loyalty=loyalty)


async def _work(
    of: Settings, *, stop: asyncio.Event, database: Database, loyalty: grpc.aio.Channel
) -> None:
    store, endpoints = Store(database), Endpoints(database)
    policy = Policy(allow_loopback=of.allow_loopback, allow_private=of.allow_private_addresses)
    sender = Sender(
        store=store,
        endpoints=endpoints,
        habits=Habits(
            concurrency=of.concurrency,
            schedule_s=of.schedule_s,
            disable_after_s=of.disable_after_s,
        ),
        timeout_s=of.timeout_s,
        policy=policy,
        clock=_now_us,
    )
    metadata = bearer(of.service_token)
    intake = Intake(
        store=store, channel=loyalty, metadata=metadata, clock=_now_us, announce=sender.announce
    )
    server = Server(service_names=SERVICE_NAMES, interceptors=[TokenInterceptor(of.service_token)])
    actors = Actors(channel=loyalty, metadata=metadata)
    changed = sender.endpoints_changed
    pb_grpc.add_EndpointServiceServicer_to_server(
        EndpointService(endpoints, actors=actors, policy=policy, clock=_now_us, changed=changed),
        server.grpc,
    )
    pb_grpc.add_DeliveryServiceServicer_to_server(
        DeliveryService(endpoints, actors=actors, clock=_now_us, changed=changed), server.grpc
    )
    await _serve_until(stop, server=server, listen=of.listen, intake=intake, sender=sender)


async def _serve_until(
    stop: asyncio.Event, *, server: Server, listen: str, intake: Intake, sender: Sender
) -> None:
    """Ends in order: no calls, no intake, then what is under way. A failed task ends it too."""
    port = await server.start(listen)
    log.info("the notifier is ready", port=port)
    sending = asyncio.create_task(sender.run())
    taking_in = asyncio.create_task(_take_in(intake, server))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([sending, taking_in, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, taking_in, stopping):
            task.cancel()
        ended = await asyncio.gather(sending, taking_in, server.stop(), return_exceptions=True)
    for each in ended:
        if isinstance(each, Exception):
            raise each
    log.info("the notifier has stopped")


async def _take_in(intake: Intake, server: Server) -> None:
    """Outlives an intake that stopped for good: deliveries go on, but the health check tells."""
    await intake.run()
    await server.set_serving(False)
    await asyncio.Event().wait()


def _give_up(stop: asyncio.Event) -> None:
    """Without its hold on the database this process might soon not be the only one."""
    if not stop.is_set():
        log.error("PostgreSQL has ended the connection that keeps other notifiers out; stopping")
        stop.set()


def _now_us() -> int:
    return time.time_ns() // 1_000


if __name__ == "__main__":
    main()
