"""Loyalty and the notifier as the pages ask them: synchronous, each call with a deadline."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from flask import g, has_request_context

from bonpunkt.loyalty.v1.journal_pb2_grpc import JournalServiceStub
from bonpunkt.loyalty.v1.member_pb2_grpc import MemberServiceStub
from bonpunkt.loyalty.v1.staff_pb2_grpc import StaffServiceStub
from bonpunkt.loyalty.v1.terminal_pb2_grpc import TerminalServiceStub
from bonpunkt.notifier.v1.notifier_pb2_grpc import DeliveryServiceStub, EndpointServiceStub
from services.runtime.grpc import (
    CONNECT_TIMEOUT_MS,
    INTERNAL_BYTES_MAX,
    REQUEST_ID_KEY,
    Metadata,
    bearer,
    way_to,
)
from services.runtime.tls import why_not_connected

CALL_TIMEOUT_S = 5.0
RETRY_AFTER_KEY = "bonpunkt-retry-after-s"

Response = TypeVar("Response")

_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
}
_SERVICE_TOKEN_WRONG = "wrong or missing service token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Refusal:
    """The peer's answer was no. `details` names field and remedy, in English."""

    code: grpc.StatusCode
    details: str
    retry_after_s: int = 0

    @property
    def field(self) -> str:
        return self.details.partition(":")[0] if ": " in self.details else ""


class UnreachableError(Exception):
    """The peer gave no answer of its own; `peer` is "loyalty" or "notifier"."""

    def __init__(self, peer: str, why: str) -> None:
        super().__init__(f"{peer}: {why}")
        self.peer = peer


class Peer:
    """A channel to one service; reconnects by itself."""

    def __init__(self, name: str, target: str, token: str, *, ca: bytes | None = None) -> None:
        self.name = name
        self._metadata = bearer(token)
        self.channel = _channel(target, ca=ca)

    def call(
        self,
        method: Callable[..., Response],
        request: object,
        *,
        metadata: Metadata = (),
    ) -> Response | Refusal:
        """The answer, or the peer's refusal. Raises `UnreachableError` if neither comes."""
        try:
            shown = (*self._metadata, *_request_id(), *metadata)
            return method(request, timeout=CALL_TIMEOUT_S, metadata=shown)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if code not in _REFUSALS or details.startswith(_SERVICE_TOKEN_WRONG):
                why = f"{code.name}: {why_not_connected(details)}"
                raise UnreachableError(self.name, why) from error
            return Refusal(code, details, _retry_after_s(error.trailing_metadata() or ()))

    def ask(self, method: Callable[..., Response], request: object) -> Response:
        """The answer to a question that cannot be refused for what a visitor did."""
        answer = self.call(method, request)
        if isinstance(answer, Refusal):
            raise UnreachableError(self.name, f"{answer.code.name}: {answer.details}")
        return answer


class Loyalty(Peer):
    def __init__(self, target: str, token: str, *, ca: bytes | None = None) -> None:
        super().__init__("loyalty", target, token, ca=ca)
        self.staff = StaffServiceStub(self.channel)
        self.members = MemberServiceStub(self.channel)
        self.journal = JournalServiceStub(self.channel)
        self.terminals = TerminalServiceStub(self.channel)


class Notifier(Peer):
    def __init__(self, target: str, token: str, *, ca: bytes | None = None) -> None:
        super().__init__("notifier", target, token, ca=ca)
        self.endpoints = EndpointServiceStub(self.channel)
        self.deliveries = DeliveryServiceStub(self.channel)


def _request_id() -> Metadata:
    """The id of the page that is being made, for the log lines of whoever is asked."""
    if not has_request_context() or "request_id" not in g:
        return ()
    return ((REQUEST_ID_KEY, g.request_id),)


def _channel(target: str, *, ca: bytes | None) -> grpc.Channel:
    address, credentials = way_to(target, ca=ca)
    options = [
        ("grpc.max_receive_message_length", INTERNAL_BYTES_MAX),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _retry_after_s(trailing: Iterable[Any]) -> int:
    for key, value in trailing:
        if key == RETRY_AFTER_KEY:
            return int(value)
    return 0
