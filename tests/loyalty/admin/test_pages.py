"""What the pages show of members, entries and figures, and what staff can do there."""

import re
import secrets
from html import unescape

import pytest
import uuid_utils.compat as uuids
from flask import Flask

from bonpunkt.notifier.v1 import notifier_pb2 as notifier_pb
from services.loyalty.admin.pages.members import ENTRIES_PAGE, masked
from tests.loyalty.admin.conftest import Browser, app_for, settings_for
from tests.loyalty.admin.notifier_peer import NotifierPeer
from tests.loyalty.admin.shop import Shop
from tests.servers.ports import free_port
from tests.servers.suite import Member, Suite


@pytest.fixture
async def member(suite: Suite, shop: Shop) -> Member:
    (enrolled,) = await suite.enrol(1)
    return enrolled


def text_of(html: str, element: str) -> str:
    """The words inside the element with this id."""
    found = re.search(rf'<(\w+)[^>]* id="{element}"[^>]*>(.*?)</\1>', html, re.DOTALL)
    assert found, f"there is no {element}"
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found.group(2))).split())


def latest_entry(browser: Browser, member: Member) -> str:
    """The page of the member's newest entry."""
    page = browser.get(f"/members/{member.member_id}").text
    found = re.search(r'href="(/entries/\d+/\d+)"', page)
    assert found
    return browser.get(found.group(1)).text


class TestOverview:
    def test_a_checkout_arrives_with_its_figures(
        self, clerk: Browser, shop: Shop, member: Member
    ) -> None:
        decision = shop.check_out(member).captured

        page = clerk.get("/").text

        assert f"…{member.member_id[-12:]}" in page
        assert f"+{decision.points_earned}" in text_of(page, "latest")
        assert int(text_of(page, "figure-captures").replace(",", "")) >= 1
        assert "worth €" in page
        assert '<svg class="chart"' in page

    def test_the_live_part_is_a_part_of_the_page(self, clerk: Browser) -> None:
        part = clerk.get("/live").text

        assert "<html" not in part
        assert 'id="latest"' in part

    def test_watching_asks_a_signed_out_browser_to_reload(self, anybody: Browser) -> None:
        assert anybody.get("/live").status_code == 401

    def test_deliveries_are_counted_by_endpoint(
        self, suite: Suite, clerk: Browser, notifier: NotifierPeer
    ) -> None:
        notifier.endpoints["crm"] = notifier_pb.Endpoint(name="crm", enabled=True)
        notifier.deliveries += [
            notifier_pb.Delivery(endpoint="crm", state=notifier_pb.Delivery.STATE_DELIVERED),
            notifier_pb.Delivery(endpoint="crm", state=notifier_pb.Delivery.STATE_DEAD),
        ]

        page = clerk.get("/").text

        assert "1 delivered" in page
        assert "1 given up" in page


class TestFinding:
    def test_a_scanned_card_leads_to_its_member(self, clerk: Browser, member: Member) -> None:
        answer = clerk.post("/find", wanted=f" {member.card}\r\n")

        assert answer.headers["Location"] == f"/members/{member.member_id}"

    def test_a_member_id_leads_to_its_member_in_either_case(
        self, clerk: Browser, member: Member
    ) -> None:
        answer = clerk.post("/find", wanted=member.member_id.upper())

        assert answer.headers["Location"] == f"/members/{member.member_id}"

    @pytest.mark.parametrize(
        "wanted", ["4711", str(uuids.uuid7()), "", "x" * 65, "<b>&", "2900000000018' OR 1=1"]
    )
    def test_what_is_not_found_is_said(self, clerk: Browser, wanted: str) -> None:
        answer = clerk.post("/find", wanted=wanted)

        assert answer.status_code == 404
        assert "No member found" in answer.text
        assert "<b>&" not in answer.text

    @pytest.mark.parametrize("path", ["/members/1", f"/members/{uuids.uuid7()}", "/entries/0/0"])
    def test_an_address_of_nobody_is_not_found(self, clerk: Browser, path: str) -> None:
        assert clerk.get(path).status_code == 404


