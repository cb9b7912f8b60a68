"""`bonpunkt loyalty|gateway|notifier|admin`: the services, one process each."""

import click


@click.group()
def loyalty() -> None:
    """The ledger: members, points, programme, terminals, staff."""


@loyalty.command("serve")
def serve_loyalty() -> None:
    """Serves the ledger at LOYALTY_LISTEN until SIGTERM."""
    from services.loyalty.__main__ import main

    main()


@loyalty.command("migrate")
def migrate_loyalty() -> None:
    """Brings the schema of LOYALTY_DATABASE_URL to this version, and ends."""
    import asyncio

    from services.loyalty.migrations import migrate
    from services.loyalty.settings import database_url
    from services.loyalty.store import open_store
    from services.loyalty.store_sqlite import AlreadyOpenError
    from services.runtime.settings import load

    async def migrated() -> None:
        store = await open_store(load(database_url))
        try:
            await migrate(store.engine)
        finally:
            await store.close()

    try:
        asyncio.run(migrated())
    except (AlreadyOpenError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo("the schema is at this version")


@click.group()
def gateway() -> None:
    """The door for tills."""


@gateway.command("serve")
def serve_gateway() -> None:
    """Serves tills at GATEWAY_LISTEN until SIGTERM."""
    from services.pos_gateway.__main__ import main

    main()


@click.group()
def notifier() -> None:
    """Signed webhooks to e-mail system, CRM and others."""


@notifier.command("serve")
def serve_notifier() -> None:
    """Follows the ledger's feed and delivers until SIGTERM."""
    from services.notifier.__main__ import main

    main()


@click.group()
def admin() -> None:
    """The pages for staff."""


@admin.command("serve")
def serve_admin() -> None:
    """Serves the pages at ADMIN_LISTEN until SIGTERM."""
    from services.loyalty.admin.__main__ import main

    main()
