"""Only forms of this page change anything: each carries a token bound to the browser's session.

Before anybody has signed in, a random cookie stands for the session, so that the sign-in form is
protected too.
"""

import hashlib
import hmac
import secrets

from flask import Flask, Response, abort, g, request

from services.loyalty.admin.cookies import Cookies

FIELD = "form_token"
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Forms:
    """Makes and checks form tokens: HMAC of the session's or form cookie's value."""

    def __init__(self, cookies: Cookies, service_token: str) -> None:
        self._cookies = cookies
        self._key = hmac.digest(service_token.encode(), b"bonpunkt admin forms", hashlib.sha256)

    def register(self, app: Flask) -> None:
        app.before_request(self._check)
        app.after_request(self._keep_cookie)
        app.jinja_env.globals["form_token"] = self.token

    def token(self) -> str:
        """For a form that is being rendered."""
        bound_to = self._cookies.session(request) or self._cookies.form(request)
        if not bound_to:
            bound_to = g.setdefault("new_form_cookie", secrets.token_urlsafe(32))
        return self._token_for(bound_to)

    def _check(self) -> None:
        if request.method in _SAFE:
            return
        bound_to = self._cookies.session(request) or self._cookies.form(request)
        shown = request.form.get(FIELD, "")
        if not bound_to or not hmac.compare_digest(
            shown.encode(), self._token_for(bound_to).encode()
        ):
            abort(400, "form token")

    def _keep_cookie(self, response: Response) -> Response:
        if "new_form_cookie" in g:
            self._cookies.set_form(response, g.new_form_cookie)
        return response

    def _token_for(self, bound_to: str) -> str:
        return hmac.new(self._key, bound_to.encode(), hashlib.sha256).hexdigest()
