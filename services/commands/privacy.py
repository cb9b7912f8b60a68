"""`bonpunkt member export|erase`: what a person may ask for by law."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.commands.connection import call, follow, loyalty_option

if TYPE_CHECKING:
    from bonpunkt.loyalty.v1.identity_pb2 import ExportMemberRequest

_MEMBER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GROUNDS = (
    "request",
    "consent_withdrawn",
    "objection",
    "no_longer_needed",
    "unlawful",
    "legal_duty",
)


@click.command("export")
@click.argument("card_or_id", metavar="CARD|MEMBER_ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="One JSON document, or a folder of CSV files, one for each kind of record.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Folder for the files; without it JSON goes to standard output and CSV below the current "
    "folder.",
)
@loyalty_option
def export(card_or_id: str, form: str, out: str | None, target: str) -> None:
    """Everything that is kept about a member: person, consents, cards, points, journal, baskets.

    Files are readable by their owner only.
    """
    from bonpunkt.loyalty.v1 import identity_pb2 as pb
    from bonpunkt.loyalty.v1 import identity_pb2_grpc as stubs
    from services.commands.export_document import csv_files, document_of, json_text, written

    messages: list[pb.ExportMemberResponse] = []
    follow(
        target,
        lambda channel: stubs.IdentityServiceStub(channel).ExportMember,
        _wanted(card_or_id),
        messages.append,
    )
    document = document_of(messages)
    if form == "json" and out is None:
        click.echo(json_text(document))
        return
    name = f"member-{document['member_id']}"
    texts = {f"{name}.json": json_text(document) + "\n"}
    if form == "csv":
        texts = {f"{name}/{file}": text for file, text in csv_files(document).items()}
    for file, text in texts.items():
        try:
            click.echo(str(written(Path(out or ".", file), text)))
        except OSError as error:
            raise click.ClickException(str(error)) from None


@click.command("erase")
@click.argument("member_id")
@click.option(
    "--reason",
    type=click.Choice(_GROUNDS),
    required=True,
    help="The ground; a closed list, so that nothing about the person is kept by it.",
)
@loyalty_option
def erase(member_id: str, reason: str, target: str) -> None:
    """Destroys what is known of a person, for ever; their points are forfeited.

    It cannot be undone. Whoever is erased already stays so: repeating the command does no harm.
    """
    from datetime import UTC

    from uuid_utils import uuid7

    from bonpunkt.loyalty.v1 import identity_pb2 as pb
    from bonpunkt.loyalty.v1 import identity_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.IdentityServiceStub(channel).EraseMember,
        pb.EraseMemberRequest(
            operation_id=str(uuid7()),
            member_id=member_id,
            ground=f"ERASURE_GROUND_{reason.upper()}",
        ),
        again="give the same command again",
    )
    erased_at = answer.tombstone.erased_at.ToDatetime(UTC)
    click.echo(f"member {member_id} was erased on {erased_at:%Y-%m-%d %H:%M} UTC")
    click.echo(f"points forfeited  {answer.points_forfeited}")


def _wanted(card_or_id: str) -> "ExportMemberRequest":
    """A member's id looks like no card."""
    from bonpunkt.loyalty.v1 import identity_pb2 as pb

    if _MEMBER_ID.fullmatch(card_or_id):
        return pb.ExportMemberRequest(member_id=card_or_id)
    return pb.ExportMemberRequest(card=card_or_id)
