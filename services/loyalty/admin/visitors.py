"""Who is looking, and what they may see. A route has to say whom it is for."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from services.loyalty.admin.cookies import Cookies
from services.loyalty.admin.peers import Loyalty, Refusal
from services.runtime.grpc import Metadata

View = TypeVar("View", bound=Callable[..., Any])


class Need(Enum):
    """Whom a route is for."""

    ANYBODY = "anybody"
    WATCHING = "watching"  # signed in; a page that refreshes itself, which is no use of the session
    CLERK = "clerk"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Visitor:
    name: str
    role: str
    session: str

    @property
    def is_manager(self) -> bool:
        return self.role == "manager"

    @property
    def acting(self) -> Metadata:
        """Call metadata by which loyalty knows who acts."""
        return (("bonpunkt-session", self.session),)


def needs(need: Need) -> Callable[[View], View]:
    def declare(view: View) -> View:
        view.need = need  # type: ignore[attr-defined]
        return view

    return declare


def visitor() -> Visitor:
    """Who is signed in, inside a route that needs somebody."""
    found = g.visitor
    assert isinstance(found, Visitor), "the route is for anybody"
    return found


class Visitors:
    """Asks loyalty before each request whether the session is alive: rights change at once."""

    def __init__(self, cookies: Cookies, loyalty: Loyalty) -> None:
        self._cookies = cookies
        self._loyalty = loyalty

    def register(self, app: Flask) -> None:
        app.before_request(self._admit)
        app.after_request(self._drop_dead_session)
        app.context_processor(lambda: {"visitor": g.get("visitor")})

    def _admit(self) -> AnyResponse | None:
        g.visitor = None
        if request.endpoint is None:
            return None  # no such page
        need = need_of(request.endpoint)
        if need is Need.ANYBODY:
            return None
        g.visitor = self._find(passive=need is Need.WATCHING)
        if g.visitor is None:
            return _sign_in_first(need)
        if need is Need.MANAGER and not g.visitor.is_manager:
            abort(403)
        return None

    def _find(self, *, passive: bool) -> Visitor | None:
        session = self._cookies.session(request)
        if not session:
            return None
        answer = self._loyalty.call(
            self._loyalty.staff.CheckSession,
            pb.CheckSessionRequest(session=session, passive=passive),
        )
        if isinstance(answer, Refusal):
            g.session_is_dead = True
            return None
        return Visitor(answer.staff.name, answer.staff.role, session)

    def _drop_dead_session(self, response: Response) -> Response:
        if g.get("session_is_dead"):
            self._cookies.clear_session(response)
        return response


def need_of(endpoint: str) -> Need:
    found = getattr(current_app.view_functions[endpoint], "need", None)
    assert isinstance(found, Need), f"{endpoint} does not say whom it is for"
    return found


def _sign_in_first(need: Need) -> AnyResponse:
    if need is Need.WATCHING:
        abort(401)
    back_to = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("sign_in", next=back_to if back_to != "/" else None), 303)
