"""What a gateway can tell of a message without the ledger: whether it holds operations with ids.

Everything inside an operation is loyalty's to judge, so a gateway need not understand it.
"""

import re
from collections.abc import Sequence
from typing import Final

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.wire import Sent

OPERATIONS_MAX = 256
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


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
