"""What stands in Redis is believed only if somebody with the key has written it, and just there."""

from dataclasses import replace

import pytest

from services.notifier.entries import ForeignEntryError, entry_from, fields_of, seal_key
from services.notifier.events import Entry, entry_from_journal
from tests.notifier.feed import entry

KEY = seal_key("the token")
ENTRY = entry_from_journal(entry(bucket=3, sequence=17), epoch=2)
REFUSAL = Entry(bucket=3, sequence=18, chain_hash=bytes(32), event=None)
FIELDS = fields_of(ENTRY, epoch=2, key=KEY)


@pytest.mark.parametrize("written", [ENTRY, REFUSAL], ids=["event", "refusal"])
def test_what_is_written_is_read_again(written: Entry) -> None:
    fields = fields_of(written, epoch=2, key=KEY)

    read = entry_from(fields, epoch=2, bucket=3, sequence=written.sequence, key=KEY)

    assert read == written


def test_an_entry_tells_those_who_read_along_what_a_webhook_tells() -> None:
    assert ENTRY.event is not None
    assert FIELDS[b"body"] == ENTRY.event.body
    assert FIELDS[b"type"] == b"member.points_changed"
    assert set(FIELDS) == {
        b"chain_hash", b"type", b"member_id", b"member_version", b"body", b"seal"
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_changed_field_is_found_out(name: bytes) -> None:
    with pytest.raises(ForeignEntryError):
        entry_from({**FIELDS, name: b"0"}, epoch=2, bucket=3, sequence=17, key=KEY)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_missing_field_is_found_out(name: bytes) -> None:
    rest = {each: value for each, value in FIELDS.items() if each != name}

    with pytest.raises(ForeignEntryError):
        entry_from(rest, epoch=2, bucket=3, sequence=17, key=KEY)


@pytest.mark.parametrize(
    ("epoch", "bucket", "sequence"), [(1, 3, 17), (2, 4, 17), (2, 3, 16), (2, 3, 18)]
)
def test_a_copy_at_another_place_is_found_out(epoch: int, bucket: int, sequence: int) -> None:
    with pytest.raises(ForeignEntryError):
        entry_from(FIELDS, epoch=epoch, bucket=bucket, sequence=sequence, key=KEY)


def test_an_entry_of_another_installation_is_found_out() -> None:
    other = fields_of(ENTRY, epoch=2, key=seal_key("another token"))

    with pytest.raises(ForeignEntryError):
        entry_from(other, epoch=2, bucket=3, sequence=17, key=KEY)


def test_bytes_cannot_move_from_one_field_to_the_next() -> None:
    assert ENTRY.event is not None
    moved = replace(ENTRY, event=replace(ENTRY.event, event_type="member.points", member_id="x"))
    other = replace(ENTRY, event=replace(ENTRY.event, event_type="member.pointsx", member_id=""))

    seals = {fields_of(each, epoch=2, key=KEY)[b"seal"] for each in (moved, other)}

    assert len(seals) == 2
