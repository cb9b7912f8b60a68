"""What the environment tells the notifier."""

from dataclasses import dataclass

from environs import Env
from marshmallow import validate

from services.notifier.delivery import SCHEDULE_S
from services.runtime.settings import default_var, service_token

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


def read(env: Env) -> Settings:
    file = default_var("notifier.sqlite").absolute()
    return Settings(
        listen=env.str("NOTIFIER_LISTEN", "127.0.0.1:7703"),
        loyalty=env.str("NOTIFIER_LOYALTY", "127.0.0.1:7702"),
        database_url=env.str("NOTIFIER_DATABASE_URL", f"sqlite:///{file}"),
        migrate_at_start=env.bool("NOTIFIER_MIGRATE_AT_START", True),
        concurrency=env.int("NOTIFIER_CONCURRENCY", 32, validate=validate.Range(1, 256)),
        timeout_s=env.int("NOTIFIER_TIMEOUT_S", 15, validate=validate.Range(1, 60)),
        schedule_s=_schedule(env),
        disable_after_s=env.int(
            "NOTIFIER_DISABLE_AFTER_S", 5 * DAY_S, validate=validate.Range(0, 365 * DAY_S)
        ),
        allow_private_addresses=env.bool("NOTIFIER_ALLOW_PRIVATE_ADDRESSES", False),
        allow_loopback=env.bool("NOTIFIER_ALLOW_LOOPBACK", False),
        service_token=service_token(env),  # last: it raises, and the others are told too
    )


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
