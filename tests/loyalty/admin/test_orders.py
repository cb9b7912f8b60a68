"""What staff order on a member's page: points by hand, cards, merging; and the second person."""

import itertools
import re
from html import unescape

import pytest
import uuid_utils.compat as uuids

from tests.loyalty.admin.conftest import Browser
from tests.loyalty.admin.shop import Shop
from tests.loyalty.admin.test_pages import latest_entry, text_of
from tests.servers.suite import Member, Suite

LIMIT = 1000  # of the example programme

_cards = itertools.count(1)


@pytest.fixture
async def member(suite: Suite, shop: Shop) -> Member:
    (enrolled,) = await suite.enrol(1)
    return enrolled


@pytest.fixture
async def other(suite: Suite, shop: Shop) -> Member:
    (enrolled,) = await suite.enrol(1)
    return enrolled


def page_of(browser: Browser, member: Member) -> str:
    return browser.get(f"/members/{member.member_id}").text


def a_card() -> str:
    return f"77{next(_cards):011}"


def adjust(browser: Browser, member: Member, points: int, /, **changes: str) -> str:
    """Sends the form; the operation's id."""
    fields = {
        "operation_id": str(uuids.uuid7()),
        "direction": "give" if points > 0 else "take",
        "points": str(abs(points)),
        "reason_code": "goodwill",
        "reason": "the till was broken",
        **changes,
    }
    answer = browser.post(f"/members/{member.member_id}/adjust", **fields)
    assert answer.status_code == 303, answer.text
    return fields["operation_id"]


def lost_choice(browser: Browser, member: Member, card: str) -> str:
    """What the form sends for this card, as the page offers it."""
    found = re.findall(r'<option value="(\d+:[^"]+)">([^<]+)</option>', page_of(browser, member))
    return next(unescape(value) for value, _ in found if value.endswith(card[-4:]))


class TestAdjusting:
    def test_points_are_given_and_taken(self, manager: Browser, member: Member) -> None:
        adjust(manager, member, 300)
        adjust(manager, member, -20)

        page = page_of(manager, member)

        assert text_of(page, "points") == "280"
        assert text_of(page, "journal").count("Adjusted staff:anna") == 2
        story = text_of(latest_entry(manager, member), "why")
        assert "20 points were taken away by hand (goodwill)." in story
        assert "Reason given: “the till was broken”." in story
        assert "Afterwards the member had 280 points" in story

    def test_a_form_sent_twice_orders_once(self, manager: Browser, member: Member) -> None:
        operation_id = adjust(manager, member, 300)
        adjust(manager, member, 300, operation_id=operation_id)

        assert text_of(page_of(manager, member), "points") == "300"

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"points": "0"}, "Points: a whole number, 1 or more."),
            ({"points": ""}, "Points: a whole number, 1 or more."),
            ({"points": "1.5"}, "Points: a whole number, 1 or more."),
            ({"points": "9" * 30}, "Points: a whole number, 1 or more."),
            ({"points": "1", "direction": "take"}, "does not have so many points available"),
            ({"reason_code": ""}, "Reason: choose one."),
            ({"reason": "x"}, "Reason: 3 to 200 characters."),
        ],
    )
    def test_a_refused_form_is_explained(
        self, manager: Browser, member: Member, fields: dict[str, str], words: str
    ) -> None:
        answer = manager.post(
            f"/members/{member.member_id}/adjust",
            **{
                "operation_id": str(uuids.uuid7()),
                "points": "1",
                "reason_code": "goodwill",
                "reason": "the till was broken",
                **fields,
            },
        )

        assert answer.status_code == 422
        assert words in answer.text

    def test_the_limit_is_told_and_clerks_see_no_form(
        self, manager: Browser, clerk: Browser, member: Member
    ) -> None:
        assert "More than 1,000 points wait for a second person." in page_of(manager, member)
        assert 'id="adjust"' not in page_of(clerk, member)
        assert 'id="merge"' not in page_of(clerk, member)


