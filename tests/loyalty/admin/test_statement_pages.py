"""A member's statement and a terminal's day, on a page that can be printed."""

import pytest

from tests.loyalty.admin.conftest import Browser
from tests.loyalty.admin.shop import BUSINESS_DATE, Article, Shop
from tests.loyalty.admin.test_pages import text_of
from tests.servers.suite import Member, Suite

PLAIN = (Article("Milk", "DAIRY", 2000, "DE_7"),)


@pytest.fixture
async def member(suite: Suite, shop: Shop) -> Member:
    (enrolled,) = await suite.enrol(1)
    return enrolled


class TestStatement:
    def test_every_movement_is_shown_with_opening_and_closing(
        self, clerk: Browser, shop: Shop, member: Member
    ) -> None:
        shop.check_out(member, articles=PLAIN)
        captured = shop.check_out(member, articles=PLAIN, redeem=5)
        shop.give_back(captured.operation_id)

        shown = text_of(clerk.get(f"/members/{member.member_id}/statement").text, "statement")

        assert "Opening balance 0" in shown
        assert "Purchase till-1 store-1" in shown
        assert shown.index("+10 10") < shown.index("+4 14") < shown.index("Return")
        assert shown.endswith("Closing balance 10")

    def test_a_period_is_chosen_by_its_days(
        self, clerk: Browser, shop: Shop, member: Member
    ) -> None:
        shop.check_out(member, articles=PLAIN)

        before = clerk.get(f"/members/{member.member_id}/statement?from=2020-01-01&to=2020-12-31")
        later = clerk.get(f"/members/{member.member_id}/statement?from=2099-01-01&to=2099-01-01")

        assert "Nothing moved in this period." in before.text
        assert "1 Jan 2020 to 31 Dec 2020" in before.text
        assert "Opening balance 10" in text_of(later.text, "statement")

    @pytest.mark.parametrize(
        "query", ["from=x", "from=2026-02-30", "from=2026-02-01&to=2026-01-01"]
    )
    def test_a_period_that_is_none_is_said(
        self, clerk: Browser, member: Member, query: str
    ) -> None:
        answer = clerk.get(f"/members/{member.member_id}/statement?{query}")

        assert answer.status_code == 422
        assert "day: a day" in answer.text

    def test_nobody_has_no_statement(self, clerk: Browser) -> None:
        path = "/members/00000000-0000-4000-8000-000000000000/statement"

        assert clerk.get(path).status_code == 404

    def test_the_member_page_leads_there(self, clerk: Browser, member: Member) -> None:
        path = f"/members/{member.member_id}"

        assert f'href="{path}/statement"' in clerk.get(path).text


class TestEndOfDay:
    def test_a_terminals_day_is_shown(self, clerk: Browser, shop: Shop, member: Member) -> None:
        shop.check_out(member, articles=PLAIN)

        shown = text_of(
            clerk.get(f"/end-of-day?date={BUSINESS_DATE}&terminal=till-1").text, "end-of-day"
        )

        assert "till-1 store-1" in shown
        assert "€" in shown

    def test_the_day_of_the_newest_entry_is_offered(
        self, clerk: Browser, shop: Shop, member: Member
    ) -> None:
        shop.check_out(member, articles=PLAIN)

        assert f'value="{BUSINESS_DATE}"' in clerk.get("/end-of-day").text

    def test_a_day_on_which_nothing_happened_is_empty(self, clerk: Browser) -> None:
        page = clerk.get("/end-of-day?date=2020-01-01").text

        assert "No terminal did anything on this day." in page

    @pytest.mark.parametrize("query", ["date=x", "date=2026-02-30"])
    def test_a_day_that_is_none_is_said(self, clerk: Browser, query: str) -> None:
        answer = clerk.get(f"/end-of-day?{query}")

        assert answer.status_code == 422
        assert "Business date: a day." in answer.text
