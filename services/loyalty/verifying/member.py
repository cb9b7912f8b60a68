"""A member as the journal rows so far say they are, and what each row may change of them."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Row

from services.loyalty.domain.due import derived_id
from services.loyalty.domain.ledger import MEMBER_ACCOUNTS
from services.loyalty.keys import member_bucket
from services.loyalty.verifying.keys import digest_of
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.rows import Json, Told

BALANCES = tuple(account.value for account in MEMBER_ACCOUNTS)
# What a row of these kinds makes of the status; a merge is looked at with its other half.
STATUS = {
    "enrol": "active",
    "unblock": "active",
    "block": "blocked",
    "merged": "merged",
    "erase": "erased",
}
QUALIFYING = ("enrol", "capture", "void", "return", "tier", "merge")
OVER = ("merged", "erase")


@dataclass(slots=True)
class Replayed:
    """`cards` are digests, in order. What cannot be known while only one bucket is looked at stands
    among them as a sign: `+id` all cards that the merge `id` brought, `-digest` one of them given
    up.
    """

    member_id: str
    version: int = 0
    last_sequence: int = 0
    enrolled_at_us: int = 0
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BALANCES, 0))
    lots: dict[str, int] = field(default_factory=dict)
    pending: dict[tuple[str, str], int] = field(default_factory=dict)
    reservations: dict[str, list[Any]] = field(default_factory=dict)
    cards: list[str] = field(default_factory=list)
    after: Json = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum([held for _, _, held, _, _ in self.reservations.values()])

    @property
    def available(self) -> int:
        return self.balances["points"] - self.held

    @property
    def is_merged(self) -> bool:
        return self.after.get("status") == "merged"

    def take(self, told: Told, report: Report) -> None:
        """Applies a row's movements and compares what comes out with what the row tells."""
        row = told.row
        version = self.version + (1 if row["accepted"] else 0)
        report.check(
            "members",
            (version, self.last_sequence) == (row["member_version"], row["member_previous"]),
            "{} does not continue member {}",
            told.at,
            self.member_id,
        )
        self.version, self.last_sequence = version, row["sequence"]
        self._move(told, report)
        if row["accepted"]:
            self._end_reservations(told, report)
            self._change_cards(told)
        self._check_balances(told, report)
        self._check_reservations(told, report)
        self._check_summary(told, report)
        self._check_standing(told, report)
        if row["kind"] == "enrol":
            self.enrolled_at_us = row["effective_at_us"]
        self.after = told.after

    def _move(self, told: Told, report: Report) -> None:
        movements, balances = told.movements, self.balances
        for source, target, points in movements["transfers"]:
            if source in balances:
                balances[source] -= points
            if target in balances:
                balances[target] += points
        right = _moved(self.lots, [(day, points) for day, points in movements["lots"]])
        waiting = movements.get("pending", ())
        right = _moved(self.pending, [((a, e), points) for a, e, points in waiting]) and right
        report.check("I2", right, "{} takes more from a lot than it has", told.at)

    def _end_reservations(self, told: Told, report: Report) -> None:
        row, decision = told.row, told.decision
        for reservation_id in told.movements.get("ended", ()):
            reservation = self.reservations.pop(reservation_id, None)
            report.check(
                "I4",
                reservation is not None and _ends(told, reservation),
                "{} ends reservation {}, which was {}",
                told.at,
                reservation_id,
                reservation or "not open",
            )
        if row["kind"] == "reserve":
            self.reservations[row["operation_id"]] = [
                row["operation_id"],
                told.facts["basket_id"],
                decision["points_held"],
                decision["points_promised"],
                decision["expires_at_us"],
            ]
        elif row["kind"] == "merge":  # what it brought: crossing.py compares it
            for reservation in _reservations(told.after)[len(self.reservations) :]:
                self.reservations[reservation[0]] = reservation
        elif row["kind"] == "merged":
            self.reservations.clear()

    def _change_cards(self, told: Told) -> None:
        kind, facts = told.row["kind"], told.facts
        if kind in OVER:
            self.cards.clear()
        elif kind == "merge":
            self.cards.append(f"+{told.row['operation_id']}")
        elif kind in ("enrol", "cards"):
            if "lost_card" in facts:
                lost = digest_of(facts["lost_card"])
                if lost in self.cards:
                    self.cards.remove(lost)
                else:
                    self.cards.append(f"-{lost}")
            if "card" in facts:
                self.cards.append(digest_of(facts["card"]))

    def _check_balances(self, told: Told, report: Report) -> None:
        balances, after = self.balances, told.after
        report.check(
            "I2",
            balances["points"] == sum(self.lots.values()) == after["points"]
            and balances["pending"] == sum(self.pending.values()) == after["pending"]
            and balances["receivable"] == after["receivable"] <= 0,
            "{}: accounts {}, lots {}, pending lots {}, told {}",
            told.at,
            balances,
            self.lots,
            self.pending,
            after,
        )
        soonest = min(self.lots) if self.lots else None
        report.check(
            "I2",
            after["expiring"] == ([soonest, self.lots[soonest]] if soonest else None)
            and after.get("more", {}).get("pending", []) == _listed(self.pending),
            "{}: lots {}, pending lots {}, told {}",
            told.at,
            self.lots,
            self.pending,
            after,
        )

    def _check_reservations(self, told: Told, report: Report) -> None:
        held = self.held
        report.check(
            "I3",
            held == told.after["held"]
            and list(self.reservations.values()) == _reservations(told.after),
            "{}: reservations {}, told {}",
            told.at,
            self.reservations,
            told.after,
        )
        available = self.balances["points"] - held
        report.check("I3", available >= 0, "{}: {} points are available", told.at, available)

    def _check_summary(self, told: Told, report: Report) -> None:
        """What the answer told of the member is their state after the row."""
        after, summary = told.after, told.decision.get("member")
        if summary is not None:
            points = after["points"]
            right = [self.member_id, self.version, points, points - after["held"]]
            right += [after["language"], after["pending"], after["tier"]]
            report.check(
                "members",
                summary == right[: len(summary)],
                "{} answers {}, the member is {}",
                told.at,
                summary,
                right,
            )

    def _check_standing(self, told: Told, report: Report) -> None:
        """What is no balance changes only by rows of a kind that may change it."""
        kind = told.row["kind"] if told.row["accepted"] else ""
        before, after = self.after, told.after
        more_before, more = before.get("more", {}), after.get("more", {})
        status = STATUS.get(kind, before.get("status"))
        right = after["status"] == status or kind == "merge"
        right = right and (kind == "enrol" or after["language"] == before["language"])
        right = right and (kind in QUALIFYING or after["tier"] == before["tier"])
        for name, kinds in (
            ("tier_until", QUALIFYING),
            ("qualifying", QUALIFYING),
            ("announced", ("announce",)),
        ):
            told_now = more.get(name)
            if kind in OVER:
                right = right and told_now is None
            elif kind not in kinds:
                right = right and told_now == more_before.get(name)
        merged_into = more_before.get("merged_into")
        if kind == "merged":
            merged_into = told.facts["merged_into"]
        right = right and more.get("merged_into") == merged_into
        report.check("members", right, "{}: {} became {}", told.at, before, after)

    def is_state_of(self, row: Row[Any]) -> bool:
        """Whether the stored row is this, to the last character; but for its cards."""
        after = self.after
        return (
            row.bucket == member_bucket(row.member_id)
            and row.version == self.version
            and row.last_sequence == self.last_sequence
            and row.enrolled_at_us == self.enrolled_at_us
            and row.lots == orjson.dumps(sorted(self.lots.items())).decode()
            and row.more == orjson.dumps(after.get("more", {})).decode()
            and row.due_at_us == after.get("due_at_us", 0)
            and all(getattr(row, name) == self.balances[name] for name in BALANCES)
            and (row.held, row.status, row.tier, row.language)
            == (after["held"], after["status"], after["tier"], after["language"])
        )


