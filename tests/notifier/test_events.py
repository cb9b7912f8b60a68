"""Webhook bodies are a contract: their bytes are committed, and may not change unnoticed."""

from pathlib import Path

import orjson
import pytest

from bonpunkt.loyalty.v1.feed_pb2 import ExpiryNotice, JournalEntry
from services.notifier.events import (
    BODY_BYTES_MAX,
    TYPES,
    EventSchema,
    event_from_entry,
    is_event,
)
from tests.notifier.feed import entry

GOLDEN = Path(__file__).parent / "golden"
INT64_MAX = 2**63 - 1


def bare() -> JournalEntry:
    """Nothing expires, no store, no language, no fraction of a second."""
    made = entry(kind="enrol", sequence=2, points=0)
    made.store_id = made.state.language = made.state.expiring_on = ""
    made.effective_at.nanos = 0
    return made


def announcement() -> JournalEntry:
    made = entry(kind="announce", member_version=6)
    made.expiry_notice.CopyFrom(ExpiryNotice(points=20, expires_on="2029-05-31", days_ahead=30))
    return made


def merged() -> JournalEntry:
    """Everything is the other member's."""
    made = entry(kind="merged", member_version=7, points=0)
    made.state.status = "merged"
    made.state.merged_into = "0190d8f0-0000-7000-8000-000000000002"
    return made


def erased() -> JournalEntry:
    made = entry(kind="erase", member_version=8, points=0)
    made.state.status = "erased"
    return made


def promoted() -> JournalEntry:
    made = entry(kind="tier", member_version=9)
    made.state.tier = "gold"
    return made


GOLDEN_ENTRIES = {
    "member.points_changed": entry(bucket=3, sequence=17, member_version=5),
    "member.enrolled": bare(),
    "member.blocked": entry(kind="block"),
    "member.unblocked": entry(kind="unblock"),
    "member.changed": entry(kind="something_of_the_future"),
    "member.points_expiring": announcement(),
    "member.tier_changed": promoted(),
    "member.merged": merged(),
    "member.erased": erased(),
}


@pytest.mark.parametrize("event_type", TYPES)
def test_the_body_has_exactly_the_committed_bytes(event_type: str) -> None:
    event = event_from_entry(GOLDEN_ENTRIES[event_type], epoch=2)

    assert event.event_type == event_type
    assert event.body == (GOLDEN / f"{event_type}.json").read_bytes()


@pytest.mark.parametrize("event_type", TYPES)
def test_the_committed_bytes_are_an_event_by_the_schema(event_type: str) -> None:
    """The schema refuses unknown and missing fields, so it says neither more nor less."""
    body = orjson.loads((GOLDEN / f"{event_type}.json").read_bytes())

    assert EventSchema().load(body) == body


@pytest.mark.parametrize(
    ("kind", "event_type"),
    [
        ("enrol", "member.enrolled"),
        ("reserve", "member.points_changed"),
        ("capture", "member.points_changed"),
        ("release", "member.points_changed"),
        ("timeout", "member.points_changed"),
        ("void", "member.points_changed"),
        ("return", "member.points_changed"),
        ("adjust", "member.points_changed"),
        ("merge", "member.points_changed"),
        ("activate", "member.points_changed"),
        ("expire", "member.points_changed"),
        ("announce", "member.points_expiring"),
        ("tier", "member.tier_changed"),
        ("block", "member.blocked"),
        ("unblock", "member.unblocked"),
        ("merged", "member.merged"),
        ("erase", "member.erased"),
        ("cards", "member.changed"),
        ("of_the_future", "member.changed"),
        ("", "member.changed"),
    ],
)
def test_each_kind_of_operation_has_its_type_of_event(kind: str, event_type: str) -> None:
    assert event_from_entry(entry(kind=kind), epoch=1).event_type == event_type


def test_refusals_and_entries_without_a_member_are_no_events() -> None:
    assert is_event(entry())
    assert not is_event(entry(accepted=False))
    assert not is_event(entry(kind="abandon", member_id=""))
    assert not is_event(entry(kind="leg", member_id=""))


def test_an_announcement_tells_what_ends_when() -> None:
    body = orjson.loads(event_from_entry(announcement(), epoch=2).body)

    assert body["data"]["notice"] == {"points": 20, "on": "2029-05-31", "days_ahead": 30}


def test_a_merged_member_names_whose_the_points_are_now() -> None:
    data = orjson.loads(event_from_entry(merged(), epoch=2).body)["data"]

    assert (data["status"], data["merged_into"]) == (
        "merged",
        "0190d8f0-0000-7000-8000-000000000002",
    )


def test_what_only_some_events_tell_is_not_in_the_others() -> None:
    data = orjson.loads(event_from_entry(entry(), epoch=2).body)["data"]

    assert not {"notice", "merged_into"} & set(data)


def test_the_same_entry_gives_the_same_bytes() -> None:
    copied = JournalEntry.FromString(entry().SerializeToString())

    assert event_from_entry(copied, epoch=1) == event_from_entry(entry(), epoch=1)


def test_a_body_names_nobody_and_no_till() -> None:
    """Terminal, actor and the till's clock stay inside; a member is a random id."""
    made = entry()
    made.terminal_id, made.actor = "T-77", "staff:anna"

    body = event_from_entry(made, epoch=1).body

    assert b"T-77" not in body
    assert b"anna" not in body


def test_the_largest_entry_stays_below_the_advised_20_kb() -> None:
    made = entry(member_version=INT64_MAX, points=INT64_MAX, kind="k" * 64)
    made.points_earned = made.points_redeemed = made.state.pending = -INT64_MAX
    made.store_id = made.state.tier = made.state.language = "\u20ac" * 64

    assert len(event_from_entry(made, epoch=INT64_MAX).body) < BODY_BYTES_MAX
