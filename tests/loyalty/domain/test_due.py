"""What time alone does to a member, and what each effect is called."""

from datetime import date
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.decision import Expired, Kind
from services.loyalty.domain.due import derived_id, settle_due
from services.loyalty.domain.ledger import Account, Transfer
from services.loyalty.domain.lots import Lot, LotMove
from tests.loyalty.domain.members import MEMBER_ID, a_member

LAST_DAY, DAY_AFTER = date(2027, 3, 31), date(2027, 4, 1)


def test_a_lot_lives_through_its_last_day() -> None:
    member = a_member(("2027-03-31", 10))

    assert settle_due(member, today=LAST_DAY) == (member, ())
    settled, entries = settle_due(member, today=DAY_AFTER)
    assert (settled.points, settled.lots, settled.version) == (0, (), 8)
    assert len(entries) == 1


def test_an_ended_lot_goes_to_the_expired_account() -> None:
    _, (entry,) = settle_due(a_member(("2027-03-31", 10), ("2027-04-30", 5)), today=DAY_AFTER)

    assert (entry.kind, entry.accepted) == (Kind.EXPIRE, True)
    assert entry.transfers == (Transfer(Account.POINTS, Account.EXPIRED, 10),)
    assert entry.lot_moves == (LotMove(LAST_DAY, -10),)
    assert entry.facts == {"expires_on": "2027-03-31"}
    assert isinstance(entry.decision, Expired)
    assert (entry.decision.points_expired, entry.decision.member.points) == (10, 5)
    assert entry.member is not None
    assert entry.member.lots == (Lot(date(2027, 4, 30), 5),)


def test_several_lots_end_one_after_the_other() -> None:
    lots = [("2027-01-31", 1), ("2027-02-28", 2), ("2027-03-31", 4), ("2027-04-30", 8)]

    settled, entries = settle_due(a_member(*lots), today=DAY_AFTER)

    assert [e.facts["expires_on"] for e in entries] == ["2027-01-31", "2027-02-28", "2027-03-31"]
    assert [e.member.version for e in entries if e.member] == [8, 9, 10]
    assert (settled.points, settled.version) == (8, 10)
    assert len({e.operation_id for e in entries}) == 3


def test_a_member_without_lots_has_nothing_due() -> None:
    assert settle_due(a_member(), today=DAY_AFTER) == (a_member(), ())


@given(
    st.dictionaries(st.dates(date(2026, 1, 1), date(2028, 1, 1)), st.integers(1, 99), max_size=6),
    st.dates(date(2026, 1, 1), date(2028, 1, 1)),
)
def test_settled_twice_finds_nothing_the_second_time(lots: dict[date, int], today: date) -> None:
    member = a_member(*((day.isoformat(), lots[day]) for day in sorted(lots)))

    settled, entries = settle_due(member, today=today)

    assert settle_due(settled, today=today) == (settled, ())
    gone = sum(e.decision.points_expired for e in entries if isinstance(e.decision, Expired))
    assert settled.points == sum(points for day, points in lots.items() if day >= today)
    assert settled.points + gone == member.points


def test_the_same_effect_has_the_same_id_for_ever() -> None:
    """The journal of years ago was written with it."""
    assert derived_id(MEMBER_ID, "expire 2027-03-31 7") == "b7f3f9b2-017e-8fba-8030-7c2fd572f515"
    first = settle_due(a_member(("2027-03-31", 10)), today=DAY_AFTER)
    again = settle_due(a_member(("2027-03-31", 10)), today=date(2030, 1, 1))
    assert first[1][0].operation_id == again[1][0].operation_id


@given(st.uuids(), st.text(max_size=20))
def test_a_derived_id_is_a_uuid_of_a_version_that_nobody_else_may_use(
    member_id: UUID, effect: str
) -> None:
    derived = UUID(derived_id(str(member_id), effect))

    assert derived.version == 8
    assert str(derived) == derived_id(str(member_id), effect)


def test_other_effects_have_other_ids() -> None:
    ids = {
        derived_id(member_id, effect)
        for member_id in (MEMBER_ID, MEMBER_ID.replace("1", "2"))
        for effect in ("expire 2027-03-31 7", "expire 2027-03-31 8", "expire 2027-04-30 7")
    }

    assert len(ids) == 6
