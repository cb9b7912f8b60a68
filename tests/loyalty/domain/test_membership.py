"""Members are opened with a card and nothing else, and blocked by order."""

import pytest

from services.loyalty.domain.decision import (
    BlockedSet,
    Enrolled,
    Entry,
    Kind,
    Refusal,
    Refused,
)
from services.loyalty.domain.member import Status
from services.loyalty.domain.membership import enrol, set_blocked
from tests.loyalty.domain.members import MEMBER_ID, a_member
from tests.loyalty.ledgers import a_block, an_enrolment


def test_a_new_member_has_a_card_and_no_points() -> None:
    entry = enrol(an_enrolment("1", member_id=MEMBER_ID, language="fr"), now_us=17)

    member = entry.member
    assert member is not None
    assert (member.member_id, member.cards, member.language) == (MEMBER_ID, ("1",), "fr")
    assert (member.version, member.points, member.available, member.lots) == (1, 0, 0, ())
    assert (member.status, member.enrolled_at_us) == (Status.ACTIVE, 17)
    assert (entry.kind, entry.accepted, entry.transfers) == (Kind.ENROL, True, ())
    assert entry.facts == {"card": "1"}
    assert isinstance(entry.decision, Enrolled)
    assert entry.decision.member.version == 1


@pytest.mark.parametrize(
    ("blocked", "kind", "status"),
    [(True, Kind.BLOCK, Status.BLOCKED), (False, Kind.UNBLOCK, Status.ACTIVE)],
)
@pytest.mark.parametrize("before", Status)
def test_what_is_ordered_is_journalled_also_when_it_is_so_already(
    blocked: bool, kind: Kind, status: Status, before: Status
) -> None:
    member = a_member(("2027-03-31", 10), status=before)

    entry = set_blocked(member, a_block(MEMBER_ID, blocked=blocked))

    assert isinstance(entry, Entry)
    assert (entry.kind, entry.accepted, entry.transfers) == (kind, True, ())
    assert entry.member is not None
    assert (entry.member.status, entry.member.version) == (status, member.version + 1)
    assert (entry.member.points, entry.member.lots) == (member.points, member.lots)
    assert isinstance(entry.decision, BlockedSet)
    assert entry.decision.blocked is blocked
    assert entry.facts == {"reason": entry.decision.reason}


def test_nobody_cannot_be_blocked() -> None:
    refused = set_blocked(None, a_block(MEMBER_ID))

    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.MEMBER_UNKNOWN
