"""The admin page as a process."""

from pathlib import Path

import aiohttp

from tests.servers.suite import Suite


async def test_the_process_serves_and_ends_in_order(tmp_path: Path) -> None:
    """`Suite` starts it and waits for /healthz; it may start before loyalty answers."""
    async with Suite(tmp_path / "var", gateways=0, admin=True) as suite:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{suite.admin_url}/sign-in", headers={"Accept-Language": "de"}) as answer,
        ):
            assert answer.status == 200
            assert "Server" not in answer.headers, "it does not tell what it runs on"
            assert "Anmelden" in await answer.text()

        assert await suite.stop("admin") == 0
