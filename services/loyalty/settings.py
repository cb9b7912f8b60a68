"""Settings of loyalty. docs/settings.md has the table."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from environs import Env, EnvValidationError, validate

from services.loyalty import retention
from services.loyalty.identity import settings as identity
from services.loyalty.identity.settings import IdentitySettings
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.retention import Retention
from services.runtime import tracing
from services.runtime.databases import with_password
from services.runtime.settings import default_var, service_token
from services.runtime.tls import OFF, KeyPair, read_key_pair
from services.runtime.tracing import TracingSettings

DEMO_PROGRAMME = Path(__file__).parent / "programmes" / "demo.json"


@dataclass(frozen=True, slots=True)
class LoyaltySettings:
    listen: str
    database_url: str
    lanes: int
    programme: Path
    service_token: str
    recorded_clock_begins: datetime | None  # None: the machine's clock
    migrate_at_start: bool
    nightly_at: time | None  # in the programme's time zone; None: never by itself
    log_level: str
    identity: IdentitySettings
    retention: Retention
    metrics_listen: str = OFF
    key_pair: KeyPair | None = None  # None: plain text, on loopback only
    tracing: TracingSettings | None = None  # None: no traces


def read(env: Env) -> LoyaltySettings:
    """From the environment; all errors are told at once by `services.runtime.settings.load`."""
    listen = env.str("LOYALTY_LISTEN", "127.0.0.1:7702")
    metrics_listen = env.str("LOYALTY_METRICS_LISTEN", "127.0.0.1:7712")
    return LoyaltySettings(
        listen=listen,
        metrics_listen=metrics_listen,
        key_pair=read_key_pair(
            env,
            "LOYALTY_TLS",
            certificate=env.path("LOYALTY_TLS_CERTIFICATE_FILE", None),
            key=env.path("LOYALTY_TLS_KEY_FILE", None),
            ports={"LOYALTY_LISTEN": listen, "LOYALTY_METRICS_LISTEN": metrics_listen},
        ),
        database_url=database_url(env),
        lanes=env.int("LOYALTY_LANES", 1, validate=validate.Range(1, BUCKET_COUNT)),
        programme=env.path("LOYALTY_PROGRAMME", DEMO_PROGRAMME),
        recorded_clock_begins=_recorded_clock_begins(env),
        migrate_at_start=env.bool("LOYALTY_MIGRATE_AT_START", True),
        nightly_at=_nightly_at(env),
        log_level=env.str("LOYALTY_LOG_LEVEL", "INFO"),
        identity=identity.read(env, ledger_url=database_url(env)),
        retention=retention.read(env),
        tracing=tracing.read(env),
        service_token=service_token(env),
    )


def database_url(env: Env) -> str:
    """Where the ledger is: a SQLite file under the data folder unless `LOYALTY_DATABASE_URL` says
    otherwise.
    """
    file = default_var("loyalty.sqlite").absolute()
    return with_password(
        env,
        env.str("LOYALTY_DATABASE_URL", f"sqlite:///{file}"),
        setting="LOYALTY_DATABASE_PASSWORD_FILE",
        file=env.path("LOYALTY_DATABASE_PASSWORD_FILE", None),
    )


def _nightly_at(env: Env) -> time | None:
    """When the nightly run starts; "never" leaves it to the command line."""
    text = env.str("LOYALTY_NIGHTLY_AT", "03:00")
    if text == "never":
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        words = 'send a time of day such as 03:00, or "never"'
        raise EnvValidationError("nightly", {"LOYALTY_NIGHTLY_AT": [words]}) from None


def _recorded_clock_begins(env: Env) -> datetime | None:
    """When the recorded clock begins; None for the machine's clock."""
    clock = env.str("LOYALTY_CLOCK", "system", validate=validate.OneOf(["system", "recorded"]))
    demo = env.bool("LOYALTY_DEMO", False)
    begins = env.datetime("LOYALTY_CLOCK_BEGINS", datetime(1970, 1, 1, tzinfo=UTC))
    if clock != "recorded":
        return None
    if not demo:
        words = "the recorded clock is for the demo; it needs LOYALTY_DEMO=true"
        raise EnvValidationError("clock", {"LOYALTY_CLOCK": [words]})
    if begins.tzinfo is None:
        words = "send a time with its zone, such as 2017-01-01T00:00:00Z"
        raise EnvValidationError("clock", {"LOYALTY_CLOCK_BEGINS": [words]})
    return begins
