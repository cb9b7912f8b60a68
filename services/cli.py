"""The command `bonpunkt`: serves the parts of the installation, and asks things of those that run.

What a command needs is imported when it runs, so that `bonpunkt --help` and mistyped words answer
at once.
"""

import click

from services.commands.endpoint import endpoint
from services.commands.member import member
from services.commands.serve import admin, gateway, loyalty, notifier
from services.commands.staff import staff
from services.commands.terminal import terminal
from services.commands.up import up
from services.commands.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bonpunkt")
def main() -> None:
    """Bonpunkt: loyalty points that a purchase earns, spent on that very purchase.

    Settings come from environment variables; docs/settings.md lists them. Commands that ask
    something of a running service find it by --loyalty and --notifier (CLI_LOYALTY, CLI_NOTIFIER)
    and show it the service token of BONPUNKT_SERVICE_TOKEN_FILE.
    """


for command in (up, verify, loyalty, gateway, notifier, admin, terminal, staff, endpoint, member):
    main.add_command(command)


if __name__ == "__main__":
    main()
