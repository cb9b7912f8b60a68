"""`bonpunkt up`: everything on this machine, for a demo or a small installation."""

import os
from pathlib import Path

import click

DEMO_PER_S = 100.0


@click.command()
@click.option("--demo", is_flag=True, help="Replay recorded baskets at simulated tills.")
@click.option(
    "--baskets", type=click.IntRange(min=0), help="Replay so many; else all that are left."
)
@click.option(
    "--once", is_flag=True, help="End when all is done; the last line is one JSON object."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for databases, secrets and logs; else BONPUNKT_DATA, else ./var.",
)
@click.option("--free-ports", is_flag=True, help="Listen on any free ports; --once implies it.")
@click.option(
    "--tills",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="How many simulated tills are at work at once.",
)
@click.option(
    "--per-second",
    type=click.FloatRange(min=0),
    help=f"Checkouts a second at most, 0 for no limit; else {DEMO_PER_S:.0f}, with --once 0.",
)
def up(
    demo: bool,
    baskets: int | None,
    once: bool,
    data: Path | None,
    free_ports: bool,
    tills: int,
    per_second: float | None,
) -> None:
    """Runs all services until Ctrl-C, on SQLite files unless the environment says otherwise.

    \b
    Exit codes: 0 all went well, 1 it did not, 2 it could not start (a port or the folder is in
    use), 130 --once was interrupted; a service that dies ends the run with its own exit code.
    """
    if not demo and (once or baskets is not None):
        raise click.UsageError("--once and --baskets belong to --demo")
    # gRPC otherwise comments on each child that is started while it has threads
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    from services.demo.show import Wishes
    from services.demo.up import Options, main

    if per_second is None:
        per_second = 0.0 if once else DEMO_PER_S
    wishes = Wishes(once=once, baskets=baskets, at_once=tills, per_s=per_second)
    options = Options(
        data=data or Path(os.environ.get("BONPUNKT_DATA", "var")),
        demo=wishes if demo else None,
        free_ports=free_ports or once,
    )
    raise SystemExit(main(options))
