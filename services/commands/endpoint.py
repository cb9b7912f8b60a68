"""`bonpunkt endpoint`: who hears of member changes."""

import sys

import click

from services.commands.connection import call, notifier_option


@click.group()
def endpoint() -> None:
    """Systems that receive signed webhooks."""


@endpoint.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--event", "event_types", multiple=True, help="An event type it asks for; else all.")
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the secret (whsec_…) from standard input instead of having one made.",
)
@notifier_option
def add(name: str, url: str, event_types: tuple[str, ...], secret_stdin: bool, target: str) -> None:
    """Adds an endpoint and tells the secret with which its webhooks are signed."""
    from bonpunkt.notifier.v1 import notifier_pb2 as pb
    from bonpunkt.notifier.v1 import notifier_pb2_grpc as stubs

    secret = sys.stdin.readline().strip() if secret_stdin else ""
    request = pb.AddEndpointRequest(name=name, url=url, event_types=event_types, secret=secret)
    answer = call(target, lambda channel: stubs.EndpointServiceStub(channel).AddEndpoint, request)
    click.echo(f"endpoint {answer.endpoint.name} {answer.endpoint.url}")
    if not secret_stdin:
        click.echo(f"secret   {answer.secret}")


@endpoint.command("list")
@notifier_option
def list_all(target: str) -> None:
    """Every endpoint, where it is, and whether it is enabled."""
    from bonpunkt.notifier.v1 import notifier_pb2 as pb
    from bonpunkt.notifier.v1 import notifier_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.EndpointServiceStub(channel).ListEndpoints,
        pb.ListEndpointsRequest(),
    )
    for known in answer.endpoints:
        state = "enabled" if known.enabled else f"disabled: {known.disabled_reason}"
        click.echo(f"{known.name}\t{known.url}\t{state}")


@endpoint.command("enable")
@click.argument("name")
@notifier_option
def enable(name: str, target: str) -> None:
    """Sends again, first what was recorded meanwhile."""
    from bonpunkt.notifier.v1 import notifier_pb2 as pb
    from bonpunkt.notifier.v1 import notifier_pb2_grpc as stubs

    request = pb.EnableEndpointRequest(name=name)
    call(target, lambda channel: stubs.EndpointServiceStub(channel).EnableEndpoint, request)
    click.echo(f"endpoint {name} is enabled")


@endpoint.command("disable")
@click.argument("name")
@notifier_option
def disable(name: str, target: str) -> None:
    """Stops sending; deliveries go on being recorded."""
    from bonpunkt.notifier.v1 import notifier_pb2 as pb
    from bonpunkt.notifier.v1 import notifier_pb2_grpc as stubs

    request = pb.DisableEndpointRequest(name=name)
    call(target, lambda channel: stubs.EndpointServiceStub(channel).DisableEndpoint, request)
    click.echo(f"endpoint {name} is disabled")
