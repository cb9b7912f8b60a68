"""Configuration comes from the environment only, and all its errors are told at once."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from environs import Env, EnvValidationError

T = TypeVar("T")


class Environment(Env):
    """Remembers what is wrong until everything was read."""

    def __init__(self) -> None:
        super().__init__(eager=False)
        self.wrong: dict[str, list[str]] = {}


def load(read: Callable[[Env], T]) -> T:
    """What `read` takes from the environment; else tells every error at once and exits with 2."""
    settings, env = read_all(read)
    if env.wrong:
        tell_wrong(env.wrong)
        raise SystemExit(2)
    return cast("T", settings)  # who gives up says why


def read_all(read: Callable[[Env], T]) -> tuple[T | None, Environment]:
    """What `read` takes, None if it gave up; and the environment with every error and value."""
    env = Environment()
    settings: T | None = None
    try:
        settings = read(env)
    except EnvValidationError as error:
        env.wrong |= _messages(error)
    try:
        env.seal()
    except EnvValidationError as error:
        env.wrong |= _messages(error)
    return settings, env


def refuse(env: Env, name: str, words: str) -> None:
    """Remembers an error that only several settings together make, to be told with all others."""
    assert isinstance(env, Environment), "settings are read by `load`"
    env.wrong.setdefault(name, []).append(words)


def tell_wrong(wrong: Mapping[str, list[str]]) -> None:
    """Every error in a line of its own, on standard error."""
    for name, messages in wrong.items():
        for message in messages:
            print(f"setting {name}: {message}", file=sys.stderr)


def _messages(error: EnvValidationError) -> dict[str, list[str]]:
    found = error.error_messages
    return dict(found) if isinstance(found, Mapping) else {"environment": list(found)}


def service_token(env: Env) -> str:
    """The secret that the services of one installation show each other.

    From the file that `BONPUNKT_SERVICE_TOKEN_FILE` names; `bonpunkt up` makes one under its data
    folder.
    """
    path = env.path("BONPUNKT_SERVICE_TOKEN_FILE", default_var("service-token"))
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        words = f"cannot read {path} ({why}); write 32 random bytes in hex to it (bonpunkt up does)"
        refuse(env, "BONPUNKT_SERVICE_TOKEN_FILE", words)
        return ""


def default_var(*parts: str) -> Path:
    """A path under the data folder: `BONPUNKT_DATA`, by default `./var`."""
    return Path(os.environ.get("BONPUNKT_DATA", "var"), *parts)
