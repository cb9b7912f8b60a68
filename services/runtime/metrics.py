"""What Prometheus and whoever starts containers want to know of a process, over HTTP.

`/metrics` in Prometheus's text format; `/healthz`: the event loop turns; `/readyz`: the process
does its work, else 503. A port that cannot be had is told and gone without: nothing that serves a
till depends on being watched.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from services.runtime.logs import logger
from services.runtime.tls import OFF, KeyPair

STOP_S = 0.5

log = logger(__name__)


async def _nothing() -> None:
    """There is nothing to look up."""


def registry_of(service: str, *, key_pair: KeyPair | None = None) -> CollectorRegistry:
    """A registry with what every process tells: version, CPU, memory, files, its certificate."""
    # a third more lines, which say when the process began
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("bonpunkt_build_info", "Always 1.", ["service", "version"], registry=registry)
    build.labels(service, version("bonpunkt")).set(1)
    ends_at = Gauge(
        "bonpunkt_certificate_ends_at_seconds",
        "When this process's certificate ends, in seconds since 1970; absent in plain text.",
        ["service"],
        registry=registry,
    )
    if key_pair is not None:
        ends_at.labels(service).set_function(lambda: key_pair.current().ends_at.timestamp())
    return registry


@asynccontextmanager
async def served(
    listen: str,
    registry: CollectorRegistry,
    *,
    is_ready: Callable[[], bool],
    key_pair: KeyPair | None = None,
    look_up: Callable[[], Awaitable[None]] = _nothing,
) -> AsyncIterator[None]:
    """Serves at `listen` ("off": not at all) as long as the context is open.

    `look_up` is awaited before each answer to `/metrics`, for gauges that have to be asked for.
    """
    ready = Gauge("bonpunkt_ready", "1 while the process does its work.", registry=registry)
    ready.set_function(is_ready)
    if listen == OFF:
        yield
        return
    runner = web.AppRunner(
        _application(registry, is_ready=is_ready, look_up=look_up),
        access_log=None,
        shutdown_timeout=STOP_S,
    )
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        context = key_pair.context() if key_pair is not None else None
        await web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context).start()
        log.info("metrics are served", listen=listen, tls=key_pair is not None)
    except (OSError, ValueError, OverflowError) as error:
        log.error("metrics are not served", listen=listen, why=str(error))
    try:
        yield
    finally:
        await runner.cleanup()


def serve_beside(listen: str, registry: CollectorRegistry) -> None:
    """For a process without an event loop: serves from a thread of its own until the process ends.
    Whoever calls this is ready.
    """

    async def for_ever() -> None:
        async with served(listen, registry, is_ready=lambda: True):
            await asyncio.Event().wait()

    if listen != OFF:
        threading.Thread(
            target=lambda: asyncio.run(for_ever()), name="metrics", daemon=True
        ).start()


def _application(
    registry: CollectorRegistry,
    *,
    is_ready: Callable[[], bool],
    look_up: Callable[[], Awaitable[None]],
) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        await look_up()
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ok\n")
        return web.Response(text="not ready\n", status=503)

    application = web.Application()
    for path, answer in (("/metrics", metrics), ("/healthz", healthz), ("/readyz", readyz)):
        application.router.add_get(path, answer)
    return application
