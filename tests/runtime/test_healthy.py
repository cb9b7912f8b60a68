"""A container is healthy when its service is ready, asked by TLS where the service speaks it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.commands.trial_ca import authority_in, signed_by, write
from services.runtime import metrics
from services.runtime.healthy import is_ready
from services.runtime.tls import KeyPair
from tests.servers.ports import free_port


@pytest.mark.parametrize("ready", [True, False])
async def test_health_is_what_the_service_says(ready: bool) -> None:
    listen = f"127.0.0.1:{free_port()}"
    async with metrics.served(listen, CollectorRegistry(), is_ready=lambda: ready):
        assert await asyncio.to_thread(is_ready, {"LOYALTY_METRICS_LISTEN": listen}) is ready


async def test_a_service_with_a_certificate_is_asked_by_tls(tmp_path: Path) -> None:
    now, port = datetime.now(UTC), free_port()
    signed = signed_by(
        authority_in(tmp_path, now=now),
        ["loyalty", "127.0.0.1"],
        begins_at=now - timedelta(hours=1),
        ends_at=now + timedelta(days=1),
    )
    certificate, key = tmp_path / "loyalty.pem", tmp_path / "loyalty-key.pem"
    write(certificate, signed.certificate, public=True)
    write(key, signed.key)
    environment = {
        "LOYALTY_METRICS_LISTEN": f"0.0.0.0:{port}",
        "LOYALTY_TLS_CERTIFICATE_FILE": str(certificate),
        "BONPUNKT_CA_FILE": str(tmp_path / "ca.pem"),
    }
    pair = KeyPair(certificate=certificate, key=key)
    served = metrics.served(
        f"0.0.0.0:{port}", CollectorRegistry(), is_ready=lambda: True, key_pair=pair
    )
    async with served:
        assert await asyncio.to_thread(is_ready, environment)


def test_nobody_there_is_not_healthy() -> None:
    assert not is_ready({"LOYALTY_METRICS_LISTEN": f"0.0.0.0:{free_port()}"})
    assert not is_ready({})
