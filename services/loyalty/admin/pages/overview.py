"""The first page: checkouts as they arrive, and the figures of the programme."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, render_template

from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.notifier.v1 import notifier_pb2 as notifier_pb
from services.loyalty.admin.chart import Chart, chart
from services.loyalty.admin.figures import Figures, Fresh
from services.loyalty.admin.peers import Notifier, UnreachableError
from services.loyalty.admin.visitors import Need, needs

ROWS = 20
BARS = 60


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What the notifier has done so far; `behind` is journal entries it has not taken in yet."""

    endpoints: Sequence[notifier_pb.EndpointFigures]
    behind: int


class OverviewPages:
    def __init__(self, figures: Figures, notifier: Notifier) -> None:
        self._figures = figures
        self._deliveries = Fresh(
            lambda: notifier.ask(notifier.deliveries.GetFigures, notifier_pb.GetFiguresRequest())
        )

    def register(self, app: Flask) -> None:
        app.add_url_rule("/", "overview", self.show)
        app.add_url_rule("/live", "live", self.live)

    @needs(Need.CLERK)
    def show(self) -> str:
        return render_template("overview.html", **self._live())

    @needs(Need.WATCHING)
    def live(self) -> str:
        """The part of the page that refreshes itself."""
        return render_template("_live.html", **self._live())

    def _live(self) -> dict[str, object]:
        overview = self._figures.overview()
        recent = self._figures.recent()
        return {
            "overview": overview,
            "liability_minor": overview.liability_points
            * overview.value_minor
            // max(1, overview.value_points),
            "entries": recent[:ROWS],
            "chart": _chart_of(recent),
            "deliveries": self._deliveries_of(overview.journal_entries),
        }

    def _deliveries_of(self, journal_entries: int) -> Deliveries | None:
        """None while the notifier cannot be reached: the rest of the page shows all the same."""
        try:
            answer = self._deliveries.get()
        except UnreachableError:
            return None
        behind = max(0, journal_entries - answer.entries_taken_in)
        return Deliveries(answer.endpoints, behind)


def _chart_of(recent: Sequence[JournalEntry]) -> Chart:
    """The latest purchases, oldest first."""
    purchases = [entry for entry in recent if entry.kind == "capture" and entry.accepted]
    return chart(list(reversed(purchases[:BARS])))