class TestWaiting:
    def test_what_waits_is_counted_for_others_and_booked_by_them(
        self, manager: Browser, second_manager: Browser, member: Member
    ) -> None:
        operation_id = adjust(manager, member, LIMIT + 1)

        own = manager.get("/waiting").text
        theirs = second_manager.get("/waiting").text
        answer = second_manager.post("/waiting/approve", operation_id=operation_id)

        row = text_of(theirs, f"waits-{operation_id}")
        assert "staff:anna" in row
        assert "+1,001 the till was broken Goodwill Approve Decline" in row
        assert "waits for somebody else" in text_of(own, f"waits-{operation_id}")
        assert f'value="{operation_id}"' not in own
        assert 'id="waiting-count"' in theirs
        assert "Approved, and booked." in second_manager.get(answer.headers["Location"]).text
        assert text_of(page_of(manager, member), "points") == "1,001"
        story = text_of(latest_entry(manager, member), "why")
        assert "staff:anna asked for it, and staff:bert approved." in story
        assert operation_id not in second_manager.get("/waiting").text

    def test_the_one_who_asked_is_told_that_it_waits(
        self, manager: Browser, second_manager: Browser, member: Member
    ) -> None:
        fields = {"direction": "give", "reason_code": "promotion", "reason": "a large present"}
        operation_id = str(uuids.uuid7())

        answer = manager.post(
            f"/members/{member.member_id}/adjust",
            operation_id=operation_id,
            points=str(LIMIT + 1),
            **fields,
        )

        assert "a second person has to approve" in manager.get(answer.headers["Location"]).text
        second_manager.post("/waiting/decline", operation_id=operation_id)

    def test_what_was_declined_is_not_booked(
        self, manager: Browser, second_manager: Browser, member: Member
    ) -> None:
        operation_id = adjust(manager, member, LIMIT + 1)

        declined = second_manager.post("/waiting/decline", operation_id=operation_id)
        late = second_manager.post("/waiting/approve", operation_id=operation_id)

        assert "Nothing was booked." in second_manager.get(declined.headers["Location"]).text
        assert late.status_code == 422
        assert "This was decided before" in late.text
        assert text_of(page_of(manager, member), "points") == "0"

    def test_nobody_approves_their_own_even_with_a_forged_form(
        self, manager: Browser, second_manager: Browser, member: Member
    ) -> None:
        operation_id = adjust(manager, member, LIMIT + 1)

        answer = manager.post("/waiting/approve", operation_id=operation_id)

        assert answer.status_code == 422
        assert "another person has to decide" in answer.text
        assert text_of(page_of(manager, member), "points") == "0"
        second_manager.post("/waiting/decline", operation_id=operation_id)

    def test_clerks_know_nothing_of_it(self, clerk: Browser) -> None:
        assert "/waiting" not in clerk.get("/").text


class TestCards:
    def test_a_lost_card_is_replaced(self, manager: Browser, shop: Shop, member: Member) -> None:
        new = a_card()

        answer = manager.post(
            f"/members/{member.member_id}/cards",
            operation_id=str(uuids.uuid7()),
            lost=lost_choice(manager, member, member.card),
            new=f" {new}\r\n",
            reason="lost on a journey",
        )

        page = manager.get(answer.headers["Location"]).text
        assert "The member's cards are changed." in unescape(page)
        assert text_of(page, "cards") == new
        assert shop.check_out(member).HasField("refused")
        story = text_of(latest_entry(manager, member), "why")
        assert "A card is lost: no till accepts it any more. A new card was handed out." in story
        assert member.card not in latest_entry(manager, member)

    def test_a_clerk_exchanges_a_card_without_seeing_its_number(
        self, clerk: Browser, member: Member
    ) -> None:
        choice = lost_choice(clerk, member, member.card)

        answer = clerk.post(
            f"/members/{member.member_id}/cards",
            operation_id=str(uuids.uuid7()),
            lost=choice,
            new=a_card(),
            reason="lost on a journey",
        )

        assert member.card not in choice
        assert answer.status_code == 303
        assert member.card not in page_of(clerk, member)

    def test_a_form_sent_twice_changes_the_cards_once(
        self, manager: Browser, member: Member
    ) -> None:
        form = {
            "operation_id": str(uuids.uuid7()),
            "lost": lost_choice(manager, member, member.card),
            "new": a_card(),
            "reason": "lost on a journey",
        }

        answers = [manager.post(f"/members/{member.member_id}/cards", **form) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [303, 303]
        assert text_of(page_of(manager, member), "journal").count("Cards staff:anna") == 1

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"lost": "7:•••• 0000"}, "cards have changed meanwhile"),
            ({"lost": "0:•••• 0000"}, "cards have changed meanwhile"),
            ({"lost": "x"}, "cards have changed meanwhile"),
            ({}, "Card: 1 to 64 characters"),
            ({"new": "4" * 65}, "Card: 1 to 64 characters"),
            ({"new": "another's"}, "This card belongs to somebody already"),
            ({"new": "1", "reason": "x"}, "Reason: 3 to 200 characters."),
        ],
    )
    def test_a_refused_form_is_explained(
        self,
        manager: Browser,
        member: Member,
        other: Member,
        fields: dict[str, str],
        words: str,
    ) -> None:
        if fields.get("new") == "another's":
            fields = {**fields, "new": other.card}
        order = {"operation_id": str(uuids.uuid7()), "reason": "lost on a journey", **fields}

        answer = manager.post(f"/members/{member.member_id}/cards", **order)

        assert answer.status_code == 422
        assert words in unescape(answer.text)


