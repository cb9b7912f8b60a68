"""`python -m services.runtime.healthy`: whether the service of this environment is ready.

For the health checks of containers: it is in the image anyway, needs no token, and asks the port
for metrics as the service was told it. Exit code 0 if ready.
"""

import os
import ssl
import sys
import urllib.request
from collections.abc import Mapping

TIMEOUT_S = 4.0


def is_ready(environment: Mapping[str, str]) -> bool:
    """Asks /readyz on this machine; by TLS if the service has a certificate."""
    listen = next((v for k, v in environment.items() if k.endswith("_METRICS_LISTEN")), "")
    port = listen.rpartition(":")[2]
    context, scheme = None, "http"
    if any(name.endswith("_TLS_CERTIFICATE_FILE") for name in environment):
        context, scheme = (
            ssl.create_default_context(cafile=environment["BONPUNKT_CA_FILE"]),
            "https",
        )
    url = f"{scheme}://127.0.0.1:{port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    raise SystemExit(0 if is_ready(os.environ) else 1)
