"""Two members become one."""

import uuid

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty.admin.language import gettext
from services.loyalty.admin.notices import words
from services.loyalty.admin.orders import new_operation_id, operation_id, text
from services.loyalty.admin.pages.members import MemberPages
from services.loyalty.admin.peers import Loyalty, Refusal
from services.loyalty.admin.visitors import Need, needs, visitor


class MergePages:
    def __init__(self, loyalty: Loyalty, members: MemberPages) -> None:
        self._loyalty, self._members = loyalty, members

    def register(self, app: Flask) -> None:
        app.add_url_rule(
            "/members/<uuid:member_id>/merge", "find_to_merge", self.find, methods=["POST"]
        )
        both = "/members/<uuid:member_id>/merge/<uuid:other_id>"
        app.add_url_rule(both, "merge", self.show)
        app.add_url_rule(both, "do_merge", self.merge, methods=["POST"])

    @needs(Need.MANAGER)
    def find(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        """The second member, by card or id."""
        other = self._members.sought("".join(request.form.get("wanted", "").split()))
        if other is None:
            problem = gettext("Nobody has this card or member id.")
            return self._members.page(member_id, problem=problem), 422
        if other.member_id == str(member_id):
            problem = gettext("This is the same member; name the other one.")
            return self._members.page(member_id, problem=problem), 422
        return redirect(url_for("merge", member_id=member_id, other_id=other.member_id), 303)

    @needs(Need.MANAGER)
    def show(self, member_id: uuid.UUID, other_id: uuid.UUID) -> str:
        return self._page(member_id, other_id)

    @needs(Need.MANAGER)
    def merge(self, member_id: uuid.UUID, other_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        survivor_id = request.form.get("survivor", "")
        if survivor_id not in (str(member_id), str(other_id)):
            abort(400, "survivor")
        order = pb.MergeMembersRequest(
            operation_id=operation_id(),
            survivor_id=survivor_id,
            merged_id=str(other_id if survivor_id == str(member_id) else member_id),
            reason=text("reason"),
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.MergeMembers, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(member_id, other_id, problem=words(answer)), 422
        return redirect(url_for("member", member_id=survivor_id, done="merged"), 303)

    def _page(self, member_id: uuid.UUID, other_id: uuid.UUID, *, problem: str = "") -> str:
        both = [self._members.known(member_id), self._members.known(other_id)]
        return render_template(
            "merge.html",
            both=both,
            survivor_id=request.form.get("survivor", str(member_id)),
            operation_id=new_operation_id(),
            problem=problem,
        )
