"""Points by hand: booked at once up to the programme's limit, above it once a second person has
approved.
"""

from collections.abc import Callable
from typing import NoReturn

import grpc

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty.answers import KEY_REUSED
from services.loyalty.calls import TIMEOUT_S, Context, abort_unless_booked, refused
from services.loyalty.domain.command import Adjust, Origin
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.member import Member, Status
from services.loyalty.domain.membership import MEMBER_UNKNOWN, out_of_reach
from services.loyalty.feed import state_to_wire
from services.loyalty.keys import operation_key
from services.loyalty.lanes import Lanes
from services.loyalty.members import Members
from services.loyalty.office.adjustments import Adjustment, Outcome, Waiting, Wish, closure
from services.loyalty.office.instants import timestamp
from services.loyalty.record import after_of
from services.loyalty.wire_forms import command_fingerprint

MEMBER_ERASED = Refused(
    Refusal.MEMBER_ERASED, "member_id", "this member was erased; enrol a new one if need be"
)


class Adjustments:
    """`limit_points` is the programme's of now: an adjustment of more waits."""

    def __init__(
        self, lanes: Lanes, members: Members, waiting: Waiting, limit_points: Callable[[], int]
    ) -> None:
        self._lanes, self._members, self._waiting = lanes, members, waiting
        self._limit_points = limit_points

    async def adjust(
        self, request: pb.AdjustPointsRequest, context: Context, *, actor: str
    ) -> pb.AdjustPointsResponse:
        """The form of `request` was checked. Repeating it tells what became of it since."""
        wish = Wish(
            request.operation_id,
            request.member_id,
            request.points,
            request.reason_code,
            request.reason.strip(),
        )
        standing = await self._waiting.find(wish.operation_id)
        if standing is None:
            if await self._needs_one_person(wish):
                return await self._booked_at_once(wish, context, actor=actor)
            await self._reachable(wish.member_id, context)
            standing = await self._waiting.ask(wish, actor=actor)
        if standing.wish != wish:
            await refused(context, KEY_REUSED)
        if problem := closure(standing):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem)
        member = await self._reachable(wish.member_id, context, any_status=True)
        return pb.AdjustPointsResponse(
            booked=standing.outcome is Outcome.BOOKED,
            state=state_to_wire(after_of(member)),
            member_version=member.version,
        )

    async def list_waiting(self) -> pb.ListAdjustmentsResponse:
        return pb.ListAdjustmentsResponse(
            adjustments=[_to_wire(each) for each in await self._waiting.undecided()]
        )

    async def decide(
        self, request: pb.DecideAdjustmentRequest, context: Context, *, actor: str
    ) -> pb.DecideAdjustmentResponse:
        found, problem = await self._waiting.decide(
            request.operation_id, actor=actor, approve=request.approve
        )
        if found is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, "operation_id: no adjustment waits under this id"
            )
        if problem:
            await _objected(problem, context)
        if found.outcome is Outcome.APPROVED:
            await self._book(found, context)
        member = await self._reachable(found.wish.member_id, context, any_status=True)
        return pb.DecideAdjustmentResponse(
            booked=request.approve,
            state=state_to_wire(after_of(member)),
            member_version=member.version,
        )

    async def _needs_one_person(self, wish: Wish) -> bool:
        """Also true for an id that the ledger knows: what was booked is told again, whatever the
        limit is by now.
        """
        if abs(wish.points) <= self._limit_points():
            return True
        return await self._members.is_taken(operation_key(wish.operation_id))

    async def _booked_at_once(
        self, wish: Wish, context: Context, *, actor: str
    ) -> pb.AdjustPointsResponse:
        answer = await self._lanes.commit(_command(wish, actor=actor), timeout_s=TIMEOUT_S)
        await abort_unless_booked(answer, context)
        member = await self._reachable(wish.member_id, context, any_status=True)
        return pb.AdjustPointsResponse(
            booked=True, state=state_to_wire(after_of(member)), member_version=member.version
        )

    async def _book(self, approved: Adjustment, context: Context) -> None:
        actor = f"{approved.asked_by}, approved by {approved.decided_by}"
        command = _command(approved.wish, actor=actor)
        answer = await self._lanes.commit(command, timeout_s=TIMEOUT_S)
        if answer.decision is not None:
            refusal = answer.decision.remedy if isinstance(answer.decision, Refused) else ""
            await self._waiting.close(approved, refusal=refusal)
        await abort_unless_booked(answer, context)

    async def _reachable(
        self, member_id: str, context: Context, *, any_status: bool = False
    ) -> Member:
        """The member; ends the call if there is none, or nobody can be adjusted under this id."""
        member = await self._members.by_id(member_id)
        if member is None:
            await refused(context, MEMBER_UNKNOWN)
        if any_status:
            return member
        problem = out_of_reach(member)
        if member.status is Status.ERASED:
            problem = MEMBER_ERASED
        if problem is not None:
            await refused(context, problem)
        return member


def _command(wish: Wish, *, actor: str) -> Adjust:
    """The same for everybody who repeats it: who acts is no part of what was asked."""
    return Adjust(
        operation_id=wish.operation_id,
        fingerprint=command_fingerprint(
            "adjust", wish.member_id, wish.points, wish.reason_code, wish.reason
        ),
        origin=Origin(actor=actor),
        member_id=wish.member_id,
        points=wish.points,
        reason_code=wish.reason_code,
        reason=wish.reason,
    )


async def _objected(problem: str, context: Context) -> NoReturn:
    same_person = problem.startswith("asked_by:")
    code = grpc.StatusCode.PERMISSION_DENIED if same_person else grpc.StatusCode.FAILED_PRECONDITION
    await context.abort(code, problem)


def _to_wire(adjustment: Adjustment) -> pb.WaitingAdjustment:
    wish = adjustment.wish
    return pb.WaitingAdjustment(
        operation_id=wish.operation_id,
        member_id=wish.member_id,
        points=wish.points,
        reason_code=wish.reason_code,
        reason=wish.reason,
        asked_by=adjustment.asked_by,
        asked_at=timestamp(adjustment.asked_at_us),
        approved_by=adjustment.decided_by,
    )
