"""Finding a member, and everything about one."""

import uuid
from collections.abc import Sequence

import uuid_utils
from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import journal_pb2, member_pb2
from bonpunkt.notifier.v1 import notifier_pb2 as notifier_pb
from services.loyalty.admin.notices import words
from services.loyalty.admin.peers import Loyalty, Notifier, Refusal, UnreachableError
from services.loyalty.admin.visitors import Need, needs, visitor

ENTRIES_PAGE = 20
DELIVERIES_SHOWN = 12
CARD_CHARACTERS_MAX = 64


class MemberPages:
    def __init__(self, loyalty: Loyalty, notifier: Notifier) -> None:
        self._loyalty = loyalty
        self._notifier = notifier

    def register(self, app: Flask) -> None:
        app.add_url_rule("/find", "find", self.find, methods=["POST"])
        app.add_url_rule("/members/<uuid:member_id>", "member", self.show)
        app.add_url_rule("/members/<uuid:member_id>/block", "block", self.block, methods=["POST"])
        app.add_url_rule(
            "/members/<uuid:member_id>/unblock", "unblock", self.unblock, methods=["POST"]
        )
        app.jinja_env.filters["masked"] = masked

    @needs(Need.CLERK)
    def find(self) -> AnyResponse | tuple[str, int]:
        """By POST: a card number earns and redeems, so it stays out of addresses and histories."""
        wanted = "".join(request.form.get("wanted", "").split())
        answer = self._find(wanted)
        if answer is None:
            return render_template("not_found.html", wanted=wanted), 404
        return redirect(url_for("member", member_id=answer.member_id), 303)

    def _find(self, wanted: str) -> member_pb2.GetMemberResponse | None:
        if not 1 <= len(wanted) <= CARD_CHARACTERS_MAX:
            return None
        member_id = _as_uuid(wanted)
        if member_id is not None:
            question = member_pb2.GetMemberRequest(member_id=member_id)
        else:
            question = member_pb2.GetMemberRequest(card=wanted)
        answer = self._loyalty.call(self._loyalty.members.GetMember, question)
        return None if isinstance(answer, Refusal) else answer

    @needs(Need.CLERK)
    def show(self, member_id: uuid.UUID) -> str:
        return self._page(member_id)

    @needs(Need.MANAGER)
    def block(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        order = member_pb2.BlockMemberRequest(
            operation_id=_operation_id(),
            member_id=str(member_id),
            reason=request.form.get("reason", "").strip(),
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.BlockMember, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(member_id, problem=words(answer)), 422
        return redirect(url_for("member", member_id=member_id, done="member_blocked"), 303)

    @needs(Need.MANAGER)
    def unblock(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        order = member_pb2.UnblockMemberRequest(
            operation_id=_operation_id(),
            member_id=str(member_id),
            reason=request.form.get("reason", "").strip(),
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.UnblockMember, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(member_id, problem=words(answer)), 422
        return redirect(url_for("member", member_id=member_id, done="member_unblocked"), 303)

    def _page(self, member_id: uuid.UUID, *, problem: str = "") -> str:
        question = member_pb2.GetMemberRequest(member_id=str(member_id))
        member = self._loyalty.call(self._loyalty.members.GetMember, question)
        if isinstance(member, Refusal):
            abort(404)
        journal = self._journal(str(member_id))
        return render_template(
            "member.html",
            member=member,
            entries=journal.entries,
            next_page=journal.next_page_token,
            is_first_page=not request.args.get("page"),
            deliveries=self._deliveries(str(member_id)),
            # Made with the form, so that sending it twice orders once.
            operation_id=str(uuid_utils.uuid7()),
            problem=problem,
        )

    def _journal(self, member_id: str) -> journal_pb2.ListForMemberResponse:
        question = journal_pb2.ListForMemberRequest(
            member_id=member_id,
            page_size=ENTRIES_PAGE,
            page_token=request.args.get("page", ""),
        )
        answer = self._loyalty.call(self._loyalty.journal.ListForMember, question)
        if isinstance(answer, Refusal):
            abort(404)
        return answer

    def _deliveries(self, member_id: str) -> Sequence[notifier_pb.Delivery] | None:
        """None while the notifier cannot be reached."""
        question = notifier_pb.ListDeliveriesRequest(
            member_id=member_id, page_size=DELIVERIES_SHOWN
        )
        try:
            answer = self._notifier.ask(self._notifier.deliveries.ListDeliveries, question)
        except UnreachableError:
            return None
        return answer.deliveries


def masked(card: str) -> str:
    """The last four characters, as on a receipt: enough to compare, too little to use."""
    return f"•••• {card[-4:]}" if len(card) > 4 else "••••"


def _as_uuid(text: str) -> str | None:
    """In canonical form. 32 digits without hyphens are a card number's, not an id's, business."""
    if len(text) != 36:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _operation_id() -> str:
    found = _as_uuid(request.form.get("operation_id", ""))
    if found is None:
        abort(400, "operation id")
    return found
