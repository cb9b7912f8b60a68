"""Requests have ids that join a page's log lines, here and in loyalty."""

import re

from flask import Flask
from prometheus_client import CollectorRegistry

from services.loyalty.admin.app import create_app
from services.loyalty.admin.peers import Loyalty, Notifier
from services.loyalty.admin.requests import REQUEST_ID_KEY
from tests.loyalty.admin.conftest import Browser, settings_for
from tests.loyalty.admin.notifier_peer import NotifierPeer
from tests.servers.suite import Suite


def test_every_answer_carries_an_id_of_its_own(anybody: Browser) -> None:
    ids = [anybody.get("/sign-in").headers[REQUEST_ID_KEY] for _ in range(2)]

    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert ids[0] != ids[1]


def test_requests_count_by_page_and_status(suite: Suite, notifier: NotifierPeer) -> None:
    settings, registry = settings_for(suite, notifier), CollectorRegistry()
    app: Flask = create_app(
        settings,
        loyalty=Loyalty(settings.loyalty, settings.service_token),
        notifier=Notifier(settings.notifier, settings.service_token),
        registry=registry,
    )
    browser = Browser(app)

    browser.get("/healthz")
    browser.get("/nothing-here")

    def count(page: str, status: str) -> float | None:
        labels = {"page": page, "status": status}
        return registry.get_sample_value("bonpunkt_admin_requests_total", labels)

    assert count("healthz", "200") == 1
    assert count("none", "404") == 1
