"""`bonpunkt terminal`: which tills may speak."""

import click

from services.commands.connection import call, loyalty_option


@click.group()
def terminal() -> None:
    """Tills that may connect to the gateway."""


@terminal.command("add")
@click.argument("terminal_id")
@click.option("--store", "store_id", required=True, help="The store in which the till stands.")
@loyalty_option
def add(terminal_id: str, store_id: str, target: str) -> None:
    """Makes a terminal and tells its secret, which is nowhere else."""
    from bonpunkt.loyalty.v1 import terminal_pb2 as pb
    from bonpunkt.loyalty.v1 import terminal_pb2_grpc as stubs

    request = pb.AddTerminalRequest(terminal_id=terminal_id, store_id=store_id)
    answer = call(target, lambda channel: stubs.TerminalServiceStub(channel).AddTerminal, request)
    click.echo(f"terminal {answer.terminal.terminal_id} of store {answer.terminal.store_id}")
    click.echo(f"secret   {answer.secret}")


@terminal.command("list")
@loyalty_option
def list_all(target: str) -> None:
    """Every terminal, its store, and whether it is blocked."""
    from bonpunkt.loyalty.v1 import terminal_pb2 as pb
    from bonpunkt.loyalty.v1 import terminal_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.TerminalServiceStub(channel).ListTerminals,
        pb.ListTerminalsRequest(),
    )
    for known in answer.terminals:
        state = "blocked" if known.blocked else "active"
        click.echo(f"{known.terminal_id}\t{known.store_id}\t{state}")


@terminal.command("block")
@click.argument("terminal_id")
@loyalty_option
def block(terminal_id: str, target: str) -> None:
    """Turns a terminal away from now on, also on a stream that is open."""
    from bonpunkt.loyalty.v1 import terminal_pb2 as pb
    from bonpunkt.loyalty.v1 import terminal_pb2_grpc as stubs

    call(
        target,
        lambda channel: stubs.TerminalServiceStub(channel).BlockTerminal,
        pb.BlockTerminalRequest(terminal_id=terminal_id),
    )
    click.echo(f"terminal {terminal_id} is blocked")
