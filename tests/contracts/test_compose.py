"""docker-compose.yml names only what exists: images, commands, settings, ports, secrets."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from services.cli import main as command_line
from services.demo import shoppers
from tests.architecture import settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {
    name: service
    for name, service in SERVICES.items()
    if service["image"] == "bonpunkt" and "profiles" not in service
}
IN_PROFILES = {
    name: service["profiles"][0] for name, service in SERVICES.items() if "profiles" in service
}

IMAGES = {"postgres": "postgres:15", "redis": "redis:7"}
BASE = "python:3.11-slim-bookworm"


def test_every_part_of_the_house_is_there() -> None:
    assert set(OURS) == {"loyalty", "pos_gateway", "notifier", "admin"}
    assert set(SERVICES) == set(OURS) | set(IMAGES) | set(IN_PROFILES)


def test_what_is_not_needed_every_day_is_in_a_profile() -> None:
    assert IN_PROFILES == {
        "demo": "demo",
        "load": "load",
        "restore": "tools",
        "prometheus": "metrics",
        "grafana": "metrics",
    }


def test_foreign_images_are_the_versions_that_are_tested() -> None:
    assert {name: SERVICES[name]["image"] for name in IMAGES} == IMAGES


def test_our_services_share_one_image_and_run_without_rights() -> None:
    assert {service["image"] for service in OURS.values()} == {"bonpunkt"}
    for service in OURS.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", [*sorted(OURS), "restore"])
def test_commands_exist(name: str) -> None:
    command: click.Command = command_line
    for word in SERVICES[name]["command"]:
        if word.startswith("--"):
            options = {option for each in command.params for option in each.opts}
            assert word in options, f"{command.name} has no {word}"
            continue
        assert isinstance(command, click.Group)
        assert word in command.commands, f"there is no `bonpunkt {SERVICES[name]['command']}`"
        command = command.commands[word]


@pytest.mark.parametrize("name", ["demo", "load"])
def test_who_checks_out_baskets_is_told_what_it_understands(name: str) -> None:
    known = {option for each in shoppers.main.params for option in each.opts}

    assert {word.partition("=")[0] for word in SERVICES[name]["command"]} <= known
    assert SERVICES[name]["entrypoint"] == ["python", "-m", shoppers.__name__]


@pytest.mark.parametrize("name", [*sorted(OURS), "restore"])
def test_settings_exist(name: str) -> None:
    assert set(SERVICES[name]["environment"]) - settings.read_by_services() == set()


def test_no_secret_is_in_the_environment() -> None:
    """Whatever stands there is seen by everybody who may look at a container."""
    told = [value for each in SERVICES.values() for value in each.get("environment", {}).values()]

    assert [value for value in told if re.search(r"://[^/@]*:[^/@]*@", value)] == []
    for name, value in COMPOSE["secrets"].items():
        assert value["file"].endswith(f"/{name}")


@pytest.mark.parametrize("name", sorted(OURS))
def test_published_ports_are_those_that_the_service_listens_on(name: str) -> None:
    environment = OURS[name]["environment"]
    listening = [
        value.rpartition(":")[2]
        for key, value in environment.items()
        if key.endswith("_LISTEN") and "_METRICS_" not in key
    ]

    assert len(listening) == 1
    for published in OURS[name].get("ports", []):
        assert published.rpartition(":")[2] == listening[0]
        assert "127.0.0.1" in published, "what is not asked for is not reachable from elsewhere"


def test_who_is_asked_is_there_and_listens() -> None:
    """LOYALTY, NOTIFIER and database addresses name a service of this file with its port."""
    listening = {
        f"{host}:{value.rpartition(':')[2]}"
        for name, service in OURS.items()
        for host in _names(name)
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
    for name in ("demo", "load"):
        words = dict(word[2:].split("=", 1) for word in SERVICES[name]["command"])
        assert {words["loyalty"], words["gateway"]} <= listening


def _names(service: str) -> set[str]:
    networks = SERVICES[service].get("networks", {})
    aliases = networks["default"]["aliases"] if isinstance(networks, dict) and networks else []
    return {service, *aliases}


def test_every_service_is_watched() -> None:
    watched = [name for name in SERVICES if name not in IN_PROFILES]

    assert [name for name in watched if "healthcheck" not in SERVICES[name]] == []


def test_prometheus_scrapes_what_the_services_show() -> None:
    document = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    jobs = document["scrape_configs"]
    scraped = {t for job in jobs for each in job["static_configs"] for t in each["targets"]}
    shown = {
        f"{host}:{value.rpartition(':')[2]}"
        for name, service in OURS.items()
        for key, value in service["environment"].items()
        if key.endswith("_METRICS_LISTEN")
        for host in _names(name)
    }
    assert scraped <= shown


def test_names_used_are_names_declared() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        for volume in service.get("volumes", []):
            if volume.startswith("${SECRETS"):
                continue  # made by deploy/compose/make-secrets
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if "/" in source else source in COMPOSE["volumes"]


def test_the_example_environment_has_every_variable_and_no_other() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == used


def test_the_image_is_small_and_nobodys_root() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]

    made_here = {line.split()[3] for line in lines if line.startswith("FROM ")}
    assert set(bases) - made_here == {BASE}
    assert users == ["bonpunkt"]
    assert lines[-2:] == ["FROM base AS serve", "COPY --from=build /opt/bonpunkt /opt/bonpunkt"]
    installing = [line for line in lines if "install --no-cache-dir" in line and " ." not in line]
    assert all("--require-hashes" in line for line in installing)
    assert installing
