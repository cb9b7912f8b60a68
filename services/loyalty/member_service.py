"""Members for staff, the command line and imports: writing through the writer, reading committed
state.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from bonpunkt.loyalty.v1 import member_pb2 as pb
from bonpunkt.loyalty.v1 import member_pb2_grpc
from services.loyalty import schema
from services.loyalty.domain.decision import BlockedSet, Enrol, Origin, Refused, SetBlocked
from services.loyalty.domain.member import Member
from services.loyalty.feed import state_to_wire
from services.loyalty.keys import card_key, member_bucket
from services.loyalty.lanes import Lanes
from services.loyalty.office.actors import Actors
from services.loyalty.office.instants import timestamp
from services.loyalty.record import after_of
from services.loyalty.store import MEMBER_COLUMNS, member_from_row
from services.loyalty.wire_requests import (
    CARD_MAX,
    OPERATION_ID_FORM,
    UUID_FORM,
    command_fingerprint,
)
from services.loyalty.writer import Answer

TIMEOUT_S = 10.0
ENROLMENTS_MAX = 512
LANGUAGE_MAX = 35  # of a BCP 47 tag
REASON_MIN, REASON_MAX = 3, 200
IDS = {"operation_id": OPERATION_ID_FORM, "member_id": UUID_FORM}

Context = grpc.aio.ServicerContext[Any, Any]


class MemberServicer(member_pb2_grpc.MemberServiceServicer):
    def __init__(self, lanes: Lanes, engine: AsyncEngine, actors: Actors) -> None:
        self._lanes, self._engine, self._actors = lanes, engine, actors

    async def EnrolMembers(
        self, request: pb.EnrolMembersRequest, context: Context
    ) -> pb.EnrolMembersResponse:
        actor = await self._actors.actor(context)
        count = len(request.enrolments)
        if not 1 <= count <= ENROLMENTS_MAX:
            await _invalid(context, f"enrolments: send 1 to {ENROLMENTS_MAX}, not {count}")
        for number, enrolment in enumerate(request.enrolments):
            problem = _enrolment_problem(enrolment)
            if problem is not None:
                await _invalid(context, f"enrolments[{number}].{problem}")
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
        place = await self._place(request, context)
        table = schema.member
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            found = await connection.execute(
                select(*[table.c[name] for name in MEMBER_COLUMNS]).where(
                    table.c.bucket == place[0], table.c.member_id == place[1]
                )
            )
            row = found.one_or_none()
        if row is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such member")
        return _member_to_wire(place[0], member_from_row(row))

    async def _place(self, request: pb.GetMemberRequest, context: Context) -> tuple[int, str]:
        if request.WhichOneof("by") == "member_id":
            if not UUID_FORM.fullmatch(request.member_id):
                await _invalid(context, "member_id: send a UUID in its canonical text form")
            return member_bucket(request.member_id), request.member_id
        key = card_key(request.card)
        table = schema.locator
        async with self._engine.connect() as connection:
            await connection.execution_options(read_only=True)
            found = await connection.execute(
                select(table.c.home_bucket, table.c.member_id).where(
                    table.c.bucket == key.bucket, table.c.kind == key.kind, table.c.key == key.key
                )
            )
            row = found.one_or_none()
        if row is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no member has this card")
        return row.home_bucket, row.member_id

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
        for name, form in IDS.items():
            if not form.fullmatch(getattr(request, name)):
                await _invalid(context, f"{name}: send a UUID in its canonical text form")
        reason = request.reason.strip()
        if not REASON_MIN <= len(reason) <= REASON_MAX or not reason.isprintable():
            await _invalid(
                context, f"reason: say why, in {REASON_MIN} to {REASON_MAX} printable characters"
            )
        command = SetBlocked(
            operation_id=request.operation_id,
            fingerprint=command_fingerprint("block", request.member_id, blocked, reason),
            origin=Origin(actor=actor),
            member_id=request.member_id,
            blocked=blocked,
            reason=reason,
        )
        answer = await self._lanes.commit(command, timeout_s=TIMEOUT_S)
        await _abort_unless(isinstance(answer.decision, BlockedSet), answer, context)
        return await self.GetMember(pb.GetMemberRequest(member_id=request.member_id), context)


def _enrol(enrolment: pb.Enrolment, actor: str) -> Enrol:
    return Enrol(
        operation_id=enrolment.operation_id,
        fingerprint=command_fingerprint(
            "enrol", enrolment.member_id, enrolment.card, enrolment.language
        ),
        origin=Origin(actor=actor),
        member_id=enrolment.member_id,
        card=enrolment.card,
        language=enrolment.language,
    )


def _enrolment_problem(enrolment: pb.Enrolment) -> str | None:
    """Field and remedy of the first thing wrong with the form."""
    for name, form in IDS.items():
        if not form.fullmatch(getattr(enrolment, name)):
            return f"{name}: send a UUID in its canonical text form, in lower case"
    if not 1 <= len(enrolment.card) <= CARD_MAX or not enrolment.card.isprintable():
        return f"card: send 1 to {CARD_MAX} printable characters"
    language = enrolment.language
    if not 2 <= len(language) <= LANGUAGE_MAX or not language.replace("-", "").isalnum():
        return 'language: send a BCP 47 tag such as "de"'
    return None


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


def _member_to_wire(bucket: int, member: Member) -> pb.GetMemberResponse:
    return pb.GetMemberResponse(
        member_id=member.member_id,
        bucket=bucket,
        member_version=member.version,
        state=state_to_wire(after_of(member)),
        cards=member.cards,
        lots=[
            pb.Lot(expires_on=lot.expires_on.isoformat(), points=lot.points) for lot in member.lots
        ],
        enrolled_at=timestamp(member.enrolled_at_us),
    )


async def _abort_unless(accepted: bool, answer: Answer, context: Context) -> None:
    if accepted:
        return
    if isinstance(answer.decision, Refused):
        unknown = answer.decision.reason.value == "member_unknown"
        await context.abort(
            grpc.StatusCode.NOT_FOUND if unknown else grpc.StatusCode.FAILED_PRECONDITION,
            f"{answer.decision.field}: {answer.decision.remedy}",
        )
    await context.abort(
        grpc.StatusCode.UNAVAILABLE, "not decided in time; repeat the call with the same id"
    )


async def _invalid(context: Context, words: str) -> None:
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, words)
