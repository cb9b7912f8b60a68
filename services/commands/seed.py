"""`bonpunkt seed`: a big ledger to measure on."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bonpunkt.till.v1 import till_pb2 as pb

BASKETS = 2_000  # distinct recorded purchases; after these, the same with other numbers


@click.command("seed")
@click.option("--members", type=click.IntRange(min=1), required=True, help="How many enrol.")
@click.option(
    "--journal-rows",
    type=click.IntRange(min=1),
    required=True,
    help="Rows of the journal: one for each member's enrolment, the rest are purchases.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=365,
    show_default=True,
    help="For how long the ledger is to have been in use.",
)
@click.option(
    "--processes", type=click.IntRange(min=1), help="How many work at it; else one for each core."
)
def seed(members: int, journal_rows: int, days: int, processes: int | None) -> None:
    """Fills the new ledger of LOYALTY_DATABASE_URL with made-up members and purchases.

    For measurements; PostgreSQL, or a SQLite file for up to a million rows. The ledger must be
    empty and nothing may serve it. It is filled in one transaction: broken off, it is as empty as
    before, and the command may be run again. Rows are decided by the programme in force
    (LOYALTY_PROGRAMME), and line items past LOYALTY_RETENTION_BASKETS_DAYS are left out.
    """
    import asyncio
    import os
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from services.commands.connection import user_name
    from services.loyalty.installation import WrongInstallationError
    from services.loyalty.retention import read as read_retention
    from services.loyalty.seeding.cohorts import Size, card_of
    from services.loyalty.seeding.seed import NotNewError, Order
    from services.loyalty.seeding.seed import seed as filled
    from services.loyalty.settings import DEMO_PROGRAMME, database_url
    from services.loyalty.store_sqlite import AlreadyOpenError
    from services.runtime.settings import load

    if journal_rows < members:
        raise click.ClickException(
            "each member's enrolment is a journal row: --journal-rows is to be as many, or more"
        )
    url = load(database_url)
    programme = load(lambda env: env.path("LOYALTY_PROGRAMME", DEMO_PROGRAMME))
    order = Order(
        size=Size(members=members, journal_rows=journal_rows, days=days),
        baskets=_recorded(),
        baskets_days=load(read_retention).baskets_days,
        now=datetime.now(UTC),
        actor=f"cli:{user_name()}",
        processes=processes or len(os.sched_getaffinity(0)),
    )
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as bar:
        task = bar.add_task("starting", total=journal_rows)
        try:
            asyncio.run(
                filled(
                    url,
                    order,
                    programme=programme,
                    told=lambda what, rows: bar.update(task, description=what, completed=rows),
                )
            )
        except (
            NotNewError,
            WrongInstallationError,
            AlreadyOpenError,
            ValueError,
            OSError,
        ) as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{members} members with the cards {card_of(0)} to {card_of(members - 1)}")


def _recorded() -> "list[pb.Basket]":
    """What is bought: recorded baskets, as the demo's tills ring them up."""
    from itertools import islice

    from services.demo import mapping
    from services.demo.recordings import Recordings, RecordingsMissingError

    recordings = Recordings()
    try:
        products = recordings.products
        first = islice(recordings.baskets(), BASKETS)
        return [mapping.basket(recorded, products) for recorded in first]
    except RecordingsMissingError as error:
        raise click.ClickException(str(error)) from None
