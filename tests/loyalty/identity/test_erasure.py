"""Whoever is erased is gone from vault, keys and baskets, whatever happened on the way; and the
books still balance.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from bonpunkt.till import operations
from services.loyalty import schema
from services.loyalty.answers import Answer, Cause
from services.loyalty.domain.command import Merge, Origin
from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.identity import erasure as erasure_module
from services.loyalty.identity.erasure import Done, NotDecidedError, Progress
from services.loyalty.identity.erasure_log import ErasureLogError
from services.loyalty.identity.keystore import KeyStore
from services.loyalty.identity.profile import Profile
from services.loyalty.identity.schema import (
    identity,
    identity_consent,
    identity_index,
)
from services.loyalty.identity.vault import KeyLostError, Tombstone
from services.loyalty.identity.vault import Refusal as VaultRefusal
from services.loyalty.office.schema import adjustment, audit
from services.loyalty.wire_forms import command_fingerprint
from tests.loyalty.identity.conftest import ACTOR, ANNA, Identities
from tests.loyalty.ledgers import a_capture

CARD, OTHER_CARD = "2900000000018", "2900000000025"
MARKER = b"MARKER-IN-A-BASKET"
VAULT_TABLES = (identity, identity_consent, identity_index)


async def shopper(identities: Identities, card: str = CARD) -> str:
    """A person with consents, points and a basket; answers their id."""
    member_id = await identities.person(card)
    await identities.vault.add_consent(member_id, identities.consent(), actor=ACTOR)
    line = operations.line_item("1", total_minor=2000, vat_rate_key="DE_19", text=MARKER.decode())
    await identities.ledger.decision(a_capture(card, lines=[line]))
    return member_id


async def left_of(identities: Identities, member_id: str) -> list[str]:
    """Tables that still have a row about the person, keys included."""
    tables = [
        table.name
        for table in VAULT_TABLES
        for row in await identities.ledger.rows(table)
        if row.member_id == member_id
    ]
    journal = {
        (row.bucket, row.sequence)
        for row in await identities.ledger.journal()
        if row.member_id == member_id
    }
    baskets = await identities.ledger.rows(schema.basket)
    tables += ["basket" for row in baskets if (row.bucket, row.sequence) in journal]
    return tables + ["data_key"] * await identities.vault.keys.has(member_id)


async def assert_erased(identities: Identities, member_id: str) -> Tombstone:
    assert await left_of(identities, member_id) == []
    member = await identities.ledger.member(member_id)
    assert (member.status, member.points, member.cards) == ("erased", 0, "[]")
    erasures = await identities.ledger.journal("erase")
    assert len([row for row in erasures if row.accepted and row.member_id == member_id]) == 1
    found = await identities.vault.find(member_id)
    assert isinstance(found, Tombstone)
    return found


async def repeated(identities: Identities) -> Progress:
    return [progress async for progress in identities.eraser.repeat()][-1]


# --- erasing --------------------------------------------------------------------------------


async def test_an_erased_person_is_gone_and_a_tombstone_is_left(identities: Identities) -> None:
    member_id = await shopper(identities)
    other = await shopper(identities, OTHER_CARD)
    erasure = identities.erasure(member_id)

    done = await identities.eraser.erase(erasure)

    tombstone = await assert_erased(identities, member_id)
    assert done == Done(tombstone, points_forfeited=10)
    assert (tombstone.operation_id, tombstone.ground, tombstone.actor) == (
        erasure.operation_id,
        "request",
        ACTOR,
    )
    assert identities.log.read() == [erasure]
    assert await left_of(identities, other), "nobody else is touched"
    assert sum(row.forfeited for row in await identities.ledger.rows(schema.bucket)) == 10


async def test_an_erasure_is_audited_with_its_place_in_the_log(identities: Identities) -> None:
    member_id = await shopper(identities)
    erasure = identities.erasure(member_id)
    await identities.eraser.erase(erasure)

    (entry,) = [
        row
        for row in await identities.ledger.rows(audit)
        if (row.subject, row.action) == (member_id, "identity.erase")
    ]

    assert entry.actor == ACTOR
    assert entry.detail == f"request; log {identities.log.append(erasure)[:16]}"


async def test_what_staff_typed_about_an_adjustment_is_gone(identities: Identities) -> None:
    member_id, other = await shopper(identities), await shopper(identities, OTHER_CARD)
    async with identities.ledger.engine.begin() as connection:
        await connection.execute(delete(adjustment))
        for of in (member_id, other):
            await connection.execute(
                insert(adjustment).values(
                    operation_id=operations.new_id(),
                    member_id=of,
                    points=5000,
                    reason_code="goodwill",
                    reason="for Anna's birthday",
                    asked_by=ACTOR,
                    asked_at_us=0,
                )
            )

    await identities.eraser.erase(identities.erasure(member_id))

    rows = await identities.ledger.rows(adjustment)
    assert {row.member_id: row.reason for row in rows} == {
        member_id: "",
        other: "for Anna's birthday",
    }


async def test_somebody_without_personal_data_can_be_erased(identities: Identities) -> None:
    (enrolment,) = await identities.ledger.enrolled(CARD)

    assert isinstance(await identities.eraser.erase(identities.erasure(enrolment.member_id)), Done)

    await assert_erased(identities, enrolment.member_id)


async def test_an_erased_person_gets_no_data_again(identities: Identities) -> None:
    member_id = await shopper(identities)
    await identities.eraser.erase(identities.erasure(member_id))

    put = await identities.vault.put(member_id, ANNA, actor=ACTOR)
    consent = await identities.vault.add_consent(member_id, identities.consent(), actor=ACTOR)

    assert put is consent is VaultRefusal.ERASED
    assert await left_of(identities, member_id) == []


async def test_an_unknown_member_is_not_logged(identities: Identities) -> None:
    assert await identities.eraser.erase(identities.erasure(operations.new_id())) is None

    assert identities.log.read() == []
    assert identities.line.asked == []


@pytest.mark.parametrize("same_id", [True, False])
async def test_erasing_again_answers_the_first_tombstone(
    identities: Identities, same_id: bool
) -> None:
    member_id = await shopper(identities)
    erasure = identities.erasure(member_id)
    first = await identities.eraser.erase(erasure)
    again = erasure if same_id else identities.erasure(member_id)

    assert await identities.eraser.erase(again) == first

    assert len(await identities.ledger.journal("erase")) == 1


async def test_two_erasures_of_one_person_at_once_are_one(identities: Identities) -> None:
    member_id = await shopper(identities)

    outcomes = await asyncio.gather(
        *(identities.eraser.erase(identities.erasure(member_id)) for _ in range(4))
    )

    assert len({outcome.tombstone for outcome in outcomes if isinstance(outcome, Done)}) == 1
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    await assert_erased(identities, member_id)


async def test_a_change_beside_an_erasure_leaves_nothing_behind(identities: Identities) -> None:
    member_id = await shopper(identities)

    await asyncio.gather(
        identities.eraser.erase(identities.erasure(member_id)),
        *(
            _changed(identities, member_id, Profile(surname=f"Marker {number}"))
            for number in range(8)
        ),
    )

    await assert_erased(identities, member_id)


async def _changed(identities: Identities, member_id: str, profile: Profile) -> None:
    with contextlib.suppress(KeyLostError):  # between the key's end and the row's
        await identities.vault.put(member_id, profile, actor=ACTOR)


# --- members who were merged ----------------------------------------------------------------


async def test_who_was_merged_into_an_erased_person_is_gone_too(identities: Identities) -> None:
    merged_id, survivor_id = await shopper(identities), await shopper(identities, OTHER_CARD)
    await _merged(identities, survivor_id, merged_id)

    await identities.eraser.erase(identities.erasure(survivor_id))

    for member_id in (merged_id, survivor_id):
        assert await left_of(identities, member_id) == []
        assert isinstance(await identities.vault.find(member_id), Tombstone)


async def test_a_merged_member_is_erased_with_the_survivor_only(identities: Identities) -> None:
    merged_id, survivor_id = await shopper(identities), await shopper(identities, OTHER_CARD)
    await _merged(identities, survivor_id, merged_id)

    outcome = await identities.eraser.erase(identities.erasure(merged_id))

    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.MEMBER_MERGED
    assert survivor_id in outcome.remedy
    assert identities.log.read() == []
    assert await left_of(identities, merged_id)


async def _merged(identities: Identities, survivor_id: str, merged_id: str) -> None:
    command = Merge(
        operation_id=operations.new_id(),
        fingerprint=command_fingerprint("merge", survivor_id, merged_id, "same person"),
        origin=Origin(actor=ACTOR),
        survivor_id=survivor_id,
        merged_id=merged_id,
        reason="same person",
    )
    decision = await identities.ledger.decision(command)
    assert not isinstance(decision, Refused), decision


# --- broken off -----------------------------------------------------------------------------


class CrashError(Exception):
    """The process ends here."""


async def crash(*_: object, **__: object) -> None:
    raise CrashError


STEPS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "after the log": lambda patch: patch.setattr(erasure_module.Eraser, "_forfeit", crash),
    "after the ledger": lambda patch: patch.setattr(KeyStore, "destroy", crash),
    "after the key": lambda patch: patch.setattr(erasure_module.Eraser, "_bury", crash),
    "while burying": lambda patch: patch.setattr(erasure_module, "_delete_baskets", crash),
    "before the audit entry": lambda patch: patch.setattr(erasure_module, "append_audit", crash),
}


@pytest.mark.parametrize("how", ["same id", "another id", "from the log"])
@pytest.mark.parametrize("step", STEPS)
async def test_an_erasure_that_was_broken_off_is_finished(
    identities: Identities, step: str, how: str
) -> None:
    member_id = await shopper(identities)
    erasure = identities.erasure(member_id)
    with pytest.MonkeyPatch.context() as patch:
        STEPS[step](patch)
        with pytest.raises(CrashError):
            await identities.eraser.erase(erasure)
    assert await left_of(identities, member_id), "something is left to do"

    if how == "from the log":
        assert await repeated(identities) == Progress(1, 1, 1)
    else:
        again = erasure if how == "same id" else identities.erasure(member_id)
        assert isinstance(await identities.eraser.erase(again), Done)

    await assert_erased(identities, member_id)


async def test_an_erasure_that_is_not_decided_stays_to_be_repeated(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    member_id = await shopper(identities)
    erasure = identities.erasure(member_id)

    async def overloaded(*_: object, **__: object) -> Answer:
        return Answer(cause=Cause.OVERLOADED)

    with monkeypatch.context() as patch:
        patch.setattr(identities.line, "commit", overloaded)
        with pytest.raises(NotDecidedError):
            await identities.eraser.erase(erasure)
    assert await left_of(identities, member_id)

    assert isinstance(await identities.eraser.erase(erasure), Done)


async def test_an_id_that_was_used_for_something_else_erases_nobody(
    identities: Identities,
) -> None:
    member_id = await shopper(identities)
    (row,) = await identities.ledger.journal("capture")
    erasure = replace(identities.erasure(member_id), operation_id=str(row.operation_id))

    outcome = await identities.eraser.erase(erasure)

    assert isinstance(outcome, Refused)
    assert outcome.reason is Refusal.KEY_REUSED
    assert identities.log.read() == [], "its line is void"
    assert await left_of(identities, member_id)


async def test_nobody_is_erased_while_the_log_is_broken(identities: Identities) -> None:
    member_id = await shopper(identities)
    identities.log.path.write_text("words\n")

    with pytest.raises(ErasureLogError):
        await identities.eraser.erase(identities.erasure(member_id))

    assert identities.line.asked == []
    assert await left_of(identities, member_id)


# --- after a restore ------------------------------------------------------------------------


async def test_what_is_done_is_not_repeated(identities: Identities) -> None:
    for card in (CARD, OTHER_CARD):
        member_id = await shopper(identities, card)
        await identities.eraser.erase(identities.erasure(member_id))
    entries = len(await identities.ledger.rows(audit))

    assert await repeated(identities) == Progress(2, 2, 0)

    assert len(await identities.ledger.rows(audit)) == entries
    assert await identities.eraser.count_open() == 0


async def test_people_of_the_log_who_came_back_are_counted_and_erased_again(
    identities: Identities,
) -> None:
    """As after a restore of all databases to a time before the erasure: the log is of later."""
    first, second = await shopper(identities), await shopper(identities, OTHER_CARD)
    for member_id in (first, second):
        await asyncio.to_thread(identities.log.append, identities.erasure(member_id))

    assert await identities.eraser.count_open() == 2
    assert await repeated(identities) == Progress(2, 2, 2)

    for member_id in (first, second):
        await assert_erased(identities, member_id)
    assert await identities.eraser.count_open() == 0


async def test_a_key_that_came_back_with_its_store_is_destroyed_again(
    identities: Identities,
) -> None:
    member_id = await shopper(identities)
    await identities.eraser.erase(identities.erasure(member_id))
    await identities.vault.keys.make(member_id)

    assert await repeated(identities) == Progress(1, 1, 1)

    await assert_erased(identities, member_id)


async def test_data_of_somebody_whom_the_ledger_does_not_know_go_too(
    identities: Identities,
) -> None:
    """The ledger was restored to before the member; vault and log were not."""
    member_id = await identities.person()
    await asyncio.to_thread(identities.log.append, identities.erasure(member_id))
    async with identities.ledger.engine.begin() as connection:
        for table in reversed(schema.CHECKOUT_TABLES[1:]):
            await connection.execute(delete(table))
        await connection.execute(schema.bucket.update().values(**_EMPTY))

    assert await repeated(identities) == Progress(1, 1, 1)

    assert await left_of(identities, member_id) == []


_EMPTY = {
    name: 0
    for name in (column.name for column in schema.bucket.columns)
    if name not in ("bucket", "chain_head")
} | {"chain_head": bytes(32)}


# --- what is left in files ------------------------------------------------------------------


async def test_no_copy_of_a_key_stays_in_the_key_file(
    identities: Identities, tmp_path: Path
) -> None:
    """SQLite would leave deleted rows in free pages and in its log. (On PostgreSQL old pages go
    with VACUUM and with the next rotation: docs/privacy.md.)
    """
    if not identities.settings.keys_database_url.startswith("sqlite"):
        return
    member_id = await shopper(identities)
    ((_, _, wrapped),) = await identities.vault.keys.older_than(0, after="", limit=1)
    files = [tmp_path / "keys.sqlite", tmp_path / "keys.sqlite-wal"]
    assert any(wrapped in file.read_bytes() for file in files)

    await identities.eraser.erase(identities.erasure(member_id))

    assert not any(wrapped in file.read_bytes() for file in files)
