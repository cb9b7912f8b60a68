"""A notifier with the states that the page has to show, also those that take days to come about."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bonpunkt.notifier.v1 import notifier_pb2 as pb
from bonpunkt.notifier.v1.notifier_pb2_grpc import (
    DeliveryServiceServicer,
    EndpointServiceServicer,
    add_DeliveryServiceServicer_to_server,
    add_EndpointServiceServicer_to_server,
)

Context = grpc.ServicerContext


class NotifierPeer(EndpointServiceServicer, DeliveryServiceServicer):
    """A real gRPC server over lists that tests fill. `acts` keeps who ordered what."""

    def __init__(self) -> None:
        self.endpoints: dict[str, pb.Endpoint] = {}
        self.deliveries: list[pb.Delivery] = []
        self.entries_taken_in = 0
        self.acts: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None
        self.target = ""

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        add_EndpointServiceServicer_to_server(self, self._server)
        add_DeliveryServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(self.target or "127.0.0.1:0")
        self.target = f"127.0.0.1:{port}"
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(grace=None).wait()

    def clear(self) -> None:
        self.endpoints.clear()
        self.deliveries.clear()
        self.acts.clear()

    def AddEndpoint(
        self, request: pb.AddEndpointRequest, context: Context
    ) -> pb.AddEndpointResponse:
        self._act("AddEndpoint", context)
        if not request.url.startswith("https://"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "url: use https, or http on loopback")
        if request.name in self.endpoints:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"name: {request.name} is taken")
        endpoint = pb.Endpoint(
            name=request.name, url=request.url, event_types=request.event_types, enabled=True
        )
        endpoint.added_at.GetCurrentTime()
        self.endpoints[request.name] = endpoint
        return pb.AddEndpointResponse(
            endpoint=endpoint, secret=request.secret or "whsec_" + "A" * 43
        )

    def ListEndpoints(
        self, request: pb.ListEndpointsRequest, context: Context
    ) -> pb.ListEndpointsResponse:
        return pb.ListEndpointsResponse(endpoints=self.endpoints.values())

    def DisableEndpoint(
        self, request: pb.DisableEndpointRequest, context: Context
    ) -> pb.DisableEndpointResponse:
        self._act("DisableEndpoint", context)
        endpoint = self._endpoint(request.name, context)
        endpoint.enabled, endpoint.disabled_reason = False, "by staff"
        return pb.DisableEndpointResponse(endpoint=endpoint)

    def EnableEndpoint(
        self, request: pb.EnableEndpointRequest, context: Context
    ) -> pb.EnableEndpointResponse:
        self._act("EnableEndpoint", context)
        endpoint = self._endpoint(request.name, context)
        endpoint.enabled, endpoint.disabled_reason = True, ""
        return pb.EnableEndpointResponse(endpoint=endpoint)

    def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        """The page token is the place at which the next page begins."""
        wanted: Callable[[pb.Delivery], bool] = lambda each: (  # noqa: E731
            request.member_id in ("", each.member_id)
            and request.endpoint in ("", each.endpoint)
            and request.state in (pb.Delivery.STATE_UNSPECIFIED, each.state)
        )
        found = [each for each in self.deliveries if wanted(each)]
        start, size = int(request.page_token or 0), request.page_size or 50
        following = str(start + size) if len(found) > start + size else ""
        return pb.ListDeliveriesResponse(
            deliveries=found[start : start + size], next_page_token=following
        )

    def Redeliver(self, request: pb.RedeliverRequest, context: Context) -> pb.RedeliverResponse:
        self._act("Redeliver", context)
        for delivery in self.deliveries:
            if delivery.delivery_id == request.delivery_id:
                delivery.state = pb.Delivery.STATE_PENDING
                return pb.RedeliverResponse(delivery=delivery)
        context.abort(grpc.StatusCode.NOT_FOUND, "delivery_id: there is no such delivery")
        raise AssertionError("abort raises")

    def GetFigures(self, request: pb.GetFiguresRequest, context: Context) -> pb.GetFiguresResponse:
        def count(name: str, state: Any) -> int:
            return sum(each.endpoint == name and each.state == state for each in self.deliveries)

        return pb.GetFiguresResponse(
            endpoints=[
                pb.EndpointFigures(
                    endpoint=name,
                    pending=count(name, pb.Delivery.STATE_PENDING),
                    delivered=count(name, pb.Delivery.STATE_DELIVERED),
                    dead=count(name, pb.Delivery.STATE_DEAD),
                )
                for name in self.endpoints
            ],
            entries_taken_in=self.entries_taken_in,
        )

    def _endpoint(self, name: str, context: Context) -> pb.Endpoint:
        if name not in self.endpoints:
            context.abort(grpc.StatusCode.NOT_FOUND, "name: there is no such endpoint")
        return self.endpoints[name]

    def _act(self, what: str, context: Context) -> None:
        metadata = dict(context.invocation_metadata())
        with self._lock:
            self.acts.append((what, str(metadata.get("bonpunkt-session", ""))))
