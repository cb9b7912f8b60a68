"""`bonpunkt member`: open a member, look at one, block, exchange cards, merge."""

from typing import TYPE_CHECKING, Any

import click

from services.commands.connection import call, loyalty_option
from services.commands.showing import (
    console,
    json_option,
    pairs,
    plain,
    points,
    say_json,
    table,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bonpunkt.loyalty.v1.member_pb2 import GetMemberResponse

ID_CHARACTERS = 36
COLOURS = {"active": "green", "blocked": "red"}

reason_option = click.option("--reason", required=True, help="Why, in 3 to 200 characters.")
id_option = click.option(
    "--id",
    "operation_id",
    help="The id of this very operation, to repeat it after a lost answer; else a new one.",
)


@click.group()
def member() -> None:
    """Members and their points. WHO is a card number or a member id."""


@member.command("add")
@click.argument("card")
@click.option("--language", default="de", show_default=True, help="BCP 47, such as de or en.")
@click.option(
    "--opening-points",
    type=click.IntRange(0, 10**9),
    default=0,
    show_default=True,
    help="Brought along from another programme.",
)
@loyalty_option
def add(card: str, language: str, opening_points: int, target: str) -> None:
    """Opens a member with this card."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    enrolment = pb.Enrolment(
        operation_id=new_id(),
        member_id=new_id(),
        card=card,
        language=language,
        opening_points=opening_points,
    )
    answer = call(target, _method("EnrolMembers"), pb.EnrolMembersRequest(enrolments=[enrolment]))
    outcome = answer.outcomes[0]
    if not outcome.accepted:
        raise click.ClickException(f"{outcome.reason}: {outcome.remedy}")
    click.echo(f"member {enrolment.member_id}")


@member.command("show")
@click.argument("who")
@json_option
@loyalty_option
def show(who: str, as_json: bool, target: str) -> None:
    """Everything about a member: points and when they end, cards, tier, open reservations."""
    found = find(target, who)
    if as_json:
        say_json(found)
        return
    out = console()
    out.print(_overview(found))
    for part in _parts(found):
        out.print(part)


def find(target: str, who: str) -> "GetMemberResponse":
    """The member with this card or id; ends the command if there is none."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    wanted = (
        pb.GetMemberRequest(member_id=who.lower())
        if len(who) == ID_CHARACTERS and who.count("-") == 4
        else pb.GetMemberRequest(card=who)
    )
    found: pb.GetMemberResponse = call(target, _method("GetMember"), wanted)
    return found


def new_id() -> str:
    from uuid_utils import uuid7

    return str(uuid7())


def order(target: str, name: str, request: Any) -> Any:
    """The answer of a writing call, which can be repeated under its operation id."""
    return call(target, _method(name), request, again=f"repeat with --id {request.operation_id}")


def _method(name: str) -> Any:
    from bonpunkt.loyalty.v1 import member_pb2_grpc as stubs

    return lambda channel: getattr(stubs.MemberServiceStub(channel), name)


def _overview(found: "GetMemberResponse") -> "RenderableType":
    state = found.state
    colour = COLOURS.get(state.status, "yellow")
    rows = [
        ("member", f"[bold]{found.member_id}[/] (version {found.member_version})"),
        ("status", f"[{colour}]{state.status}[/]"),
        ("points", f"[bold]{points(state.points)}[/]"),
        ("available", points(state.available)),
    ]
    if state.merged_into:
        rows.insert(2, ("now", state.merged_into))
    for name, count in (
        ("held", state.held),
        ("pending", state.pending),
        ("owed", -state.receivable),
    ):
        if count:
            rows.append((name, points(count)))
    rows.append(("cards", plain(", ".join(found.cards)) or "none"))
    rows.append(("tier", _tier(found)))
    rows.append(("language", state.language or "unknown"))
    rows.append(("since", found.enrolled_at.ToJsonString()))
    return pairs(rows)


def _tier(found: "GetMemberResponse") -> str:
    until = f" until {found.tier_until}" if found.tier_until else ""
    following = ""
    if found.next_tier:
        counted, needed = points(found.qualifying_points), points(found.next_tier_from_points)
        following = f", {counted} of {needed} towards {found.next_tier}"
    return plain(f"{found.state.tier or 'none'}{until}{following}")


