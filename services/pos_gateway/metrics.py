"""What Prometheus learns of the gateway: counted by its parts anyway, read when it asks."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.inflight import CAUSES, InFlight
from services.pos_gateway.tills import Tills
from services.pos_gateway.uplink import Uplink

SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 10, 30, 60)


class GatewayMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        latency = Histogram(
            "bonpunkt_gateway_operation_seconds",
            "From accepting an operation to loyalty's answer, of the first in each message.",
            buckets=SECONDS,
            registry=registry,
        )
        self.answered = latency.observe

    def watch(self, *, tills: Tills, in_flight: InFlight, uplink: Uplink) -> None:
        """Reads these from now on."""
        self._registry.register(_Parts(tills, in_flight, uplink))


class _Parts(Collector):
    def __init__(self, tills: Tills, in_flight: InFlight, uplink: Uplink) -> None:
        self._tills, self._in_flight, self._uplink = tills, in_flight, uplink

    def collect(self) -> Iterator[Metric]:
        gauges = {
            ("bonpunkt_gateway_streams", "Open streams of tills."): self._tills.streams,
            (
                "bonpunkt_gateway_in_flight_operations",
                "Operations accepted and not answered yet.",
            ): len(self._in_flight),
            (
                "bonpunkt_gateway_queued_operations",
                "Those of them that were not sent to loyalty yet.",
            ): self._in_flight.queued,
            (
                "bonpunkt_gateway_loyalty_available",
                "1 while operations are taken for loyalty, 0 while they are turned back.",
            ): self._uplink.is_available,
        }
        for (name, words), value in gauges.items():
            yield GaugeMetricFamily(name, words, value=float(value))
        accepted = self._in_flight.accepted
        yield CounterMetricFamily(
            "bonpunkt_gateway_operations", "Operations accepted.", value=float(accepted)
        )
        undecided = CounterMetricFamily(
            "bonpunkt_gateway_undecided",
            "Answers without a decision that the gateway gave itself, by cause.",
            labels=["cause"],
        )
        for cause in CAUSES:
            name = pb.Undecided.Cause.Name(cause).removeprefix("CAUSE_").lower()
            undecided.add_metric([name], float(self._in_flight.undecided[cause]))
        yield undecided
