"""A programme that no document can describe is a bug, and stops where it is made."""

from typing import Any

import pytest

from tests.loyalty.examples import a_programme


@pytest.mark.parametrize(
    "changes",
    [
        {"redeem_step": 1, "redeem_minimum": 1, "redeem_share_percent": 0},
        {"redeem_step": 2, "redeem_minimum": 2, "value_points": 2, "value_minor": 1},
        {"redeem_step": 50, "redeem_minimum": 200, "redeem_share_percent": 100},
        {"category_percent": {}},
    ],
)
def test_rules_at_their_limits_are_a_programme(changes: dict[str, Any]) -> None:
    a_programme(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"minor_per_point": 0},
        {"category_percent": {"GROCERY": -1}},
        {"value_points": 0},
        {"value_minor": 0},
        {"redeem_step": 0},
        {"redeem_minimum": 0},
        {"redeem_step": 50, "redeem_minimum": 49},
        {"redeem_step": 50, "redeem_minimum": 75},
        {"redeem_step": 1, "value_points": 2},
        {"redeem_share_percent": -1},
        {"redeem_share_percent": 101},
        {"expiry_months": 0},
    ],
)
def test_rules_beyond_their_limits_are_none(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        a_programme(**changes)
