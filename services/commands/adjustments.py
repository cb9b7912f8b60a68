"""`bonpunkt member adjust|adjustments|approve|decline`: points by hand, and the second pair of
eyes.
"""

import click

from services.commands.connection import call, loyalty_option
from services.commands.member import find, id_option, new_id, order, reason_option
from services.commands.showing import (
    change,
    console,
    json_option,
    plain,
    points,
    say_json,
    table,
)


@click.command()
@click.argument("who")
@click.option("--points", "count", type=int, required=True, help="To give; negative takes away.")
@click.option("--code", required=True, help='A code of the house, such as "goodwill".')
@reason_option
@id_option
@loyalty_option
def adjust(
    who: str, count: int, code: str, reason: str, operation_id: str | None, target: str
) -> None:
    """Gives or takes points. Above the programme's limit a second person has to approve."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    request = pb.AdjustPointsRequest(
        operation_id=operation_id or new_id(),
        member_id=find(target, who).member_id,
        points=count,
        reason_code=code,
        reason=reason,
    )
    answer = order(target, "AdjustPoints", request)
    if answer.booked:
        click.echo(f"booked; {_has(answer.state.points)}")
    else:
        click.echo(f"waits for a second person: bonpunkt member approve {request.operation_id}")


@click.command()
@json_option
@loyalty_option
def adjustments(as_json: bool, target: str) -> None:
    """What waits for a second person, oldest first."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.MemberServiceStub(channel).ListAdjustments,
        pb.ListAdjustmentsRequest(),
    )
    if as_json:
        say_json(answer)
        return
    if not answer.adjustments:
        click.echo("nothing waits for a second person")
        return
    rows = [
        (
            each.operation_id,
            each.member_id,
            change(each.points),
            each.reason_code,
            plain(each.reason),
            each.asked_by,
            f"approved by {each.approved_by}, not booked yet" if each.approved_by else "waits",
        )
        for each in answer.adjustments
    ]
    names = ("operation", "member", "points", "code", "reason", "asked by", "state")
    console().print(table(*names, numbers=("points",), rows=rows))


@click.command()
@click.argument("operation_id")
@loyalty_option
def approve(operation_id: str, target: str) -> None:
    """Books an adjustment that another person asked for."""
    answer = _decide(operation_id, target, approve=True)
    click.echo(f"approved and booked; {_has(answer)}")


@click.command()
@click.argument("operation_id")
@loyalty_option
def decline(operation_id: str, target: str) -> None:
    """Turns down an adjustment that another person asked for; nothing is booked."""
    answer = _decide(operation_id, target, approve=False)
    click.echo(f"declined; {_has(answer)}")


def _decide(operation_id: str, target: str, *, approve: bool) -> int:
    """The member's points afterwards."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.MemberServiceStub(channel).DecideAdjustment,
        pb.DecideAdjustmentRequest(operation_id=operation_id, approve=approve),
        again="say it once more, it happens once",
    )
    return int(answer.state.points)


def _has(count: int) -> str:
    return f"the member has {points(count)} points"
