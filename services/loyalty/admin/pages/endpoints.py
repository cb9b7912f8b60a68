"""Who hears of member changes, and what became of each delivery."""

from flask import Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bonpunkt.notifier.v1 import notifier_pb2 as pb
from services.loyalty.admin.language import local_path
from services.loyalty.admin.notices import words
from services.loyalty.admin.peers import Notifier, Refusal
from services.loyalty.admin.visitors import Need, needs, visitor

DELIVERIES_PAGE = 50
STATES = {
    "pending": pb.Delivery.STATE_PENDING,
    "delivered": pb.Delivery.STATE_DELIVERED,
    "dead": pb.Delivery.STATE_DEAD,
}


class EndpointPages:
    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def register(self, app: Flask) -> None:
        app.add_url_rule("/endpoints", "endpoints", self.show)
        app.add_url_rule("/endpoints", "add_endpoint", self.add, methods=["POST"])
        app.add_url_rule("/endpoints/enable", "enable_endpoint", self.enable, methods=["POST"])
        app.add_url_rule("/endpoints/disable", "disable_endpoint", self.disable, methods=["POST"])
        app.add_url_rule("/deliveries", "deliveries", self.show_deliveries)
        app.add_url_rule("/deliveries/redeliver", "redeliver", self.redeliver, methods=["POST"])

    @needs(Need.CLERK)
    def show(self) -> str:
        return self._page()

    @needs(Need.MANAGER)
    def add(self) -> str | tuple[str, int]:
        """Answers the page itself, not a redirect: the secret is shown here and never again."""
        order = pb.AddEndpointRequest(
            name=request.form.get("name", "").strip(),
            url=request.form.get("url", "").strip(),
            event_types=request.form.get("event_types", "").replace(",", " ").split(),
            secret=request.form.get("secret", "").strip(),
        )
        endpoints = self._notifier.endpoints
        answer = self._notifier.call(endpoints.AddEndpoint, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        return self._page(added=answer)

    @needs(Need.MANAGER)
    def enable(self) -> AnyResponse | tuple[str, int]:
        order = pb.EnableEndpointRequest(name=request.form.get("name", ""))
        endpoints = self._notifier.endpoints
        answer = self._notifier.call(endpoints.EnableEndpoint, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        return redirect(url_for("endpoints", done="endpoint_enabled"), 303)

    @needs(Need.MANAGER)
    def disable(self) -> AnyResponse | tuple[str, int]:
        order = pb.DisableEndpointRequest(name=request.form.get("name", ""))
        endpoints = self._notifier.endpoints
        answer = self._notifier.call(endpoints.DisableEndpoint, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._page(problem=words(answer)), 422
        return redirect(url_for("endpoints", done="endpoint_disabled"), 303)

    @needs(Need.CLERK)
    def show_deliveries(self) -> str | tuple[str, int]:
        return self._deliveries_page()

    @needs(Need.MANAGER)
    def redeliver(self) -> AnyResponse | tuple[str, int]:
        order = pb.RedeliverRequest(delivery_id=request.form.get("delivery_id", ""))
        deliveries = self._notifier.deliveries
        answer = self._notifier.call(deliveries.Redeliver, order, metadata=visitor().acting)
        if isinstance(answer, Refusal):
            return self._deliveries_page(problem=words(answer)), 422
        back_to = local_path(request.form.get("next", ""))
        return redirect(_with_notice(back_to, "redelivered"), 303)

    def _page(self, *, problem: str = "", added: pb.AddEndpointResponse | None = None) -> str:
        notifier = self._notifier
        listed = notifier.ask(notifier.endpoints.ListEndpoints, pb.ListEndpointsRequest())
        figures = notifier.ask(notifier.deliveries.GetFigures, pb.GetFiguresRequest())
        return render_template(
            "endpoints.html",
            endpoints=listed.endpoints,
            figures={each.endpoint: each for each in figures.endpoints},
            problem=problem,
            added=added,
        )

    def _deliveries_page(self, *, problem: str = "") -> str:
        state = request.args.get("state", "")
        question = pb.ListDeliveriesRequest(
            member_id=request.args.get("member", ""),
            endpoint=request.args.get("to", ""),
            state=STATES.get(state, pb.Delivery.STATE_UNSPECIFIED),
            page_size=DELIVERIES_PAGE,
            page_token=request.args.get("page", ""),
        )
        answer = self._notifier.call(self._notifier.deliveries.ListDeliveries, question)
        if isinstance(answer, Refusal):
            problem, answer = words(answer), pb.ListDeliveriesResponse()
        return render_template(
            "deliveries.html",
            deliveries=answer.deliveries,
            next_page=answer.next_page_token,
            asked=question,
            state=state,
            problem=problem,
        )


def _with_notice(path: str, code: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}done={code}"
