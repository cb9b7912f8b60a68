"""The page for Prometheus and container runtimes."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry

from services.runtime.metrics import registry_of, serve_beside, served
from services.runtime.tls import OFF, KeyPair
from tests.servers.certificates import certificate_files
from tests.servers.ports import free_port
from tests.servers.waiting import eventually


async def get(url: str, *, trusting: ssl.SSLContext | bool = True) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=trusting) as answer:
        return answer.status, await answer.text()


async def test_the_page_tells_what_every_process_tells() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with served(address, registry_of("loyalty"), is_ready=lambda: True):
        status, text = await get(f"http://{address}/metrics")

    assert status == 200
    assert 'bonpunkt_build_info{service="loyalty",version="' in text
    assert "process_cpu_seconds_total " in text


async def test_a_process_lives_before_it_is_ready() -> None:
    address, ready = f"127.0.0.1:{free_port()}", asyncio.Event()
    async with served(address, CollectorRegistry(), is_ready=ready.is_set):
        alive, _ = await get(f"http://{address}/healthz")
        before, _ = await get(f"http://{address}/readyz")
        ready.set()
        after, _ = await get(f"http://{address}/readyz")

    assert (alive, before, after) == (200, 503, 200)


async def test_what_has_to_be_asked_for_is_asked_for_each_time() -> None:
    address, asked = f"127.0.0.1:{free_port()}", []

    async def look_up() -> None:
        asked.append("once more")

    registry = CollectorRegistry()
    async with served(address, registry, is_ready=lambda: True, look_up=look_up):
        await get(f"http://{address}/metrics")
        await get(f"http://{address}/healthz")
        await get(f"http://{address}/metrics")

    assert len(asked) == 2


async def test_a_port_that_is_taken_keeps_nobody_from_working() -> None:
    """Tills are served, watched or not."""
    address = f"127.0.0.1:{free_port()}"
    first = served(address, CollectorRegistry(), is_ready=lambda: True)
    second = served(address, CollectorRegistry(), is_ready=lambda: False)
    async with first, second:
        assert (await get(f"http://{address}/readyz"))[0] == 200, "the first has it"


async def test_off_listens_nowhere() -> None:
    async with served(OFF, CollectorRegistry(), is_ready=lambda: True):
        pass


async def test_the_page_speaks_tls_with_the_certificate_as_it_is_now(tmp_path: Path) -> None:
    files = certificate_files(tmp_path)
    pair = KeyPair(certificate=files.certificate, key=files.key)
    trusting = ssl.create_default_context(cafile=str(files.ca))
    address = f"127.0.0.1:{free_port()}"
    registry = registry_of("loyalty", key_pair=pair)

    async def told() -> str:
        return (await get(f"https://{address}/metrics", trusting=trusting))[1]

    async with served(address, registry, is_ready=lambda: True, key_pair=pair):
        before = await told()
        files.write(files.signed(names=["elsewhere.example", "127.0.0.1"]))
        after = await told()
        shown = await asyncio.to_thread(_certificate_at, address)

    line = 'bonpunkt_certificate_ends_at_seconds{service="loyalty"} '
    assert line in before
    assert line in after
    assert shown == files.certificate.read_text()


async def test_a_process_without_a_loop_is_watched_from_a_thread() -> None:
    address = f"127.0.0.1:{free_port()}"

    async def answers() -> bool:
        try:
            return (await get(f"http://{address}/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    serve_beside(address, CollectorRegistry())

    await eventually(answers)


def _certificate_at(address: str) -> str:
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)))
