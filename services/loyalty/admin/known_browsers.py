"""Browsers in which somebody has signed in before.

Loyalty counts failed attempts of such a browser apart from strangers', so that nobody can keep a
person out of their own workplace by guessing at their name. The cookie names one person and is of
no use for any other.
"""

import hashlib
import hmac
import secrets

from flask import Request, Response

from services.loyalty.admin.cookies import KNOWN_AGE_S, Cookies


class KnownBrowsers:
    def __init__(self, cookies: Cookies, service_token: str) -> None:
        self._cookies = cookies
        self._key = hmac.digest(service_token.encode(), b"bonpunkt admin browsers", hashlib.sha256)

    def known_as(self, request: Request, name: str) -> str:
        """The browser's id if `name` has signed in here, else nothing."""
        browser, _, seal = self._cookies.read(request, self._cookie(name)).partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(browser, name).encode()):
            return ""
        return browser

    def remember(self, response: Response, request: Request, name: str) -> None:
        browser = self.known_as(request, name) or secrets.token_urlsafe(18)
        value = f"{browser}.{self._seal(browser, name)}"
        self._cookies.write(response, self._cookie(name), value, max_age_s=KNOWN_AGE_S)

    def _cookie(self, name: str) -> str:
        return f"known-{self._seal('', name)[:16]}"

    def _seal(self, browser: str, name: str) -> str:
        return hmac.new(self._key, f"{browser}\n{name}".encode(), hashlib.sha256).hexdigest()
