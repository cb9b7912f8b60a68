from pathlib import Path

import pytest

from services.pos_gateway.limits import Limits
from services.pos_gateway.settings import Settings, read
from services.runtime.settings import load


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token\n", encoding="ascii")
    monkeypatch.setenv("BONPUNKT_SERVICE_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("BONPUNKT_DATA", str(tmp_path))


def test_nothing_but_the_token_has_to_be_set(tmp_path: Path) -> None:
    assert load(read) == Settings(
        listen="127.0.0.1:7701",
        loyalty="127.0.0.1:7702",
        service_token="the-token",
        terminals_path=tmp_path / "gateway" / "terminals.json",
        limits=Limits(operations_max=8192, terminal_operations_max=1024, queued_bytes_max=64 << 20),
        till_decisions_max=4096,
        grace_ms=500,
        metrics_listen="127.0.0.1:7711",
    )


def test_every_limit_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_OPERATIONS_MAX", "5")
    monkeypatch.setenv("GATEWAY_TERMINAL_OPERATIONS_MAX", "3")
    monkeypatch.setenv("GATEWAY_QUEUED_BYTES_MAX", str(2 << 20))
    monkeypatch.setenv("GATEWAY_TILL_DECISIONS_MAX", "7")
    monkeypatch.setenv("GATEWAY_GRACE_MS", "0")

    chosen = load(read)

    assert chosen.limits == Limits(
        operations_max=5, terminal_operations_max=3, queued_bytes_max=2 << 20
    )
    assert chosen.till_decisions_max == 7
    assert chosen.grace_ms == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_OPERATIONS_MAX", "0"),
        ("GATEWAY_OPERATIONS_MAX", "many"),
        ("GATEWAY_TERMINAL_OPERATIONS_MAX", "0"),
        ("GATEWAY_QUEUED_BYTES_MAX", str((1 << 20) - 1)),
        ("GATEWAY_TILL_DECISIONS_MAX", "0"),
        ("GATEWAY_GRACE_MS", "-1"),
        ("GATEWAY_GRACE_MS", "60001"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        load(read)

    assert ended.value.code == 2
    assert name in capsys.readouterr().err
