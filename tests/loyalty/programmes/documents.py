"""A programme document to spoil, and what is said of it then."""

import copy
from pathlib import Path
from typing import Any

import pytest

from services.loyalty.programmes import ProgrammeError, load_programme

# What the demo was before there were tiers; written by the release that had no further keys.
VERSION_1 = Path(__file__).with_name("version_1.json")


def errors_of(document: Any) -> dict[str, str]:
    with pytest.raises(ProgrammeError) as raised:
        load_programme(document)
    for path, words in raised.value.errors.items():
        assert f"{path}: {words}" in str(raised.value)
    return raised.value.errors


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `document` with `value` at `path`."""
    result = copy.deepcopy(document)
    *parents, last = path.split(".")
    at(result, parents)[last] = value
    return result


def without(document: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy of `document` that lacks the key at `path`."""
    result = copy.deepcopy(document)
    *parents, last = path.split(".")
    at(result, parents).pop(last, None)
    return result


def at(document: dict[str, Any], path: list[str]) -> Any:
    found: Any = document
    for key in path:
        found = found[key]
    return found
