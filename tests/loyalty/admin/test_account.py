"""Signing in and out, and one's own password."""

import secrets

import pytest
from flask import Flask

from tests.loyalty.admin.conftest import Browser, app_for, settings_for
from tests.loyalty.admin.notifier_peer import NotifierPeer
from tests.loyalty.admin.shop import PASSWORD, Shop
from tests.servers.suite import Suite

NEW_PASSWORD = "quite another password"


@pytest.fixture
def person(shop: Shop) -> str:
    """A clerk whom no other test knows."""
    name = f"clerk-{secrets.token_hex(6)}"
    shop.add_staff(name, "clerk")
    return name


def test_signing_in_leads_to_where_one_wanted_to_go(anybody: Browser) -> None:
    turned_away = anybody.get("/deliveries?state=dead")
    assert turned_away.headers["Location"] == "/sign-in?next=/deliveries?state%3Ddead"

    answer = anybody.post("/sign-in", name="anna", password=PASSWORD, next="/deliveries?state=dead")

    assert answer.headers["Location"] == "/deliveries?state=dead"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x"],
)
def test_signing_in_never_leads_away_from_the_site(anybody: Browser, elsewhere: str) -> None:
    answer = anybody.post("/sign-in", name="anna", password=PASSWORD, next=elsewhere)

    assert answer.headers["Location"] == "/"


def test_names_are_written_as_people_write_them(anybody: Browser) -> None:
    assert anybody.post("/sign-in", name=" Anna ", password=PASSWORD).status_code == 303


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(anybody: Browser) -> None:
    answer = anybody.sign_in("anna")

    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if "bonpunkt-session=" in c]
    assert "; HttpOnly" in cookie
    assert "; SameSite=Lax" in cookie
    assert "; Path=/" in cookie
    assert "Max-Age" not in cookie, "it ends with the browser"


def test_over_https_every_cookie_is_secure_and_bound_to_the_host(
    suite: Suite, shop: Shop, notifier: NotifierPeer
) -> None:
    app = app_for(settings_for(suite, notifier, public_url="https://bonus.example"))
    browser = Browser(app, base_url="https://bonus.example")

    first, second = browser.get("/sign-in"), browser.sign_in("anna")

    cookies = first.headers.getlist("Set-Cookie") + second.headers.getlist("Set-Cookie")
    assert len(cookies) == 3, "form, session, known browser"
    for cookie in cookies:
        assert cookie.startswith("__Host-bonpunkt-")
        assert "; Secure" in cookie
        assert "Domain" not in cookie
    assert first.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert browser.get("/").status_code == 200


def test_a_cookie_copied_before_signing_out_is_dead_afterwards(app: Flask) -> None:
    browser = Browser(app)
    browser.sign_in("anna")
    copied = browser.cookies()["bonpunkt-session"]
    thief = Browser(app)
    thief.client.set_cookie("bonpunkt-session", copied)
    assert thief.get("/").status_code == 200

    browser.post("/sign-out")

    assert browser.get("/").status_code == 303
    answer = thief.get("/")
    assert answer.headers["Location"] == "/sign-in"
    assert "bonpunkt-session=; " in answer.headers["Set-Cookie"], "the dead cookie is removed"


def test_a_session_that_was_planted_is_not_used(app: Flask, anybody: Browser) -> None:
    """Whoever plants a cookie before the victim signs in does not share the victim's session."""
    attacker = Browser(app)
    attacker.sign_in("carl")
    planted = attacker.cookies()["bonpunkt-session"]
    anybody.client.set_cookie("bonpunkt-session", planted)

    anybody.sign_in("anna")

    assert anybody.cookies()["bonpunkt-session"] != planted
    assert attacker.get("/").status_code == 303, "the planted session was ended"


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("anna", "x" * 200)]
)
def test_a_failed_sign_in_says_the_same_whatever_was_wrong(
    anybody: Browser, name: str, password: str
) -> None:
    answer = anybody.sign_in(name, password)

    assert answer.status_code == 403
    assert "Name or password is wrong." in answer.text
    assert "bonpunkt-session" not in anybody.cookies()


def test_too_many_failures_are_told_with_the_time_to_wait(anybody: Browser, person: str) -> None:
    for _ in range(10):
        assert anybody.sign_in(person, "wrong").status_code == 403

    answer = anybody.sign_in(person)

    assert answer.status_code == 429
    assert "Try again in 15 min." in answer.text


def test_guessing_by_strangers_does_not_lock_a_person_out(app: Flask, person: str) -> None:
    """In a browser where the person has signed in before, strangers' failures do not count."""
    hers, stranger = Browser(app), Browser(app)
    hers.sign_in(person)
    hers.post("/sign-out")
    for _ in range(11):
        stranger.sign_in(person, "wrong")
    assert stranger.sign_in(person).status_code == 429

    assert hers.sign_in(person).status_code == 303


def test_a_known_browser_is_known_for_one_person_only(app: Flask, person: str) -> None:
    other = Browser(app)
    other.sign_in("carl")
    known_as_carl = {k: v for k, v in other.cookies().items() if "known" in k}
    stranger = Browser(app)
    for _ in range(10):
        stranger.sign_in(person, "wrong")
    (value,) = known_as_carl.values()
    Browser(app).sign_in(person)
    for key in list(known_as_carl):
        stranger.client.set_cookie(key, value)

    assert stranger.sign_in(person).status_code == 429


class TestPassword:
    def test_a_new_password_ends_other_sessions_and_keeps_this_one_going(
        self, app: Flask, person: str
    ) -> None:
        here, elsewhere = Browser(app), Browser(app)
        here.sign_in(person)
        elsewhere.sign_in(person)

        answer = here.post("/password", present=PASSWORD, new=NEW_PASSWORD, repeated=NEW_PASSWORD)

        assert answer.headers["Location"] == "/password?done=password_set"
        assert "Your password is replaced" in here.get(answer.headers["Location"]).text
        assert elsewhere.get("/").status_code == 303
        assert Browser(app).sign_in(person).status_code == 403
        assert Browser(app).sign_in(person, NEW_PASSWORD).status_code == 303

    @pytest.mark.parametrize(
        ("present", "new", "repeated", "words"),
        [
            ("wrong", NEW_PASSWORD, NEW_PASSWORD, "The present password is wrong."),
            (PASSWORD, NEW_PASSWORD, NEW_PASSWORD + "x", "The two new passwords differ."),
            (PASSWORD, "short", "short", "Password: 12 to 128 characters"),
            (PASSWORD, "a" * 12, "a" * 12, "Password: 12 to 128 characters"),
        ],
    )
    def test_a_password_that_cannot_be_set_is_explained(
        self, app: Flask, person: str, present: str, new: str, repeated: str, words: str
    ) -> None:
        browser = Browser(app)
        browser.sign_in(person)

        answer = browser.post("/password", present=present, new=new, repeated=repeated)

        assert answer.status_code == 422
        assert words in answer.text
        assert Browser(app).sign_in(person).status_code == 303, "the old one still holds"