def _parts(found: "GetMemberResponse") -> "list[RenderableType]":
    parts = []
    if found.lots:
        rows = [(lot.expires_on, points(lot.points)) for lot in found.lots]
        parts.append(
            table("last day", "points", numbers=("points",), title="Points by expiry", rows=rows)
        )
    if found.pending_lots:
        waiting = [
            (lot.activates_on, lot.expires_on, points(lot.points)) for lot in found.pending_lots
        ]
        parts.append(
            table(
                *("usable from", "last day", "points"),
                numbers=("points",),
                title="Not usable yet",
                rows=waiting,
            )
        )
    if found.reservations:
        reserved = [
            (r.reservation_id, points(r.points_held), points(r.points_promised), r.expires_at)
            for r in found.reservations
        ]
        parts.append(
            table(
                *("reservation", "held", "promised", "until"),
                numbers=("held", "promised"),
                title="Open reservations",
                rows=[(*row, until.ToJsonString()) for *row, until in reserved],
            )
        )
    return parts


@member.command("block")
@click.argument("who")
@reason_option
@id_option
@loyalty_option
def block(who: str, reason: str, operation_id: str | None, target: str) -> None:
    """Turns the member's cards away at every till."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    member_id = find(target, who).member_id
    request = pb.BlockMemberRequest(
        operation_id=operation_id or new_id(), member_id=member_id, reason=reason
    )
    order(target, "BlockMember", request)
    click.echo(f"member {member_id} is blocked")


@member.command("unblock")
@click.argument("who")
@reason_option
@id_option
@loyalty_option
def unblock(who: str, reason: str, operation_id: str | None, target: str) -> None:
    """Accepts the member's cards again."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    member_id = find(target, who).member_id
    request = pb.UnblockMemberRequest(
        operation_id=operation_id or new_id(), member_id=member_id, reason=reason
    )
    order(target, "UnblockMember", request)
    click.echo(f"member {member_id} is no longer blocked")


@member.command("cards")
@click.argument("who")
@click.option("--lost", default="", metavar="CARD", help="No longer accepted from now on.")
@click.option("--new", default="", metavar="CARD", help="The member's from now on.")
@reason_option
@id_option
@loyalty_option
def cards(
    who: str, lost: str, new: str, reason: str, operation_id: str | None, target: str
) -> None:
    """A card is lost, another one is handed out, or both at once."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    if not lost and not new:
        raise click.UsageError("name the lost card, the new one, or both: --lost, --new")
    member_id = find(target, who).member_id
    request = pb.ChangeCardsRequest(
        operation_id=operation_id or new_id(),
        member_id=member_id,
        lost_card=lost,
        new_card=new,
        reason=reason,
    )
    order(target, "ChangeCards", request)
    after = find(target, member_id)
    click.echo(f"cards of member {member_id}: {', '.join(after.cards) or 'none'}")


@member.command("merge")
@click.argument("survivor")
@click.argument("merged")
@reason_option
@id_option
@click.option("--yes", is_flag=True, help="Without asking; scripts need it.")
@loyalty_option
def merge(
    survivor: str, merged: str, reason: str, operation_id: str | None, yes: bool, target: str
) -> None:
    """Makes two members one: everything of MERGED goes on to SURVIVOR. It cannot be undone."""
    from bonpunkt.loyalty.v1 import member_pb2 as pb

    goes_on, ends = find(target, survivor), find(target, merged)
    if not yes:
        out = console()
        out.print("[bold]goes on[/]", _overview(goes_on), "", sep="\n")
        out.print("[bold]goes on into it[/]", _overview(ends), "", sep="\n")
        click.confirm("Merge them? It cannot be undone", abort=True)
    request = pb.MergeMembersRequest(
        operation_id=operation_id or new_id(),
        survivor_id=goes_on.member_id,
        merged_id=ends.member_id,
        reason=reason,
    )
    answer = order(target, "MergeMembers", request)
    click.echo(
        f"member {ends.member_id} went on into {goes_on.member_id}: "
        f"{points(answer.state.points)} points together"
    )
