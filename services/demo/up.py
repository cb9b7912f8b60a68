"""`bonpunkt up`: the whole installation as child processes, with the demo on top if wanted."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from rich.console import Console

from services.demo.addresses import Addresses, PortsTakenError, choose, target, way_to
from services.demo.folder import DataFolder, FolderInUseError, FolderLock
from services.demo.installation import Installation
from services.demo.provision import ProvisionError
from services.demo.recordings import RecordingsMissingError
from services.demo.show import Show, Wishes
from services.demo.supervisor import ChildDiedError, NotReadyError, Supervisor
from services.runtime import process
from services.runtime.settings import load
from services.runtime.tls import read_ca

CANNOT_START = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """The words of the command line; without `demo` only the services run."""

    data: Path
    demo: Wishes | None
    free_ports: bool


def main(options: Options) -> int:
    """Runs until SIGINT or SIGTERM, or until the demo's work is done; returns the exit code."""
    code = 0

    async def supervised(stop: asyncio.Event) -> None:
        nonlocal code
        code = await _told(options, stop=stop)

    process.run(supervised)
    return code


async def _told(options: Options, *, stop: asyncio.Event) -> int:
    """Runs, and says on standard error what stood in the way."""
    try:
        with FolderLock(options.data) as folder:
            return await _run(options, folder, stop=stop)
    except (PortsTakenError, FolderInUseError, RecordingsMissingError) as error:
        print(error, file=sys.stderr)
        return CANNOT_START
    except ChildDiedError as error:
        print(f"{error}; the end of {error.log}:", *error.last_lines(), sep="\n", file=sys.stderr)
        return error.exit_code
    except (NotReadyError, ProvisionError) as error:
        print(error, file=sys.stderr)
        return 1
    except grpc.aio.AioRpcError as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        return 1


async def _run(options: Options, folder: DataFolder, *, stop: asyncio.Event) -> int:
    addresses = _addresses(options, folder)
    folder.service_token()
    console = Console(highlight=False, markup=False)
    async with Supervisor(folder.logs) as children:
        installation = Installation(
            folder,
            addresses,
            children,
            demo=options.demo is not None,
            ca=_ca(addresses),
            metrics=not options.free_ports,
        )
        if options.demo is None:
            work = _serve(installation, console)
        else:
            work = Show(installation, console, options.demo).run()
        return await _unless_stopped(children.guard(work), stop, wishes=options.demo)


def _addresses(options: Options, folder: DataFolder) -> Addresses:
    addresses = choose(
        os.environ,
        free_ports=options.free_ports,
        receiver_ports=folder.receiver_ports(),
        demo=options.demo is not None,
    )
    if options.demo is not None:
        folder.keep_receiver_ports(dict(addresses.receiver_ports))
    return addresses


def _ca(addresses: Addresses) -> bytes | None:
    """Exits with 2 if services speak TLS and nobody says by whom their certificates are signed."""
    asked = {name: way_to(name, addresses) for name in ("loyalty", "gateway", "notifier")}
    return load(lambda env: read_ca(env, {f"{n.upper()}_LISTEN": asked[n] for n in asked}))


async def _unless_stopped(
    work: Coroutine[Any, Any, int], stop: asyncio.Event, *, wishes: Wishes | None
) -> int:
    """The work's exit code; if told to stop before its end, 0 where it has none, else 130."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    return INTERRUPTED if wishes is not None and wishes.once else 0


async def _serve(installation: Installation, console: Console) -> int:
    """Only the services, on the embedded databases; never returns by itself."""
    await installation.start("loyalty")
    await installation.ready("loyalty")
    await installation.start("gateway", "notifier", "admin")
    await installation.ready("gateway", "notifier", "admin")
    at = installation.addresses
    console.print(
        f"Bonpunkt is up: admin page http://{target(at.admin)}, tills at {way_to('gateway', at)}.\n"
        "If this installation is new, add with other commands, in another terminal:\n"
        f"  export BONPUNKT_DATA={installation.folder.root}\n"
        f"  export CLI_LOYALTY={way_to('loyalty', at)}"
        f" CLI_NOTIFIER={way_to('notifier', at)}\n"
        "  bonpunkt staff add NAME              who may sign in to the admin page\n"
        "  bonpunkt terminal add ID --store ID  a till, and the secret it shows\n"
        "  bonpunkt endpoint add NAME URL       who is told of member changes\n"
        "  bonpunkt member add CARD             a member",
        soft_wrap=True,
    )
    await asyncio.Event().wait()
    return 0
