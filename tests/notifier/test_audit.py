"""Every act leaves a row, and no row can be changed without the chain showing it."""

from dataclasses import replace

import pytest

from services.notifier import audit
from services.notifier.audit import Act, Sealed, first_broken, seal
from tests.notifier.feed import BUCKETS, entry
from tests.notifier.rig import Rig, taken

NOW_US = 1_777_897_800_000_000


async def rows_of(notifier: Rig) -> list[Sealed]:
    async with notifier.database.reading() as connection:
        return await audit.read(connection)


def chain(length: int) -> list[Sealed]:
    rows: list[Sealed] = []
    before = audit.FIRST_HASH
    for sequence in range(1, length + 1):
        act = Act(NOW_US + sequence, "cli:root", "endpoint.enable", f"crm-{sequence}")
        before = seal(act, sequence=sequence, before=before)
        rows.append(Sealed(sequence, act, before))
    return rows


async def test_acts_on_endpoints_and_deliveries_are_kept_with_their_actor(notifier: Rig) -> None:
    email = await notifier.add("email", "https://email.example/")
    place = await notifier.store.adopt(epoch=1, bucket_count=BUCKETS)
    await notifier.store.take_in(taken([entry()], place), now_us=NOW_US)
    ends = notifier.endpoints

    await ends.disable("email", reason="by staff", actor="staff:anna", now_us=NOW_US)
    await ends.enable("email", actor="staff:bert", now_us=NOW_US)
    await ends.redeliver(
        key=email.key, epoch=1, bucket=0, sequence=1, actor="cli:root", now_us=NOW_US
    )

    rows = await rows_of(notifier)
    assert [(row.act.actor, row.act.action, row.act.detail) for row in rows] == [
        ("demo", "endpoint.add", "https://email.example/"),
        ("staff:anna", "endpoint.disable", "by staff"),
        ("staff:bert", "endpoint.enable", ""),
        ("cli:root", "delivery.redeliver", ""),
    ]
    assert rows[3].act.subject == f"msg_{email.key}_1_0_1"
    assert first_broken(rows) is None


async def test_what_changes_nothing_leaves_no_row(notifier: Rig) -> None:
    await notifier.add("email", "https://email.example/")
    ends = notifier.endpoints

    await ends.enable("email", actor="demo", now_us=NOW_US)
    await ends.disable("nobody", reason="by staff", actor="demo", now_us=NOW_US)
    again = await ends.add(
        name="email", url="https://x.example/", event_types=(), secret="s", actor="demo", now_us=0
    )

    assert again is None
    assert [row.act.action for row in await rows_of(notifier)] == ["endpoint.add"]


def test_a_whole_chain_verifies() -> None:
    assert first_broken([]) is None
    assert first_broken(chain(5)) is None


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("field", ["at_us", "actor", "action", "subject", "detail"])
def test_a_change_of_any_field_of_any_row_is_found(place: int, field: str) -> None:
    rows = chain(5)
    act = rows[place].act
    other = getattr(act, field) + (1 if field == "at_us" else "!")

    rows[place] = replace(rows[place], act=replace(act, **{field: other}))

    assert first_broken(rows) == place + 1


@pytest.mark.parametrize("place", range(4))
def test_a_row_that_was_taken_out_is_found(place: int) -> None:
    rows = chain(5)
    del rows[place]

    assert first_broken(rows) == place + 1


def test_rows_that_changed_places_are_found() -> None:
    rows = chain(3)

    assert first_broken([rows[1], rows[0], rows[2]]) == 1
