"""How gRPC waits for sockets is settled before anything imports it (decision 0030)."""

import subprocess
import sys

import pytest

SERVES = """
import asyncio
{first}
import grpc

async def main():
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await server.stop(0)

asyncio.run(main())
"""


def said(*, first: str) -> str:
    """What gRPC says on standard error about its experiments."""
    program = SERVES.format(first=first)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={}
    ).stderr


@pytest.mark.parametrize("package", ["services", "loadtests"])
def test_grpc_still_knows_the_experiments_that_are_switched_off(package: str) -> None:
    """A release that does not know them any more says so, and waits as it likes."""
    assert said(first=f"import {package}") == ""
    assert "was_never" in said(first="import os; os.environ['GRPC_EXPERIMENTS'] = '-was_never'")


@pytest.mark.parametrize("package", ["services", "loadtests"])
def test_they_are_switched_off_before_grpc_is_imported(package: str) -> None:
    """Later it does not look any more."""
    asked = "import os, sys; print(os.environ['GRPC_EXPERIMENTS'], 'grpc' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", f"import {package}; {asked}"],
        capture_output=True,
        text=True,
        check=True,
        env={},
    ).stdout
    assert shown.split() == ["-event_engine_client,-event_engine_listener", "False"]
