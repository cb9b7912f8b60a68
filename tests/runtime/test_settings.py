"""What several settings together must say before a process starts; all errors are told at once."""

from datetime import timedelta
from pathlib import Path

import pytest
from environs import Env

from services.runtime.settings import load, service_token
from services.runtime.tls import OFF, KeyPair, read_ca, read_key_pair
from tests.servers.certificates import Files, certificate_files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return certificate_files(tmp_path)


def key_pair(
    *, listen: str, certificate: Path | None = None, key: Path | None = None, metrics: str = OFF
) -> KeyPair | None:
    def read(env: Env) -> tuple[KeyPair | None]:
        ports = {"X_LISTEN": listen, "X_METRICS_LISTEN": metrics}
        return (read_key_pair(env, "X_TLS", certificate=certificate, key=key, ports=ports),)

    return load(read)[0]


def ca_for(monkeypatch: pytest.MonkeyPatch, ca: Path | None, **targets: str) -> bytes | None:
    monkeypatch.delenv("BONPUNKT_CA_FILE", raising=False)
    if ca is not None:
        monkeypatch.setenv("BONPUNKT_CA_FILE", str(ca))
    return load(lambda env: (read_ca(env, targets),))[0]


@pytest.mark.parametrize("listen", ["127.0.0.1:7702", "localhost:7702", "[::1]:7702"])
def test_loopback_needs_no_certificate(listen: str) -> None:
    assert key_pair(listen=listen, metrics="127.0.0.1:7712") is None


def test_a_port_for_other_machines_has_a_certificate(files: Files) -> None:
    pair = key_pair(listen="0.0.0.0:7702", certificate=files.certificate, key=files.key)

    assert pair is not None


def test_ports_for_other_machines_without_one_are_told_with_the_settings_to_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        key_pair(listen="0.0.0.0:7702", metrics="192.168.1.5:7712")

    told = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert [line.split(":")[0] for line in told] == [
        "setting X_LISTEN",
        "setting X_METRICS_LISTEN",
    ]
    assert all("X_TLS_CERTIFICATE_FILE and X_TLS_KEY_FILE" in line for line in told)


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_half_a_pair_is_an_error_of_the_missing_half(
    files: Files, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    half = {"certificate": files.certificate, "key": files.key}
    half.pop(missing)
    with pytest.raises(SystemExit):
        key_pair(listen="127.0.0.1:7702", **half)

    assert f"setting X_TLS_{missing.upper()}_FILE: " in capsys.readouterr().err


def test_a_certificate_that_has_ended_keeps_a_process_from_starting(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write(files.signed(ends_in=timedelta(minutes=-5)))
    with pytest.raises(SystemExit):
        key_pair(listen="0.0.0.0:7702", certificate=files.certificate, key=files.key)

    told = capsys.readouterr().err
    assert told.startswith("setting X_TLS_CERTIFICATE_FILE: ")
    assert "has ended at" in told


def test_who_is_asked_on_loopback_needs_no_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ca_for(monkeypatch, None, X_LOYALTY="127.0.0.1:7702") is None


@pytest.mark.parametrize("target", ["loyalty:7702", "https://127.0.0.1:7702"])
def test_who_is_asked_by_tls_is_checked_by_a_ca(
    monkeypatch: pytest.MonkeyPatch, files: Files, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    assert ca_for(monkeypatch, files.ca, X_LOYALTY=target) == files.ca.read_bytes()

    with pytest.raises(SystemExit):
        ca_for(monkeypatch, None, X_LOYALTY=target)
    told = capsys.readouterr().err
    assert told.startswith("setting BONPUNKT_CA_FILE: ")
    assert "X_LOYALTY" in told


def test_plain_text_to_another_machine_cannot_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        ca_for(monkeypatch, files.ca, X_LOYALTY="http://loyalty:7702")

    assert capsys.readouterr().err.startswith("setting X_LOYALTY: ")


def test_a_ca_file_that_holds_no_certificate_is_an_error(
    monkeypatch: pytest.MonkeyPatch, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        ca_for(monkeypatch, files.key, X_LOYALTY="loyalty:7702")

    assert capsys.readouterr().err.startswith("setting BONPUNKT_CA_FILE: ")


def test_errors_of_every_sort_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one setting, of two that do not go together, and of a file that is not there."""
    monkeypatch.setenv("X_COUNT", "many")
    monkeypatch.setenv("BONPUNKT_SERVICE_TOKEN_FILE", str(tmp_path / "nothing"))

    def read(env: Env) -> tuple[object, ...]:
        token, count = service_token(env), env.int("X_COUNT", 1)
        ports = {"X_LISTEN": "0.0.0.0:1"}
        return token, count, read_key_pair(env, "X_TLS", certificate=None, key=None, ports=ports)

    with pytest.raises(SystemExit) as ended:
        load(read)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    for name in ("BONPUNKT_SERVICE_TOKEN_FILE", "X_COUNT", "X_LISTEN"):
        assert f"setting {name}: " in told
