"""Identities over gRPC: who may do what, what is told, what is never told."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from bonpunkt.loyalty.v1 import journal_pb2, staff_pb2
from bonpunkt.till import operations
from services.loyalty.identity.masterkeys import add_key
from services.loyalty.identity_service import TEXT_VERSION_MAX
from services.runtime.grpc import bearer
from tests.loyalty.identity.conftest import ANNA
from tests.loyalty.ledgers import a_wire_capture
from tests.loyalty.served import TOKEN, Served, data_of, refusal, served

CARD, OTHER_CARD = "2900000000018", "2900000000025"
CODE = grpc.StatusCode


def a_profile(**changes: str) -> pb.Profile:
    return pb.Profile(**{**asdict(ANNA), **changes})


def a_consent(**changes: Any) -> pb.Consent:
    return pb.Consent(
        **{
            "consent_id": operations.new_id(),
            "purpose": "email_marketing",
            "given": True,
            "text_version": "2026-01",
            "channel": "till",
            **changes,
        }
    )


def an_erasure(member_id: str, **changes: Any) -> pb.EraseMemberRequest:
    return pb.EraseMemberRequest(
        **{
            "operation_id": operations.new_id(),
            "member_id": member_id,
            "ground": pb.ERASURE_GROUND_REQUEST,
            **changes,
        }
    )


async def person(loyalty: Served, card: str = CARD, **changes: str) -> str:
    (enrolment,) = await loyalty.enrolled(card)
    await loyalty.identities.PutIdentity(
        pb.PutIdentityRequest(member_id=enrolment.member_id, profile=a_profile(**changes))
    )
    return enrolment.member_id


async def identity_of(loyalty: Served, member_id: str) -> pb.GetIdentityResponse:
    found: pb.GetIdentityResponse = await loyalty.identities.GetIdentity(
        pb.GetIdentityRequest(member_id=member_id)
    )
    return found


async def exported(loyalty: Served, **by: str) -> tuple[pb.ExportedMember, list[pb.ExportedEntry]]:
    messages = [m async for m in loyalty.identities.ExportMember(pb.ExportMemberRequest(**by))]
    return messages[0].member, [entry for message in messages for entry in message.entries]


async def acts(loyalty: Served, member_id: str) -> list[str]:
    """What the audit has about the member, oldest first."""
    answer = await loyalty.staff.ListAudit(staff_pb2.ListAuditRequest(page_size=200))
    return [e.action for e in reversed(answer.entries) if e.subject == member_id]


# --- a person's data ------------------------------------------------------------------------


async def test_what_was_put_is_got(loyalty: Served) -> None:
    member_id = await person(loyalty, phone="030 / 123456", email="ANNA@example.org")

    found = await identity_of(loyalty, member_id)

    assert found.profile == a_profile()
    assert (found.version, list(found.consents)) == (1, [])
    assert await acts(loyalty, member_id) == ["identity.put", "identity.read"]


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ({"email": " Anna@Example.org"}, True),
        ({"phone": "+49 (0)30 123456"}, True),
        ({"name": pb.Name(surname="MUELLER")}, True),
        ({"name": pb.Name(surname="Müller", given_name="anna")}, True),
        ({"name": pb.Name(surname="Müller", given_name="Ben")}, False),
        ({"name": pb.Name(surname="Mülle")}, False),
        ({"email": "nobody@example.org"}, False),
    ],
)
async def test_a_member_is_found_however_it_is_written(
    loyalty: Served, by: dict[str, Any], found: bool
) -> None:
    member_id = await person(loyalty)

    answer = await loyalty.identities.FindMembers(pb.FindMembersRequest(**by))

    assert [member.member_id for member in answer.members] == [member_id] * found
    assert [member.profile for member in answer.members] == [a_profile()] * found


async def test_a_search_is_audited_without_what_was_asked(loyalty: Served) -> None:
    await person(loyalty)
    await loyalty.identities.FindMembers(pb.FindMembersRequest(email="anna@example.org"))

    answer = await loyalty.staff.ListAudit(staff_pb2.ListAuditRequest(page_size=1))

    assert answer.entries[0].action == "identity.find"
    assert answer.entries[0].detail == "by email: 1 found"


@pytest.mark.parametrize(
    "by",
    [{}, {"email": "marker"}, {"phone": "marker"}, {"name": pb.Name(given_name="marker")},
     {"name": pb.Name(surname="…")}],
)  # fmt: skip
async def test_a_search_for_nothing_is_refused_and_not_repeated(
    loyalty: Served, by: dict[str, Any]
) -> None:
    code, words = await refusal(loyalty.identities.FindMembers(pb.FindMembersRequest(**by)))

    assert code is CODE.INVALID_ARGUMENT
    assert "marker" not in words


async def test_malformed_data_are_named_and_not_repeated(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    request = pb.PutIdentityRequest(
        member_id=enrolment.member_id, profile=a_profile(email="marker")
    )

    code, words = await refusal(loyalty.identities.PutIdentity(request))

    assert code is CODE.INVALID_ARGUMENT
    assert words.startswith("profile.email:")
    assert "marker" not in words


async def test_a_change_of_an_older_version_is_refused(loyalty: Served) -> None:
    member_id = await person(loyalty)
    request = pb.PutIdentityRequest(member_id=member_id, profile=a_profile(), if_version=2)

    code, words = await refusal(loyalty.identities.PutIdentity(request))

    assert (code, words.partition(":")[0]) == (CODE.ABORTED, "if_version")


async def test_nobody_is_not_found(loyalty: Served) -> None:
    (enrolment,) = await loyalty.enrolled(CARD)
    nobody, unknown = operations.new_id(), enrolment.member_id
    for call in (
        loyalty.identities.PutIdentity(
            pb.PutIdentityRequest(member_id=nobody, profile=a_profile())
        ),
        loyalty.identities.GetIdentity(pb.GetIdentityRequest(member_id=unknown)),
        loyalty.identities.GetContact(pb.GetContactRequest(member_id=unknown)),
        loyalty.identities.SetConsent(pb.SetConsentRequest(member_id=unknown, consent=a_consent())),
        loyalty.identities.EraseMember(an_erasure(nobody)),
        exported(loyalty, member_id=nobody),
        exported(loyalty, card="nobody"),
    ):
        code, words = await refusal(call)
        assert code is CODE.NOT_FOUND
        assert words


@pytest.mark.parametrize("wrong", ["", "x", "0198C6F4-0000-7000-8000-000000000001"])
async def test_a_member_is_named_by_a_uuid(loyalty: Served, wrong: str) -> None:
    for call in (
        loyalty.identities.PutIdentity(pb.PutIdentityRequest(member_id=wrong)),
        loyalty.identities.GetIdentity(pb.GetIdentityRequest(member_id=wrong)),
        loyalty.identities.GetContact(pb.GetContactRequest(member_id=wrong)),
        loyalty.identities.SetConsent(pb.SetConsentRequest(member_id=wrong)),
        loyalty.identities.EraseMember(an_erasure(wrong)),
        exported(loyalty, member_id=wrong),
    ):
        code, words = await refusal(call)
        assert (code, words.partition(":")[0]) == (CODE.INVALID_ARGUMENT, "member_id")


# --- consents and contact -------------------------------------------------------------------


async def test_a_contact_tells_what_the_person_agrees_to_now(loyalty: Served) -> None:
    member_id = await person(loyalty)
    for purpose, given in (("post", True), ("email", True), ("post", False), ("sms", False)):
        await loyalty.identities.SetConsent(
            pb.SetConsentRequest(
                member_id=member_id, consent=a_consent(purpose=purpose, given=given)
            )
        )

    contact = await loyalty.identities.GetContact(
        pb.GetContactRequest(member_id=member_id), metadata=bearer(TOKEN)
    )

    assert list(contact.consents) == ["email"]
    assert (contact.email, contact.phone) == (ANNA.email, ANNA.phone)
    assert not contact.erased
    history = (await identity_of(loyalty, member_id)).consents
    assert [(c.purpose, c.given) for c in history] == [
        ("post", True),
        ("email", True),
        ("post", False),
        ("sms", False),
    ]
    assert all(c.at == c.recorded_at and c.at.seconds > 0 for c in history)


async def test_a_consent_may_have_been_said_earlier(loyalty: Served) -> None:
    member_id = await person(loyalty)
    consent = a_consent()
    consent.at.FromJsonString("2019-05-04T12:30:00Z")

    answer = await loyalty.identities.SetConsent(
        pb.SetConsentRequest(member_id=member_id, consent=consent)
    )

    assert answer.consent.at == consent.at
    assert answer.consent.recorded_at.seconds > consent.at.seconds


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("consent_id", ""),
        ("purpose", ""),
        ("purpose", "E-Mail"),
        ("purpose", "x" * 65),
        ("channel", ""),
        ("channel", "at the till"),
        ("text_version", ""),
        ("text_version", "x" * (TEXT_VERSION_MAX + 1)),
        ("text_version", "a\nb"),
        ("at", {"seconds": 2**34}),
        ("at", {"seconds": -(2**40)}),
    ],
)
async def test_a_malformed_consent_is_named(loyalty: Served, field: str, wrong: Any) -> None:
    member_id = await person(loyalty)
    request = pb.SetConsentRequest(member_id=member_id, consent=a_consent(**{field: wrong}))

    code, words = await refusal(loyalty.identities.SetConsent(request))

    assert (code, words.partition(":")[0]) == (CODE.INVALID_ARGUMENT, f"consent.{field}")


async def test_an_id_is_of_one_consent(loyalty: Served) -> None:
    member_id = await person(loyalty)
    consent = a_consent()
    request = pb.SetConsentRequest(member_id=member_id, consent=consent)
    first = await loyalty.identities.SetConsent(request)

    assert await loyalty.identities.SetConsent(request) == first
    consent.channel = "web"
    code, words = await refusal(
        loyalty.identities.SetConsent(pb.SetConsentRequest(member_id=member_id, consent=consent))
    )

    assert (code, words.partition(":")[0]) == (CODE.FAILED_PRECONDITION, "consent.consent_id")


# --- export ---------------------------------------------------------------------------------


async def test_an_export_has_the_person_and_every_entry_with_its_basket(loyalty: Served) -> None:
    member_id = await person(loyalty)
    consent = a_consent()
    await loyalty.identities.SetConsent(pb.SetConsentRequest(member_id=member_id, consent=consent))
    captures = [a_wire_capture(CARD, 2000) for _ in range(3)]
    await loyalty.committed(*captures)
    await person(loyalty, OTHER_CARD)
    await loyalty.committed(a_wire_capture(OTHER_CARD, 2000))

    member, entries = await exported(loyalty, card=CARD)

    assert (member, entries)[1:] == (await exported(loyalty, member_id=member_id))[1:]
    assert member.account == await loyalty.member(CARD)
    assert member.identity.profile == a_profile()
    assert [c.consent_id for c in member.identity.consents] == [consent.consent_id]
    assert {entry.entry.member_id for entry in entries} == {member_id}
    assert [entry.entry.kind for entry in entries] == ["capture", "capture", "capture", "enrol"]
    assert {entry.entry.operation_id for entry in entries} >= {c.id for c in captures}
    assert [entry.HasField("basket") for entry in entries] == [True, True, True, False]
    newest = await loyalty.journal.GetEntry(
        journal_pb2.GetEntryRequest(
            bucket=entries[0].entry.bucket, sequence=entries[0].entry.sequence
        )
    )
    assert entries[0].decision_json == newest.decision_json
    assert entries[0].basket.line_items_json == newest.basket_json


async def test_an_export_goes_on_over_any_number_of_entries(
    loyalty: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.loyalty.identity.history.ROWS_MAX", 2)
    (enrolment,) = await loyalty.enrolled(CARD)
    await loyalty.committed(*(a_wire_capture(CARD, 2000) for _ in range(4)))

    member, entries = await exported(loyalty, card=CARD)

    sequences = [entry.entry.sequence for entry in entries]
    assert len(sequences) == 5
    assert sequences == sorted(sequences, reverse=True)
    assert not member.HasField("identity"), "nothing was ever known of the person"
    assert member.account.member_id == enrolment.member_id


async def test_an_export_of_an_erased_person_says_so_and_has_the_entries(loyalty: Served) -> None:
    member_id = await person(loyalty)
    await loyalty.committed(a_wire_capture(CARD, 2000))
    await loyalty.identities.EraseMember(an_erasure(member_id))

    member, entries = await exported(loyalty, member_id=member_id)

    assert member.account.state.status == "erased"
    assert member.identity.erased.ground == pb.ERASURE_GROUND_REQUEST
    assert not member.identity.HasField("profile")
    assert [entry.entry.kind for entry in entries] == ["erase", "capture", "enrol"]
    assert not any(entry.HasField("basket") for entry in entries)


# --- erasing --------------------------------------------------------------------------------


async def test_an_erased_person_is_gone_for_everybody(loyalty: Served) -> None:
    member_id = await person(loyalty)
    await loyalty.committed(a_wire_capture(CARD, 2000))
    request = an_erasure(member_id)

    answer = await loyalty.identities.EraseMember(request)

    assert answer.points_forfeited == 10
    assert answer.tombstone.actor == "cli:test"
    assert await loyalty.identities.EraseMember(request) == answer
    found = await identity_of(loyalty, member_id)
    assert (found.erased, found.HasField("profile")) == (answer.tombstone, False)
    contact = await loyalty.identities.GetContact(pb.GetContactRequest(member_id=member_id))
    assert contact == pb.GetContactResponse(erased=True)
    search = await loyalty.identities.FindMembers(pb.FindMembersRequest(email=ANNA.email))
    assert list(search.members) == []
    member = await loyalty.member(CARD)
    assert (member.state.status, list(member.cards)) == ("erased", [])
    (refused,) = await loyalty.committed(a_wire_capture(CARD, 2000))
    assert refused.HasField("refused")


async def test_a_card_of_an_erased_person_and_their_data_come_back_to_nobody(
    loyalty: Served,
) -> None:
    member_id = await person(loyalty)
    await loyalty.identities.EraseMember(an_erasure(member_id))
    request = pb.PutIdentityRequest(member_id=member_id, profile=a_profile())

    code, words = await refusal(loyalty.identities.PutIdentity(request))

    assert (code, words) == (CODE.FAILED_PRECONDITION, "member_id: this member was erased")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("operation_id", ""),
        ("operation_id", "0198c6f4-0000-8000-8000-000000000001"),  # the ledger's own version
        ("ground", pb.ERASURE_GROUND_UNSPECIFIED),
        ("ground", 99),
    ],
)
async def test_a_malformed_erasure_is_refused(loyalty: Served, field: str, wrong: Any) -> None:
    member_id = await person(loyalty)

    code, words = await refusal(
        loyalty.identities.EraseMember(an_erasure(member_id, **{field: wrong}))
    )

    assert (code, words.partition(":")[0]) == (CODE.INVALID_ARGUMENT, field)
    assert (await identity_of(loyalty, member_id)).profile == a_profile()


async def test_erasures_are_repeated_from_the_log(ledger_url: str, tmp_path: Path) -> None:
    async with served(ledger_url, data=tmp_path) as loyalty:
        for card in (CARD, OTHER_CARD):
            member_id = await person(loyalty, card)
            await loyalty.identities.EraseMember(an_erasure(member_id))

        answers = loyalty.identities.RepeatErasures(pb.RepeatErasuresRequest())
        steps = [(step.done, step.total, step.repeated_here) async for step in answers]

    assert steps == [(0, 2, 0), (1, 2, 0), (2, 2, 0)]


# --- master keys ----------------------------------------------------------------------------


async def test_keys_are_rotated_while_serving(loyalty: Served, ledger_url: str) -> None:
    member_id = await person(loyalty)
    version = add_key(data_of(ledger_url) / "identity-keys")

    steps = [step async for step in loyalty.identities.RotateKeys(pb.RotateKeysRequest())]

    assert steps[-1].master_version == version
    assert steps[-1].failed == 0
    answer = await loyalty.identities.ListMasterKeys(pb.ListMasterKeysRequest())
    used = {key.version: (key.data_keys, key.indexes) for key in answer.master_keys}
    assert used.pop(version)[1] == 1
    assert set(used.values()) <= {(0, 0)}
    assert (await identity_of(loyalty, member_id)).profile == a_profile()


# --- who acts -------------------------------------------------------------------------------


async def test_every_call_but_the_notifiers_names_its_actor(loyalty: Served) -> None:
    member_id = await person(loyalty)
    nobody = {"metadata": bearer(TOKEN)}

    async def drained(call: Any) -> None:
        async for _ in call:
            pass

    for call in (
        loyalty.identities.PutIdentity(pb.PutIdentityRequest(member_id=member_id), **nobody),
        loyalty.identities.GetIdentity(pb.GetIdentityRequest(member_id=member_id), **nobody),
        loyalty.identities.FindMembers(pb.FindMembersRequest(email=ANNA.email), **nobody),
        loyalty.identities.SetConsent(pb.SetConsentRequest(member_id=member_id), **nobody),
        loyalty.identities.EraseMember(an_erasure(member_id), **nobody),
        loyalty.identities.ListMasterKeys(pb.ListMasterKeysRequest(), **nobody),
        drained(loyalty.identities.ExportMember(pb.ExportMemberRequest(card=CARD), **nobody)),
        drained(loyalty.identities.RotateKeys(pb.RotateKeysRequest(), **nobody)),
        drained(loyalty.identities.RepeatErasures(pb.RepeatErasuresRequest(), **nobody)),
    ):
        code, _ = await refusal(call)
        assert code is CODE.UNAUTHENTICATED
    assert await acts(loyalty, member_id) == ["identity.put"]


async def test_clerks_see_people_and_only_managers_export_erase_and_rotate(
    loyalty: Served,
) -> None:
    member_id = await person(loyalty)
    password = "correct horse battery"
    name = f"clerk-{operations.new_id()[-12:]}"
    await loyalty.staff.AddStaff(
        staff_pb2.AddStaffRequest(name=name, password=password, role="clerk")
    )
    session = await loyalty.staff.SignIn(staff_pb2.SignInRequest(name=name, password=password))
    clerk = {"metadata": (*bearer(TOKEN), ("bonpunkt-session", session.session))}

    async def drained(call: Any) -> None:
        async for _ in call:
            pass

    found = await loyalty.identities.GetIdentity(
        pb.GetIdentityRequest(member_id=member_id), **clerk
    )
    assert found.profile == a_profile()
    for call in (
        loyalty.identities.EraseMember(an_erasure(member_id), **clerk),
        loyalty.identities.ListMasterKeys(pb.ListMasterKeysRequest(), **clerk),
        drained(loyalty.identities.ExportMember(pb.ExportMemberRequest(card=CARD), **clerk)),
        drained(loyalty.identities.RotateKeys(pb.RotateKeysRequest(), **clerk)),
        drained(loyalty.identities.RepeatErasures(pb.RepeatErasuresRequest(), **clerk)),
    ):
        code, _ = await refusal(call)
        assert code is CODE.PERMISSION_DENIED
    assert (await identity_of(loyalty, member_id)).profile == a_profile()
