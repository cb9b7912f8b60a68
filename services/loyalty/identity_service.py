"""IdentityService: who the members are, for staff, the command line and the notifier."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NoReturn

import grpc

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from bonpunkt.loyalty.v1 import identity_pb2_grpc
from services.loyalty.calls import Context, invalid, refused
from services.loyalty.clock import Clock
from services.loyalty.domain.decision import Refused
from services.loyalty.identity import rotation
from services.loyalty.identity.erasure import Done, Eraser, NotDecidedError
from services.loyalty.identity.erasure_log import Erasure, ErasureLogError
from services.loyalty.identity.export import exported
from services.loyalty.identity.masterkeys import MasterKeysError
from services.loyalty.identity.normal import (
    Kind,
    normal_email,
    normal_full_name,
    normal_name,
    normal_phone,
)
from services.loyalty.identity.profile import well_formed
from services.loyalty.identity.sealing import BrokenSealError
from services.loyalty.identity.vault import KeyLostError, Person, Refusal, Tombstone, Vault
from services.loyalty.identity.wire import (
    GROUNDS,
    consent_from_wire,
    consent_to_wire,
    contact_to_wire,
    identity_to_wire,
    profile_from_wire,
    profile_to_wire,
    tombstone_to_wire,
)
from services.loyalty.members import Members
from services.loyalty.office.actors import Actors
from services.loyalty.programmes.versions import Programmes
from services.loyalty.wire_forms import OPERATION_ID_FORM, UUID_FORM

TEXT_VERSION_MAX = 64
_CODE = re.compile(r"[a-z0-9_.-]{1,64}")
_FAULTS = (BrokenSealError, KeyLostError, MasterKeysError, ErasureLogError)
_Code = grpc.StatusCode
_REFUSALS = {
    Refusal.MEMBER_UNKNOWN: (_Code.NOT_FOUND, "member_id: there is no such member"),
    Refusal.ERASED: (_Code.FAILED_PRECONDITION, "member_id: this member was erased"),
    Refusal.MERGED: (_Code.FAILED_PRECONDITION, "member_id: merged; use the survivor's id"),
    Refusal.IDENTITY_UNKNOWN: (_Code.NOT_FOUND, "member_id: nothing is known of this person yet"),
    Refusal.CHANGED_MEANWHILE: (_Code.ABORTED, "if_version: changed meanwhile; read it again"),
    Refusal.CONSENT_REUSED: (
        _Code.FAILED_PRECONDITION,
        "consent.consent_id: already used for another consent; make a new id",
    ),
}


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """`clock` is the ledger's; the vault has the office's."""

    def __init__(
        self,
        vault: Vault,
        eraser: Eraser,
        actors: Actors,
        programmes: Programmes,
        clock: Clock,
        *,
        country_code: str,
    ) -> None:
        self._vault, self._eraser, self._actors = vault, eraser, actors
        self._programmes, self._clock = programmes, clock
        self._members = Members(vault.engine)
        self._country_code = country_code

    # --- a person's data --------------------------------------------------------------------

    async def PutIdentity(
        self, request: pb.PutIdentityRequest, context: Context
    ) -> pb.PutIdentityResponse:
        actor = await self._actors.actor(context)
        await _check_id("member_id", request.member_id, context)
        profile, problem = well_formed(
            profile_from_wire(request.profile),
            country_code=self._country_code,
            today=self._vault.clock().date(),
        )
        if profile is None:
            await invalid(context, f"profile.{problem}")
        try:
            outcome = await self._vault.put(
                request.member_id, profile, actor=actor, if_version=request.if_version
            )
        except _FAULTS as error:
            await _faulty(error, context)
        if isinstance(outcome, Refusal):
            await context.abort(*_REFUSALS[outcome])
        return pb.PutIdentityResponse(version=outcome)

    async def GetIdentity(
        self, request: pb.GetIdentityRequest, context: Context
    ) -> pb.GetIdentityResponse:
        actor = await self._actors.actor(context)
        await _check_id("member_id", request.member_id, context)
        await self._vault.note(actor, "identity.read", request.member_id)
        return identity_to_wire(request.member_id, await self._found(request.member_id, context))

    async def FindMembers(
        self, request: pb.FindMembersRequest, context: Context
    ) -> pb.FindMembersResponse:
        actor = await self._actors.actor(context)
        kind, normal = await self._wanted(request, context)
        try:
            people, more = await self._vault.search([(kind, normal)])
        except _FAULTS as error:
            await _faulty(error, context)
        # what was asked for is personal data itself
        detail = f"by {kind.name.lower()}: {len(people)} found"
        await self._vault.note(actor, "identity.find", "", detail)
        return pb.FindMembersResponse(
            members=[
                pb.FoundMember(member_id=p.member_id, profile=profile_to_wire(p.profile))
                for p in people
            ],
            more=more,
        )

    async def _wanted(self, request: pb.FindMembersRequest, context: Context) -> tuple[Kind, str]:
        """What is looked for, normalised; ends the call if that is nothing."""
        by = request.WhichOneof("by")
        kind, normal = Kind.FULL_NAME, None
        if by == "email":
            kind, normal = Kind.EMAIL, normal_email(request.email)
        elif by == "phone":
            kind = Kind.PHONE
            normal = normal_phone(request.phone, country_code=self._country_code)
        elif by == "name" and not request.name.given_name.strip():
            kind, normal = Kind.SURNAME, normal_name(request.name.surname)
        elif by == "name":
            normal = normal_full_name(
                surname=request.name.surname, given_name=request.name.given_name
            )
        if not normal:
            await invalid(
                context, f"{by or 'by'}: send an e-mail address, a telephone number or a name"
            )
        return kind, normal

    async def SetConsent(
        self, request: pb.SetConsentRequest, context: Context
    ) -> pb.SetConsentResponse:
        actor = await self._actors.actor(context)
        await _check_id("member_id", request.member_id, context)
        now = self._vault.clock()
        problem = _consent_problem(request.consent, now=now)
        if problem:
            await invalid(context, f"consent.{problem}")
        consent = consent_from_wire(request.consent, now=now)
        try:
            outcome = await self._vault.add_consent(request.member_id, consent, actor=actor)
        except _FAULTS as error:
            await _faulty(error, context)
        if isinstance(outcome, Refusal):
            await context.abort(*_REFUSALS[outcome])
        return pb.SetConsentResponse(consent=consent_to_wire(outcome))

    async def GetContact(
        self, request: pb.GetContactRequest, context: Context
    ) -> pb.GetContactResponse:
        await _check_id("member_id", request.member_id, context)
        found = await self._found(request.member_id, context)
        if isinstance(found, Tombstone):
            return pb.GetContactResponse(erased=True)
        return contact_to_wire(found)

    async def _found(self, member_id: str, context: Context) -> Person | Tombstone:
        """What is known of the person; ends the call if that is nothing."""
        try:
            found = await self._vault.find(member_id)
        except _FAULTS as error:
            await _faulty(error, context)
        if found is None:
            await context.abort(*_REFUSALS[Refusal.IDENTITY_UNKNOWN])
        return found

    # --- rights of the person ---------------------------------------------------------------

    async def ExportMember(
        self, request: pb.ExportMemberRequest, context: Context
    ) -> AsyncIterator[pb.ExportMemberResponse]:
        actor = await self._actors.manager(context)
        member_id = await self._exported_id(request, context)
        await self._vault.note(actor, "identity.export", member_id)
        known = False
        try:
            async for message in exported(
                self._vault, self._programmes, member_id, ledger_now_us=self._clock.now_us()
            ):
                known = True
                yield message
        except _FAULTS as error:
            await _faulty(error, context)
        if not known:
            await context.abort(*_REFUSALS[Refusal.MEMBER_UNKNOWN])

    async def _exported_id(self, request: pb.ExportMemberRequest, context: Context) -> str:
        if request.WhichOneof("by") == "card":
            member = await self._members.by_card(request.card)
            if member is None:
                await context.abort(_Code.NOT_FOUND, "card: no member has this card")
            return member.member_id
        await _check_id("member_id", request.member_id, context)
        return request.member_id

    async def EraseMember(
        self, request: pb.EraseMemberRequest, context: Context
    ) -> pb.EraseMemberResponse:
        actor = await self._actors.manager(context)
        await _check_id("member_id", request.member_id, context)
        if not OPERATION_ID_FORM.fullmatch(request.operation_id):
            await invalid(context, "operation_id: send a UUID in its canonical text form")
        if request.ground not in GROUNDS:
            await invalid(context, "ground: say why, by one of the grounds of the contract")
        erasure = Erasure(
            operation_id=request.operation_id,
            member_id=request.member_id,
            ground=GROUNDS[request.ground],
            actor=actor,
            at=self._vault.clock(),
        )
        try:
            outcome = await self._eraser.erase(erasure)
        except NotDecidedError as error:
            await context.abort(_Code.UNAVAILABLE, str(error))
        except _FAULTS as error:
            await _faulty(error, context)
        if outcome is None:
            await context.abort(*_REFUSALS[Refusal.MEMBER_UNKNOWN])
        if isinstance(outcome, Refused):
            await refused(context, outcome)
        assert isinstance(outcome, Done)
        return pb.EraseMemberResponse(
            tombstone=tombstone_to_wire(outcome.tombstone),
            points_forfeited=outcome.points_forfeited,
        )

    async def RepeatErasures(
        self, request: pb.RepeatErasuresRequest, context: Context
    ) -> AsyncIterator[pb.RepeatErasuresResponse]:
        actor = await self._actors.manager(context)
        await self._vault.note(actor, "identity.repeat_erasures", "")
        try:
            async for progress in self._eraser.repeat():
                yield pb.RepeatErasuresResponse(
                    done=progress.done,
                    total=progress.total,
                    repeated_here=progress.repeated_here,
                )
        except NotDecidedError as error:
            await context.abort(_Code.UNAVAILABLE, str(error))
        except _FAULTS as error:
            await _faulty(error, context)

    # --- master keys ------------------------------------------------------------------------

    async def RotateKeys(
        self, request: pb.RotateKeysRequest, context: Context
    ) -> AsyncIterator[pb.RotateKeysResponse]:
        actor = await self._actors.manager(context)
        try:
            version = (await self._vault.keys.master_keys()).newest.version
            await self._vault.note(actor, "identity.rotate", f"master key {version}")
            async for progress in rotation.rotate(self._vault):
                yield pb.RotateKeysResponse(
                    master_version=progress.master_version,
                    keys_done=progress.keys_done,
                    keys_total=progress.keys_total,
                    indexes_done=progress.indexes_done,
                    indexes_total=progress.indexes_total,
                    failed=progress.failed,
                )
        except _FAULTS as error:
            await _faulty(error, context)

    async def ListMasterKeys(
        self, request: pb.ListMasterKeysRequest, context: Context
    ) -> pb.ListMasterKeysResponse:
        await self._actors.manager(context)
        try:
            keys = await self._vault.keys.master_keys()
        except _FAULTS as error:
            await _faulty(error, context)
        data_keys, indexes = await self._vault.keys.use(), await rotation.index_use(self._vault)
        return pb.ListMasterKeysResponse(
            master_keys=[
                pb.MasterKeyUse(
                    version=key.version,
                    data_keys=data_keys.get(key.version, 0),
                    indexes=indexes.get(key.version, 0),
                )
                for key in keys.keys
            ]
        )


def _consent_problem(consent: pb.Consent, *, now: datetime) -> str:
    """Field and remedy, or nothing."""
    if not UUID_FORM.fullmatch(consent.consent_id):
        return "consent_id: send a UUID in its canonical text form"
    for field in ("purpose", "channel"):
        if not _CODE.fullmatch(getattr(consent, field)):
            return f"{field}: send a code, 1 to 64 characters of a-z 0-9 _ . -"
    version = consent.text_version
    if not 1 <= len(version) <= TEXT_VERSION_MAX or not version.isprintable():
        return f"text_version: say which words, in 1 to {TEXT_VERSION_MAX} printable characters"
    if consent.HasField("at"):
        try:
            ahead = consent.at.ToDatetime(UTC) > now
        except (ValueError, OverflowError):
            ahead = True
        if ahead:
            return "at: send a time that has passed"
    return ""


async def _check_id(field: str, member_id: str, context: Context) -> None:
    if not UUID_FORM.fullmatch(member_id):
        await invalid(context, f"{field}: send a UUID in its canonical text form")


async def _faulty(error: Exception, context: Context) -> NoReturn:
    """Ends the call: the vault, its keys or its log are not as they were left."""
    await context.abort(_Code.FAILED_PRECONDITION, str(error))