def _moved(lots: dict[Any, int], moves: list[tuple[Any, int]]) -> bool:
    """Whether no lot was overdrawn; an emptied one is gone."""
    right = True
    for key, points in moves:
        left = lots.get(key, 0) + points
        right = right and left >= 0
        if left:
            lots[key] = left
        else:
            lots.pop(key, None)
    return right


def _ends(told: Told, reservation: list[Any]) -> bool:
    """Whether the row tells of the reservation that it ends what it was."""
    row, decision, facts = told.row, told.decision, told.facts
    reservation_id, basket_id, held, promised, expires_at_us = reservation
    match row["kind"]:
        case "capture":
            return bool(facts["reservation"] == [reservation_id, held, promised])
        case "release" | "timeout":
            named = (decision["reservation_id"], decision["points_held"], facts["basket_id"])
            over = row["kind"] == "release" or row["effective_at_us"] >= expires_at_us
            return named == (reservation_id, held, basket_id) and bool(over)
        case "reserve":
            return bool(facts["basket_id"] == basket_id)
        case _:
            return bool(row["kind"] == "erase")


def _listed(pending: dict[tuple[str, str], int]) -> list[list[Any]]:
    return [[first, last, points] for (first, last), points in sorted(pending.items())]


def _reservations(after: Json) -> list[list[Any]]:
    found: list[list[Any]] = after.get("more", {}).get("reservations", [])
    return found


def effect_of_time(told: Told) -> str | None:
    """The operation id of a row that nobody asked for, which follows from what it did."""
    decision, facts = told.decision, told.facts
    match told.row["kind"]:
        case "timeout":
            effect = f"timeout {decision['reservation_id']}"
        case "activate":
            effect = f"activate {facts['activates_on']}"
        case "expire":
            effect = f"expire {facts['expires_on']}"
        case "tier":
            effect = f"tier {facts['until']}"
        case "announce":
            effect = f"announce {decision['days_ahead']} {decision['expires_on']}"
        case _:
            return None
    return derived_id(told.row["member_id"], f"{effect} {told.row['member_version'] - 1}")
