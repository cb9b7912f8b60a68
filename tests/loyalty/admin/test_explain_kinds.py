"""Reservations, returns and voids in plain words, from entries that loyalty really journalled; and
what only time does, from entries as loyalty writes them.
"""

import pytest
from flask import Flask, g

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.till.v1 import till_pb2 as till
from services.loyalty.admin.explain_kinds import told_of_kind
from services.loyalty.domain.decision import Kind
from tests.loyalty.admin.conftest import Browser
from tests.loyalty.admin.shop import Article, Shop
from tests.loyalty.admin.test_pages import latest_entry, text_of
from tests.servers.suite import Member, Suite

PLAIN = (Article("Milk", "DAIRY", 2000, "DE_7"),)


@pytest.fixture
async def member(suite: Suite, shop: Shop) -> Member:
    """With 100 points."""
    (enrolled,) = await suite.enrol(1)
    shop.check_out(enrolled, articles=PLAIN, times=10)
    return enrolled


def why(browser: Browser, member: Member) -> str:
    return text_of(latest_entry(browser, member), "why")


def test_a_reservation_tells_what_it_holds(clerk: Browser, shop: Shop, member: Member) -> None:
    decision = shop.reserve(member, redeem=80)

    story = why(clerk, member)

    assert "The till asked to redeem 80 points." in story
    assert "80 points were set aside until" in story
    assert "Together they will pay €0.80." in story
    assert "Afterwards the member had 100 points, 20 of them available." in story
    page = clerk.get(f"/members/{member.member_id}").text
    assert f"…{decision.operation_id[-12:]}" in text_of(page, "reservations")
    assert text_of(page, "reservations").endswith("80 0")


def test_a_reservation_given_up_tells_what_is_free(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    reserved = shop.reserve(member, redeem=80)
    shop.do(till.Operation(release=till.Release(reservation_id=reserved.operation_id)))

    assert "gave the reservation up. 80 points are available again." in why(clerk, member)

    shop.do(till.Operation(release=till.Release(reservation_id=reserved.operation_id)))
    assert "The reservation had ended before. So it was refused" in why(clerk, member)


def test_a_void_tells_what_went_back_and_leads_to_the_receipt(
    clerk: Browser, shop: Shop, member: Member
) -> None:
    captured = shop.check_out(member, articles=PLAIN, redeem=100)
    receipt = latest_entry(clerk, member)
    shop.void(captured.operation_id)
    page = latest_entry(clerk, member)

    story = text_of(page, "why")

    assert "The receipt was taken back as a whole." in story
    assert "100 redeemed points went back to the member" in story
    assert "9 points that the receipt had earned were taken back." in story
    assert (
        "Entry " + text_of(receipt, "content").split()[1]
        in clerk.get(page.split('id="receipt" href="')[1].split('"')[0]).text
    )
    shop.void(captured.operation_id)
    assert "The receipt had been voided before." in why(clerk, member)


def test_a_return_tells_goods_points_and_money(clerk: Browser, shop: Shop, member: Member) -> None:
    captured = shop.check_out(member, articles=PLAIN, redeem=100)
    returned = shop.give_back(captured.operation_id).returned
    page = latest_entry(clerk, member)

    story = text_of(page, "why")

    assert returned.complete
    assert "Goods worth €20.00 came back." in story
    assert (
        "€1.00 of that had been paid with points and goes back as points, €19.00 is paid" in story
    )
    assert "Nothing of the receipt is left to return." in story
    assert "1 1 €20.00 €1.00 €19.00" in text_of(page, "refund")
    assert "DE_7 €20.00 €1.00 €19.00" in text_of(page, "refund-vat")
    shop.give_back(captured.operation_id)
    assert "More was to come back than was left of a line." in why(clerk, member)


def test_what_is_owed_after_a_return_is_told(clerk: Browser, shop: Shop, member: Member) -> None:
    captured = shop.check_out(member, articles=PLAIN, times=10)
    shop.check_out(member, articles=PLAIN, redeem=200)
    shop.give_back(captured.operation_id)

    story = why(clerk, member)
    page = clerk.get(f"/members/{member.member_id}").text

    assert "were spent already: the member owes them" in story
    assert text_of(page, "owed") == "91"
    shop.check_out(member, articles=PLAIN)
    assert "10 of them paid back what the member owed after a return." in why(clerk, member)


@pytest.mark.parametrize(
    ("kind", "decision", "facts", "words"),
    [
        ("timeout", {"points_held": 80}, {}, "the reservation ended by itself. 80 points"),
        (
            "activate",
            {"points_activated": 12},
            {"activates_on": "2026-11-20"},
            "12 points had waited since they were earned. From 20 Nov 2026 on",
        ),
        (
            "announce",
            {"points": 12, "expires_on": "2026-12-31", "days_ahead": 30},
            {},
            "12 points can be redeemed until 31 Dec 2026 only. The member is told 30 days",
        ),
        (
            "tier",
            {"tier_before": "gold"},
            {"until": "2027-03-31", "qualifying_points": 1200},
            "The tier gold lasted until 31 Mar 2027. With 1,200 qualifying points the tier is",
        ),
        (
            "erase",
            {"points_forfeited": 12, "reason": "asked for it"},
            {},
            "12 points were forfeited",
        ),
        ("leg", {"main_id": "0198c6f4"}, {}, "The operation: 0198c6f4."),
    ],
)
def test_what_time_and_erasure_do_is_told(
    app: Flask, kind: str, decision: dict[str, object], facts: dict[str, object], words: str
) -> None:
    entry = JournalEntry(kind=kind, accepted=True)
    entry.state.tier = "silver"

    with app.test_request_context(headers={"Accept-Language": "en"}):
        g.visitor = None
        story = " ".join(told_of_kind(entry, decision, facts, currency="EUR"))

    assert words in story


@pytest.mark.parametrize("kind", [kind.value for kind in Kind if kind is not Kind.CAPTURE])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_kind_has_words(app: Flask, kind: str, language: str) -> None:
    entry = JournalEntry(kind=kind, accepted=True)
    facts = {"card": "00", "activates_on": "2026-11-20", "expires_on": "2026-11-20"}

    with app.test_request_context(headers={"Accept-Language": language}):
        g.visitor = None
        story = list(told_of_kind(entry, {"points": 5}, facts, currency="EUR"))

    assert story
    assert all(sentence.strip() for sentence in story)
