"""What one bucket alone cannot show: operations of two rows, collected while the buckets are
replayed and matched when all are (I9). Few operations have two rows, so memory holds them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.loyalty.domain.due import derived_id
from services.loyalty.verifying.member import Replayed
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.reversals import Claim, Receipt, check_receipt
from services.loyalty.verifying.rows import Told, named
from services.loyalty.verifying.transfers import is_across, moved_from


@dataclass(frozen=True, slots=True)
class Half:
    """A row of an operation that has two, and of its member: status and reservations before it,
    cards too where they went with it.
    """

    told: Told
    status: str = ""
    reservations: tuple[list[Any], ...] = ()
    cards: tuple[str, ...] = ()

    @property
    def at(self) -> str:
        return self.told.at


@dataclass(slots=True)
class Crossing:
    report: Report
    mains: dict[str, Half] = field(default_factory=dict)  # by operation id
    legs: dict[str, Half] = field(default_factory=dict)  # by the operation id of their main row
    holders: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    receipts: dict[tuple[int, int], Receipt] = field(default_factory=dict)
    claims: dict[tuple[int, int], list[Claim]] = field(default_factory=dict)

    def note(self, told: Told, member: Replayed | None) -> None:
        """Keeps a row that has another half; `member` as they were before it."""
        row = told.row
        if not row["accepted"]:
            return
        if row["kind"] in ("merge", "merged"):
            assert member is not None, "a merge of nobody"
            half = Half(
                told,
                member.after["status"],
                tuple(member.reservations.values()),
                tuple(member.cards),
            )
        elif row["kind"] == "leg" or (row["kind"] in ("void", "return") and is_across(told)):
            half = Half(told)
        else:
            return
        if row["kind"] in ("merged", "leg"):
            main_id = told.decision["main_id"]
            first = self.legs.setdefault(main_id, half) is half
            self.report.check("I9", first, "{} is a second leg of {}", told.at, main_id)
        else:
            self.mains[row["operation_id"]] = half

    def match(self) -> None:
        """To be called when every bucket was replayed."""
        for main_id, main in self.mains.items():
            leg = self.legs.get(main_id)
            self._tried(self._match_halves, main.at, main, leg)
        for main_id, leg in self.legs.items():
            right = main_id in self.mains
            self.report.check("I9", right, "{} is a leg of {}, which is missing", leg.at, main_id)
        for at, stored, expected in self.holders:
            self._tried(self._match_cards, at, at, stored, expected)
        into = {
            leg.told.row["member_id"]: leg.told.facts.get("merged_into", "")
            for leg in self.legs.values()
        }
        for place in sorted({*self.receipts, *self.claims}, key=str):
            self._tried(self._match_receipt, named("reversal", *place), place, into)

    def _tried(self, check: Callable[..., None], at: str, *about: Any) -> None:
        try:
            check(*about)
        except Exception as error:  # whatever a changed row holds is told
            self.report.check("I9", False, "{} cannot be read: {!r}", at, error)

    def _match_halves(self, main: Half, leg: Half | None) -> None:
        if main.told.row["kind"] == "merge":
            self._match_merge(main, leg)
        else:
            self._match_reversal(main, leg)

    def _match_merge(self, main: Half, leg: Half | None) -> None:
        if leg is None:
            self.report.check("I9", False, "{} is without the row of whom it merged", main.at)
            return
        told, other = main.told, leg.told
        arrived = told.after.get("more", {}).get("reservations", [])[len(main.reservations) :]
        blocked = "blocked" in (main.status, leg.status)
        whole = (
            other.row["kind"] == "merged"
            and _are_halves(told, other, f"merged {told.row['operation_id']}")
            and told.decision["merged_id"] == told.facts["merged_id"] == other.row["member_id"]
            and other.facts["merged_into"] == told.row["member_id"]
            and told.movements["transfers"] == _mirrored(other.movements["transfers"])
            and told.movements["lots"] == _negative(other.movements["lots"])
            and told.movements.get("pending", []) == _negative(other.movements.get("pending", []))
            and arrived == list(leg.reservations)
            and told.after["status"] == ("blocked" if blocked else "active")
        )
        self.report.check("I9", whole, "{} and {} are not halves of one merge", main.at, leg.at)

    def _match_reversal(self, main: Half, leg: Half | None) -> None:
        told = main.told
        restored = moved_from("in_transit", told.movements)
        back = sum([p for _, target, p in told.movements["transfers"] if target == "in_transit"])
        expected = [["redeemed", "in_transit", restored], ["in_transit", "issued", back]]
        expected = [transfer for transfer in expected if transfer[2]]
        if leg is None:
            self.report.check(
                "I9", not expected, "{} is without its row in the receipt's bucket", main.at
            )
            return
        other = leg.told
        whole = (
            other.row["kind"] == "leg"
            and _are_halves(told, other, "leg")
            and told.facts["receipt"] == other.facts["receipt"]
            and told.facts["receipt"][0] == other.row["bucket"]
            and other.facts["member_id"] == told.row["member_id"]
            and other.movements["transfers"] == expected
        )
        self.report.check("I9", whole, "{} and {} are not halves of one act", main.at, leg.at)

    def _match_cards(self, at: str, stored: list[str], expected: list[str]) -> None:
        right = stored == self._cards(expected, frozenset())
        self.report.check("members", right, "{} has not the cards that were brought", at)

    def _cards(self, signs: Sequence[str], merges: frozenset[str]) -> list[str]:
        """The digests that the signs of `Replayed.cards` stand for; a merge within `merges` would
        bring itself.
        """
        cards: list[str] = []
        for sign in signs:
            if sign.startswith("+"):
                main_id = sign[1:]
                if main_id in self.legs and main_id not in merges:
                    cards += self._cards(self.legs[main_id].cards, merges | {main_id})
            elif not sign.startswith("-"):
                cards.append(sign)
            elif sign[1:] in cards:
                cards.remove(sign[1:])
        return cards

    def _match_receipt(self, place: tuple[int, int], into: Mapping[str, str]) -> None:
        """What came back of the receipt of a member who was merged: in two buckets, maybe."""
        receipt, claims = self.receipts.get(place), self.claims.get(place, [])
        if receipt is None:
            self.report.check(
                "I10", False, "{} took back of reversal {}/{}, which is not", claims[0].at, *place
            )
            return
        owner: str | None = receipt.member_id
        owners: set[str] = set()
        while owner and owner not in owners:
            owners.add(owner)
            owner = into.get(owner)
        check_receipt(receipt, [*receipt.claims, *claims], owners, self.report)


def _are_halves(told: Told, other: Told, effect: str) -> bool:
    """Booked at the same instant by the same, under an id that follows from the other."""
    row, leg = told.row, other.row
    same = ("effective_at_us", "terminal_id", "store_id", "actor", "occurred_at_us")
    member_id = leg["member_id"] or row["operation_id"]
    return leg["operation_id"] == derived_id(member_id, effect) and all(
        row[name] == leg[name] for name in same
    )


def _mirrored(transfers: list[list[Any]]) -> list[list[Any]]:
    return [[target, source, points] for source, target, points in transfers]


def _negative(moves: list[list[Any]]) -> list[list[Any]]:
    return [[*days, -points] for *days, points in moves]
