"""A decision in plain words, from entries that loyalty really journalled."""

import re
from html import unescape

import pytest

from tests.loyalty.admin.conftest import Browser
from tests.loyalty.admin.shop import BASKET, Article, Shop
from tests.loyalty.admin.test_pages import latest_entry, text_of
from tests.servers.suite import Member, Suite

PLAIN = (Article("Milk", "DAIRY", 2000, "DE_7"),)
EXCLUDED = (Article("Cigarettes", "CIGARETTES", 800, "DE_19"),)


@pytest.fixture
async def member(suite: Suite, shop: Shop) -> Member:
    (enrolled,) = await suite.enrol(1)
    return enrolled


def why(browser: Browser, member: Member) -> str:
    return text_of(latest_entry(browser, member), "why")


def test_a_plain_purchase_tells_what_it_earned(clerk: Browser, shop: Shop, member: Member) -> None:
    shop.check_out(member, articles=PLAIN)

    story = why(clerk, member)

    assert "The basket came to €20.00." in story
    assert "All of it counts for points." in story
    assert "a point for every €2.00 that is not paid with points: 10 points" in story
    assert "The till did not ask to redeem points." in story
    assert "Afterwards the member had 10 points, 10 of them available." in story


def test_excluded_and_promoted_categories_are_told(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    shop.check_out(member, articles=EXCLUDED)
    assert "None of it counts for points" in why(clerk, member)

    shop.check_out(member, articles=BASKET)
    assert "For points it counts like €32.61" in why(clerk, member)


def test_points_of_the_same_basket_are_told(clerk: Browser, shop: Shop, member: Member) -> None:
    shop.check_out(member, articles=PLAIN)
    captured = shop.check_out(member, articles=PLAIN, redeem=0).captured
    assert captured.points_redeemed_from_basket > 0

    story = why(clerk, member)

    assert "The till asked to redeem as many points as possible." in story
    assert "10 points were available before, and 9 came from this basket." in story
    assert "19 points were redeemed; they paid €0.19." in story
    assert "9 of them were earned by this very basket." in story
    assert "More was not possible: all points that were there are used." in story


def test_the_share_of_the_basket_is_told_as_the_limit(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    shop.check_out(member, articles=PLAIN, times=100)
    shop.check_out(member, articles=(Article("Gum", "CANDY", 50, "DE_7"),), redeem=0)

    assert "points may pay at most 50 points' worth" in why(clerk, member)


def test_a_refusal_tells_what_would_have_been_possible(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    shop.check_out(member, articles=PLAIN)
    refused = shop.check_out(member, articles=PLAIN, redeem=500).refused
    assert refused.points_maximum == 19

    story = why(clerk, member)

    assert "The till asked to redeem 500 points." in story
    assert "Only 10 were available before, and with those of this basket at most 19" in story
    assert "nothing was booked" in story


def test_the_basket_is_shown_with_its_discount_by_line_and_vat_rate(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    shop.check_out(member, times=3)
    captured = shop.check_out(member, redeem=0).captured
    page = latest_entry(clerk, member)

    basket, vat = text_of(page, "basket"), text_of(page, "vat")

    assert "Äpfel Elstar 40001002 PRODUCE 1.37 DE_7 €3.42" in basket
    assert "Pfandrückgabe 40001005 DEPOSIT 6 DE_19 -€1.50" in basket
    assert f"Total €29.19 €{captured.discount_minor / 100:.2f}" in basket
    for share in captured.vat_discounts:
        row = (share.gross_minor, share.discount_minor, share.gross_after_minor)
        amounts = " ".join(f"€{minor / 100:.2f}" for minor in row)
        assert f"{share.vat_rate_key} {amounts}" in vat


def test_what_was_booked_is_shown_by_account_and_lot(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    shop.check_out(member, articles=PLAIN)
    shop.check_out(member, articles=PLAIN, redeem=0)
    page = latest_entry(clerk, member)

    assert "issued by the programme member's points 9" in text_of(page, "transfers")
    assert "member's points redeemed 19" in text_of(page, "transfers")
    assert re.search(r"\+9 .*−19$", text_of(page, "entry-lots"))


def test_an_abandoned_operation_is_told(clerk: Browser, shop: Shop, member: Member) -> None:
    shop.abandon()
    page = clerk.get("/live").text
    newest = [
        unescape(path)
        for path, row in re.findall(r'href="(/entries/\d+/\d+)"(.*?)</tr>', page, re.DOTALL)
        if "Given up" in row
    ]

    assert "nothing was booked under it" in text_of(clerk.get(newest[0]).text, "why")
