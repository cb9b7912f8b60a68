"""Signing in and out, and one's own password."""

import grpc
from flask import Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from services.loyalty.admin.cookies import Cookies
from services.loyalty.admin.known_browsers import KnownBrowsers
from services.loyalty.admin.language import gettext, local_path
from services.loyalty.admin.notices import words
from services.loyalty.admin.peers import Loyalty, Refusal
from services.loyalty.admin.visitors import Need, needs, visitor

BROWSER_KEY = "bonpunkt-browser"


class AccountPages:
    def __init__(self, cookies: Cookies, known: KnownBrowsers, loyalty: Loyalty) -> None:
        self._cookies = cookies
        self._known = known
        self._loyalty = loyalty

    def register(self, app: Flask) -> None:
        app.add_url_rule("/sign-in", "sign_in", self.show_sign_in)
        app.add_url_rule("/sign-in", "do_sign_in", self.sign_in, methods=["POST"])
        app.add_url_rule("/sign-out", "sign_out", self.sign_out, methods=["POST"])
        app.add_url_rule("/password", "password", self.show_password)
        app.add_url_rule("/password", "set_password", self.set_password, methods=["POST"])

    @needs(Need.ANYBODY)
    def show_sign_in(self) -> str:
        return render_template("sign_in.html", next=request.args.get("next", ""), name="")

    @needs(Need.ANYBODY)
    def sign_in(self) -> AnyResponse | tuple[str, int]:
        name = request.form.get("name", "").strip().lower()
        back_to = request.form.get("next", "")
        answer = self._sign_in(name, request.form.get("password", ""))
        if isinstance(answer, Refusal):
            return self._sign_in_refused(answer, name=name, back_to=back_to)
        return self._let_in(answer, local_path(back_to))

    def _sign_in(self, name: str, password: str) -> pb.SignInResponse | Refusal:
        return self._loyalty.call(
            self._loyalty.staff.SignIn,
            pb.SignInRequest(name=name, password=password),
            metadata=((BROWSER_KEY, self._known.known_as(request, name)),),
        )

    def _let_in(self, answer: pb.SignInResponse, path: str) -> AnyResponse:
        """The session that this browser had before, if any, is ended: it has a new one."""
        before = self._cookies.session(request)
        if before:
            self._loyalty.call(self._loyalty.staff.SignOut, pb.SignOutRequest(session=before))
        response = redirect(path, 303)
        self._cookies.set_session(response, answer.session)  # type: ignore[arg-type]
        self._known.remember(response, request, answer.staff.name)  # type: ignore[arg-type]
        return response

    def _sign_in_refused(self, refusal: Refusal, *, name: str, back_to: str) -> tuple[str, int]:
        if refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            problem, status = words(refusal), 429
        else:
            problem, status = gettext("Name or password is wrong."), 403
        page = render_template("sign_in.html", next=back_to, name=name, problem=problem)
        return page, status

    @needs(Need.ANYBODY)
    def sign_out(self) -> AnyResponse:
        """For anybody, so that it also works when the session has ended already."""
        session = self._cookies.session(request)
        if session:
            self._loyalty.call(self._loyalty.staff.SignOut, pb.SignOutRequest(session=session))
        response = redirect(url_for("sign_in", done="signed_out"), 303)
        self._cookies.clear_session(response)  # type: ignore[arg-type]
        return response

    @needs(Need.CLERK)
    def show_password(self) -> str:
        return render_template("password.html")

    @needs(Need.CLERK)
    def set_password(self) -> AnyResponse | tuple[str, int]:
        """Whoever finds an unattended page does not know the present password."""
        new = request.form.get("new", "")
        if new != request.form.get("repeated", ""):
            return self._password_refused(gettext("The two new passwords differ."))
        proven = self._sign_in(visitor().name, request.form.get("present", ""))
        if isinstance(proven, Refusal):
            is_wrong = proven.code is not grpc.StatusCode.RESOURCE_EXHAUSTED
            wrong = gettext("The present password is wrong.")
            return self._password_refused(wrong if is_wrong else words(proven))
        answer = self._loyalty.call(
            self._loyalty.staff.SetPassword,
            pb.SetPasswordRequest(name=visitor().name, password=new),
            metadata=visitor().acting,
        )
        if isinstance(answer, Refusal):
            self._loyalty.call(
                self._loyalty.staff.SignOut, pb.SignOutRequest(session=proven.session)
            )
            return self._password_refused(words(answer))
        renewed = self._sign_in(visitor().name, new)
        if isinstance(renewed, Refusal):
            return redirect(url_for("sign_in", done="password_set"), 303)
        return self._let_in(renewed, url_for("password", done="password_set"))

    def _password_refused(self, problem: str) -> tuple[str, int]:
        return render_template("password.html", problem=problem), 422
