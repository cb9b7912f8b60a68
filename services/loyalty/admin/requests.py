"""Each request gets an id, which is in all its log lines and in its answer, and is counted."""

import time
import uuid

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

REQUEST_ID_KEY = "X-Request-Id"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Requests:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "bonpunkt_admin_request_seconds",
            "Making a page, the questions to other services included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._count = Counter(
            "bonpunkt_admin_requests",
            "Requests to the admin page, by page and status.",
            ["page", "status"],
            registry=registry,
        )

    def register(self, app: Flask) -> None:
        """Before anybody else, who might answer or log."""
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.request_id, g.begun_s = uuid.uuid4().hex, time.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    def _end(self, response: Response) -> Response:
        if "begun_s" in g:  # a request under a foreign host name is refused before it begins
            self._seconds.observe(time.monotonic() - g.begun_s)
            response.headers[REQUEST_ID_KEY] = g.request_id
        self._count.labels(request.endpoint or "none", str(response.status_code)).inc()
        return response
