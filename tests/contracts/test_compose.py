"""docker-compose.yml names only what exists: images, commands, settings, ports, secrets."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from services.cli import main as command_line
from tests.architecture import settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

IMAGES = {"postgres": "postgres:15", "redis": "redis:7"}
BASE = "python:3.11-slim-bookworm"


def test_every_part_of_the_house_is_there() -> None:
    assert set(OURS) == {"loyalty", "pos_gateway", "notifier", "admin"}
    assert set(SERVICES) == set(OURS) | set(IMAGES)


def test_foreign_images_are_the_versions_that_are_tested() -> None:
    assert {name: SERVICES[name]["image"] for name in IMAGES} == IMAGES


def test_our_services_share_one_image_and_run_without_rights() -> None:
    assert {service["image"] for service in OURS.values()} == {"bonpunkt"}
    for service in OURS.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_exist(name: str) -> None:
    command: click.Command = command_line
    for word in OURS[name]["command"]:
        assert isinstance(command, click.Group)
        assert word in command.commands, f"there is no `bonpunkt {' '.join(OURS[name]['command'])}`"
        command = command.commands[word]


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_exist(name: str) -> None:
    assert set(OURS[name]["environment"]) - settings.read_by_services() == set()


@pytest.mark.parametrize("name", sorted(OURS))
def test_published_ports_are_those_that_the_service_listens_on(name: str) -> None:
    environment = OURS[name]["environment"]
    listening = [value.rpartition(":")[2] for key, value in environment.items() if "LISTEN" in key]

    assert len(listening) == 1
    for published in OURS[name].get("ports", []):
        assert published.rpartition(":")[2] == listening[0]
        assert "127.0.0.1" in published, "plain text stays on loopback"


def test_who_is_asked_is_there_and_listens() -> None:
    """LOYALTY, NOTIFIER and database addresses name a service of this file with its port."""
    listening = {
        f"{name}:{value.rpartition(':')[2]}"
        for name, service in OURS.items()
        for key, value in service["environment"].items()
        if key.endswith("_LISTEN")
    } | {"postgres:5432"}
    asked = {
        re.sub(r"^postgresql://.*@|/\w+$", "", value)
        for service in OURS.values()
        for key, value in service["environment"].items()
        if key.endswith(("_LOYALTY", "_NOTIFIER", "_DATABASE_URL"))
    }
    assert asked <= listening
    assert asked


def test_every_service_is_watched() -> None:
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == []


def test_names_used_are_names_declared() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if "/" in source else source in COMPOSE["volumes"]


def test_the_example_environment_has_every_variable_and_no_other() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == used


def test_the_image_is_small_and_nobodys_root() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]

    assert set(bases) == {BASE}
    assert len(bases) == 2, "what builds is not what runs"
    assert users == ["bonpunkt"]
    assert any("--require-hashes" in line for line in lines)
