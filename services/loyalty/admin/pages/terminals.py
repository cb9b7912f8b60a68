"""Which tills may speak."""

from flask import Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import terminal_pb2 as pb
from services.loyalty.admin.notices import words
from services.loyalty.admin.peers import Loyalty, Refusal
from services.loyalty.admin.visitors import Need, needs, visitor


class TerminalPages:
    def __init__(self, loyalty: Loyalty) -> None:
        self._loyalty = loyalty

    def register(self, app: Flask) -> None:
        app.add_url_rule("/terminals", "terminals", self.show)
        app.add_url_rule("/terminals", "add_terminal", self.add, methods=["POST"])
        app.add_url_rule("/terminals/block", "block_terminal", self.block, methods=["POST"])

    @needs(Need.CLERK)
    def show(self) -> str:
        return self._page()

    @needs(Need.MANAGER)
    def add(self) -> str | tuple[str, int]:
        """Answers the page itself, not a redirect: the secret is shown here and never again."""
        order = pb.AddTerminalRequest(
            terminal_id=request.form.get("terminal_id", "").strip(),
            store_id=request.form.get("store_id", "").strip(),
        )
        terminals = self._loyalty.terminals
        answer = self._loyalty.call(terminals.AddTerminal, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        return self._page(added=answer)

    @needs(Need.MANAGER)
    def block(self) -> AnyResponse | tuple[str, int]:
        order = pb.BlockTerminalRequest(terminal_id=request.form.get("terminal_id", ""))
        terminals = self._loyalty.terminals
        answer = self._loyalty.call(terminals.BlockTerminal, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        return redirect(url_for("terminals", done="terminal_blocked"), 303)

    def _page(self, *, problem: str = "", added: pb.AddTerminalResponse | None = None) -> str:
        listed = self._loyalty.ask(self._loyalty.terminals.ListTerminals, pb.ListTerminalsRequest())
        return render_template(
            "terminals.html", terminals=listed.terminals, problem=problem, added=added
        )