class TestMerging:
    def test_two_members_are_compared_and_become_one(
        self, manager: Browser, shop: Shop, member: Member, other: Member
    ) -> None:
        adjust(manager, member, 300)
        adjust(manager, other, 55)

        found = manager.post(f"/members/{member.member_id}/merge", wanted=f" {other.card} ")
        path = found.headers["Location"]
        compared = manager.get(path).text
        answer = manager.post(
            path,
            operation_id=str(uuids.uuid7()),
            survivor=member.member_id,
            reason="the same person",
        )

        assert path == f"/members/{member.member_id}/merge/{other.member_id}"
        for text in (member.member_id, other.member_id, member.card, other.card, "300", "55"):
            assert text in compared
        assert "Together they have 355 points." in text_of(compared, "together")
        page = manager.get(answer.headers["Location"]).text
        assert "The members are one now." in page
        assert text_of(page, "points") == "355"
        assert other.card in text_of(page, "cards")
        assert shop.check_out(other).captured.member.member_id == member.member_id
        ended = page_of(manager, other)
        assert text_of(ended, "member-status") == "merged"
        assert f'href="/members/{member.member_id}"' in ended
        assert 'id="adjust"' not in ended, "nothing can be ordered there"

    def test_either_may_go_on(self, manager: Browser, member: Member, other: Member) -> None:
        answer = manager.post(
            f"/members/{member.member_id}/merge/{other.member_id}",
            operation_id=str(uuids.uuid7()),
            survivor=other.member_id,
            reason="the same person",
        )

        assert answer.headers["Location"] == f"/members/{other.member_id}?done=merged"
        assert text_of(page_of(manager, member), "member-status") == "merged"
        story = text_of(latest_entry(manager, other), "why")
        assert "Another member went on into this one" in story
        assert f'href="/members/{member.member_id}"' in latest_entry(manager, other)
        assert "went on into another one" in text_of(latest_entry(manager, member), "why")

    def test_an_old_card_finds_who_went_on(
        self, manager: Browser, member: Member, other: Member
    ) -> None:
        manager.post(
            f"/members/{member.member_id}/merge/{other.member_id}",
            operation_id=str(uuids.uuid7()),
            survivor=member.member_id,
            reason="the same person",
        )

        answer = manager.post("/find", wanted=other.card)

        assert answer.headers["Location"] == f"/members/{member.member_id}"

    def test_a_second_member_who_cannot_be_is_said(self, manager: Browser, member: Member) -> None:
        path = f"/members/{member.member_id}/merge"

        nobody = manager.post(path, wanted="4711")
        same = manager.post(path, wanted=member.card)

        assert (nobody.status_code, same.status_code) == (422, 422)
        assert "Nobody has this card or member id." in nobody.text
        assert "This is the same member" in same.text

    def test_a_refused_form_keeps_the_choice(
        self, manager: Browser, member: Member, other: Member
    ) -> None:
        path = f"/members/{member.member_id}/merge/{other.member_id}"
        form = {"operation_id": str(uuids.uuid7()), "survivor": other.member_id}

        refused = manager.post(path, **form, reason="x")
        forged = manager.post(path, operation_id=form["operation_id"], survivor="me", reason="abc")

        assert refused.status_code == 422
        assert "Reason: 3 to 200 characters." in refused.text
        assert re.search(rf'value="{other.member_id}" required checked', refused.text)
        assert forged.status_code == 400

    def test_who_went_on_before_cannot_be_merged_again(
        self, manager: Browser, member: Member, other: Member
    ) -> None:
        path = f"/members/{member.member_id}/merge/{other.member_id}"
        for status in (303, 422):
            answer = manager.post(
                path,
                operation_id=str(uuids.uuid7()),
                survivor=member.member_id,
                reason="the same person",
            )
            assert answer.status_code == status
        assert "merged or erased before" in answer.text
