"""The Flask application: its pages, what they share, and what is shown when something fails."""

import hashlib
from pathlib import Path

from flask import Flask, g, render_template, request, url_for
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError

from services.loyalty.admin import headers
from services.loyalty.admin.cookies import Cookies
from services.loyalty.admin.figures import Figures
from services.loyalty.admin.forms import Forms
from services.loyalty.admin.known_browsers import KnownBrowsers
from services.loyalty.admin.language import Language, gettext
from services.loyalty.admin.notices import NOTICES
from services.loyalty.admin.pages.account import AccountPages
from services.loyalty.admin.pages.adjustments import AdjustmentPages
from services.loyalty.admin.pages.audit import AuditPages
from services.loyalty.admin.pages.cards import CardPages
from services.loyalty.admin.pages.endpoints import EndpointPages
from services.loyalty.admin.pages.entries import EntryPages
from services.loyalty.admin.pages.members import MemberPages
from services.loyalty.admin.pages.merging import MergePages
from services.loyalty.admin.pages.overview import OverviewPages
from services.loyalty.admin.pages.statements import StatementPages
from services.loyalty.admin.pages.terminals import TerminalPages
from services.loyalty.admin.peers import Loyalty, Notifier, UnreachableError
from services.loyalty.admin.requests import Requests
from services.loyalty.admin.settings import AdminSettings
from services.loyalty.admin.visitors import Need, Visitors, need_of, needs
from services.runtime import logs

log = logs.logger("admin")


def create_app(
    settings: AdminSettings,
    *,
    loyalty: Loyalty,
    notifier: Notifier,
    registry: CollectorRegistry | None = None,
) -> Flask:
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = settings.trusted_hosts
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    cookies = Cookies(secure=settings.is_https)
    figures = Figures(loyalty)
    known = KnownBrowsers(cookies, settings.service_token)

    # In the order in which they look at a request.
    Requests(registry or CollectorRegistry()).register(app)
    Forms(cookies, settings.service_token).register(app)
    Visitors(cookies, loyalty).register(app)
    Language(cookies, figures).register(app)
    headers.register(app, https=settings.is_https)
    _register_errors(app)
    _register_furniture(app)

    AccountPages(cookies, known, loyalty).register(app)
    OverviewPages(figures, notifier).register(app)
    members = MemberPages(loyalty, notifier, figures)
    members.register(app)
    CardPages(loyalty, members).register(app)
    AdjustmentPages(loyalty, members).register(app)
    MergePages(loyalty, members).register(app)
    StatementPages(loyalty, figures, members).register(app)
    EntryPages(loyalty, figures).register(app)
    TerminalPages(loyalty).register(app)
    EndpointPages(notifier).register(app)
    AuditPages(loyalty).register(app)
    with app.app_context():
        for endpoint in app.view_functions:
            need_of(endpoint)
    return app


def _register_furniture(app: Flask) -> None:
    """What every page has: assets by their content's hash, notices, the health check."""
    static = Path(app.static_folder or "")
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in static.iterdir()
    }

    def asset(name: str) -> str:
        return url_for("static", filename=name, v=hashes[name])

    @needs(Need.ANYBODY)
    def healthz() -> tuple[str, int, dict[str, str]]:
        """This process answers. Whether loyalty does is loyalty's health check."""
        return "ok\n", 200, {"Content-Type": "text/plain"}

    app.add_url_rule("/healthz", "healthz", healthz)
    app.jinja_env.globals["asset"] = asset
    app.context_processor(lambda: {"notice": NOTICES.get(request.args.get("done", ""))})
    needs(Need.ANYBODY)(app.view_functions["static"])


def _register_errors(app: Flask) -> None:
    @app.errorhandler(UnreachableError)
    def unreachable(error: UnreachableError) -> tuple[str, int]:
        log.warning("a peer cannot be reached", peer=error.peer, why=str(error))
        if error.peer == "notifier":
            title, words = _notifier_words()
        else:
            title, words = _loyalty_words()
        return _error_page(503, title, words)

    @app.errorhandler(SecurityError)
    def foreign(_: SecurityError) -> tuple[str, int, dict[str, str]]:
        """Without a host name that is ours, no address of a page can be written."""
        words = "This page is not served under that name; see ADMIN_PUBLIC_URL.\n"
        return words, 400, {"Content-Type": "text/plain"}

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        title, words = _words_of(code)
        return _error_page(code, title, words)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[str, int]:
        log.error("a page failed", path=request.path, exc_info=error)
        title, words = _words_of(500)
        return _error_page(InternalServerError.code, title, words)


def _error_page(code: int, title: str, words: str) -> tuple[str, int]:
    g.setdefault("visitor", None)
    return render_template("error.html", title=title, words=words, code=code), code


def _loyalty_words() -> tuple[str, str]:
    return (
        gettext("The ledger cannot be reached"),
        gettext(
            "Nothing that was booked is lost, and tills go on as their gateway allows. Please try "
            "again in a moment."
        ),
    )


def _notifier_words() -> tuple[str, str]:
    return (
        gettext("The notifier cannot be reached"),
        gettext(
            "Points are booked as usual. Deliveries to other systems are made up for once the "
            "notifier runs again; please try again in a moment."
        ),
    )


def _words_of(code: int) -> tuple[str, str]:
    if code == 400:
        return (
            gettext("This form is no longer valid"),
            gettext("Nothing was changed. Go back, reload the page and send the form again."),
        )
    if code == 401:
        return gettext("Please sign in"), gettext("Your session has ended.")
    if code == 403:
        return (
            gettext("This is for managers"),
            gettext("Your account may not do this. Ask a manager."),
        )
    if code in (404, 405):
        return (
            gettext("There is nothing here"),
            gettext("The address is wrong, or what it named does not exist."),
        )
    return (
        gettext("Something went wrong"),
        gettext("Nothing was changed by this page. What happened is in the log."),
    )
