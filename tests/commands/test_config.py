"""`bonpunkt config`: what would be in force, without secrets, and everything that is wrong."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.commands.config import PREFIXES, config, without_secrets


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "service-token").write_text("the-secret-token")
    monkeypatch.setenv("BONPUNKT_DATA", str(tmp_path))
    monkeypatch.delenv("BONPUNKT_SERVICE_TOKEN_FILE", raising=False)


def asked(*words: str) -> Result:
    return CliRunner().invoke(config, list(words))


@pytest.mark.parametrize("service", sorted(PREFIXES))
def test_every_service_tells_its_settings_and_that_defaults_are_defaults(service: str) -> None:
    said = asked(service)

    assert said.exit_code == 0, said.output
    listen = f"{PREFIXES[service]}LISTEN=127.0.0.1:77"
    [line] = [line for line in said.output.splitlines() if line.startswith(listen)]
    assert line.endswith("  # default")


def test_what_is_set_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_RETRY_SCHEDULE_S", "0,5")
    monkeypatch.setenv("NOTIFIER_ALLOW_LOOPBACK", "yes")

    lines = asked("notifier").output.splitlines()

    assert "NOTIFIER_RETRY_SCHEDULE_S=0,5" in lines
    assert "NOTIFIER_ALLOW_LOOPBACK=true" in lines


def test_all_services_are_told_unless_one_is_named() -> None:
    headings = [line for line in asked().output.splitlines() if line.startswith("# ")]

    assert headings == [f"# {service}" for service in PREFIXES]


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://points:hunter2@db:5432/loyalty")

    said = asked()

    assert "LOYALTY_DATABASE_URL=postgresql://points:***@db:5432/loyalty" in said.output
    assert "hunter2" not in said.output
    assert "the-secret-token" not in said.output


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql://a:hu:nt@er2@db/x", "postgresql://a:***@db/x"),
        ("postgresql://a@db/x", "postgresql://a@db/x"),
        ("postgresql://db/x?user=a&password=hunter2&sslmode=require", None),
        ("127.0.0.1:7702", "127.0.0.1:7702"),
    ],
)
def test_passwords_in_addresses_become_stars(value: str, shown: str | None) -> None:
    expected = shown or "postgresql://db/x?user=a&password=***&sslmode=require"

    assert without_secrets(value) == expected


def test_all_errors_of_all_services_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_LANES", "none")
    monkeypatch.setenv("GATEWAY_LISTEN", "0.0.0.0:7701")

    said = asked()

    assert said.exit_code == 2
    assert "setting LOYALTY_LANES: " in said.stderr
    assert "setting GATEWAY_LISTEN: " in said.stderr


def test_a_misspelt_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_LITSEN", "127.0.0.1:1")

    said = asked("loyalty")

    assert said.exit_code == 0
    assert "setting LOYALTY_LITSEN: loyalty knows no such setting" in said.stderr
