"""Who may ask for what, for every route there is; and what every answer carries."""

from dataclasses import dataclass
from enum import Enum

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.loyalty.admin.conftest import Browser

ID = "00000000-0000-4000-8000-000000000000"
SAFE = {"GET", "HEAD", "OPTIONS"}


class For(Enum):
    ANYBODY = "anybody"
    CLERK = "clerk"
    MANAGER = "manager"


# Written down apart from the code: a new route has to be judged here too.
ROUTES = {
    ("GET", "/healthz"): For.ANYBODY,
    ("GET", "/static/<path:filename>"): For.ANYBODY,
    ("GET", "/sign-in"): For.ANYBODY,
    ("POST", "/sign-in"): For.ANYBODY,
    ("POST", "/sign-out"): For.ANYBODY,
    ("POST", "/language"): For.ANYBODY,
    ("GET", "/"): For.CLERK,
    ("GET", "/live"): For.CLERK,
    ("GET", "/password"): For.CLERK,
    ("POST", "/password"): For.CLERK,
    ("POST", "/find"): For.CLERK,
    ("GET", "/members/<uuid:member_id>"): For.CLERK,
    ("POST", "/members/<uuid:member_id>/block"): For.MANAGER,
    ("POST", "/members/<uuid:member_id>/unblock"): For.MANAGER,
    ("POST", "/members/<uuid:member_id>/adjust"): For.MANAGER,
    ("POST", "/members/<uuid:member_id>/cards"): For.CLERK,
    ("POST", "/members/<uuid:member_id>/merge"): For.MANAGER,
    ("GET", "/members/<uuid:member_id>/merge/<uuid:other_id>"): For.MANAGER,
    ("POST", "/members/<uuid:member_id>/merge/<uuid:other_id>"): For.MANAGER,
    ("GET", "/members/<uuid:member_id>/statement"): For.CLERK,
    ("GET", "/waiting"): For.MANAGER,
    ("POST", "/waiting/approve"): For.MANAGER,
    ("POST", "/waiting/decline"): For.MANAGER,
    ("GET", "/end-of-day"): For.CLERK,
    ("GET", "/entries/<int(max=4294967295):bucket>/<int(max=9223372036854775807):sequence>"): (
        For.CLERK
    ),
    ("GET", "/terminals"): For.CLERK,
    ("POST", "/terminals"): For.MANAGER,
    ("POST", "/terminals/block"): For.MANAGER,
    ("GET", "/endpoints"): For.CLERK,
    ("POST", "/endpoints"): For.MANAGER,
    ("POST", "/endpoints/enable"): For.MANAGER,
    ("POST", "/endpoints/disable"): For.MANAGER,
    ("GET", "/deliveries"): For.CLERK,
    ("POST", "/deliveries/redeliver"): For.MANAGER,
    ("GET", "/audit"): For.MANAGER,
}
UNSAFE = [path for method, path in ROUTES if method not in SAFE]


@dataclass(frozen=True, slots=True)
class Case:
    who: str
    method: str
    path: str
    is_let_in: bool

    def __str__(self) -> str:
        return f"{self.who} {self.method} {self.path.partition('(')[0]}"


def cases() -> list[Case]:
    rank = {"anybody": 0, "clerk": 1, "manager": 2}
    return [
        Case(who, method, path, rank[who] >= rank[needed.value])
        for (method, path), needed in ROUTES.items()
        for who in rank
    ]


def address(path: str) -> str:
    path = path.replace("<uuid:member_id>", ID).replace("<uuid:other_id>", ID)
    path = path.replace("<path:filename>", "base.css")
    return "/entries/31/987654321" if path.startswith("/entries/") else path


def methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - {"HEAD", "OPTIONS"}


def is_turned_away(answer: TestResponse) -> bool:
    to_sign_in = answer.status_code == 303 and (
        answer.headers["Location"].startswith("/sign-in?next")
        or answer.headers["Location"] == "/sign-in"
    )
    return to_sign_in or answer.status_code in (401, 403)


