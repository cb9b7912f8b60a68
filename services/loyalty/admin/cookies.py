"""What the page keeps in a browser: a session token, a form token, the language. Nothing else."""

from dataclasses import dataclass

from flask import Request, Response

_FORM_AGE_S = 24 * 3600
_LANGUAGE_AGE_S = 365 * 24 * 3600
KNOWN_AGE_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure`: browsers come by https; the prefix `__Host-` then binds cookies to this host."""

    secure: bool

    def session(self, request: Request) -> str:
        return self.read(request, "session")

    def set_session(self, response: Response, token: str) -> None:
        """Ends with the browser; loyalty ends it earlier."""
        self.write(response, "session", token, max_age_s=None)

    def clear_session(self, response: Response) -> None:
        self.write(response, "session", "", max_age_s=0)

    def form(self, request: Request) -> str:
        return self.read(request, "form")

    def set_form(self, response: Response, token: str) -> None:
        self.write(response, "form", token, max_age_s=_FORM_AGE_S)

    def language(self, request: Request) -> str:
        return self.read(request, "language")

    def set_language(self, response: Response, language: str) -> None:
        self.write(response, "language", language, max_age_s=_LANGUAGE_AGE_S)

    def read(self, request: Request, name: str) -> str:
        return request.cookies.get(self._name(name), "")

    def write(self, response: Response, name: str, value: str, *, max_age_s: int | None) -> None:
        response.set_cookie(
            self._name(name),
            value,
            max_age=max_age_s,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="Lax",
        )

    def _name(self, name: str) -> str:
        return f"__Host-bonpunkt-{name}" if self.secure else f"bonpunkt-{name}"
