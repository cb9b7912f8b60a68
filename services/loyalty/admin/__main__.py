"""`python -m services.loyalty.admin`: serves the pages until SIGTERM or SIGINT."""

import signal
import sys

from waitress.server import create_server

from services.loyalty.admin.app import create_app
from services.loyalty.admin.peers import Loyalty, Notifier
from services.loyalty.admin.settings import read
from services.runtime import logs, metrics
from services.runtime.settings import load

THREADS = 8
BODY_BYTES_MAX = 64 * 1024


def main() -> None:
    settings = load(read)
    logs.configure("admin", level=settings.log_level)
    registry = metrics.registry_of("admin")
    app = create_app(
        settings,
        loyalty=Loyalty(settings.loyalty, settings.service_token, ca=settings.ca),
        notifier=Notifier(settings.notifier, settings.service_token, ca=settings.ca),
        registry=registry,
    )
    metrics.serve_beside(settings.metrics_listen, registry)
    # Waitress takes SystemExit as the order to finish what is under way and return.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = create_server(
        app,
        listen=settings.listen,
        threads=THREADS,
        ident=None,
        max_request_body_size=BODY_BYTES_MAX,
        clear_untrusted_proxy_headers=True,
    )
    log = logs.logger("admin")
    log.warning("plain text is spoken here", listen=settings.listen, tls=False)
    log.info("the admin page is up", url=settings.public_url)
    server.run()


if __name__ == "__main__":
    main()
