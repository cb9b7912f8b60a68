"""A card is lost, another one is handed out."""

import uuid

from flask import Flask, request
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty.admin.language import gettext
from services.loyalty.admin.orders import operation_id, text
from services.loyalty.admin.pages.members import MemberPages, masked
from services.loyalty.admin.peers import Loyalty
from services.loyalty.admin.visitors import Need, needs, visitor


class CardPages:
    def __init__(self, loyalty: Loyalty, members: MemberPages) -> None:
        self._loyalty, self._members = loyalty, members

    def register(self, app: Flask) -> None:
        app.add_url_rule(
            "/members/<uuid:member_id>/cards", "change_cards", self.change, methods=["POST"]
        )

    @needs(Need.CLERK)
    def change(self, member_id: uuid.UUID) -> AnyResponse | tuple[str, int]:
        lost = self._lost(member_id)
        if lost is None and self._members.has_entry(member_id, operation_id()):
            return self._members.done(member_id, None, "cards_changed")  # the form came twice
        if lost is None:
            problem = gettext("The member's cards have changed meanwhile. Please choose again.")
            return self._members.page(member_id, problem=problem), 422
        order = pb.ChangeCardsRequest(
            operation_id=operation_id(),
            member_id=str(member_id),
            lost_card=lost,
            new_card="".join(request.form.get("new", "").split()),
            reason=text("reason"),
        )
        members = self._loyalty.members
        answer = self._loyalty.call(members.ChangeCards, order, metadata=visitor().acting)
        return self._members.done(member_id, answer, "cards_changed")

    def _lost(self, member_id: uuid.UUID) -> str | None:
        """The card that the form means, "" for none, None if it is not the member's any more.

        The form names it by its place and its end: a clerk's browser never gets the number.
        """
        place, _, end = request.form.get("lost", "").partition(":")
        if not place:
            return ""
        cards = self._members.known(member_id).cards
        named = [card for number, card in enumerate(cards) if place == str(number)]
        return named[0] if named and masked(named[0]) == end else None
