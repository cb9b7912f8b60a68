"""What the environment tells the notifier."""

from dataclasses import dataclass

from environs import Env
from marshmallow import ValidationError, validate
from redis.asyncio.connection import parse_url

from services.notifier.delivery import SCHEDULE_S
from services.runtime import tracing
from services.runtime.databases import with_password
from services.runtime.settings import default_var, service_token
from services.runtime.tls import OFF, KeyPair, read_ca, read_key_pair
from services.runtime.tracing import TracingSettings

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    listen: str
    loyalty: str
    database_url: str
    migrate_at_start: bool
    service_token: str
    concurrency: int  # requests under way to one endpoint
    timeout_s: int  # of one attempt
    schedule_s: tuple[int, ...]  # the wait before each attempt
    disable_after_s: int  # an endpoint that has only failed for so long is disabled; 0 for never
    allow_private_addresses: bool
    allow_loopback: bool
    metrics_listen: str = OFF
    key_pair: KeyPair | None = None  # None: plain text, on loopback only
    ca: bytes | None = None  # certificates that loyalty's is checked by, PEM
    tracing: TracingSettings | None = None  # None: no traces
    redis_url: str = ""  # empty: one notifier, which follows the feed
    redis_prefix: str = "bonpunkt"
    redis_keep: int = 1_000  # entries of a bucket that stay in Redis after they were taken in


def read(env: Env) -> Settings:
    file = default_var("notifier.sqlite").absolute()
    listen = env.str("NOTIFIER_LISTEN", "127.0.0.1:7703")
    metrics_listen = env.str("NOTIFIER_METRICS_LISTEN", "127.0.0.1:7713")
    loyalty = env.str("NOTIFIER_LOYALTY", "127.0.0.1:7702")
    return Settings(
        listen=listen,
        metrics_listen=metrics_listen,
        key_pair=read_key_pair(
            env,
            "NOTIFIER_TLS",
            certificate=env.path("NOTIFIER_TLS_CERTIFICATE_FILE", None),
            key=env.path("NOTIFIER_TLS_KEY_FILE", None),
            ports={"NOTIFIER_LISTEN": listen, "NOTIFIER_METRICS_LISTEN": metrics_listen},
        ),
        loyalty=loyalty,
        ca=read_ca(env, {"NOTIFIER_LOYALTY": loyalty}),
        database_url=with_password(
            env,
            env.str("NOTIFIER_DATABASE_URL", f"sqlite:///{file}"),
            setting="NOTIFIER_DATABASE_PASSWORD_FILE",
            file=env.path("NOTIFIER_DATABASE_PASSWORD_FILE", None),
        ),
        migrate_at_start=env.bool("NOTIFIER_MIGRATE_AT_START", True),
        concurrency=env.int("NOTIFIER_CONCURRENCY", 32, validate=validate.Range(1, 256)),
        timeout_s=env.int("NOTIFIER_TIMEOUT_S", 15, validate=validate.Range(1, 60)),
        schedule_s=_schedule(env),
        disable_after_s=env.int(
            "NOTIFIER_DISABLE_AFTER_S", 5 * DAY_S, validate=validate.Range(0, 365 * DAY_S)
        ),
        allow_private_addresses=env.bool("NOTIFIER_ALLOW_PRIVATE_ADDRESSES", False),
        allow_loopback=env.bool("NOTIFIER_ALLOW_LOOPBACK", False),
        redis_url=env.str("REDIS_URL", "", validate=_redis_url),
        redis_prefix=env.str(
            "NOTIFIER_REDIS_PREFIX", "bonpunkt", validate=validate.Regexp(r"[a-z0-9._-]{1,64}\Z")
        ),
        redis_keep=env.int("NOTIFIER_REDIS_KEEP", 1_000, validate=validate.Range(0, 1_000_000)),
        tracing=tracing.read(env),
        service_token=service_token(env),
    )


def _redis_url(url: str) -> None:
    """Says what is wrong without saying the password that is in it."""
    if not url:
        return
    try:
        parse_url(url)
    except (ValueError, TypeError):
        words = "is no address of a Redis server; write redis://host:6379/0, or rediss:// for TLS"
        raise ValidationError(words) from None


def _schedule(env: Env) -> tuple[int, ...]:
    waits = env.list(
        "NOTIFIER_RETRY_SCHEDULE_S",
        list(SCHEDULE_S),
        subcast=int,
        validate=[
            validate.Length(1, 50),
            validate.ContainsOnly(range(30 * DAY_S), error="each wait is 0 to 30 days, in seconds"),
        ],
    )
    return tuple(waits or ())  # None only while other settings are wrong too
