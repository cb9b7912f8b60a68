"""One journal entry, with its decision explained."""

from flask import Flask, abort, render_template

from bonpunkt.loyalty.v1 import journal_pb2 as pb
from services.loyalty.admin.explain import explained
from services.loyalty.admin.figures import Figures
from services.loyalty.admin.peers import Loyalty, Refusal
from services.loyalty.admin.visitors import Need, needs

_BUCKET_MAX = 2**32 - 1
_SEQUENCE_MAX = 2**63 - 1


class EntryPages:
    def __init__(self, loyalty: Loyalty, figures: Figures) -> None:
        self._loyalty, self._figures = loyalty, figures

    def register(self, app: Flask) -> None:
        rule = f"/entries/<int(max={_BUCKET_MAX}):bucket>/<int(max={_SEQUENCE_MAX}):sequence>"
        app.add_url_rule(rule, "entry", self.show)

    @needs(Need.CLERK)
    def show(self, bucket: int, sequence: int) -> str:
        question = pb.GetEntryRequest(bucket=bucket, sequence=sequence)
        answer = self._loyalty.call(self._loyalty.journal.GetEntry, question)
        if isinstance(answer, Refusal):
            abort(404)
        story = explained(answer, currency=self._figures.programme().currency)
        return render_template("entry.html", found=answer, entry=answer.entry, **story)
