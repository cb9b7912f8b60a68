"""Points by hand, and those that wait for a second person."""

import uuid
from collections.abc import Sequence

from flask import Flask, g, redirect, render_template, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty.admin.notices import words
from services.loyalty.admin.orders import operation_id, points, text
from services.loyalty.admin.pages.members import MemberPages
from services.loyalty.admin.peers import Loyalty, Refusal, UnreachableError
from services.loyalty.admin.visitors import Need, Visitor, needs, visitor

# By the code that is journalled; the page offers these, the ledger takes any.
REASON_CODES = {
    "goodwill": lazy_gettext("Goodwill"),
    "correction": lazy_gettext("Correction of a mistake"),
    "forgotten_card": lazy_gettext("Card was forgotten"),
    "promotion": lazy_gettext("Promotion"),
}


class AdjustmentPages:
    def __init__(self, loyalty: Loyalty, members: MemberPages) -> None:
        self._loyalty, self._members = loyalty, members

    def register(self, app: Flask) -> None:
        app.add_url_rule(
            "/members/<uuid:member_id>/adjust", "adjust", self.adjust, methods=["POST"]
        )
        app.add_url_rule("/waiting", "waiting", self.show)
        app.add_url_rule("/waiting/approve", "approve", self.approve, methods=["POST"])
        app.add_url_rule("/waiting/decline", "decline", self.decline, methods=["POST"])
        app.context_processor(lambda: {"waiting_count": self._count})
        app.jinja_env.globals["reason_codes"] = REASON_CODES

    @needs(Need.MANAGER)
    def adjust(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        count = points("points")
        order = pb.AdjustPointsRequest(
            operation_id=operation_id(),
            member_id=str(member_id),
            points=-count if text("direction") == "take" else count,
            reason_code=text("reason_code"),
            reason=text("reason"),
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.AdjustPoints, order, metadata=visitor().acting)
        is_booked = isinstance(answer, Refusal) or answer.booked
        return self._members.done(
            member_id, answer, "adjusted" if is_booked else "adjustment_waits"
        )

    @needs(Need.MANAGER)
    def show(self) -> str:
        return self._page()

    @needs(Need.MANAGER)
    def approve(self) -> AnyResponse | tuple[str, int]:
        return self._decide(approve=True)

    @needs(Need.MANAGER)
    def decline(self) -> AnyResponse | tuple[str, int]:
        return self._decide(approve=False)

    def _decide(self, *, approve: bool) -> AnyResponse | tuple[str, int]:
        order = pb.DecideAdjustmentRequest(operation_id=operation_id(), approve=approve)
        members = self._loyalty.members
        answer = self._loyalty.call(members.DecideAdjustment, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        done = "adjustment_approved" if approve else "adjustment_declined"
        return redirect(url_for("waiting", done=done), 303)

    def _page(self, *, problem: str = "") -> str:
        adjustments = self._waiting()
        return render_template(
            "waiting.html",
            adjustments=adjustments,
            own={each.operation_id for each in adjustments if is_own(each, visitor())},
            problem=problem,
        )

    def _waiting(self) -> Sequence[pb.WaitingAdjustment]:
        """Asked for once a request: the page and the navigation show the same."""
        if "waiting" not in g:
            listed = self._loyalty.ask(
                self._loyalty.members.ListAdjustments, pb.ListAdjustmentsRequest()
            )
            g.waiting = listed.adjustments
        found: Sequence[pb.WaitingAdjustment] = g.waiting
        return found

    def _count(self) -> int:
        """For the navigation of managers: those that wait for this very person."""
        try:
            return sum(not is_own(each, visitor()) for each in self._waiting())
        except UnreachableError:
            return 0


def is_own(adjustment: pb.WaitingAdjustment, person: Visitor) -> bool:
    """Whether this person asked for it, here or on a command line: then another has to decide."""
    return adjustment.asked_by.partition(":")[2].casefold() == person.name.casefold()