def test_every_route_is_judged_here(app: Flask) -> None:
    found = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in methods(rule)}

    assert found == set(ROUTES)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_each_role_is_let_in_where_it_may(
    case: Case, request: pytest.FixtureRequest, app: Flask
) -> None:
    browser: Browser = request.getfixturevalue(case.who)
    if case.path == "/sign-in" and case.method == "POST":
        answer = browser.post("/sign-in", name="anna", password="correct horse battery")
        assert answer.headers["Location"] == "/"
        return

    send = browser.get if case.method == "GET" else browser.post
    answer = send(address(case.path))

    if case.path == "/sign-out":
        assert answer.headers["Location"] == "/sign-in?done=signed_out"
    else:
        assert is_turned_away(answer) is not case.is_let_in, answer.status
    assert answer.status_code < 500


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_a_method_that_a_route_does_not_have_is_refused(
    path: str, manager: Browser, app: Flask
) -> None:
    has = {method for method, other in ROUTES if other == path}

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - has:
        answer = manager.client.open(
            address(path), method=method, data={"form_token": manager.token()}
        )
        assert answer.status_code == 405, method


class TestForms:
    """Nothing is changed but by a form of this page, made for this browser."""

    @pytest.mark.parametrize("path", UNSAFE)
    def test_a_form_without_token_is_refused(self, path: str, manager: Browser) -> None:
        assert manager.post_raw(address(path)).status_code == 400

    @pytest.mark.parametrize("path", UNSAFE)
    def test_the_token_of_another_browser_is_refused(
        self, path: str, manager: Browser, clerk: Browser
    ) -> None:
        answer = manager.post_raw(address(path), form_token=clerk.token())

        assert answer.status_code == 400

    @pytest.mark.parametrize("path", UNSAFE)
    def test_a_token_without_its_cookie_is_refused(self, path: str, app: Flask) -> None:
        token = Browser(app).token()

        assert Browser(app).post_raw(address(path), form_token=token).status_code == 400

    def test_the_token_changes_with_the_session(self, anybody: Browser) -> None:
        before = anybody.token()

        anybody.sign_in("anna")

        assert anybody.token() != before
        assert anybody.post_raw("/sign-out", form_token=before).status_code == 400

    @pytest.mark.parametrize("token", ["", "x", "ü" * 64, "0" * 64])
    def test_a_made_up_token_is_refused(self, token: str, manager: Browser) -> None:
        assert manager.post_raw("/sign-out", form_token=token).status_code == 400

    def test_a_refused_form_is_explained(self, manager: Browser) -> None:
        page = manager.post_raw("/terminals/block", terminal_id="till-1").text

        assert "This form is no longer valid" in page


class TestHeaders:
    @pytest.mark.parametrize("path", [address(p) for m, p in ROUTES if m == "GET"] + ["/nothing"])
    def test_every_answer_forbids_what_the_page_does_not_need(
        self, path: str, manager: Browser
    ) -> None:
        headers = manager.get(path).headers

        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        cached = "immutable" in headers["Cache-Control"]
        assert cached is path.startswith("/static/")
        assert cached or headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", [address(p) for m, p in ROUTES if m == "GET"])
    def test_nothing_is_inline_or_from_elsewhere(self, path: str, manager: Browser) -> None:
        page = manager.get(path).text

        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<script>" not in page
        assert 'src="http' not in page
        assert 'href="http' not in page

    def test_http_on_loopback_has_no_strict_transport_security(self, anybody: Browser) -> None:
        assert "Strict-Transport-Security" not in anybody.get("/sign-in").headers

    def test_a_foreign_host_name_is_refused(self, anybody: Browser) -> None:
        """A name that an attacker points at loopback (DNS rebinding) gets no page."""
        answer = anybody.client.get("/sign-in", base_url="http://evil.example")

        assert answer.status_code == 400

    def test_a_body_that_is_too_large_is_refused(self, anybody: Browser) -> None:
        answer = anybody.post_raw("/sign-in", name="x" * 70_000)

        assert answer.status_code == 413
