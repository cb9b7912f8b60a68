"""Operations of till and staff sent to a real loyalty process, as a gateway and staff send them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message import Message

from bonpunkt.loyalty.v1 import (
    identity_pb2,
    identity_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    member_pb2,
    member_pb2_grpc,
)
from bonpunkt.till import operations
from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.answers import KEY_REUSED
from services.loyalty.domain.command import (
    Adjust,
    ChangeCards,
    Command,
    Enrol,
    Erase,
    Merge,
    SetBlocked,
)
from services.runtime.grpc import channel
from tests.servers.suite import CALL_WITHIN_S, Suite

TIMEOUT_MS = 20_000
ACCEPTED = "accepted"
PROCESS_ENDED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}
Made = pb.Operation | Command
M = TypeVar("M", bound=Message)


class Told(NamedTuple):
    """An answer: in a word what it says, and its bytes. Staff are told how the member is now, so
    theirs are no bytes to compare.
    """

    word: str  # ACCEPTED, or the reason of a refusal
    decision: bytes


class Orders:
    """One loyalty process. An answer is None if the process ended before it came."""

    def __init__(self, to_loyalty: grpc.aio.Channel, suite: Suite) -> None:
        self._ledger: Any = ledger_pb2_grpc.LedgerServiceStub(to_loyalty)
        self._members: Any = member_pb2_grpc.MemberServiceStub(to_loyalty)
        self._identities: Any = identity_pb2_grpc.IdentityServiceStub(to_loyalty)
        self._how = {"metadata": suite.metadata, "timeout": CALL_WITHIN_S}

    async def send(
        self, made: Sequence[Made], *, answered: asyncio.Event | None = None
    ) -> list[Told | None]:
        """All of them at once; `answered` is set when a first answer of a till's is there."""
        of_tills = [each for each in made if isinstance(each, pb.Operation)]
        of_staff = [each for each in made if not isinstance(each, pb.Operation)]
        tills, staff = await asyncio.gather(
            self._to_tills(of_tills, answered or asyncio.Event()),
            asyncio.gather(*(self._to_staff(each) for each in of_staff)),
        )
        in_turn = iter(tills), iter(staff)
        return [next(in_turn[not isinstance(each, pb.Operation)]) for each in made]

    async def found(self, ids: Sequence[str]) -> dict[str, bytes | None]:
        """What stands under each id, whoever asked for it; None where nothing was decided."""
        questions = [operations.status(each) for each in ids]
        asked = zip(ids, await self._to_tills(questions, asyncio.Event()), strict=True)
        found: dict[str, bytes | None] = {}
        for operation_id, told in asked:
            assert told is not None, "the process ended"
            status = pb.Decision.FromString(told.decision).status_found
            decided = status.state == pb.StatusFound.STATE_DECIDED
            found[operation_id] = (
                status.decision.SerializeToString(deterministic=True) if decided else None
            )
        return found

    async def _to_tills(
        self, made: Sequence[pb.Operation], answered: asyncio.Event
    ) -> list[Told | None]:
        """Each in a message of its own on one stream, as if they came from as many tills."""
        decisions: dict[int, Told] = {}
        call = self._ledger.Commit(**self._how)
        try:
            for token, operation in enumerate(made):
                await call.write(_message(token, operation))
            await call.done_writing()
            async for response in call:
                decisions |= {each.token: _told(each.decision) for each in response.decisions}
                answered.set()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            answered.set()
        return [decisions.get(token) for token in range(len(made))]

    async def _to_staff(self, command: Command) -> Told | None:
        try:
            answer = await self._ordered(command)
        except asyncio.InvalidStateError:  # what grpc says of a call that ended as it began
            return None
        except grpc.aio.AioRpcError as error:
            if error.code() in PROCESS_ENDED:
                return None
            if KEY_REUSED.remedy not in (error.details() or ""):
                raise
            return Told(KEY_REUSED.reason.value, b"")
        outcomes = getattr(answer, "outcomes", ())  # of an enrolment
        return Told(outcomes[0].reason if outcomes and not outcomes[0].accepted else ACCEPTED, b"")

    async def _ordered(self, command: Command) -> Any:
        """What staff are answered; raises what gRPC answers."""
        match command:
            case Enrol():
                enrolment = _filled(member_pb2.Enrolment, command)
                request = member_pb2.EnrolMembersRequest(enrolments=[enrolment])
                return await self._members.EnrolMembers(request, **self._how)
            case Adjust():
                adjustment = _filled(member_pb2.AdjustPointsRequest, command)
                return await self._members.AdjustPoints(adjustment, **self._how)
            case Merge():
                merge = _filled(member_pb2.MergeMembersRequest, command)
                return await self._members.MergeMembers(merge, **self._how)
            case ChangeCards():
                change = _filled(member_pb2.ChangeCardsRequest, command)
                return await self._members.ChangeCards(change, **self._how)
            case SetBlocked(blocked=True):
                block = _filled(member_pb2.BlockMemberRequest, command)
                return await self._members.BlockMember(block, **self._how)
            case SetBlocked():
                unblock = _filled(member_pb2.UnblockMemberRequest, command)
                return await self._members.UnblockMember(unblock, **self._how)
            case Erase():
                erasure = _filled(identity_pb2.EraseMemberRequest, command)
                erasure.ground = identity_pb2.ERASURE_GROUND_REQUEST
                return await self._identities.EraseMember(erasure, **self._how)
        raise AssertionError(f"staff cannot ask for {command}")


def _filled(message: type[M], command: Command) -> M:
    """The message with those of the command's fields that it has, too."""
    names = {field.name for field in message.DESCRIPTOR.fields}
    return message(**{name: getattr(command, name) for name in names if hasattr(command, name)})


def _message(token: int, operation: pb.Operation) -> ledger_pb2.CommitRequest:
    sent = ledger_pb2.TillOperation(
        token=token,
        terminal_id="till-1",
        store_id="s-1",
        operation=operation.SerializeToString(),
        timeout_ms=TIMEOUT_MS,
    )
    return ledger_pb2.CommitRequest(operations=[sent])


def _told(decision: bytes) -> Told:
    read = pb.Decision.FromString(decision)
    word = ACCEPTED
    if read.WhichOneof("result") == "refused":
        word = pb.Reason.Name(read.refused.reason).removeprefix("REASON_").lower()
    assert read.WhichOneof("result") != "undecided", read
    return Told(word, read.SerializeToString(deterministic=True))


@asynccontextmanager
async def orders_to(suite: Suite) -> AsyncIterator[Orders]:
    async with channel(suite.loyalty_target) as to_loyalty:
        yield Orders(to_loyalty, suite)
