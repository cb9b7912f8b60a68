"""A release says what it is made of, under which licences, and what is new in it."""

import pytest

from deploy.release import audit, licences
from deploy.release.audit import NOTHING_LEARNT, Findings, findings_of, tell
from deploy.release.build import notes

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something.

## [0.1.0] - 2026-11-01

- The first.
"""


def test_the_page_of_licences_is_fresh() -> None:
    assert licences.DOCUMENT.read_text(encoding="utf-8") == licences.document()


def test_every_package_tells_its_licence() -> None:
    assert "not told" not in licences.document()


def test_notes_are_those_of_the_version_else_what_is_unreleased() -> None:
    assert notes(CHANGELOG, "0.1.0") == "# Bonpunkt 0.1.0\n\n- The first.\n"
    assert notes(CHANGELOG, "0.2.0") == "# Bonpunkt 0.2.0\n\n### Added\n\n- Something.\n"
    with pytest.raises(ValueError, match="tells nothing"):
        notes("# Changelog\n", "0.2.0")


def package(name: str, *vulnerabilities: str, skipped: bool = False) -> dict[str, object]:
    if skipped:
        return {"name": name, "skip_reason": "not found"}
    found = [{"id": each, "fix_versions": []} for each in vulnerabilities]
    return {"name": name, "version": "1.0", "vulns": found}


def found(*packages: dict[str, object]) -> Findings:
    return findings_of({"dependencies": list(packages)})


def test_an_audit_is_strict() -> None:
    """Known or not looked up: both fail it."""
    assert tell("x.txt", found(package("a")), "") == 0
    assert tell("x.txt", found(package("a"), package("b", "CVE-1")), "") == 1
    assert tell("x.txt", found(package("a"), package("b", skipped=True)), "") == 1


def test_an_audit_that_reached_nobody_has_learnt_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tell("x.txt", found(package("a", skipped=True)), "") == NOTHING_LEARNT
    assert tell("x.txt", None, "connection refused") == NOTHING_LEARNT
    assert "connection refused" in capsys.readouterr().out


def test_every_lock_file_is_audited() -> None:
    assert set(audit.LOCKS) == {"serve.txt", "run.txt", "dev.txt"}
