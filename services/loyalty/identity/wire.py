"""The vault's values as messages, and back."""

from dataclasses import asdict, fields
from datetime import UTC, datetime

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from services.loyalty.identity.profile import Consent, Profile
from services.loyalty.identity.vault import Person, Tombstone
from services.loyalty.office.instants import micros, timestamp

GROUNDS = {
    pb.ERASURE_GROUND_REQUEST: "request",
    pb.ERASURE_GROUND_CONSENT_WITHDRAWN: "consent_withdrawn",
    pb.ERASURE_GROUND_OBJECTION: "objection",
    pb.ERASURE_GROUND_NO_LONGER_NEEDED: "no_longer_needed",
    pb.ERASURE_GROUND_UNLAWFUL: "unlawful",
    pb.ERASURE_GROUND_LEGAL_DUTY: "legal_duty",
}
_GROUND_NUMBERS = {name: number for number, name in GROUNDS.items()}


def profile_from_wire(profile: pb.Profile) -> Profile:
    return Profile(**{field.name: getattr(profile, field.name) for field in fields(Profile)})


def profile_to_wire(profile: Profile) -> pb.Profile:
    return pb.Profile(**asdict(profile))


def consent_from_wire(consent: pb.Consent, *, now: datetime) -> Consent:
    """Said now unless the message tells when."""
    at = consent.at.ToDatetime(UTC) if consent.HasField("at") else now
    return Consent(
        consent_id=consent.consent_id,
        purpose=consent.purpose,
        given=consent.given,
        text_version=consent.text_version,
        channel=consent.channel,
        at_us=micros(at),
        recorded_at_us=micros(now),
    )


def consent_to_wire(consent: Consent) -> pb.Consent:
    return pb.Consent(
        consent_id=consent.consent_id,
        purpose=consent.purpose,
        given=consent.given,
        text_version=consent.text_version,
        channel=consent.channel,
        at=timestamp(consent.at_us),
        recorded_at=timestamp(consent.recorded_at_us),
    )


def tombstone_to_wire(tombstone: Tombstone) -> pb.Tombstone:
    return pb.Tombstone(
        operation_id=tombstone.operation_id,
        erased_at=timestamp(tombstone.erased_at_us),
        ground=_GROUND_NUMBERS.get(tombstone.ground, pb.ERASURE_GROUND_UNSPECIFIED),
        actor=tombstone.actor,
    )


def identity_to_wire(member_id: str, found: Person | Tombstone) -> pb.GetIdentityResponse:
    if isinstance(found, Tombstone):
        return pb.GetIdentityResponse(member_id=member_id, erased=tombstone_to_wire(found))
    return pb.GetIdentityResponse(
        member_id=member_id,
        profile=profile_to_wire(found.profile),
        version=found.version,
        consents=[consent_to_wire(consent) for consent in found.consents],
    )


def contact_to_wire(found: Person) -> pb.GetContactResponse:
    """The latest word on each purpose counts."""
    latest = {consent.purpose: consent.given for consent in found.consents}
    return pb.GetContactResponse(
        given_name=found.profile.given_name,
        surname=found.profile.surname,
        email=found.profile.email,
        phone=found.profile.phone,
        language=found.profile.language,
        consents=sorted(purpose for purpose, given in latest.items() if given),
    )
