"""The vault keeps what it is given, tells nobody without the keys, and notices every change."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from bonpunkt.till import operations
from services.loyalty.identity.masterkeys import MasterKeysError, add_key
from services.loyalty.identity.normal import Kind
from services.loyalty.identity.opening import open_vault
from services.loyalty.identity.profile import Profile
from services.loyalty.identity.schema import (
    IDENTITY_TABLES,
    identity,
    identity_consent,
    identity_index,
)
from services.loyalty.identity.sealing import BrokenSealError
from services.loyalty.identity.settings import IdentitySettings
from services.loyalty.identity.vault import FOUND_MAX, KeyLostError, Person, Refusal
from services.loyalty.office.schema import audit
from tests.loyalty.identity.conftest import ACTOR, ANNA, Identities, OfficeClock
from tests.loyalty.ledgers import Ledger, a_block

CARD, OTHER_CARD = "2900000000018", "2900000000025"


async def person_of(identities: Identities, member_id: str) -> Person:
    found = await identities.vault.find(member_id)
    assert isinstance(found, Person), found
    return found


async def found_by(identities: Identities, kind: Kind, normal: str) -> list[str]:
    people, more = await identities.vault.search([(kind, normal)])
    assert not more
    return [person.member_id for person in people]


async def audited(identities: Identities, member_id: str) -> list[tuple[str, str, str]]:
    """Actor, action and detail of the entries about a member."""
    rows = await identities.ledger.rows(audit)
    return [(row.actor, row.action, row.detail) for row in rows if row.subject == member_id]


# --- what is put is there -------------------------------------------------------------------


async def test_a_person_is_what_was_put_last(identities: Identities) -> None:
    member_id = await identities.person()
    moved = replace(ANNA, surname="Schmidt", email="")

    assert await identities.vault.put(member_id, moved, actor=ACTOR) == 2

    found = await person_of(identities, member_id)
    assert (found.profile, found.version) == (moved, 2)


async def test_the_same_again_changes_nothing(identities: Identities) -> None:
    member_id = await identities.person()
    before = await identities.ledger.rows(identity)

    assert await identities.vault.put(member_id, ANNA, actor=ACTOR) == 1

    assert await identities.ledger.rows(identity) == before
    assert len(await audited(identities, member_id)) == 1


async def test_nobody_is_known_before_they_are_put(identities: Identities) -> None:
    (enrolment,) = await identities.ledger.enrolled(CARD)

    assert await identities.vault.find(enrolment.member_id) is None
    assert await identities.vault.find(operations.new_id()) is None


async def test_data_belong_to_a_member(identities: Identities) -> None:
    outcome = await identities.vault.put(operations.new_id(), ANNA, actor=ACTOR)

    assert outcome is Refusal.MEMBER_UNKNOWN
    assert await identities.ledger.rows(identity) == []


async def test_a_blocked_member_has_data_like_everybody(identities: Identities) -> None:
    member_id = await identities.person()
    await identities.ledger.decision(a_block(member_id))

    assert await identities.vault.put(member_id, Profile(surname="Ng"), actor=ACTOR) == 2


@pytest.mark.parametrize(("if_version", "outcome"), [(1, Refusal.CHANGED_MEANWHILE), (2, 3)])
async def test_a_change_may_ask_for_the_version_that_it_has_seen(
    identities: Identities, if_version: int, outcome: object
) -> None:
    member_id = await identities.person()
    await identities.vault.put(member_id, Profile(surname="Ng"), actor=ACTOR)

    assert (
        await identities.vault.put(member_id, ANNA, actor=ACTOR, if_version=if_version) == outcome
    )


async def test_every_change_names_who_made_it_and_tells_nothing_else(
    identities: Identities,
) -> None:
    member_id = await identities.person()
    await identities.vault.add_consent(member_id, identities.consent(), actor=ACTOR)

    assert await audited(identities, member_id) == [
        (ACTOR, "identity.put", "version 1"),
        (ACTOR, "identity.consent", ""),
    ]


async def test_no_row_tells_anything_about_the_person(identities: Identities) -> None:
    member_id = await identities.person()
    await identities.vault.add_consent(
        member_id,
        identities.consent(text_version="marker-2026", purpose="marker_mail"),
        actor=ACTOR,
    )

    rows = [row for table in IDENTITY_TABLES for row in await identities.ledger.rows(table)]
    told = repr([rows, await audited(identities, member_id)]).lower()
    for part in ("anna", "mueller", "müller", "30123456", "1990-02-28", "marker"):
        assert part not in told


# --- who is found ---------------------------------------------------------------------------


async def test_a_person_is_found_by_address_number_and_name(identities: Identities) -> None:
    anna = await identities.person(CARD)
    ben = await identities.person(
        OTHER_CARD, Profile(given_name="Ben", surname="Mueller", email="ben@example.org")
    )

    assert await found_by(identities, Kind.EMAIL, "anna@example.org") == [anna]
    assert await found_by(identities, Kind.PHONE, "+4930123456") == [anna]
    assert await found_by(identities, Kind.FULL_NAME, "mueller\nben") == [ben]
    assert await found_by(identities, Kind.SURNAME, "mueller") == sorted([anna, ben])
    assert await found_by(identities, Kind.SURNAME, "muell") == []
    assert await found_by(identities, Kind.EMAIL, "+4930123456") == []


async def test_a_person_is_not_found_by_what_they_no_longer_have(identities: Identities) -> None:
    member_id = await identities.person()

    await identities.vault.put(member_id, replace(ANNA, email="new@example.org"), actor=ACTOR)

    assert await found_by(identities, Kind.EMAIL, "anna@example.org") == []
    assert await found_by(identities, Kind.EMAIL, "new@example.org") == [member_id]


async def test_a_search_tells_so_many_and_that_there_are_more(identities: Identities) -> None:
    await identities.ledger.enrolled(*[str(number) for number in range(FOUND_MAX + 1)])
    rows = await identities.ledger.journal("enrol")
    for row in rows[:FOUND_MAX]:
        await identities.vault.put(row.member_id, Profile(surname="Ng"), actor=ACTOR)

    people, more = await identities.vault.search([(Kind.SURNAME, "ng")])
    assert (len(people), more) == (FOUND_MAX, False)

    await identities.vault.put(rows[FOUND_MAX].member_id, Profile(surname="Ng"), actor=ACTOR)
    people, more = await identities.vault.search([(Kind.SURNAME, "ng")])
    assert (len(people), more) == (FOUND_MAX, True)


# --- consents -------------------------------------------------------------------------------


async def test_the_history_of_consents_is_kept(identities: Identities) -> None:
    member_id = await identities.person()
    given = identities.consent()
    identities.clock.move(timedelta(days=30))
    withdrawn = identities.consent(given=False, channel="web")
    other = identities.consent(purpose="post")

    for consent in (given, withdrawn, other):
        assert await identities.vault.add_consent(member_id, consent, actor=ACTOR) == consent

    assert (await person_of(identities, member_id)).consents == (given, withdrawn, other)


async def test_a_consent_said_again_is_one(identities: Identities) -> None:
    """Also when a repeated call means another time because it tells none."""
    member_id = await identities.person()
    consent = identities.consent()
    await identities.vault.add_consent(member_id, consent, actor=ACTOR)

    again = await identities.vault.add_consent(
        member_id, replace(consent, at_us=consent.at_us + 1), actor=ACTOR
    )

    assert again == consent
    assert (await person_of(identities, member_id)).consents == (consent,)


async def test_an_id_is_of_one_consent(identities: Identities) -> None:
    member_id = await identities.person()
    consent = identities.consent()
    await identities.vault.add_consent(member_id, consent, actor=ACTOR)

    outcome = await identities.vault.add_consent(
        member_id, replace(consent, given=False), actor=ACTOR
    )

    assert outcome is Refusal.CONSENT_REUSED


async def test_a_consent_is_of_a_known_person(identities: Identities) -> None:
    (enrolment,) = await identities.ledger.enrolled(CARD)

    for member_id, refusal in (
        (enrolment.member_id, Refusal.IDENTITY_UNKNOWN),
        (operations.new_id(), Refusal.MEMBER_UNKNOWN),
    ):
        outcome = await identities.vault.add_consent(member_id, identities.consent(), actor=ACTOR)
        assert outcome is refusal


# --- rows that were touched -----------------------------------------------------------------


async def test_rows_of_two_people_cannot_be_exchanged(identities: Identities) -> None:
    anna, ben = await identities.person(CARD), await identities.person(OTHER_CARD)
    rows = {row.member_id: row for row in await identities.ledger.rows(identity)}
    async with identities.ledger.engine.begin() as connection:
        await connection.execute(
            update(identity).where(identity.c.member_id == anna).values(sealed=rows[ben].sealed)
        )

    with pytest.raises(BrokenSealError):
        await identities.vault.find(anna)
    assert await person_of(identities, ben)


async def test_an_older_row_cannot_be_put_back(identities: Identities) -> None:
    member_id = await identities.person()
    (old,) = await identities.ledger.rows(identity)
    await identities.vault.put(member_id, Profile(surname="Ng"), actor=ACTOR)
    async with identities.ledger.engine.begin() as connection:
        await connection.execute(update(identity).values(sealed=old.sealed))

    with pytest.raises(BrokenSealError):
        await identities.vault.find(member_id)


async def test_consents_cannot_change_places(identities: Identities) -> None:
    member_id = await identities.person()
    for given in (True, False):
        await identities.vault.add_consent(member_id, identities.consent(given=given), actor=ACTOR)
    first, second = await identities.ledger.rows(identity_consent)
    table = identity_consent
    async with identities.ledger.engine.begin() as connection:
        for place, row in ((1, second), (2, first)):
            await connection.execute(
                update(table).where(table.c.sequence == place).values(sealed=row.sealed)
            )

    with pytest.raises(BrokenSealError):
        await identities.vault.find(member_id)


async def test_a_person_whose_key_is_gone_is_told_as_lost(identities: Identities) -> None:
    """Neither as unknown, nor written over with a new key."""
    member_id = await identities.person()
    await identities.vault.keys.destroy(member_id)

    with pytest.raises(KeyLostError):
        await identities.vault.find(member_id)
    with pytest.raises(KeyLostError):
        await identities.vault.put(member_id, Profile(surname="Ng"), actor=ACTOR)
    assert not await identities.vault.keys.has(member_id)


# --- opening --------------------------------------------------------------------------------


async def test_the_vault_opens_again_with_its_keys(identities: Identities) -> None:
    member_id = await identities.person()

    again = await open_vault(identities.ledger.engine, identities.settings, identities.clock)

    assert await again.find(member_id) == await identities.vault.find(member_id)
    await again.keys.close()


async def test_several_processes_may_open_the_vault_at_once(
    ledger: Ledger, identity_settings: IdentitySettings
) -> None:
    """The first start of a house with more than one: one file, one key store for all."""
    vaults = await asyncio.gather(
        *(open_vault(ledger.engine, identity_settings, OfficeClock()) for _ in range(4))
    )

    assert len({vault.keys.store_id for vault in vaults}) == 1
    assert len({(await vault.keys.master_keys()).newest.secret for vault in vaults}) == 1
    for vault in vaults:
        await vault.keys.close()


async def refused_opening(identities: Identities, **changes: object) -> str:
    settings = replace(identities.settings, **changes)  # type: ignore[arg-type]
    with pytest.raises(MasterKeysError) as raised:
        await open_vault(identities.ledger.engine, settings, identities.clock)
    return str(raised.value)


async def test_other_master_keys_are_refused_at_the_start(identities: Identities) -> None:
    await identities.person()
    other = identities.settings.keys_file.with_name("other-keys")
    add_key(other)

    assert "not the one" in await refused_opening(identities, keys_file=other)


async def test_lost_master_keys_are_told_and_not_made_anew(identities: Identities) -> None:
    lost = identities.settings.keys_file
    lost.unlink()

    assert "is no file" in await refused_opening(identities)
    assert not lost.exists()


async def test_a_file_that_somebody_has_to_provide_is_not_made(
    identities: Identities, keys_url: str
) -> None:
    named = identities.settings.keys_file.with_name("named")

    words = await refused_opening(
        identities,
        keys_file=named,
        keys_file_may_be_made=False,
        keys_database_url=f"sqlite:///{named}.sqlite",
    )

    assert "LOYALTY_IDENTITY_KEYS_FILE" in words
    assert not named.exists()


async def test_a_master_key_that_is_still_needed_must_be_there(identities: Identities) -> None:
    await identities.person()
    file = identities.settings.keys_file
    add_key(file)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("1 ")))

    assert "master key 1 is still in use" in await refused_opening(identities)


async def test_the_key_store_of_another_ledger_is_refused(identities: Identities) -> None:
    other = identities.settings.keys_file.with_name("others.sqlite")

    words = await refused_opening(
        identities,
        keys_database_url=f"sqlite:///{other}",
        keys_file=other.with_name("other-keys"),
    )

    assert "LOYALTY_KEYS_DATABASE_URL" in words


async def test_keys_are_never_in_the_ledgers_database(identities: Identities) -> None:
    member_id = await identities.person()
    key = await identities.vault.keys.find(member_id)
    assert key is not None

    rows = [row for table in IDENTITY_TABLES for row in await identities.ledger.rows(table)]

    assert rows
    assert not any(key in bytes(v) for row in rows for v in row if isinstance(v, bytes))


async def test_a_forged_index_leads_to_nobody_without_data(identities: Identities) -> None:
    """An index row of somebody unknown is left out of what is found."""
    member_id = await identities.person()
    nobody = operations.new_id()
    async with identities.ledger.engine.begin() as connection:
        row = (await connection.execute(select(identity_index).limit(1))).one()
        await connection.execute(
            insert(identity_index).values({**row._asdict(), "member_id": nobody})
        )
    kinds = {Kind.EMAIL: "anna@example.org", Kind.PHONE: "+4930123456",
             Kind.SURNAME: "mueller", Kind.FULL_NAME: "mueller\nanna"}  # fmt: skip

    assert await found_by(identities, Kind(row.kind), kinds[Kind(row.kind)]) == [member_id]
