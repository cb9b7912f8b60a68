"""The transfers that a decision consists of, worked out anew from what was decided (I9)."""

from collections.abc import Mapping
from typing import Any

from services.loyalty.verifying.rows import Told

Leg = list[Any]  # [from account, to account, points], as the journal has it

# What an accepted row of each kind was decided as.
RESULTS = {
    "enrol": "enrolled",
    "reserve": "reserved",
    "capture": "captured",
    "release": "released",
    "void": "voided",
    "return": "returned",
    "abandon": "abandoned",
    "adjust": "adjusted",
    "merge": "merged",
    "cards": "cards_changed",
    "block": "blocked",
    "unblock": "unblocked",
    "erase": "erased",
    "timeout": "timed_out",
    "activate": "activated",
    "expire": "expired",
    "announce": "announced",
    "tier": "tier_moved",
    "merged": "leg",
    "leg": "leg",
}


def result_expected(told: Told) -> str | None:
    """None for a kind that there is not."""
    return RESULTS.get(told.row["kind"]) if told.row["accepted"] else "refused"


def transfers_decided(told: Told, before: Mapping[str, int]) -> list[Leg]:
    """`before` are the member's balances before the row. Of a leg in another bucket only the form
    follows from its own row: verifying/crossing.py compares it with its other half.
    """
    return [leg for leg in _legs(told, before) if leg[2]]


def _legs(told: Told, before: Mapping[str, int]) -> list[Leg]:
    decision = told.decision
    match decision["result"]:
        case "captured":
            return _captured(decision)
        case "expired":
            return [["points", "expired", decision["points_expired"]]]
        case "activated":
            return [["pending", "points", decision["points_activated"]]]
        case "enrolled":
            return [["adjusted", "points", decision["member"][2]]]
        case "adjusted":
            return _adjusted(decision["points"], owed=-before["receivable"])
        case "voided" | "returned":
            return _reversed(told)
        case "erased":
            pending = decision["points_forfeited"] - before["points"]
            return [
                ["points", "forfeited", before["points"]],
                ["pending", "forfeited", pending],
                ["loss", "receivable", -before["receivable"]],
            ]
        case "merged":
            return [
                ["in_transit", "points", lots_change(told.movements)],
                ["in_transit", "pending", pending_change(told.movements)],
                ["receivable", "in_transit", moved_from("receivable", told.movements)],
            ]
        case "leg" if told.row["kind"] == "merged":
            return [
                ["points", "in_transit", before["points"]],
                ["pending", "in_transit", before["pending"]],
                ["in_transit", "receivable", -before["receivable"]],
            ]
        case "leg":
            return [
                ["redeemed", "in_transit", moved_from("redeemed", told.movements)],
                ["in_transit", "issued", moved_from("in_transit", told.movements)],
            ]
        case _:
            return []


def _captured(decision: Mapping[str, Any]) -> list[Leg]:
    settled, waiting = decision.get("points_settled", 0), decision.get("points_pending", 0)
    return [
        ["issued", "receivable", settled],
        ["issued", "points", decision["points_earned"] - settled - waiting],
        ["issued", "pending", waiting],
        ["points", "redeemed", decision["points_redeemed"]],
    ]


def _adjusted(points: int, *, owed: int) -> list[Leg]:
    settled = min(max(points, 0), owed)
    return [
        ["adjusted", "receivable", settled],
        ["adjusted", "points", max(points, 0) - settled],
        ["points", "adjusted", max(-points, 0)],
    ]


def _reversed(told: Told) -> list[Leg]:
    """Where the receipt's accounts are in another bucket, in_transit stands for them."""
    decision = told.decision
    source, target = ("in_transit",) * 2 if is_across(told) else ("redeemed", "issued")
    from_pending = -pending_change(told.movements)
    return [
        [source, "points", decision["points_restored"]],
        ["pending", target, from_pending],
        ["points", target, decision["points_taken_back"] - from_pending],
        ["receivable", target, decision["points_owed"]],
    ]


def is_across(told: Told) -> bool:
    """Whether a void or a return takes back a receipt of another bucket."""
    bucket, _ = told.facts["receipt"]
    return bool(bucket != told.row["bucket"])


def lots_change(movements: Mapping[str, Any]) -> int:
    return sum([points for _, points in movements["lots"]])


def pending_change(movements: Mapping[str, Any]) -> int:
    return sum([points for _, _, points in movements.get("pending", ())])


def moved_from(account: str, movements: Mapping[str, Any]) -> int:
    return sum([points for source, _, points in movements["transfers"] if source == account])
