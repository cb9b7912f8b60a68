"""Members for staff, the command line and imports: writing through the writer, reading committed
state.
"""

import asyncio
from collections.abc import Sequence

import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.loyalty.v1 import member_pb2_grpc
from services.loyalty.adjustments import Adjustments
from services.loyalty.answers import Answer
from services.loyalty.calls import TIMEOUT_S, Context, abort_unless_booked, invalid
from services.loyalty.clock import Clock
from services.loyalty.domain.command import ChangeCards, Command, Enrol, Merge, Origin, SetBlocked
from services.loyalty.domain.decision import Refused
from services.loyalty.domain.member import Member
from services.loyalty.lanes import Lanes
from services.loyalty.member_forms import (
    adjustment_problem,
    block_problem,
    cards_problem,
    enrolment_problem,
    merge_problem,
)
from services.loyalty.members import Members, member_to_wire
from services.loyalty.office import instants
from services.loyalty.office.actors import Actors
from services.loyalty.office.adjustments import Waiting
from services.loyalty.programmes.versions import Programmes
from services.loyalty.wire_forms import OPERATION_ID_FORM, UUID_FORM, command_fingerprint

ENROLMENTS_MAX = 512


class MemberServicer(member_pb2_grpc.MemberServiceServicer):
    """`clock` is the ledger's, `wall_clock` that of the office."""

    def __init__(
        self,
        lanes: Lanes,
        engine: AsyncEngine,
        actors: Actors,
        programmes: Programmes,
        *,
        clock: Clock,
        wall_clock: instants.Clock,
    ) -> None:
        self._lanes, self._actors = lanes, actors
        self._programmes, self._clock = programmes, clock
        self._members = Members(engine)
        self._adjustments = Adjustments(
            lanes,
            self._members,
            Waiting(engine, wall_clock),
            lambda: programmes.at(clock.now_us()).adjust_limit_points,
        )

    # --- opening and looking ----------------------------------------------------------------

    async def EnrolMembers(
        self, request: pb.EnrolMembersRequest, context: Context
    ) -> pb.EnrolMembersResponse:
        actor = await self._actors.actor(context)
        count = len(request.enrolments)
        if not 1 <= count <= ENROLMENTS_MAX:
            await invalid(context, f"enrolments: send 1 to {ENROLMENTS_MAX}, not {count}")
        for number, enrolment in enumerate(request.enrolments):
            problem = enrolment_problem(enrolment)
            if problem is not None:
                await invalid(context, f"enrolments[{number}].{problem}")
        commands = [_enrol(enrolment, actor) for enrolment in request.enrolments]
        answers = await self._commit_all(commands, context)
        return pb.EnrolMembersResponse(
            outcomes=[
                _outcome(command, answer) for command, answer in zip(commands, answers, strict=True)
            ]
        )

    async def _commit_all(self, commands: Sequence[Enrol], context: Context) -> list[Answer]:
        answers = await asyncio.gather(
            *(self._lanes.commit(command, timeout_s=TIMEOUT_S) for command in commands)
        )
        if any(answer.cause is not None for answer in answers):
            await context.abort(
                grpc.StatusCode.UNAVAILABLE,
                "not every member could be enrolled in time; repeat the call with the same ids",
            )
        return list(answers)

    async def GetMember(
        self, request: pb.GetMemberRequest, context: Context
    ) -> pb.GetMemberResponse:
        if request.WhichOneof("by") == "member_id":
            if not UUID_FORM.fullmatch(request.member_id):
                await invalid(context, "member_id: send a UUID in its canonical text form")
            return await self._told(request.member_id, context)
        member = await self._members.by_card(request.card)
        if member is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no member has this card")
        return self._wire(member)

    async def _told(self, member_id: str, context: Context) -> pb.GetMemberResponse:
        member = await self._members.by_id(member_id)
        if member is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such member")
        return self._wire(member)

    def _wire(self, member: Member) -> pb.GetMemberResponse:
        moment = self._programmes.moment(self._clock.now_us())
        return member_to_wire(member, programme=moment.programme, today=moment.today)

    # --- orders of one person ---------------------------------------------------------------

    async def BlockMember(
        self, request: pb.BlockMemberRequest, context: Context
    ) -> pb.BlockMemberResponse:
        member = await self._set_blocked(request, context, blocked=True)
        return pb.BlockMemberResponse(state=member.state, member_version=member.member_version)

    async def UnblockMember(
        self, request: pb.UnblockMemberRequest, context: Context
    ) -> pb.UnblockMemberResponse:
        member = await self._set_blocked(request, context, blocked=False)
        return pb.UnblockMemberResponse(state=member.state, member_version=member.member_version)

    async def _set_blocked(
        self,
        request: pb.BlockMemberRequest | pb.UnblockMemberRequest,
        context: Context,
        *,
        blocked: bool,
    ) -> pb.GetMemberResponse:
        actor = await self._actors.manager(context)
        await _check(block_problem(request), context)
        reason = request.reason.strip()
        command = SetBlocked(
            operation_id=request.operation_id,
            fingerprint=command_fingerprint("block", request.member_id, blocked, reason),
            origin=Origin(actor=actor),
            member_id=request.member_id,
            blocked=blocked,
            reason=reason,
        )
        return await self._ordered(command, request.member_id, context)

    async def MergeMembers(
        self, request: pb.MergeMembersRequest, context: Context
    ) -> pb.MergeMembersResponse:
        actor = await self._actors.manager(context)
        await _check(merge_problem(request), context)
        reason = request.reason.strip()
        command = Merge(
            operation_id=request.operation_id,
            fingerprint=command_fingerprint(
                "merge", request.survivor_id, request.merged_id, reason
            ),
            origin=Origin(actor=actor),
            survivor_id=request.survivor_id,
            merged_id=request.merged_id,
            reason=reason,
        )
        member = await self._ordered(command, request.survivor_id, context)
        return pb.MergeMembersResponse(state=member.state, member_version=member.member_version)

    async def ChangeCards(
        self, request: pb.ChangeCardsRequest, context: Context
    ) -> pb.ChangeCardsResponse:
        actor = await self._actors.actor(context)
        await _check(cards_problem(request), context)
        reason = request.reason.strip()
        command = ChangeCards(
            operation_id=request.operation_id,
            fingerprint=command_fingerprint(
                "cards", request.member_id, request.lost_card, request.new_card, reason
            ),
            origin=Origin(actor=actor),
            member_id=request.member_id,
            lost_card=request.lost_card,
            new_card=request.new_card,
            reason=reason,
        )
        member = await self._ordered(command, request.member_id, context)
        return pb.ChangeCardsResponse(state=member.state, member_version=member.member_version)

    async def _ordered(
        self, command: Command, member_id: str, context: Context
    ) -> pb.GetMemberResponse:
        """The member once the command is durable; ends the call if it was refused."""
        answer = await self._lanes.commit(command, timeout_s=TIMEOUT_S)
        await abort_unless_booked(answer, context)
        return await self._told(member_id, context)

    # --- orders that may need a second person -----------------------------------------------

    async def AdjustPoints(
        self, request: pb.AdjustPointsRequest, context: Context
    ) -> pb.AdjustPointsResponse:
        actor = await self._actors.manager(context)
        await _check(adjustment_problem(request), context)
        return await self._adjustments.adjust(request, context, actor=actor)

    async def ListAdjustments(
        self, _: pb.ListAdjustmentsRequest, context: Context
    ) -> pb.ListAdjustmentsResponse:
        return await self._adjustments.list_waiting()

    async def DecideAdjustment(
        self, request: pb.DecideAdjustmentRequest, context: Context
    ) -> pb.DecideAdjustmentResponse:
        actor = await self._actors.manager(context)
        if not OPERATION_ID_FORM.fullmatch(request.operation_id):
            await invalid(context, "operation_id: send a UUID in its canonical text form")
        return await self._adjustments.decide(request, context, actor=actor)


async def _check(problem: str | None, context: Context) -> None:
    if problem is not None:
        await invalid(context, problem)


def _enrol(enrolment: pb.Enrolment, actor: str) -> Enrol:
    opening = enrolment.opening_points
    return Enrol(
        operation_id=enrolment.operation_id,
        fingerprint=command_fingerprint(
            "enrol",
            enrolment.member_id,
            enrolment.card,
            enrolment.language,
            *([opening] if opening else []),  # as it was before members could bring points along
        ),
        origin=Origin(actor=actor),
        member_id=enrolment.member_id,
        card=enrolment.card,
        language=enrolment.language,
        opening_points=opening,
    )


def _outcome(command: Enrol, answer: Answer) -> pb.EnrolmentOutcome:
    decision = answer.decision
    if isinstance(decision, Refused):
        return pb.EnrolmentOutcome(
            operation_id=command.operation_id,
            accepted=False,
            reason=decision.reason.value,
            remedy=decision.remedy,
        )
    return pb.EnrolmentOutcome(operation_id=command.operation_id, accepted=True)