class TestMember:
    def test_balance_lots_cards_and_journal_are_shown(
        self, manager: Browser, shop: Shop, member: Member
    ) -> None:
        earned = shop.check_out(member, times=3).captured.points_earned

        page = manager.get(f"/members/{member.member_id}").text

        assert text_of(page, "points") == text_of(page, "available") == str(earned)
        assert re.search(
            rf"30 Nov 20\d\d {earned}|3[01] \w+ 20\d\d {earned}", text_of(page, "lots")
        )
        assert text_of(page, "cards") == member.card
        assert f"Purchase till-1 store-1 +{earned}" in text_of(page, "journal")
        assert "Joined" in text_of(page, "journal")

    def test_clerks_see_the_end_of_a_card_only(self, clerk: Browser, member: Member) -> None:
        page = clerk.get(f"/members/{member.member_id}").text

        assert text_of(page, "cards") == f"•••• {member.card[-4:]}"
        assert member.card not in page

    @pytest.mark.parametrize(
        ("card", "shown"), [("12345", "•••• 2345"), ("1234", "••••"), ("", "••••")]
    )
    def test_a_short_card_is_masked_whole(self, card: str, shown: str) -> None:
        assert masked(card) == shown

    def test_the_journal_is_read_page_by_page(
        self, clerk: Browser, shop: Shop, member: Member
    ) -> None:
        for _ in range(ENTRIES_PAGE):
            shop.check_out(member)
        first = clerk.get(f"/members/{member.member_id}").text
        older = re.search(r'id="older" href="([^"]+)"', first)
        assert older

        second = clerk.get(unescape(older.group(1))).text

        assert text_of(first, "journal").count("Purchase") == ENTRIES_PAGE
        assert text_of(second, "journal").count("Joined") == 1
        assert 'id="older"' not in second

    def test_deliveries_are_shown_with_state_and_reason(
        self, clerk: Browser, notifier: NotifierPeer, member: Member
    ) -> None:
        states = notifier_pb.Delivery
        notifier.deliveries += [
            states(endpoint="crm", member_id=member.member_id, state=states.STATE_DELIVERED),
            states(endpoint="crm", member_id=member.member_id, state=states.STATE_PENDING),
            states(
                endpoint="mail",
                member_id=member.member_id,
                state=states.STATE_DEAD,
                attempts=11,
                last_status=500,
                last_error="the receiver is broken",
            ),
            states(endpoint="secret", member_id="another member", state=states.STATE_DEAD),
        ]

        shown = text_of(clerk.get(f"/members/{member.member_id}").text, "deliveries")

        assert "delivered" in shown
        assert "in line" in shown
        assert "given up 11 attempts: HTTP 500 the receiver is broken" in shown
        assert "secret" not in shown

    def test_a_manager_blocks_and_unblocks_with_a_reason(
        self, manager: Browser, shop: Shop, member: Member
    ) -> None:
        path = f"/members/{member.member_id}"
        order = {"operation_id": str(uuids.uuid7()), "reason": "card was lost"}

        blocked = manager.post(f"{path}/block", **order)
        repeated = manager.post(f"{path}/block", **order)

        assert blocked.headers["Location"] == f"{path}?done=member_blocked"
        assert repeated.status_code == 303, "sent twice, ordered once"
        page = manager.get(blocked.headers["Location"]).text
        assert "The member is blocked." in page
        assert text_of(page, "member-status") == "blocked"
        assert text_of(page, "journal").count("Blocked staff:anna") == 1
        assert "Reason given: “card was lost”." in latest_entry(manager, member)
        assert shop.check_out(member).HasField("refused")

        order = {"operation_id": str(uuids.uuid7()), "reason": "found again"}
        assert manager.post(f"{path}/unblock", **order).status_code == 303
        assert shop.check_out(member).HasField("captured")

    @pytest.mark.parametrize("act", ["block", "unblock"])
    def test_a_reason_that_says_nothing_is_refused(
        self, manager: Browser, member: Member, act: str
    ) -> None:
        answer = manager.post(
            f"/members/{member.member_id}/{act}", operation_id=str(uuids.uuid7()), reason="  x "
        )

        assert answer.status_code == 422
        assert "Reason: 3 to 200 characters." in answer.text

    def test_an_order_without_its_id_is_refused(self, manager: Browser, member: Member) -> None:
        answer = manager.post(f"/members/{member.member_id}/block", reason="a good reason")

        assert answer.status_code == 400


