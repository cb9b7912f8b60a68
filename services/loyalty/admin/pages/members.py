"""Finding a member, and everything about one."""

import uuid
from collections.abc import Sequence

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import journal_pb2, member_pb2
from bonpunkt.notifier.v1 import notifier_pb2 as notifier_pb
from services.loyalty.admin.figures import Figures
from services.loyalty.admin.notices import words
from services.loyalty.admin.orders import as_uuid, new_operation_id, operation_id, text
from services.loyalty.admin.peers import Loyalty, Notifier, Refusal, UnreachableError
from services.loyalty.admin.visitors import Need, needs, visitor

ENTRIES_PAGE = 20
DELIVERIES_SHOWN = 12
CARD_CHARACTERS_MAX = 64


class MemberPages:
    def __init__(self, loyalty: Loyalty, notifier: Notifier, figures: Figures) -> None:
        self._loyalty = loyalty
        self._notifier = notifier
        self._figures = figures

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
        answer = self.sought(wanted)
        if answer is None:
            return render_template("not_found.html", wanted=wanted), 404
        return redirect(url_for("member", member_id=answer.member_id), 303)

    @needs(Need.CLERK)
    def show(self, member_id: uuid.UUID) -> str:
        return self.page(member_id)

    @needs(Need.MANAGER)
    def block(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        order = member_pb2.BlockMemberRequest(
            operation_id=operation_id(), member_id=str(member_id), reason=text("reason")
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.BlockMember, order, metadata=visitor().acting)
        return self.done(member_id, answer, "member_blocked")

    @needs(Need.MANAGER)
    def unblock(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        order = member_pb2.UnblockMemberRequest(
            operation_id=operation_id(), member_id=str(member_id), reason=text("reason")
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.UnblockMember, order, metadata=visitor().acting)
        return self.done(member_id, answer, "member_unblocked")

    # --- for the pages that order something of a member ------------------------------------

    def sought(self, wanted: str) -> member_pb2.GetMemberResponse | None:
        """The member with this card number or id."""
        if not 1 <= len(wanted) <= CARD_CHARACTERS_MAX:
            return None
        member_id = as_uuid(wanted)
        if member_id is not None:
            question = member_pb2.GetMemberRequest(member_id=member_id)
        else:
            question = member_pb2.GetMemberRequest(card=wanted)
        answer = self._loyalty.call(self._loyalty.members.GetMember, question)
        return None if isinstance(answer, Refusal) else answer

    def known(self, member_id: uuid.UUID) -> member_pb2.GetMemberResponse:
        """The member whom an address names; no such page if there is none."""
        question = member_pb2.GetMemberRequest(member_id=str(member_id))
        member = self._loyalty.call(self._loyalty.members.GetMember, question)
        if isinstance(member, Refusal):
            abort(404)
        return member

    def done(
        self, member_id: uuid.UUID, answer: object, code: str
    ) -> AnyResponse | tuple[str, int]:
        """Back to the member with a notice, or with what was wrong."""
        if isinstance(answer, Refusal):
            return self.page(member_id, problem=words(answer)), 422
        return redirect(url_for("member", member_id=member_id, done=code), 303)

    def has_entry(self, member_id: uuid.UUID, operation_id: str) -> bool:
        """Whether one of the member's latest entries is of this operation."""
        question = journal_pb2.ListForMemberRequest(
            member_id=str(member_id), page_size=ENTRIES_PAGE
        )
        latest = self._loyalty.ask(self._loyalty.journal.ListForMember, question)
        return any(entry.operation_id == operation_id for entry in latest.entries)

    def page(self, member_id: uuid.UUID, *, problem: str = "") -> str:
        member = self.known(member_id)
        journal = self._journal(str(member_id))
        return render_template(
            "member.html",
            member=member,
            entries=journal.entries,
            next_page=journal.next_page_token,
            is_first_page=not request.args.get("page"),
            deliveries=self._deliveries(str(member_id)),
            operation_id=new_operation_id(),
            adjust_limit_points=self._figures.programme().adjust_limit_points,
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
