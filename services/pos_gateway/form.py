"""What a gateway can tell of an operation without the ledger: whether it is well-formed.

Baskets, cards and references are loyalty's to judge.
"""

import re

from bonpunkt.till.v1 import till_pb2 as pb

OPERATIONS_MAX = 256
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def wrong_count(operations: int) -> str | None:
    """What is wrong with a message of so many operations; None if nothing is."""
    if 1 <= operations <= OPERATIONS_MAX:
        return None
    return f"operations: 1 to {OPERATIONS_MAX} a message, got {operations}"


def refusal(operation: pb.Operation) -> pb.Decision | None:
    """The answer to an ill-formed operation, under the id as given; None if it is well-formed."""
    if _UUID.fullmatch(operation.id) is None:
        return _refused(
            operation.id,
            pb.REASON_MALFORMED_ID,
            field="id",
            remedy="an id is a UUID in canonical text form: 36 characters, lower case",
        )
    if operation.WhichOneof("kind") is None:
        return _refused(
            operation.id,
            pb.REASON_MALFORMED,
            field="kind",
            remedy="set one of identify, quote, capture, status, abandon",
        )
    return None


def _refused(operation_id: str, reason: pb.Reason, *, field: str, remedy: str) -> pb.Decision:
    return pb.Decision(
        operation_id=operation_id,
        refused=pb.Refused(reason=reason, field=field, remedy=remedy),
    )
