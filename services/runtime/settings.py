"""Configuration comes from the environment only, and all its errors are told at once."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from environs import Env, EnvValidationError

T = TypeVar("T")


def load(read: Callable[[Env], T]) -> T:
    """What `read` takes from the environment; else tells every error at once and exits with 2."""
    env = Env(eager=False)
    errors: dict[str, list[str]] = {}
    settings: T | None = None
    try:
        settings = read(env)
    except EnvValidationError as error:
        errors |= _messages(error)
    try:
        env.seal()
    except EnvValidationError as error:
        errors |= _messages(error)
    for name, messages in errors.items():
        for message in messages:
            print(f"setting {name}: {message}", file=sys.stderr)
    if errors or settings is None:
        raise SystemExit(2)
    return settings


def _messages(error: EnvValidationError) -> dict[str, list[str]]:
    found = error.error_messages
    return dict(found) if isinstance(found, Mapping) else {"environment": list(found)}


def service_token(env: Env) -> str:
    """The secret that the services of one installation show each other.

    From the file that `BONPUNKT_SERVICE_TOKEN_FILE` names; `bonpunkt up` makes one under its data
    folder.
    """
    path = env.path("BONPUNKT_SERVICE_TOKEN_FILE", default_var("service-token"))
    if not isinstance(path, Path) or not path.is_file():
        raise EnvValidationError(
            "missing",
            {
                "BONPUNKT_SERVICE_TOKEN_FILE": [
                    f"{path} is no file; write 32 random bytes in hex to it (bonpunkt up does)"
                ]
            },
        )
    return path.read_text(encoding="ascii").strip()


def default_var(*parts: str) -> Path:
    """A path under the data folder: `BONPUNKT_DATA`, by default `./var`."""
    return Path(os.environ.get("BONPUNKT_DATA", "var"), *parts)
