"""How the till client decides between TLS and plain text."""

from pathlib import Path

import pytest

from bonpunkt.till.channel import CA_FILE_KEY, credentials_for
from bonpunkt.till.client import Till
from tests.servers.certificates import certificate_files


@pytest.fixture(autouse=True)
def _no_ca_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CA_FILE_KEY, raising=False)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return certificate_files(tmp_path).ca


@pytest.mark.parametrize("target", ["127.0.0.1:7701", "localhost:7701", "[::1]:7701"])
def test_a_gateway_on_this_machine_is_asked_in_plain_text(target: str) -> None:
    assert credentials_for(target, None) is None


@pytest.mark.parametrize("target", ["gateway:7701", "192.168.1.5:7701", "https://127.0.0.1:7701"])
def test_everything_else_is_asked_by_tls(target: str, ca_file: Path) -> None:
    assert credentials_for(target, ca_file) is not None


def test_a_ca_file_means_tls_on_this_machine_too(ca_file: Path) -> None:
    assert credentials_for("127.0.0.1:7701", ca_file) is not None


def test_the_ca_file_may_be_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, ca_file: Path
) -> None:
    monkeypatch.setenv(CA_FILE_KEY, str(ca_file))

    assert credentials_for("gateway:7701", None) is not None
    assert credentials_for("127.0.0.1:7701", None) is None, "it may be there for others"


def test_a_till_without_a_ca_does_not_connect_elsewhere_in_plain_text() -> None:
    with pytest.raises(ValueError, match=CA_FILE_KEY):
        Till("gateway:7701", terminal_id="till-1", secret="secret")
