"""The notifier's process: `bonpunkt notifier serve`."""

import asyncio
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import grpc
from prometheus_client import CollectorRegistry

from bonpunkt.notifier.v1 import notifier_pb2_grpc as pb_grpc
from services.notifier.actors import Actors
from services.notifier.addresses import Policy
from services.notifier.api import SERVICE_NAMES, DeliveryService, EndpointService
from services.notifier.database import AlreadyRunningError, Database, NotMigratedError
from services.notifier.duties import Duties
from services.notifier.endpoints import Endpoints
from services.notifier.feed import Feed
from services.notifier.group import GroupIntake, group_of
from services.notifier.intake import Intake
from services.notifier.line import Habits
from services.notifier.metrics import NotifierMetrics
from services.notifier.sender import Sender
from services.notifier.settings import Settings, read
from services.notifier.store import Store
from services.notifier.traces import Traces
from services.runtime import logs, metrics, process, settings
from services.runtime.databases import until_it_answers
from services.runtime.grpc import Server, TokenInterceptor, bearer, channel
from services.runtime.tracing import traced

log = logs.logger(__name__)


class HoldLostError(Exception):
    """PostgreSQL went away, and with it what kept other notifiers out: to be started again."""


def main() -> None:
    """Serves until SIGTERM; exit status 1 if the database is not to be had, or not any more."""
    loaded = settings.load(read)
    logs.configure("notifier")
    try:
        process.run(lambda stop: serve(loaded, stop))
    except (AlreadyRunningError, NotMigratedError, OSError, asyncpg.PostgresError) as error:
        log.error("cannot start", reason=str(error))
        sys.exit(1)
    except HoldLostError:
        sys.exit(1)


async def serve(of: Settings, stop: asyncio.Event) -> None:
    """The whole service, until `stop` is set."""
    if not await until_it_answers(of.database_url, stop=stop):
        return
    given_up = asyncio.Event()
    async with AsyncExitStack() as stack:
        database = Database(of.database_url)
        stack.push_async_callback(database.close)
        await stack.enter_async_context(
            database.held(shared=bool(of.redis_url), lost=lambda: _give_up(stop, given_up))
        )
        await (database.migrate() if of.migrate_at_start else database.check_migrated())
        loyalty = await stack.enter_async_context(channel(of.loyalty, ca=of.ca))
        await _work(of, stop=stop, database=database, loyalty=loyalty)
    if given_up.is_set():
        raise HoldLostError


async def _work(
    of: Settings, *, stop: asyncio.Event, database: Database, loyalty: grpc.aio.Channel
) -> None:
    registry = metrics.registry_of("notifier", key_pair=of.key_pair)
    async with traced(of.tracing, service="notifier", registry=registry) as tracing:
        traces = Traces(tracing) if tracing is not None else None
        await _follow(of, registry, traces, stop=stop, database=database, loyalty=loyalty)


async def _follow(
    of: Settings,
    registry: CollectorRegistry,
    traces: Traces | None,
    *,
    stop: asyncio.Event,
    database: Database,
    loyalty: grpc.aio.Channel,
) -> None:
    store, endpoints = Store(database), Endpoints(database)
    seen = NotifierMetrics(registry, clock=_now_us)
    duties = Duties(database, name=_name()) if of.redis_url else None
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
        buckets=duties.buckets if duties else lambda: None,
        observed=seen.attempted,
        traces=traces,
    )
    feed = Feed(channel=loyalty, metadata=bearer(of.service_token))
    intake = Intake(
        store=store,
        feed=feed,
        clock=_now_us,
        announce=sender.announce,
        observed=seen.taken_in,
        traces=traces,
    )
    seen.watch_feed(lambda: intake.is_away)
    group = None
    if duties:
        group = group_of(of, duties=duties, store=store, feed=feed, intake=intake, sender=sender)
    server = _server(
        of, endpoints=endpoints, policy=policy, loyalty=loyalty, changed=sender.endpoints_changed
    )
    work = [sender.run(), _take_in(group.intake if group else intake, server)]
    work += [group.run()] if group else []
    watched = metrics.served(
        of.metrics_listen,
        registry,
        is_ready=lambda: server.is_serving,
        key_pair=of.key_pair,
        look_up=lambda: seen.look_up(database),
    )
    try:
        async with watched:
            await _serve_until(stop, of=of, server=server, work=work)
    finally:
        if group:
            await group.leave()


def _server(
    of: Settings,
    *,
    endpoints: Endpoints,
    policy: Policy,
    loyalty: grpc.aio.Channel,
    changed: Callable[[], None],
) -> Server:
    """What staff ask of the notifier."""
    server = Server(service_names=SERVICE_NAMES, interceptors=[TokenInterceptor(of.service_token)])
    actors = Actors(channel=loyalty, metadata=bearer(of.service_token))
    pb_grpc.add_EndpointServiceServicer_to_server(
        EndpointService(endpoints, actors=actors, policy=policy, clock=_now_us, changed=changed),
        server.grpc,
    )
    pb_grpc.add_DeliveryServiceServicer_to_server(
        DeliveryService(endpoints, actors=actors, clock=_now_us, changed=changed), server.grpc
    )
    return server


async def _serve_until(
    stop: asyncio.Event,
    *,
    of: Settings,
    server: Server,
    work: Sequence[Coroutine[Any, Any, None]],
) -> None:
    """Ends in order: no calls, no intake, then what is under way. A failed task ends it too."""
    port = await server.start(of.listen, key_pair=of.key_pair)
    log.info("the notifier is ready", port=port)
    working = [asyncio.create_task(each) for each in work]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*working, stopping):
            task.cancel()
        ended = await asyncio.gather(*working, server.stop(), return_exceptions=True)
    for each in ended:
        if isinstance(each, Exception):
            raise each
    log.info("the notifier has stopped")


async def _take_in(intake: Intake | GroupIntake, server: Server) -> None:
    """Outlives an intake that stopped for good: deliveries go on, but the health check tells."""
    await intake.run()
    await server.set_serving(False)
    await asyncio.Event().wait()


def _give_up(stop: asyncio.Event, given_up: asyncio.Event) -> None:
    """Without its hold on the database this process might soon not be the only one."""
    if not stop.is_set():
        log.error("PostgreSQL has ended the connection that keeps other notifiers out; stopping")
        given_up.set()
        stop.set()


def _name() -> str:
    """Of this process, among all that share the work."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"


def _now_us() -> int:
    return time.time_ns() // 1_000


if __name__ == "__main__":
    main()
