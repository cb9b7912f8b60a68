"""`bonpunkt staff`: who may use the admin page."""

import click

from services.commands.connection import (
    call,
    loyalty_option,
    password,
    password_stdin_option,
)


@click.group()
def staff() -> None:
    """People who may use the admin page."""


@staff.command("add")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["clerk", "manager"]), default="manager", show_default=True
)
@password_stdin_option
@loyalty_option
def add(name: str, role: str, password_stdin: bool, target: str) -> None:
    """Adds a person; the password (12 to 128 characters) is asked for."""
    from bonpunkt.loyalty.v1 import staff_pb2 as pb
    from bonpunkt.loyalty.v1 import staff_pb2_grpc as stubs

    request = pb.AddStaffRequest(name=name, password=password(from_stdin=password_stdin), role=role)
    call(target, lambda channel: stubs.StaffServiceStub(channel).AddStaff, request)
    click.echo(f"{name} may sign in as {role}")


@staff.command("set-password")
@click.argument("name")
@password_stdin_option
@loyalty_option
def set_password(name: str, password_stdin: bool, target: str) -> None:
    """Replaces a person's password and ends their sessions."""
    from bonpunkt.loyalty.v1 import staff_pb2 as pb
    from bonpunkt.loyalty.v1 import staff_pb2_grpc as stubs

    request = pb.SetPasswordRequest(name=name, password=password(from_stdin=password_stdin))
    call(target, lambda channel: stubs.StaffServiceStub(channel).SetPassword, request)
    click.echo(f"{name} has a new password; their sessions are over")
