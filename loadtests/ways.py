"""Two ways in which a till asks: over a stream that it keeps open, or call by call.

Plain threads and blocking calls, which Locust turns into greenlets.
"""

import queue
import threading
from typing import Any, Protocol, TypeAlias

import grpc

from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1 import till_pb2_grpc
from services.runtime.grpc import Metadata

DEADLINE_S = 10.0

Stub: TypeAlias = till_pb2_grpc.TillServiceStub


class UnansweredError(Exception):
    """There is no decision; its words say why."""


class Way(Protocol):
    """How one till asks, one operation after another."""

    name: str

    def ask(self, operation: pb.Operation) -> pb.Decision:
        """Raises UnansweredError, at the latest after DEADLINE_S."""

    def close(self) -> None: ...


class UnaryWay:
    """A call for each operation."""

    name = "unary"

    def __init__(self, channel: grpc.Channel, metadata: Metadata) -> None:
        self._stub = till_pb2_grpc.TillServiceStub(channel)
        self._metadata = metadata

    def ask(self, operation: pb.Operation) -> pb.Decision:
        request = pb.SubmitRequest(operations=[operation])
        try:
            answer = self._stub.Submit(request, metadata=self._metadata, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            raise UnansweredError(_words(error)) from error
        return answer.decisions[0]

    def close(self) -> None:
        """Nothing is kept open."""


class StreamWay:
    """One stream for all operations; a new one after it has failed."""

    name = "stream"

    def __init__(self, channel: grpc.Channel, metadata: Metadata) -> None:
        self._stub = till_pb2_grpc.TillServiceStub(channel)
        self._metadata = metadata
        self._stream: _Stream | None = None

    def ask(self, operation: pb.Operation) -> pb.Decision:
        if self._stream is None:
            self._stream = _Stream(self._stub, self._metadata)
        try:
            return self._stream.ask(operation)
        except UnansweredError:
            self.close()
            raise

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.hang_up()


class _Stream:
    """A call that is open, and a thread that reads it."""

    def __init__(self, stub: Stub, metadata: Metadata) -> None:
        self._requests: queue.SimpleQueue[pb.OpenRequest | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[pb.Decision | UnansweredError] = queue.SimpleQueue()
        self._call: Any = stub.Open(iter(self._requests.get, None), metadata=metadata)
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, operation: pb.Operation) -> pb.Decision:
        """The decision on this operation; one comes at a time."""
        self._requests.put(pb.OpenRequest(operations=[operation]))
        try:
            heard = self._heard.get(timeout=DEADLINE_S)
        except queue.Empty:
            raise UnansweredError("DEADLINE_EXCEEDED: silence on the stream") from None
        if isinstance(heard, UnansweredError):
            raise heard
        assert heard.operation_id == operation.id, "a stream that was given up is not read again"
        return heard

    def hang_up(self) -> None:
        self._requests.put(None)
        self._call.cancel()

    def _listen(self) -> None:
        try:
            for response in self._call:
                for decision in response.decisions:
                    self._heard.put(decision)
            self._heard.put(UnansweredError("the gateway ended the stream"))
        except grpc.RpcError as error:
            self._heard.put(UnansweredError(_words(error)))


def _words(error: grpc.RpcError) -> str:
    """Status and details of a call that failed; the same failures have the same words."""
    call: Any = error
    details = call.details() or ""
    return f"{call.code().name}: {details.partition(';')[0]}"
