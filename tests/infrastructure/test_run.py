"""`make test` brings what it needs, or says what to install."""

import os
from pathlib import Path

import pytest

from tests import run
from tests.servers import programs


def _nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "missing_packages", lambda: ["postgresql", "redis-server"])


def test_who_may_not_install_is_told_the_exact_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _nothing_is_installed(monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SystemExit) as ended:
        run.ensure_programs()

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "apt-get install -y --no-install-recommends postgresql redis-server" in told


def test_nothing_is_installed_where_everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "missing_packages", list)
    monkeypatch.setattr(run, "_install", lambda _: pytest.fail("installed without need"))

    run.ensure_programs()


def test_packages_do_not_start_services_while_they_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"

    with run.services_stay_stopped(policy):
        assert os.access(policy, os.X_OK)
        assert "exit 101" in policy.read_text()

    assert not policy.exists()


def test_a_policy_that_the_machine_already_has_is_left_alone(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("the machine's own")

    with run.services_stay_stopped(policy):
        pass

    assert policy.read_text() == "the machine's own"


def test_a_missing_program_is_named_with_its_package() -> None:
    program = programs.Program("no-such-program", "no-such-package")

    with pytest.raises(programs.ProgramMissingError, match="apt-get install no-such-package"):
        program.path()
