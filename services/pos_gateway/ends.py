"""How a till's call ends."""

from dataclasses import dataclass

import grpc


@dataclass(frozen=True, slots=True)
class End:
    """`OK` is a stream whose till was done."""

    code: grpc.StatusCode
    words: str = ""


DONE = End(grpc.StatusCode.OK)
TURNED_AWAY = End(grpc.StatusCode.UNAUTHENTICATED, "terminal id and secret are not accepted")
NO_MESSAGE = End(grpc.StatusCode.INVALID_ARGUMENT, "not a message of bonpunkt.till.v1")
NOT_READING = End(
    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many decisions wait to be read; ask for them by Status"
)
STOPPING = End(grpc.StatusCode.UNAVAILABLE, "the gateway is stopping; connect again")


def wrong(words: str) -> End:
    """A message against the contract."""
    return End(grpc.StatusCode.INVALID_ARGUMENT, words)
