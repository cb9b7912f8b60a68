"""Rotation brings everything under the newest master key, and can be broken off at any time."""

import pytest
from sqlalchemy import select, update

from bonpunkt.till import operations
from services.loyalty.identity import rotation
from services.loyalty.identity.keystore import data_key
from services.loyalty.identity.masterkeys import add_key, remove_key
from services.loyalty.identity.normal import Kind
from services.loyalty.identity.opening import open_vault
from services.loyalty.identity.profile import Profile
from services.loyalty.identity.vault import Person
from tests.loyalty.identity.conftest import ACTOR, ANNA, Identities

PEOPLE = 5


@pytest.fixture
async def people(identities: Identities, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """More than fit into one slice."""
    monkeypatch.setattr(rotation, "SLICE", 2)
    return [
        await identities.person(str(n), Profile(surname=f"Ng {n}", email=f"ng{n}@example.org"))
        for n in range(PEOPLE)
    ]


async def rotated(identities: Identities) -> list[rotation.Progress]:
    return [progress async for progress in rotation.rotate(identities.vault)]


async def found(identities: Identities, number: int) -> list[str]:
    people, _ = await identities.vault.search([(Kind.EMAIL, f"ng{number}@example.org")])
    return [person.member_id for person in people]


async def test_everything_is_brought_under_the_newest_key(
    identities: Identities, people: list[str]
) -> None:
    add_key(identities.settings.keys_file)

    steps = await rotated(identities)

    assert steps[0] == rotation.Progress(2, 0, PEOPLE, 0, PEOPLE)
    assert steps[-1] == rotation.Progress(2, PEOPLE, PEOPLE, PEOPLE, PEOPLE)
    assert await identities.vault.keys.use() == {2: PEOPLE}
    assert await rotation.index_use(identities.vault) == {2: PEOPLE}
    done = [(step.keys_done, step.indexes_done) for step in steps]
    assert done == sorted(done)
    assert len(done) > 4, "there is progress on the way"


async def test_the_old_key_is_not_needed_any_more(
    identities: Identities, people: list[str]
) -> None:
    before = [await identities.vault.find(member_id) for member_id in people]
    add_key(identities.settings.keys_file)
    await rotated(identities)

    remove_key(identities.settings.keys_file, 1)

    again = await open_vault(identities.ledger.engine, identities.settings, identities.clock)
    assert [await again.find(member_id) for member_id in people] == before
    assert await found(identities, 3) == [people[3]]
    assert await again.put(people[0], ANNA, actor=ACTOR) == 2
    await again.keys.close()


async def test_nobody_is_lost_while_it_runs(identities: Identities, people: list[str]) -> None:
    """People under both keys are read, found and changed at every step."""
    add_key(identities.settings.keys_file)

    async for _ in rotation.rotate(identities.vault):
        for number, member_id in enumerate(people):
            assert isinstance(await identities.vault.find(member_id), Person)
            assert await found(identities, number) == [member_id]


async def test_a_rotation_that_was_broken_off_goes_on(
    identities: Identities, people: list[str]
) -> None:
    add_key(identities.settings.keys_file)
    steps = rotation.rotate(identities.vault)
    await anext(steps)
    await anext(steps)
    await steps.aclose()  # type: ignore[attr-defined]

    rest = await rotated(identities)

    assert rest[0].keys_total == PEOPLE - rotation.SLICE
    assert await identities.vault.keys.use() == {2: PEOPLE}
    assert await rotation.index_use(identities.vault) == {2: PEOPLE}


async def test_rotating_again_does_nothing(identities: Identities, people: list[str]) -> None:
    add_key(identities.settings.keys_file)
    await rotated(identities)

    assert await rotated(identities) == [rotation.Progress(2, 0, 0, 0, 0)]


async def test_what_is_new_is_under_the_newest_key(
    identities: Identities, people: list[str]
) -> None:
    add_key(identities.settings.keys_file)

    await identities.person("another")

    assert await identities.vault.keys.use() == {1: PEOPLE, 2: 1}
    assert await rotation.index_use(identities.vault) == {1: PEOPLE, 2: 1}


async def test_a_key_that_does_not_open_is_left_and_told(
    identities: Identities, people: list[str]
) -> None:
    broken = people[1]
    async with identities.vault.keys.engine.begin() as connection:
        wrapped = await connection.scalar(
            select(data_key.c.wrapped).where(data_key.c.member_id == people[0])
        )
        await connection.execute(
            update(data_key).where(data_key.c.member_id == broken).values(wrapped=wrapped)
        )
    add_key(identities.settings.keys_file)

    steps = await rotated(identities)

    assert steps[-1] == rotation.Progress(2, PEOPLE - 1, PEOPLE, PEOPLE - 1, PEOPLE, failed=2), (
        "once for the key, once for the index"
    )
    assert await identities.vault.keys.use() == {1: 1, 2: PEOPLE - 1}


async def test_a_key_destroyed_meanwhile_stays_destroyed(
    identities: Identities, people: list[str]
) -> None:
    store = identities.vault.keys
    ((member_id, version, wrapped), *_) = await store.older_than(2, after="", limit=1)
    await store.destroy(member_id)

    await store.rewrap(member_id, before=version, after=2, wrapped=wrapped)

    assert not await store.has(member_id)
    assert not await store.has(operations.new_id())
