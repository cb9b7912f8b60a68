"""How a command reaches a running service: where, with which token, in whose name."""

import asyncio
import getpass
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    import grpc

Request = TypeVar("Request")
Response = TypeVar("Response")

CALL_TIMEOUT_S = 10.0

loyalty_option = click.option(
    "--loyalty",
    "target",
    metavar="HOST:PORT",
    envvar="CLI_LOYALTY",
    default="127.0.0.1:7702",
    show_default=True,
    help="Where loyalty listens.",
)
notifier_option = click.option(
    "--notifier",
    "target",
    metavar="HOST:PORT",
    envvar="CLI_NOTIFIER",
    default="127.0.0.1:7703",
    show_default=True,
    help="Where the notifier listens.",
)
password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


def call(
    target: str,
    method: "Callable[[grpc.aio.Channel], grpc.aio.UnaryUnaryMultiCallable[Request, Response]]",
    request: Request,
    *,
    again: str = "",
) -> Response:
    """The answer of the service at `target`; an error of gRPC becomes one line and status 1.

    `again` tells how to repeat what may have been done although no answer came.
    """
    import grpc

    from services.runtime.grpc import channel

    uncertain = (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
    )
    shown, ca = credentials(), trusted(target)

    async def answer() -> Response:
        async with channel(target, ca=ca) as opened:
            return await method(opened)(request, metadata=shown, timeout=CALL_TIMEOUT_S)

    try:
        return asyncio.run(answer())
    except grpc.aio.AioRpcError as error:
        words = _explained(error, target=target)
        if again and error.code() in uncertain:
            words = f"{words}; whether it was done is not known: {again}"
        raise click.ClickException(words) from None


def follow(
    target: str,
    method: "Callable[[grpc.aio.Channel], grpc.aio.UnaryStreamMultiCallable[Request, Response]]",
    request: Request,
    tell: Callable[[Response], None],
) -> None:
    """Tells each of the answers as it comes; errors as in `call`, but without a time limit."""
    import grpc

    from services.runtime.grpc import channel

    shown, ca = credentials(), trusted(target)

    async def told() -> None:
        async with channel(target, ca=ca) as opened:
            async for response in method(opened)(request, metadata=shown):
                tell(response)

    try:
        asyncio.run(told())
    except grpc.aio.AioRpcError as error:
        raise click.ClickException(_explained(error, target=target)) from None


def credentials() -> tuple[tuple[str, str], ...]:
    """Call metadata: the installation's token, and the person at this terminal as the actor."""
    from services.runtime.grpc import bearer

    return (*bearer(service_token()), ("bonpunkt-actor", f"cli:{user_name()}"))


def service_token() -> str:
    """The installation's token, from its file."""
    from services.runtime.settings import load, service_token

    data = os.environ.get("BONPUNKT_DATA", "var")
    os.environ.setdefault("BONPUNKT_SERVICE_TOKEN_FILE", os.path.join(data, "service-token"))
    return load(service_token)


def trusted(target: str) -> bytes | None:
    """The CA certificates by which the service at `target` is checked, of BONPUNKT_CA_FILE."""
    from services.runtime.settings import load
    from services.runtime.tls import read_ca

    (ca,) = load(lambda env: (read_ca(env, {"HOST:PORT": target}),))  # None is an answer, too
    return ca


def user_name() -> str:
    """Who uses the command line, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without an entry in passwd
        return f"uid-{os.getuid()}"


def password(*, from_stdin: bool) -> str:
    """A new password: the first line of standard input, or asked for twice."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _explained(error: "grpc.aio.AioRpcError", *, target: str) -> str:
    """The error in one line."""
    from services.runtime.tls import why_not_connected

    name = error.code().name.lower().replace("_", " ")
    if name == "unavailable":
        return f"nothing answers at {target}: {why_not_connected(error.details() or '')}"
    return f"{name}: {' '.join((error.details() or '').split())}"
