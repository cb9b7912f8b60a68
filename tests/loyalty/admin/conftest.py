"""The admin page in front of a real loyalty process and a notifier whose state tests set."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.loyalty.admin.app import create_app
from services.loyalty.admin.peers import Loyalty, Notifier
from services.loyalty.admin.settings import AdminSettings
from tests.loyalty.admin.notifier_peer import NotifierPeer
from tests.loyalty.admin.shop import PASSWORD, Shop
from tests.servers.suite import Suite

_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class Browser:
    """A person at a browser: cookies are kept, forms come from pages."""

    def __init__(self, app: Flask, *, language: str = "en", base_url: str | None = None) -> None:
        self.client: FlaskClient = app.test_client()
        self._language = language
        self._base_url = base_url or "http://localhost"

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self._headers(), base_url=self._base_url)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Sends the fields with the form token of a page, as a form of that page would."""
        return self.post_raw(path, form_token=self.token(), **fields)

    def post_raw(self, path: str, **fields: str) -> TestResponse:
        return self.client.post(path, data=fields, headers=self._headers(), base_url=self._base_url)

    def token(self) -> str:
        found = _TOKEN.search(self.get("/sign-in").text)
        assert found, "every page has a form"
        return found.group(1)

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/sign-in", name=name, password=password)

    def cookies(self) -> dict[str, str]:
        return {key[2]: cookie.value for key, cookie in self.client._cookies.items()}

    def _headers(self) -> dict[str, str]:
        return {"Accept-Language": self._language}


@pytest.fixture(scope="session")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """One loyalty for all tests of the page, with a manager, a clerk and a till."""
    async with Suite(tmp_path_factory.mktemp("admin") / "var", gateways=0) as running:
        yield running


@pytest.fixture(scope="session")
def shop(suite: Suite) -> Shop:
    shop = Shop(suite.loyalty_target, suite.metadata)
    shop.add_staff("anna", "manager")
    shop.add_staff("bert", "manager")
    shop.add_staff("carl", "clerk")
    return shop


@pytest.fixture(scope="session")
def running_notifier() -> Iterator[NotifierPeer]:
    peer = NotifierPeer()
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def notifier(running_notifier: NotifierPeer) -> Iterator[NotifierPeer]:
    yield running_notifier
    running_notifier.clear()


def settings_for(
    suite: Suite, notifier: NotifierPeer, *, public_url: str = "http://127.0.0.1:7700"
) -> AdminSettings:
    return AdminSettings(
        listen="127.0.0.1:7700",
        public_url=public_url,
        loyalty=suite.loyalty_target,
        notifier=notifier.target,
        service_token=suite.service_token,
        log_level="INFO",
    )


def app_for(settings: AdminSettings) -> Flask:
    return create_app(
        settings,
        loyalty=Loyalty(settings.loyalty, settings.service_token),
        notifier=Notifier(settings.notifier, settings.service_token),
    )


@pytest.fixture
def app(suite: Suite, shop: Shop, notifier: NotifierPeer) -> Flask:
    return app_for(settings_for(suite, notifier))


@pytest.fixture
def anybody(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def clerk(app: Flask) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("carl").status_code == 303
    return browser


@pytest.fixture
def manager(app: Flask) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("anna").status_code == 303
    return browser


@pytest.fixture
def second_manager(app: Flask) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("bert").status_code == 303
    return browser