class TestTerminals:
    def test_a_manager_adds_a_terminal_and_sees_its_secret_once(self, manager: Browser) -> None:
        terminal_id = f"till-{secrets.token_hex(4)}"

        answer = manager.post("/terminals", terminal_id=terminal_id, store_id="store-7")

        secret = text_of(answer.text, "secret")
        assert len(secret) == 43
        page = manager.get("/terminals").text
        assert f"{terminal_id} store-7 admitted" in text_of(page, "terminals")
        assert secret not in page
        again = manager.post("/terminals", terminal_id=terminal_id, store_id="store-7")
        assert again.status_code == 422
        assert "This name is taken" in again.text

    def test_a_blocked_terminal_is_shown_as_such(self, manager: Browser) -> None:
        terminal_id = f"till-{secrets.token_hex(4)}"
        manager.post("/terminals", terminal_id=terminal_id, store_id="store-7")

        answer = manager.post("/terminals/block", terminal_id=terminal_id)

        page = manager.get(answer.headers["Location"]).text
        assert f"{terminal_id} store-7 blocked" in text_of(page, "terminals")
        assert "The terminal is blocked." in page

    @pytest.mark.parametrize(
        ("path", "fields", "words"),
        [
            ("/terminals", {"terminal_id": "a b", "store_id": "s"}, "Terminal: 1 to 64"),
            ("/terminals", {"terminal_id": "till-x", "store_id": ""}, "Store: 1 to 64"),
            ("/terminals/block", {"terminal_id": "nothing"}, "There is no such thing"),
        ],
    )
    def test_a_refused_form_is_explained(
        self, manager: Browser, path: str, fields: dict[str, str], words: str
    ) -> None:
        answer = manager.post(path, **fields)

        assert answer.status_code == 422
        assert words in answer.text

    def test_clerks_see_no_form(self, clerk: Browser) -> None:
        assert 'id="terminal_id"' not in clerk.get("/terminals").text


class TestEndpoints:
    def test_a_manager_adds_an_endpoint_in_their_own_name(
        self, manager: Browser, notifier: NotifierPeer
    ) -> None:
        answer = manager.post(
            "/endpoints",
            name="crm",
            url="https://crm.example/in",
            event_types="member.points_changed, member.blocked",
        )

        assert text_of(answer.text, "secret").startswith("whsec_")
        assert "whsec_A" not in manager.get("/endpoints").text
        assert list(notifier.endpoints["crm"].event_types) == [
            "member.points_changed",
            "member.blocked",
        ]
        assert notifier.acts == [("AddEndpoint", manager.cookies()["bonpunkt-session"])]

    def test_an_endpoint_is_switched_off_and_on(
        self, manager: Browser, notifier: NotifierPeer
    ) -> None:
        manager.post("/endpoints", name="crm", url="https://crm.example/in")

        off = manager.post("/endpoints/disable", name="crm")
        assert "disabled by staff" in text_of(
            manager.get(off.headers["Location"]).text, "endpoints"
        )
        on = manager.post("/endpoints/enable", name="crm")

        assert "enabled" in text_of(manager.get(on.headers["Location"]).text, "endpoints")

    @pytest.mark.parametrize(
        ("path", "fields", "words"),
        [
            ("/endpoints", {"name": "crm", "url": "ftp://x"}, "Address: it has to begin"),
            ("/endpoints/enable", {"name": "nothing"}, "There is no such thing"),
            ("/endpoints/disable", {"name": ""}, "There is no such thing"),
            ("/deliveries/redeliver", {"delivery_id": "x"}, "There is no such thing"),
        ],
    )
    def test_a_refused_form_is_explained(
        self,
        manager: Browser,
        notifier: NotifierPeer,
        path: str,
        fields: dict[str, str],
        words: str,
    ) -> None:
        answer = manager.post(path, **fields)

        assert answer.status_code == 422
        assert words in answer.text

    def test_a_delivery_is_sent_again_and_one_returns_to_the_list(
        self, manager: Browser, notifier: NotifierPeer
    ) -> None:
        dead = notifier_pb.Delivery(
            delivery_id="msg_1", endpoint="crm", state=notifier_pb.Delivery.STATE_DEAD
        )
        notifier.deliveries.append(dead)

        answer = manager.post(
            "/deliveries/redeliver", delivery_id="msg_1", next="/deliveries?to=crm"
        )

        assert answer.headers["Location"] == "/deliveries?to=crm&done=redelivered"
        assert "The delivery is in line again." in manager.get(answer.headers["Location"]).text
        assert dead.state == notifier_pb.Delivery.STATE_PENDING

    def test_deliveries_are_narrowed_and_paged(
        self, clerk: Browser, notifier: NotifierPeer
    ) -> None:
        notifier.deliveries += [
            notifier_pb.Delivery(endpoint="crm", state=notifier_pb.Delivery.STATE_DEAD)
            for _ in range(51)
        ] + [notifier_pb.Delivery(endpoint="mail", state=notifier_pb.Delivery.STATE_DEAD)]

        first = clerk.get("/deliveries?to=crm&state=dead").text
        older = re.search(r'id="older" href="([^"]+)"', first)
        assert older
        second = clerk.get(unescape(older.group(1))).text

        assert text_of(first, "deliveries").count("given up") == 50
        assert text_of(second, "deliveries").count("given up") == 1
        assert "No such delivery." in clerk.get("/deliveries?state=delivered").text


