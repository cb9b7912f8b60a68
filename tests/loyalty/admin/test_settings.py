"""Settings of the admin page: passwords cross a network by TLS only."""

from pathlib import Path

import pytest

from services.loyalty.admin.settings import AdminSettings, read
from services.runtime.settings import load


def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **settings: str) -> AdminSettings:
    token = tmp_path / "service-token"
    token.write_text("secret\n")
    monkeypatch.setenv("BONPUNKT_SERVICE_TOKEN_FILE", str(token))
    for name in ("ADMIN_LISTEN", "ADMIN_PUBLIC_URL", "ADMIN_LOYALTY", "ADMIN_NOTIFIER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return load(read)


def test_the_default_is_plain_http_on_loopback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = loaded(monkeypatch, tmp_path)

    assert settings.listen == "127.0.0.1:7700"
    assert settings.public_url == "http://127.0.0.1:7700"
    assert (settings.loyalty, settings.notifier) == ("127.0.0.1:7702", "127.0.0.1:7703")
    assert not settings.is_https
    assert "localhost" in settings.trusted_hosts


def test_behind_a_proxy_browsers_come_by_https(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = loaded(
        monkeypatch,
        tmp_path,
        ADMIN_LISTEN="0.0.0.0:7700",
        ADMIN_PUBLIC_URL="https://bonus.example/",
        ADMIN_BEHIND_TLS_PROXY="true",
    )

    assert settings.is_https
    assert settings.public_url == "https://bonus.example"
    assert settings.trusted_hosts == ["bonus.example", "127.0.0.1", "localhost", "[::1]"]


@pytest.mark.parametrize("name", ["ADMIN_LISTEN", "ADMIN_METRICS_LISTEN"])
def test_other_machines_reach_the_pages_through_a_proxy_that_ends_tls(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """The pages speak plain HTTP; whoever opens them to others has to say what protects them."""
    open_to_all = {name: "0.0.0.0:7799", "ADMIN_PUBLIC_URL": "https://bonus.example"}
    with pytest.raises(SystemExit) as raised:
        loaded(monkeypatch, tmp_path, **open_to_all)

    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert name in told
    assert "ADMIN_BEHIND_TLS_PROXY" in told
    loaded(monkeypatch, tmp_path, **open_to_all, ADMIN_BEHIND_TLS_PROXY="true")


@pytest.mark.parametrize(
    "settings",
    [
        {"ADMIN_LISTEN": "0.0.0.0:7700"},
        {"ADMIN_LISTEN": "192.168.1.5:7700"},
        {"ADMIN_PUBLIC_URL": "http://bonus.example"},
        {"ADMIN_PUBLIC_URL": "https://"},
        {"ADMIN_PUBLIC_URL": "bonus.example"},
    ],
)
def test_an_address_without_tls_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
) -> None:
    with pytest.raises(SystemExit) as raised:
        loaded(monkeypatch, tmp_path, **settings)

    assert raised.value.code == 2
    assert "ADMIN_PUBLIC_URL" in capsys.readouterr().err
