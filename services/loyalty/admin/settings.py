"""Settings of the admin page. docs/settings.md has the table."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from environs import Env

from services.runtime.settings import refuse, service_token
from services.runtime.tls import OFF, is_loopback, read_ca

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NEEDS_PROXY = (
    "is not on loopback, and these pages speak plain HTTP: put a proxy that ends TLS before them "
    "and say so (ADMIN_BEHIND_TLS_PROXY=true), or listen on 127.0.0.1"
)


@dataclass(frozen=True, slots=True)
class AdminSettings:
    listen: str
    public_url: str
    loyalty: str
    notifier: str
    service_token: str
    log_level: str
    metrics_listen: str = OFF
    ca: bytes | None = None  # certificates that loyalty's and the notifier's are checked by, PEM

    @property
    def is_https(self) -> bool:
        """Whether browsers come by TLS, which a proxy in front of this process ends."""
        return self.public_url.startswith("https://")

    @property
    def trusted_hosts(self) -> list[str]:
        """The names under which a request may come; others would be DNS rebinding.

        Loopback always, for health checks on the machine itself.
        """
        return [urlsplit(self.public_url).hostname or "", "127.0.0.1", "localhost", "[::1]"]


def read(env: Env) -> AdminSettings:
    """From the environment; all errors are told at once by `services.runtime.settings.load`."""
    listen = env.str("ADMIN_LISTEN", "127.0.0.1:7700")
    metrics_listen = env.str("ADMIN_METRICS_LISTEN", "127.0.0.1:7710")
    if not env.bool("ADMIN_BEHIND_TLS_PROXY", False):
        for name, address in (("ADMIN_LISTEN", listen), ("ADMIN_METRICS_LISTEN", metrics_listen)):
            if address != OFF and not is_loopback(address):
                refuse(env, name, f"{address} {_NEEDS_PROXY}")
    public_url = env.str("ADMIN_PUBLIC_URL", f"http://{listen}").rstrip("/")
    problem = _public_url_problem(urlsplit(public_url))
    if problem:
        refuse(env, "ADMIN_PUBLIC_URL", problem)
    loyalty = env.str("ADMIN_LOYALTY", "127.0.0.1:7702")
    notifier = env.str("ADMIN_NOTIFIER", "127.0.0.1:7703")
    return AdminSettings(
        listen=listen,
        public_url=public_url,
        metrics_listen=metrics_listen,
        loyalty=loyalty,
        notifier=notifier,
        ca=read_ca(env, {"ADMIN_LOYALTY": loyalty, "ADMIN_NOTIFIER": notifier}),
        log_level=env.str("ADMIN_LOG_LEVEL", "INFO"),
        service_token=service_token(env),
    )


def _public_url_problem(url: SplitResult) -> str | None:
    """Passwords cross a network by TLS only."""
    if url.scheme == "https" and url.hostname:
        return None
    if url.scheme == "http" and url.hostname in _LOOPBACK:
        return None
    return (
        f"{url.geturl()} is not what browsers may use: give an https address (a proxy ends TLS), "
        "or http on loopback"
    )
