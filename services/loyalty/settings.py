"""Settings of loyalty. docs/settings.md has the table."""

from dataclasses import dataclass
from pathlib import Path

from environs import Env, EnvValidationError

from services.runtime.settings import default_var, service_token

DEMO_PROGRAMME = Path(__file__).parent / "programmes" / "demo.json"


@dataclass(frozen=True, slots=True)
class LoyaltySettings:
    listen: str
    database_url: str
    programme: Path
    service_token: str
    recorded_clock: bool
    migrate_at_start: bool
    log_level: str


def read(env: Env) -> LoyaltySettings:
    """From the environment; all errors are told at once by `services.runtime.settings.load`."""
    clock = env.str("LOYALTY_CLOCK", "system")
    demo = env.bool("LOYALTY_DEMO", False)
    if clock not in ("system", "recorded"):
        raise EnvValidationError("clock", {"LOYALTY_CLOCK": ['has to be "system" or "recorded"']})
    if clock == "recorded" and not demo:
        raise EnvValidationError(
            "clock",
            {"LOYALTY_CLOCK": ["the recorded clock is for the demo; it needs LOYALTY_DEMO=true"]},
        )
    return LoyaltySettings(
        listen=env.str("LOYALTY_LISTEN", "127.0.0.1:7702"),
        database_url=database_url(env),
        programme=env.path("LOYALTY_PROGRAMME", DEMO_PROGRAMME),
        service_token=service_token(env),
        recorded_clock=clock == "recorded",
        migrate_at_start=env.bool("LOYALTY_MIGRATE_AT_START", True),
        log_level=env.str("LOYALTY_LOG_LEVEL", "INFO"),
    )


def database_url(env: Env) -> str:
    """Where the ledger is: a SQLite file under the data folder unless `LOYALTY_DATABASE_URL` says
    otherwise.
    """
    return env.str("LOYALTY_DATABASE_URL", f"sqlite:///{default_var('loyalty.sqlite').absolute()}")
