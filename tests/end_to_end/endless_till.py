"""A till as a process of its own: sends recorded baskets without end, until it is killed.

`python -m tests.end_to_end.endless_till`, told by the environment: TILL_GATEWAY, TILL_TERMINAL,
TILL_SECRET, TILL_CARD. Every id is printed before it is sent, so that whoever kills the process can
ask what became of it. Some operations are always under way.
"""

import os
import threading
from collections.abc import Iterator

import grpc

from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1.till_pb2_grpc import TillServiceStub
from services.runtime.grpc import bearer
from tests.end_to_end import recorded

OPERATIONS_A_MESSAGE = 16
UNDER_WAY_MAX = 4 * OPERATIONS_A_MESSAGE


def main() -> None:
    metadata = (
        ("bonpunkt-terminal", os.environ["TILL_TERMINAL"]),
        *bearer(os.environ["TILL_SECRET"]),
    )
    free = threading.Semaphore(UNDER_WAY_MAX)
    with grpc.insecure_channel(os.environ["TILL_GATEWAY"]) as to_gateway:
        for answer in TillServiceStub(to_gateway).Open(_requests(free), metadata=metadata):
            free.release(len(answer.decisions))


def _requests(free: threading.Semaphore) -> Iterator[pb.OpenRequest]:
    card = os.environ["TILL_CARD"]
    request = pb.OpenRequest()
    for purchase in recorded.checkouts():
        free.acquire()
        operation = build.capture(card, purchase.basket, timeout_ms=recorded.TIMEOUT_MS)
        print(operation.id, flush=True)
        request.operations.append(operation)
        if len(request.operations) == OPERATIONS_A_MESSAGE:
            yield request
            request = pb.OpenRequest()


if __name__ == "__main__":
    main()
