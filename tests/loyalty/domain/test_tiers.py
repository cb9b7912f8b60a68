"""Tiers are reached at once, last to the end of their window and of their grace, and fall then."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loyalty.domain import tiers
from services.loyalty.domain.days import month_number, start_of_day_us
from services.loyalty.domain.due import settle_due
from services.loyalty.domain.member import NO_STANDING, Member, Standing
from services.loyalty.domain.programme import Programme, Tier, TierPeriod
from tests.loyalty.domain.members import a_member
from tests.loyalty.examples import a_programme

LEVELS = (Tier("base", 0, 100), Tier("silver", 1_000, 110), Tier("gold", 2_000, 125))
YEAR, ROLLING = TierPeriod.CALENDAR_YEAR, TierPeriod.ROLLING_12_MONTHS
MAY_5 = date(2026, 5, 5)


def tiered(period: TierPeriod = YEAR, *, grace_days: int = 0, **changes: Any) -> Programme:
    return a_programme(tiers=LEVELS, tier_period=period, tier_grace_days=grace_days, **changes)


def count(member: Member, points: int, on: date, programme: Programme, **when: date) -> Member:
    """`member` after these points `on` that day, counted then or on the day `today`."""
    today = when.get("today", on)
    tier, standing = tiers.counted(member, points, on=on, today=today, programme=programme)
    return member.changed(tier=tier, standing=standing)


def settle(member: Member, today: date, programme: Programme) -> Member:
    """As of the beginning of `today`."""
    now_us = start_of_day_us(today, programme.time_zone)
    return settle_due(member, programme=programme, now_us=now_us, today=today)[0]


def months(*counted: tuple[int, int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((12 * year + month - 1, points) for year, month, points in counted)


# --- up ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "tier"),
    [(1, "base"), (999, "base"), (1_000, "silver"), (1_999, "silver"), (2_000, "gold")],
)
def test_a_tier_is_reached_with_its_last_point_at_once(points: int, tier: str) -> None:
    assert count(a_member(), points, MAY_5, tiered()).tier == tier


def test_points_of_the_window_add_up() -> None:
    member = count(a_member(), 600, date(2026, 2, 28), tiered())
    assert (member.tier, member.standing) == ("base", Standing(None, months((2026, 2, 600))))

    member = count(member, 400, MAY_5, tiered())

    assert member.tier == "silver"
    assert member.standing.qualifying == months((2026, 2, 600), (2026, 5, 400))


def test_the_calendar_year_forgets_the_year_before() -> None:
    member = count(a_member(), 999, date(2025, 12, 31), tiered())

    member = count(member, 999, date(2026, 1, 1), tiered())

    assert (member.tier, member.standing.qualifying) == ("base", months((2026, 1, 999)))


def test_twelve_months_are_this_one_and_the_eleven_before() -> None:
    member = count(a_member(), 999, date(2025, 6, 1), tiered(ROLLING))

    assert count(member, 1, date(2026, 5, 31), tiered(ROLLING)).tier == "silver"
    late = count(member, 1, date(2026, 6, 1), tiered(ROLLING))
    assert (late.tier, late.standing.qualifying) == ("base", months((2026, 6, 1)))


def test_a_purchase_that_arrives_late_counts_in_its_own_month() -> None:
    member = count(a_member(), 1_000, date(2026, 4, 30), tiered(ROLLING), today=MAY_5)

    assert member.standing == Standing(date(2027, 3, 31), months((2026, 4, 1_000)))


def test_a_purchase_of_before_the_window_does_not_count() -> None:
    too_late = count(a_member(), 1_000, date(2025, 12, 31), tiered(), today=MAY_5)

    assert (too_late.tier, too_late.standing) == ("base", NO_STANDING)


def test_nothing_counts_in_a_programme_without_tiers() -> None:
    member = a_member(tier="gold", standing=Standing(date(2026, 1, 1)))

    after = tiers.counted(member, 5_000, on=MAY_5, today=MAY_5, programme=a_programme())

    assert after == ("gold", member.standing)
    assert after[1] is member.standing


def test_no_points_change_nothing() -> None:
    assert tiers.counted(a_member(), 0, on=MAY_5, today=MAY_5, programme=tiered())[1] is NO_STANDING


def test_a_tier_of_earlier_rules_gives_way_to_what_is_reached() -> None:
    member = a_member(tier="bronze", standing=Standing(None, months((2026, 1, 10))))

    assert count(member, 1, MAY_5, tiered()).tier == "base"


# --- how long ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace_days", "last_day"), [(0, date(2026, 12, 31)), (90, date(2027, 3, 31))]
)
def test_a_tier_of_a_year_lasts_to_its_end_and_through_the_grace(
    grace_days: int, last_day: date
) -> None:
    programme = tiered(grace_days=grace_days)
    member = count(a_member(), 1_500, MAY_5, programme)

    assert member.standing.until == last_day
    assert settle(member, last_day, programme) == member
    fallen = settle(member, last_day + timedelta(days=1), programme)
    assert (fallen.tier, fallen.standing) == ("base", NO_STANDING)


def test_a_tier_of_twelve_months_lasts_until_what_carries_it_leaves_the_window() -> None:
    programme = tiered(ROLLING, grace_days=10)
    member = count(a_member(), 300, date(2026, 1, 31), programme)
    member = count(member, 800, date(2026, 3, 1), programme)
    member = count(member, 200, MAY_5, programme)

    # without January 1,000 are left, without March they are 200
    assert member.standing.until == date(2027, 2, 28) + timedelta(days=10)
    assert settle(member, date(2027, 3, 10), programme).tier == "silver"
    assert settle(member, date(2027, 3, 11), programme).tier == "base"


def test_the_first_tier_never_ends() -> None:
    member = count(a_member(), 500, MAY_5, tiered())

    assert member.standing.until is None
    assert settle(member, date(2036, 1, 1), tiered()) == member


def test_a_member_falls_to_what_the_window_supports_then() -> None:
    """Gold of last year, on grace; this year silver was earned again."""
    programme = tiered(grace_days=90)
    member = count(a_member(), 2_000, MAY_5, programme)
    member = count(settle(member, date(2027, 2, 1), programme), 1_200, date(2027, 2, 1), programme)
    assert (member.tier, member.standing.until) == ("gold", date(2027, 3, 31))

    fallen = settle(member, date(2027, 4, 1), programme)

    assert (fallen.tier, fallen.standing.until) == ("silver", date(2028, 3, 30))


def test_the_tier_is_renewed_on_grace_by_reaching_it_again() -> None:
    programme = tiered(grace_days=90)
    member = count(a_member(), 1_000, MAY_5, programme)

    renewed = count(
        settle(member, date(2027, 3, 31), programme), 1_000, date(2027, 3, 31), programme
    )

    assert (renewed.tier, renewed.standing.until) == ("silver", date(2028, 3, 30))


def test_who_is_looked_at_years_late_has_fallen_step_by_step() -> None:
    """From gold to silver in the rolling window, and from there to the first tier."""
    programme = tiered(ROLLING, grace_days=30)
    member = count(a_member(), 1_000, date(2026, 1, 1), programme)
    member = count(member, 1_000, date(2026, 12, 1), programme)
    assert (member.tier, member.standing.until) == ("gold", date(2027, 1, 30))

    assert settle(member, date(2027, 1, 31), programme).tier == "silver"
    assert settle(member, date(2027, 12, 30), programme).tier == "silver"
    fallen = settle(member, date(2035, 1, 1), programme)
    assert (fallen.tier, fallen.standing, fallen.version) == (
        "base",
        NO_STANDING,
        member.version + 2,
    )


# --- back ----------------------------------------------------------------------------------


def test_a_return_takes_the_tier_that_it_had_carried() -> None:
    programme = tiered(grace_days=90)
    member = count(a_member(), 1_000, MAY_5, programme)

    kept = count(count(member, 1, MAY_5, programme), -1, MAY_5, programme, today=date(2026, 6, 1))
    lost = count(member, -1, MAY_5, programme, today=date(2026, 6, 1))

    assert (kept.tier, kept.standing.until) == ("silver", date(2027, 3, 31))
    assert (lost.tier, lost.standing) == ("base", Standing(None, months((2026, 5, 999))))


def test_a_return_takes_from_the_month_of_the_purchase() -> None:
    member = count(a_member(), 500, date(2026, 4, 1), tiered())
    member = count(member, 300, MAY_5, tiered())

    after = count(member, -200, date(2026, 4, 1), tiered(), today=MAY_5)

    assert after.standing.qualifying == months((2026, 4, 300), (2026, 5, 300))


def test_a_return_leaves_a_tier_that_lives_on_grace() -> None:
    """Its purchase carries the tier no longer, the grace does."""
    programme = tiered(grace_days=90)
    member = count(a_member(), 1_000, date(2026, 12, 31), programme)
    member = count(member, 100, date(2027, 1, 2), programme)

    of_last_year = count(member, -500, date(2026, 12, 31), programme, today=date(2027, 1, 5))
    of_this_year = count(member, -100, date(2027, 1, 2), programme, today=date(2027, 1, 5))

    assert of_last_year.standing == member.standing
    assert (of_this_year.tier, of_this_year.standing.until) == ("silver", date(2027, 3, 31))
    assert of_this_year.standing.qualifying == ()


def test_a_return_of_what_was_never_counted_takes_no_more_than_there_is() -> None:
    """Earned before the programme had tiers."""
    member = count(a_member(), 100, MAY_5, tiered())

    assert count(member, -300, MAY_5, tiered()).standing.qualifying == ()


def test_a_return_can_shorten_a_tier_that_it_does_not_take() -> None:
    programme, member = tiered(ROLLING), a_member()
    for month in (1, 3, 5):
        member = count(member, 500, date(2026, month, 5), programme)
    assert member.standing.until == date(2027, 2, 28), "January may leave the window, March not"

    shortened = count(member, -1, MAY_5, programme)

    assert (shortened.tier, shortened.standing.until) == ("silver", date(2026, 12, 31))


# --- two members ---------------------------------------------------------------------------


def test_a_merge_adds_up_what_both_have_counted() -> None:
    one = count(a_member(), 600, date(2026, 2, 1), tiered())
    two = count(count(a_member(), 100, date(2026, 2, 1), tiered()), 300, MAY_5, tiered())

    tier, standing = tiers.combined(one, two, today=MAY_5, programme=tiered())

    assert (tier, standing) == (
        "silver",
        Standing(date(2026, 12, 31), months((2026, 2, 700), (2026, 5, 300))),
    )


@pytest.mark.parametrize("survivor_has_it", [True, False])
def test_a_merge_keeps_the_better_tier_to_its_last_day(survivor_has_it: bool) -> None:
    programme, today = tiered(grace_days=90), date(2027, 1, 5)
    gold = count(a_member(), 2_000, MAY_5, programme)
    base = count(a_member(), 10, today, programme)
    pair = (gold, base) if survivor_has_it else (base, gold)

    tier, standing = tiers.combined(*pair, today=today, programme=programme)

    assert (tier, standing) == ("gold", Standing(date(2027, 3, 31), months((2027, 1, 10))))


def test_a_merge_in_a_programme_without_tiers_changes_no_standing() -> None:
    one, two = a_member(), a_member(tier="gold")

    assert tiers.combined(one, two, today=MAY_5, programme=a_programme()) == ("base", NO_STANDING)


# --- what a tier is worth ------------------------------------------------------------------


def test_a_tier_earns_its_percent_and_an_unknown_one_like_everybody() -> None:
    found = {name: tiers.earn_percent(name, tiered()) for name in ("base", "gold", "bronze")}

    assert found == {"base": 100, "gold": 125, "bronze": 100}
    assert tiers.earn_percent("gold", a_programme()) == 100


def test_a_new_member_has_the_first_tier() -> None:
    bronze = a_programme(tiers=(Tier("bronze", 0, 100),))

    assert tiers.first_tier(bronze) == "bronze"
    assert tiers.first_tier(a_programme()) == "base"


def test_what_counts_is_what_the_window_still_has() -> None:
    standing = Standing(None, months((2025, 6, 5), (2026, 1, 7)))

    def points(today: date, period: TierPeriod) -> int:
        return tiers.qualifying_points(standing, today=today, programme=tiered(period))

    assert points(MAY_5, YEAR) == 7
    assert points(MAY_5, ROLLING) == 12
    assert points(date(2026, 6, 1), ROLLING) == 7
    assert points(date(2027, 1, 1), YEAR) == 0


# --- against a model -----------------------------------------------------------------------

BEGIN = date(2026, 1, 1)
Counts = list[tuple[date, int]]


class Model:
    """The rules word for word, day by day: what was counted stays a list."""

    def __init__(self, programme: Programme) -> None:
        self.programme, self.counts = programme, Counts()
        self.tier, self.unsupported_since = 0, None

    tier: int
    unsupported_since: date | None

    def begin(self, day: date) -> None:
        if self.supported(day) >= self.tier:
            return
        if self.unsupported_since is None:
            self.unsupported_since = day
        if day >= self.unsupported_since + timedelta(days=self.programme.tier_grace_days):
            self.tier, self.unsupported_since = self.supported(day), None

    def count(self, points: int, *, on: date, today: date) -> None:
        rested = self.supported(today) >= self.tier
        self.counts.append((on, points))
        now = self.supported(today)
        if now >= self.tier or (points < 0 and rested):
            self.tier, self.unsupported_since = now, None

    def supported(self, day: date) -> int:
        total = sum(points for on, points in self.counts if self._in_window(on, day))
        return max(rank for rank, tier in enumerate(LEVELS) if total >= tier.from_points)

    def _in_window(self, on: date, day: date) -> bool:
        if self.programme.tier_period is YEAR:
            return on.year == day.year
        return month_number(day) - 11 <= month_number(on)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[date, date, int]]:
    """(today, on, points) in order of time; a return takes from an earlier purchase at most what
    that counted.
    """
    days = sorted(draw(st.lists(st.integers(0, 1_200), min_size=1, max_size=8)))
    story: list[tuple[date, date, int]] = []
    left: Counts = []
    for today in [BEGIN + timedelta(days=day) for day in days]:
        if draw(st.booleans()) and left:
            index = draw(st.integers(0, len(left) - 1))
            on, most = left[index]
            taken = draw(st.integers(0, most))
            left[index] = (on, most - taken)
            story.append((today, on, -taken))
        else:
            points = draw(st.sampled_from([1, 400, 999, 1_000, 1_100, 2_000]))
            left.append((today, points))
            story.append((today, today, points))
    return story


@settings(deadline=None)
@given(stories(), st.sampled_from(TierPeriod), st.sampled_from([0, 1, 30, 90, 366]))
def test_every_day_has_the_tier_that_the_rules_give_it(
    story: list[tuple[date, date, int]], period: TierPeriod, grace_days: int
) -> None:
    programme = tiered(period, grace_days=grace_days)
    daily = idle = a_member()
    model = Model(programme)
    for today in boundaries(story, grace_days):
        model.begin(today)
        daily = settle(daily, today, programme)
        assert daily.tier == LEVELS[model.tier].name, today
        for _, on, points in [event for event in story if event[0] == today]:
            model.count(points, on=on, today=today)
            daily = count(daily, points, on, programme, today=today)
            idle = count(settle(idle, today, programme), points, on, programme, today=today)
            assert daily.tier == LEVELS[model.tier].name, today
    last = BEGIN + timedelta(days=2_500)
    assert settle(daily, last, programme) == settle(idle, last, programme)


def boundaries(story: Sequence[tuple[date, date, int]], grace_days: int) -> list[date]:
    """Every day on which anything can happen: purchases, beginnings of months, ends of grace."""
    firsts = [date(year, month, 1) for year in range(2026, 2032) for month in range(1, 13)]
    graced = [first + timedelta(days=grace_days) for first in firsts]
    return sorted({*firsts, *graced, *(today for today, _, _ in story)})
