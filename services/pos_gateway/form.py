"""What a gateway can tell of a message without the ledger: whether it holds operations with ids.

Everything inside an operation is loyalty's to judge, so a gateway need not understand it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from bonpunkt.loyalty.v1 import ledger_pb2
from bonpunkt.till.v1 import till_pb2 as pb

OPERATIONS_MAX = 256
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Sent(NamedTuple):
    """An operation as a till sent it: its bytes, and what of them a gateway acts upon."""

    operation_id: str
    timeout_ms: int
    raw: bytes


def operations(message: bytes) -> list[Sent]:
    """The operations of an OpenRequest or SubmitRequest. DecodeError if it is neither."""
    sent: list[Sent] = []
    for raw in ledger_pb2.TillRequest.FromString(message).operations:
        head = ledger_pb2.OperationHead.FromString(raw)
        sent.append(Sent(head.id, head.timeout_ms, raw))
    return sent


def wrong_count(sent: Sequence[Sent]) -> str | None:
    """What is wrong with the number of operations in a message; None if nothing is."""
    if 1 <= len(sent) <= OPERATIONS_MAX:
        return None
    return f"operations: 1 to {OPERATIONS_MAX} a message, got {len(sent)}"


def refusal(sent: Sent) -> bytes | None:
    """The decision on an operation without a proper id, under the id as given."""
    if _UUID.fullmatch(sent.operation_id) is not None:
        return None
    refused = pb.Refused(
        reason=pb.REASON_MALFORMED_ID,
        field="id",
        remedy="an id is a UUID in canonical text form: 36 characters, lower case",
    )
    return pb.Decision(operation_id=sent.operation_id, refused=refused).SerializeToString()
