"""The command `bonpunkt`: serves the parts of the installation, and asks things of those that run.

What a command needs is imported when it runs, so that `bonpunkt --help` and mistyped words answer
at once.
"""

import click

from services.commands.adjustments import adjust, adjustments, approve, decline
from services.commands.backup import backup
from services.commands.certs import certs
from services.commands.config import config
from services.commands.distribute import distribute
from services.commands.endpoint import endpoint
from services.commands.identity import identity
from services.commands.member import member
from services.commands.member_import import import_file
from services.commands.nightly import nightly
from services.commands.privacy import erase, export
from services.commands.restore import restore
from services.commands.seed import seed
from services.commands.serve import admin, gateway, loyalty, notifier
from services.commands.staff import staff
from services.commands.statements import end_of_day, statement
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
for command in (import_file, adjust, adjustments, approve, decline, statement):
    member.add_command(command)
for command in (export, erase):
    member.add_command(command)
for command in (identity, config, certs):
    main.add_command(command)
main.add_command(backup)
main.add_command(restore)
terminal.add_command(end_of_day)
for command in (nightly, distribute):
    loyalty.add_command(command)
for group in (main, loyalty):
    group.add_command(seed)


if __name__ == "__main__":
    main()
