"""`bonpunkt loyalty distribute`: the ledger's tables on the nodes of a Citus cluster."""

import click


@click.command()
@click.option("--print", "print_only", is_flag=True, help="Show the SQL, run nothing.")
def distribute(print_only: bool) -> None:
    """Distributes the tables of LOYALTY_DATABASE_URL by bucket, on Citus.

    To be run on the coordinator's database, once it has its nodes and while no service runs. Needs
    LOYALTY_LANES to be the number of buckets, as every loyalty process does from then on. Rows that
    are there move along. Broken off anywhere, it may be run again: what is done is left as it is.
    docs/scale.md tells the rest.
    """
    import asyncio

    from services.loyalty.distribution import (
        CannotDistributeError,
        read,
        refuse_wrong_settings,
        steps,
    )
    from services.runtime.settings import load

    if print_only:
        for step in steps():
            click.echo(f"{step.sql};")
        return
    settings = load(read)
    try:
        refuse_wrong_settings(settings)
        asyncio.run(_distributed(settings.database_url))
    except (CannotDistributeError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo("the ledger is distributed by bucket; start the services")


async def _distributed(url: str) -> None:
    from services.loyalty.distribution import distribute
    from services.loyalty.store import open_store

    store = await open_store(url)
    try:
        await distribute(store.engine, told=lambda step: click.echo(f"{step.sql};"))
    finally:
        await store.close()
