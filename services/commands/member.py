"""`bonpunkt member`: look at a member, open one."""

import click

from services.commands.connection import call, loyalty_option


@click.group()
def member() -> None:
    """Members and their points."""


@member.command("show")
@click.argument("card")
@loyalty_option
def show(card: str, target: str) -> None:
    """The points of the member with this card, and when they expire."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    found = call(
        target,
        lambda channel: stubs.MemberServiceStub(channel).GetMember,
        pb.GetMemberRequest(card=card),
    )
    click.echo(f"member     {found.member_id} (version {found.member_version})")
    click.echo(f"cards      {', '.join(found.cards)}")
    click.echo(f"status     {found.state.status}")
    click.echo(f"language   {found.state.language}")
    click.echo(f"points     {found.state.points}")
    click.echo(f"available  {found.state.available}")
    for lot in found.lots:
        click.echo(f"lot        {lot.points} until {lot.expires_on}")


@member.command("enrol")
@click.argument("card")
@click.option("--language", default="de", show_default=True, help="BCP 47, such as de or en.")
@loyalty_option
def enrol(card: str, language: str, target: str) -> None:
    """Opens a member with this card."""
    from uuid_utils import uuid7

    from bonpunkt.loyalty.v1 import member_pb2 as pb
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    enrolment = pb.Enrolment(
        operation_id=str(uuid7()), member_id=str(uuid7()), card=card, language=language
    )
    answer = call(
        target,
        lambda channel: stubs.MemberServiceStub(channel).EnrolMembers,
        pb.EnrolMembersRequest(enrolments=[enrolment]),
    )
    outcome = answer.outcomes[0]
    if not outcome.accepted:
        raise click.ClickException(f"{outcome.reason}: {outcome.remedy}")
    click.echo(f"member {enrolment.member_id}")