class TestAudit:
    def test_what_was_done_on_the_page_stands_in_the_audit(self, manager: Browser) -> None:
        terminal_id = f"till-{secrets.token_hex(4)}"
        manager.post("/terminals", terminal_id=terminal_id, store_id="store-7")

        shown = text_of(manager.get("/audit").text, "audit")

        assert f"staff:anna terminal.add {terminal_id} store store-7" in shown


class TestFaults:
    """What cannot be reached is said; the rest of the page shows."""

    @pytest.fixture
    def without_notifier(self, suite: Suite, shop: Shop) -> Browser:
        dead = NotifierPeer()
        dead.target = f"127.0.0.1:{free_port()}"
        browser = Browser(app_for(settings_for(suite, dead)))
        browser.sign_in("anna")
        return browser

    def test_without_the_notifier_checkouts_and_members_show(
        self, without_notifier: Browser, member: Member
    ) -> None:
        for path in ("/", f"/members/{member.member_id}"):
            answer = without_notifier.get(path)

            assert answer.status_code == 200
            assert "The notifier cannot be reached." in answer.text
            assert "Points" in answer.text

    def test_without_the_notifier_its_own_pages_say_so(self, without_notifier: Browser) -> None:
        for path in ("/endpoints", "/deliveries"):
            answer = without_notifier.get(path)

            assert answer.status_code == 503
            assert "The notifier cannot be reached" in answer.text

    def test_without_the_ledger_a_page_says_so_and_keeps_the_session(
        self, suite: Suite, notifier: NotifierPeer, app: Flask
    ) -> None:
        settings = settings_for(suite, notifier)
        unreachable = type(settings)(
            listen=settings.listen,
            public_url=settings.public_url,
            loyalty=f"127.0.0.1:{free_port()}",
            notifier=settings.notifier,
            service_token=settings.service_token,
            log_level="INFO",
        )
        browser = Browser(app_for(unreachable))
        browser.client.set_cookie("bonpunkt-session", "a live session")

        answer = browser.get("/")

        assert answer.status_code == 503
        assert "The ledger cannot be reached" in answer.text
        assert "bonpunkt-session" in browser.cookies()
        assert browser.get("/healthz").data == b"ok\n"
        assert browser.get("/sign-in").status_code == 200

    def test_a_wrong_service_token_is_no_ended_session(
        self, suite: Suite, notifier: NotifierPeer
    ) -> None:
        settings = settings_for(suite, notifier)
        stranger = type(settings)(
            listen=settings.listen,
            public_url=settings.public_url,
            loyalty=settings.loyalty,
            notifier=settings.notifier,
            service_token="wrong",
            log_level="INFO",
        )
        browser = Browser(app_for(stranger))

        assert browser.sign_in("anna").status_code == 503

    def test_an_error_of_the_page_itself_is_told_without_its_inside(
        self, app: Flask, manager: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> str:
            raise RuntimeError("a secret of the inside")

        broken.need = app.view_functions["audit"].need  # type: ignore[attr-defined]
        monkeypatch.setitem(app.view_functions, "audit", broken)

        answer = manager.get("/audit")

        assert answer.status_code == 500
        assert "Something went wrong" in answer.text
        assert "secret" not in answer.text
