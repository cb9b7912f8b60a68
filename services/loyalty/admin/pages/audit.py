"""Who did what."""

from flask import Flask, render_template

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from services.loyalty.admin.peers import Loyalty
from services.loyalty.admin.visitors import Need, needs

ENTRIES_SHOWN = 200


class AuditPages:
    def __init__(self, loyalty: Loyalty) -> None:
        self._loyalty = loyalty

    def register(self, app: Flask) -> None:
        app.add_url_rule("/audit", "audit", self.show)

    @needs(Need.MANAGER)
    def show(self) -> str:
        question = pb.ListAuditRequest(page_size=ENTRIES_SHOWN)
        answer = self._loyalty.ask(self._loyalty.staff.ListAudit, question)
        return render_template("audit.html", entries=answer.entries)
