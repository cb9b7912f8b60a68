"""Dashboard and alert rules speak of metrics that exist, and each alert is explained."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.ports import free_port
from tests.servers.suite import Suite

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/bonpunkt.json"
OPERATIONS = ROOT / "docs/operations.md"

SCRAPED = {"up"}  # by Prometheus itself
_WORDS = re.compile(r"\b(?:bonpunkt|process)_\w+|\bup\b")
_IN_QUOTES = re.compile(r'"[^"]*"')
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_BY = re.compile(r"\bby\s*\(([^)]*)\)")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> list[str]:
    of_panels = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in alerts()] + of_panels


@pytest.fixture(scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Of every metric that the four processes tell, its names and labels."""
    folder = tmp_path_factory.mktemp("watched")
    services = ("LOYALTY", "GATEWAY", "NOTIFIER", "ADMIN")
    listening = {f"{name}_METRICS_LISTEN": f"127.0.0.1:{free_port()}" for name in services}
    async with (
        Suite(folder, notifier=True, admin=True, settings=listening),
        aiohttp.ClientSession() as session,
    ):
        texts = []
        for address in listening.values():
            async with session.get(f"http://{address}/metrics") as answer:
                assert answer.status == 200
                texts.append(await answer.text())
    return {name: _labels(name, "\n".join(texts)) for text in texts for name in _names(text)}


def _names(text: str) -> set[str]:
    """As expressions write them: of a histogram its buckets, sum and count."""
    names = set()
    for family in text_string_to_metric_families(text):
        suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
    return names


def _labels(name: str, text: str) -> set[str]:
    """Labels of its samples; of one that has no sample yet nothing is known."""
    return {
        label
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
        for label in sample.labels
    }


async def test_every_metric_that_is_asked_for_exists(told: Mapping[str, set[str]]) -> None:
    asked = {word for each in expressions() for word in _WORDS.findall(_IN_QUOTES.sub("", each))}

    assert asked - set(told) - SCRAPED == set()
    assert len(asked) > 20


async def test_every_metric_of_ours_is_on_the_dashboard(told: Mapping[str, set[str]]) -> None:
    """What nobody looks at need not be measured."""
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    ours = {re.sub("_(bucket|sum|count)$", "", name) for name in told if "bonpunkt" in name}

    assert {name for name in ours if name not in shown} == set()


async def test_labels_that_are_asked_for_exist(told: Mapping[str, set[str]]) -> None:
    known = set().union(*told.values()) | {"instance", "job", "kind", "outcome", "endpoint"}
    known |= {"state", "status"}
    asked = {label for each in expressions() for label in _LABEL.findall(each)}
    asked |= {
        label.strip()
        for each in expressions()
        for by in _BY.findall(each)
        for label in by.split(",")
    }

    assert asked - known == set()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_whoever_is_woken_finds_what_to_look_at_and_do(rule: dict[str, Any]) -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    [section] = re.findall(
        rf"^### {rule['alert']}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL
    )

    assert "**Look at**" in section
    assert "**Do**" in section
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]


def test_no_alert_is_explained_that_does_not_exist() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")

    explained = re.findall(r"^### (Bonpunkt\w+)$", text, re.MULTILINE)
    assert explained == [rule["alert"] for rule in alerts()]


def test_panels_have_numbers_of_their_own() -> None:
    numbers = [panel["id"] for panel in panels()]

    assert len(numbers) == len(set(numbers))
