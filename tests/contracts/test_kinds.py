"""What the ledger's journal records has its name in the contract and its event for receivers."""

import re
from pathlib import Path

from services.loyalty.domain.decision import Kind
from services.notifier.events import event_from_entry
from tests.notifier.feed import entry

FEED = (Path(__file__).parents[2] / "protos/bonpunkt/loyalty/v1/feed.proto").read_text("utf-8")
ABOUT_NOBODY = {Kind.ABANDON, Kind.LEG}


def test_the_contract_names_every_kind_of_journal_row() -> None:
    comment = FEED.partition("string operation_id = 3;")[2].partition("string kind = 4;")[0]

    assert set(re.findall(r'"([a-z]+)"', comment)) == {kind.value for kind in Kind}


def test_every_kind_that_changes_a_member_has_a_type_of_its_own() -> None:
    """`member.changed` is for cards, and for what a notifier of today does not know yet."""
    types = {
        kind: event_from_entry(entry(kind=kind.value), epoch=1).event_type
        for kind in Kind
        if kind not in ABOUT_NOBODY
    }

    assert {kind for kind, event_type in types.items() if event_type == "member.changed"} == {
        Kind.CARDS
    }
