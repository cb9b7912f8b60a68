"""`bonpunkt config`: the settings as the services would take them, without their secrets."""

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from environs import Env

PREFIXES = {
    "loyalty": "LOYALTY_",
    "gateway": "GATEWAY_",
    "notifier": "NOTIFIER_",
    "admin": "ADMIN_",
}
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:]*):[^/]*@")
_PASSWORD_IN_QUERY = re.compile(r"(?i)((?:password|secret|token)=)[^&\s]+")


@click.command()
@click.argument("service", required=False, type=click.Choice(sorted(PREFIXES)))
def config(service: str | None) -> None:
    """Prints the effective settings of a service, or of all, and checks them.

    Each line can be copied into an environment file; what is not set is marked as default. Exit
    code 2 if a service would not start with them; every error is told. A setting that no service
    knows, perhaps misspelt, is told too.
    """
    from services.runtime.settings import read_all, tell_wrong

    wrong = False
    for name in [service] if service else list(PREFIXES):
        _, env = read_all(_reader(name))
        known = {"BONPUNKT_DATA": os.environ.get("BONPUNKT_DATA", "var"), **env.dump()}
        click.echo(f"# {name}")
        for line in lines(known, environment=dict(os.environ)):
            click.echo(line)
        for stranger in strangers(known, prefix=PREFIXES[name], environment=dict(os.environ)):
            click.echo(f"setting {stranger}: {name} knows no such setting", err=True)
        tell_wrong(env.wrong)
        wrong = wrong or bool(env.wrong)
    if wrong:
        raise SystemExit(2)


def lines(known: dict[str, Any], *, environment: dict[str, str]) -> Iterator[str]:
    """`NAME=value`, sorted; of each setting whether it is a default."""
    for name in sorted(known):
        default = "" if name in environment else "  # default"
        yield f"{name}={without_secrets(known[name])}{default}"


def strangers(known: dict[str, Any], *, prefix: str, environment: dict[str, str]) -> list[str]:
    """Variables that look like settings of a service but are none."""
    return sorted(n for n in environment if n.startswith(prefix) and n not in known)


def without_secrets(value: object) -> str:
    """The value as text; passwords in addresses become stars."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    hidden = _PASSWORD_IN_URL.sub(r"\1:***@", str(value))
    return _PASSWORD_IN_QUERY.sub(r"\1***", hidden)


def _reader(service: str) -> "Callable[[Env], object]":
    if service == "loyalty":
        from services.loyalty import settings as loyalty

        return loyalty.read
    if service == "gateway":
        from services.pos_gateway import settings as gateway

        return gateway.read
    if service == "notifier":
        from services.notifier import settings as notifier

        return notifier.read
    from services.loyalty.admin import settings as admin

    return admin.read
