"""gRPC servers and channels as all services want them: limits, health, service token."""

from __future__ import annotations  # grpc's classes take no parameters at run time

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

MESSAGE_BYTES_MAX = 1 << 20  # the contract's 1 MiB a message
INTERNAL_BYTES_MAX = 16 << 20  # many tills' operations share a message inside the house
DRAIN_S = 3.0

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """Call metadata by which one service shows another the installation's token."""
    return (("authorization", f"Bearer {token}"),)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Turns away every call that does not carry the service token; health checks are free."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith("/grpc.health.v1."):
            return handler
        shown = dict(handler_call_details.invocation_metadata or ()).get("authorization", "")
        if hmac.compare_digest(shown.encode() if isinstance(shown, str) else shown, self._expected):
            return handler
        return _refusing(handler)


async def _refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "wrong or missing service token; see BONPUNKT_SERVICE_TOKEN_FILE",
    )


def _refusing(handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
    """The same kind of handler, which answers UNAUTHENTICATED."""
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    refusing: grpc.RpcMethodHandler[Any, Any] = make(_refuse)
    return refusing


class Server:
    """A gRPC server with health, reflection and an orderly end."""

    def __init__(
        self,
        *,
        service_names: Sequence[str],
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        bytes_max: int = INTERNAL_BYTES_MAX,
        reflect: bool = True,
    ) -> None:
        self.grpc = grpc.aio.server(
            interceptors=list(interceptors),
            options=[
                ("grpc.max_receive_message_length", bytes_max),
                ("grpc.max_send_message_length", INTERNAL_BYTES_MAX),
                ("grpc.max_concurrent_streams", 4096),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.so_reuseport", 0),
            ],
        )
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        self._names = ["", *service_names]
        if reflect:
            names = [*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self.grpc)

    async def start(self, address: str) -> int:
        """Listens on `address` ("127.0.0.1:0" for a free port) and returns the port; says
        SERVING.
        """
        try:
            port = self.grpc.add_insecure_port(address)
        except RuntimeError as error:
            words = f"cannot listen on {address}: is another process using the port?"
            raise OSError(words) from error
        await self.grpc.start()
        await self.set_serving(True)
        return port

    async def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self) -> None:
        """Says NOT_SERVING, lets calls finish for a few seconds, then ends them."""
        await self._health.enter_graceful_shutdown()
        await self.grpc.stop(DRAIN_S)


def channel(target: str) -> grpc.aio.Channel:
    """A channel inside the house; reconnects by itself with short waits."""
    return grpc.aio.insecure_channel(
        target,
        options=[
            ("grpc.max_receive_message_length", INTERNAL_BYTES_MAX),
            ("grpc.max_send_message_length", INTERNAL_BYTES_MAX),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


async def is_serving(target: str, *, timeout_s: float = 1.0) -> bool:
    """Whether the server at `target` answers its health check with SERVING."""
    async with grpc.aio.insecure_channel(target) as probe:
        stub: Any = health_pb2_grpc.HealthStub(probe)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except (TimeoutError, grpc.aio.AioRpcError):
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
