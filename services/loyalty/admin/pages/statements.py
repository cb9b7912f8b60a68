"""Accounts to print or to compare: a member's for a period, a terminal's for a day."""

import uuid
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, render_template, request

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from services.loyalty.admin.figures import Figures
from services.loyalty.admin.notices import words
from services.loyalty.admin.pages.members import MemberPages
from services.loyalty.admin.peers import Loyalty, Refusal
from services.loyalty.admin.visitors import Need, needs

# The figures of a terminal's day: every whole number of the message.
FIGURES = [
    field.name
    for field in pb.TerminalDay.DESCRIPTOR.fields
    if field.cpp_type == field.CPPTYPE_INT64
]


class StatementPages:
    def __init__(self, loyalty: Loyalty, figures: Figures, members: MemberPages) -> None:
        self._loyalty, self._figures, self._members = loyalty, figures, members

    def register(self, app: Flask) -> None:
        app.add_url_rule("/members/<uuid:member_id>/statement", "statement", self.statement)
        app.add_url_rule("/end-of-day", "end_of_day", self.end_of_day)

    @needs(Need.CLERK)
    def statement(self, member_id: uuid.UUID) -> str | tuple[str, int]:
        today = self._today()
        question = pb.GetStatementRequest(
            member_id=str(member_id),
            from_date=request.args.get("from") or today.replace(month=1, day=1).isoformat(),
            to_date=request.args.get("to") or today.isoformat(),
        )
        member = self._members.known(member_id)
        answer = self._loyalty.call(self._loyalty.journal.GetStatement, question)
        shown: dict[str, Any] = {"member": member, "asked": question}
        if isinstance(answer, Refusal):
            return render_template("statement.html", **shown, problem=words(answer)), 422
        return render_template(
            "statement.html", **shown, statement=answer, accounts=_accounts(answer)
        )

    @needs(Need.CLERK)
    def end_of_day(self) -> str | tuple[str, int]:
        question = pb.GetEndOfDayRequest(
            terminal_id=request.args.get("terminal", "").strip(),
            business_date=request.args.get("date") or self._today().isoformat(),
        )
        answer = self._loyalty.call(self._loyalty.journal.GetEndOfDay, question)
        if isinstance(answer, Refusal):
            problem = words(answer)
            return render_template("end_of_day.html", asked=question, problem=problem), 422
        totals = {name: sum(getattr(day, name) for day in answer.terminals) for name in FIGURES}
        return render_template(
            "end_of_day.html", asked=question, days=answer.terminals, totals=totals
        )

    def _today(self) -> date:
        """The day of the newest entry, which is today unless the ledger replays another time."""
        zone = ZoneInfo(self._figures.programme().time_zone or "UTC")
        newest = self._figures.recent()
        now = newest[0].effective_at.ToDatetime(tzinfo=UTC) if newest else datetime.now(UTC)
        return now.astimezone(zone).date()


def _accounts(statement: pb.GetStatementResponse) -> list[str]:
    """The accounts to show: those on which something was, or moved."""
    balances = [statement.opening, *(line.balance for line in statement.lines)]
    others = ("pending", "receivable")
    return ["points", *(name for name in others if any(getattr(b, name) for b in balances))]
