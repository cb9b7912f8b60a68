"""How the calls of people end when they cannot be answered: a status, and words that name the field
and what to do about it.
"""

from typing import NoReturn

import grpc

from services.loyalty.answers import Answer
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.office.actors import Context

__all__ = ["TIMEOUT_S", "Context", "abort_unless_booked", "invalid", "refused"]

TIMEOUT_S = 10.0  # for a command from inside the house to be durable


async def invalid(context: Context, words: str) -> NoReturn:
    """Ends the call: what was sent is malformed."""
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)


async def refused(context: Context, refusal: Refused) -> NoReturn:
    """Ends the call with a refusal of the ledger."""
    unknown = refusal.reason is Refusal.MEMBER_UNKNOWN
    await context.abort(
        grpc.StatusCode.NOT_FOUND if unknown else grpc.StatusCode.FAILED_PRECONDITION,
        f"{refusal.field}: {refusal.remedy}",
    )


async def abort_unless_booked(answer: Answer, context: Context) -> None:
    """Ends the call unless the command was decided, and not refused."""
    if isinstance(answer.decision, Refused):
        await refused(context, answer.decision)
    if answer.decision is None:
        await context.abort(
            grpc.StatusCode.UNAVAILABLE, "not decided in time; repeat the call with the same id"
        )
