"""The gateway process: tills on one side, loyalty on the other."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from services.pos_gateway import settings as gateway_settings
from services.pos_gateway.inflight import InFlight
from services.pos_gateway.metrics import GatewayMetrics
from services.pos_gateway.settings import Settings
from services.pos_gateway.terminals import Terminals
from services.pos_gateway.tills import SERVICE_NAME, Tills
from services.pos_gateway.traces import Traces
from services.pos_gateway.uplink import Uplink
from services.runtime import grpc, logs, metrics, process, settings
from services.runtime.compiled import CODE
from services.runtime.tracing import Tracing, traced

log = logs.logger(__name__)


def main() -> None:
    chosen = settings.load(gateway_settings.read)
    logs.configure("gateway")
    process.run(lambda stop: serve(chosen, stop=stop))


async def serve(
    chosen: Settings,
    *,
    stop: asyncio.Event,
    listening: Callable[[int], None] = lambda port: None,
) -> None:
    """Serves tills until `stop` is set; `listening` hears the port.

    The port opens when the terminals are known, from disk or from loyalty: a gateway that does not
    know them yet would turn rightful tills away.
    """
    registry = metrics.registry_of("gateway", key_pair=chosen.key_pair)
    async with traced(chosen.tracing, service="gateway", registry=registry) as tracing:
        await _serve(chosen, registry, tracing, stop=stop, listening=listening)


async def _serve(
    chosen: Settings,
    registry: CollectorRegistry,
    tracing: Tracing | None,
    *,
    stop: asyncio.Event,
    listening: Callable[[int], None],
) -> None:
    channel = grpc.channel(chosen.loyalty, ca=chosen.ca)
    terminals = Terminals(channel, token=chosen.service_token, path=chosen.terminals_path)
    seen, in_flight = GatewayMetrics(registry), InFlight(chosen.limits)
    uplink = Uplink(
        channel,
        token=chosen.service_token,
        in_flight=in_flight,
        grace_s=chosen.grace_ms / 1000,
        observed=seen.answered,
    )
    traces = None
    if tracing is not None:
        traces = Traces(tracing, submit=uplink.submit, accepted=lambda: in_flight.accepted)
        uplink.on_written = traces.written
    tills = Tills(
        terminals=terminals,
        submit=uplink.submit,
        decisions_max=chosen.till_decisions_max,
        traces=traces,
    )
    seen.watch(tills=tills, in_flight=in_flight, uplink=uplink)
    server = grpc.Server(service_names=[SERVICE_NAME], bytes_max=grpc.MESSAGE_BYTES_MAX)
    tills.add_to(server.grpc)
    terminals.load()
    async with (
        metrics.served(
            chosen.metrics_listen,
            registry,
            is_ready=lambda: server.is_serving,
            key_pair=chosen.key_pair,
        ),
        asyncio.TaskGroup() as group,
    ):
        background = [
            group.create_task(terminals.follow()),
            group.create_task(uplink.run()),
            group.create_task(grpc.tell_why_not_connected(channel, to=chosen.loyalty)),
        ]
        await _first_of(terminals.known, stop)
        if not stop.is_set():
            port = await server.start(chosen.listen, key_pair=chosen.key_pair)
            log.info("tills may connect", port=port, code=CODE)
            listening(port)
            await stop.wait()
            await server.set_serving(False)
            tills.drain()
            await server.stop()
        uplink.stop()
        for task in background:
            task.cancel()
    await channel.close()


async def _first_of(*events: asyncio.Event) -> None:
    """Waits until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


if __name__ == "__main__":
    main()
