"""The gateway's settings."""

from dataclasses import dataclass
from pathlib import Path

from environs import Env
from marshmallow.validate import Range

from services.pos_gateway.limits import Limits
from services.runtime import tracing
from services.runtime.settings import default_var, service_token
from services.runtime.tls import OFF, KeyPair, read_ca, read_key_pair
from services.runtime.tracing import TracingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    listen: str
    loyalty: str
    service_token: str
    terminals_path: Path
    limits: Limits
    till_decisions_max: int
    grace_ms: int
    metrics_listen: str = OFF
    key_pair: KeyPair | None = None  # None: plain text, on loopback only
    ca: bytes | None = None  # certificates that loyalty's is checked by, PEM
    tracing: TracingSettings | None = None  # None: no traces


def read(env: Env) -> Settings:
    """From `GATEWAY_*`, `BONPUNKT_DATA` and `BONPUNKT_SERVICE_TOKEN_FILE`."""
    at_least_one = Range(min=1)
    limits = Limits(
        operations_max=env.int("GATEWAY_OPERATIONS_MAX", 8192, validate=at_least_one),
        terminal_operations_max=env.int(
            "GATEWAY_TERMINAL_OPERATIONS_MAX", 1024, validate=at_least_one
        ),
        queued_bytes_max=env.int("GATEWAY_QUEUED_BYTES_MAX", 64 << 20, validate=Range(min=1 << 20)),
    )
    listen = env.str("GATEWAY_LISTEN", "127.0.0.1:7701")
    metrics_listen = env.str("GATEWAY_METRICS_LISTEN", "127.0.0.1:7711")
    loyalty = env.str("GATEWAY_LOYALTY", "127.0.0.1:7702")
    return Settings(
        listen=listen,
        metrics_listen=metrics_listen,
        key_pair=read_key_pair(
            env,
            "GATEWAY_TLS",
            certificate=env.path("GATEWAY_TLS_CERTIFICATE_FILE", None),
            key=env.path("GATEWAY_TLS_KEY_FILE", None),
            ports={"GATEWAY_LISTEN": listen, "GATEWAY_METRICS_LISTEN": metrics_listen},
        ),
        loyalty=loyalty,
        ca=read_ca(env, {"GATEWAY_LOYALTY": loyalty}),
        tracing=tracing.read(env),
        terminals_path=default_var("gateway", "terminals.json"),
        limits=limits,
        # Decisions that wait for one till to read them; beyond it the stream is dropped. Above what
        # a terminal may have in flight, so that no till that reads can meet it.
        till_decisions_max=env.int("GATEWAY_TILL_DECISIONS_MAX", 4096, validate=at_least_one),
        # How long operations wait for loyalty to come back, before CAUSE_UNAVAILABLE.
        grace_ms=env.int("GATEWAY_GRACE_MS", 500, validate=Range(min=0, max=60_000)),
        service_token=service_token(env),
    )
