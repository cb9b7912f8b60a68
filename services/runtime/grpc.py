"""gRPC servers and channels as all services want them: TLS, limits, health, service token."""

from __future__ import annotations  # grpc's classes take no parameters at run time

import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from services.runtime.logs import logger
from services.runtime.tls import KeyPair, Loaded, split_target, why_not_connected
from services.runtime.wakeups import use_pipe

MESSAGE_BYTES_MAX = 1 << 20  # the contract's 1 MiB a message
INTERNAL_BYTES_MAX = 16 << 20  # many tills' operations share a message inside the house
DRAIN_S = 3.0
# An attempt to connect, handshakes included, may take so long: gRPC means that by the "min" of its
# waits between attempts. A busy machine needs some of it.
CONNECT_TIMEOUT_MS = 5_000
REQUEST_ID_KEY = "bonpunkt-request-id"
PROBE_TIMEOUT_S = 2.0

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")

log = logger(__name__)
use_pipe()

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """Call metadata by which one service shows another the installation's token: the first, where
    the file has more of them, because one takes the place of another.
    """
    return (("authorization", f"Bearer {token.split()[0]}"),)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Turns away every call that does not carry the service token, or any of them where there are
    several; health checks are free.
    """

    def __init__(self, token: str) -> None:
        self._expected = [f"Bearer {each}".encode() for each in token.split()]

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
        metadata = dict(handler_call_details.invocation_metadata or ())
        request_id = metadata.get(REQUEST_ID_KEY)
        if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
            # the call is answered in this very task, so its log lines have the id, too
            structlog.contextvars.bind_contextvars(request_id=request_id)
        shown = metadata.get("authorization", "")
        known = shown.encode() if isinstance(shown, str) else shown
        if any(hmac.compare_digest(known, each) for each in self._expected):
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
        self.is_serving = False
        if reflect:
            names = [*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self.grpc)

    async def start(self, address: str, *, key_pair: KeyPair | None = None) -> int:
        """Listens on `address` ("127.0.0.1:0" for a free port) and returns the port; says
        SERVING. Plain text without a key pair.
        """
        try:
            if key_pair is None:
                port = self.grpc.add_insecure_port(address)
            else:
                port = self.grpc.add_secure_port(address, _server_credentials(key_pair))
        except RuntimeError as error:
            words = f"cannot listen on {address}: is another process using the port?"
            raise OSError(words) from error
        await self.grpc.start()
        await self.set_serving(True)
        if key_pair is None:
            log.warning("plain text is spoken here", listen=address, port=port, tls=False)
        else:
            ends_at = key_pair.current().ends_at.isoformat()
            log.info("listening", listen=address, port=port, tls=True, certificate_ends_at=ends_at)
        return port

    async def set_serving(self, serving: bool) -> None:
        self.is_serving = serving
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self) -> None:
        """Says NOT_SERVING, lets calls finish for a few seconds, then ends them."""
        self.is_serving = False
        await self._health.enter_graceful_shutdown()
        await self.grpc.stop(DRAIN_S)


def channel(target: str, *, ca: bytes | None = None) -> grpc.aio.Channel:
    """A channel inside the house; reconnects by itself with short waits.

    `target` is `host:port`: plain text on loopback, TLS elsewhere; `https://host:port` is TLS in
    any case. `ca` are the certificates that are trusted, PEM; the host name is checked.
    """
    address, credentials = way_to(target, ca=ca)
    options = [
        ("grpc.max_receive_message_length", INTERNAL_BYTES_MAX),
        ("grpc.max_send_message_length", INTERNAL_BYTES_MAX),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


def way_to(target: str, *, ca: bytes | None) -> tuple[str, grpc.ChannelCredentials | None]:
    """The address of a target, and what a channel needs to speak TLS; None for plain text."""
    address, encrypted = split_target(target)
    if not encrypted:
        return address, None
    assert ca is not None, "settings refuse an address to be asked by TLS without a CA"
    return address, grpc.ssl_channel_credentials(ca)


async def tell_why_not_connected(channel: grpc.aio.Channel, *, to: str) -> None:
    """Logs each new reason why a connection fails, until cancelled.

    Calls that wait for a connection are silent about it, though a certificate that is not trusted
    will not be mended by waiting.
    """
    told = ""
    while True:
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            told = ""
        elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            why = await _fault_of(channel)
            if why and why != told:
                log.warning("cannot connect", to=to, why=why)
                told = why
        await channel.wait_for_state_change(state)


async def is_serving(target: str, *, ca: bytes | None = None, timeout_s: float = 1.0) -> bool:
    """Whether the server at `target` answers its health check with SERVING."""
    async with channel(target, ca=ca) as probe:
        stub: Any = health_pb2_grpc.HealthStub(probe)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except (TimeoutError, grpc.aio.AioRpcError):
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _fault_of(channel: grpc.aio.Channel) -> str:
    """Why no call gets through; empty if one does."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return why_not_connected(error.details() or error.code().name)
    return ""


def _server_credentials(key_pair: KeyPair) -> grpc.ServerCredentials:
    """Asks for the pair at every handshake, so that a renewed one is shown without a restart."""
    shown = key_pair.current()

    def configuration(of: Loaded) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(of.key, of.chain)])

    def renewed() -> Any:  # None where nothing has changed, which the stubs forget
        nonlocal shown
        before, shown = shown, key_pair.current()
        return None if shown is before else configuration(shown)

    return grpc.dynamic_ssl_server_credentials(configuration(shown), renewed, False)
