"""`bonpunkt verify`: recomputes the ledger's invariants from its rows."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines to read.")
def verify(as_json: bool) -> None:
    """Checks the ledger of LOYALTY_DATABASE_URL; exit code 0 only if every invariant holds."""
    import asyncio
    import json

    from services.loyalty.settings import database_url
    from services.loyalty.verify import CHECKS, NOT_PROVABLE_FROM_ROWS, verify
    from services.runtime.settings import load

    try:
        report = asyncio.run(verify(load(database_url)))
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        for name, says in CHECKS.items():
            wrong = report.wrong[name]
            result = f"{wrong} WRONG" if wrong else "ok"
            click.echo(f"{name:8} {result}, {report.rows[name]:,} rows: {says}")
        for name, says in NOT_PROVABLE_FROM_ROWS.items():
            click.echo(f"{name:8} not provable from rows: {says}")
        for problem in report.problems:
            click.echo(problem)
    raise SystemExit(0 if report.ok else 1)
