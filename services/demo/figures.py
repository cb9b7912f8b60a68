"""What the replay counts while it runs."""

from collections import Counter, deque
from dataclasses import dataclass, field

from bonpunkt.till.v1 import till_pb2 as pb

RATE_WINDOW_S = 5.0
BESIDE = ("enrolled", "reservation", "released", "voided", "returned")


@dataclass(slots=True)
class Figures:
    """Checkouts as the tills saw them: what came back, and how fast."""

    captured: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unsettled: int = 0
    points_earned: int = 0
    points_redeemed: int = 0
    same_basket_redemptions: int = 0
    points_restored: int = 0
    points_taken_back: int = 0  # what is owed for them included
    beside: Counter[str] = field(default_factory=Counter)  # accepted, by kind
    latencies_ms: list[float] = field(default_factory=list)
    _recent_s: deque[float] = field(default_factory=deque)

    @property
    def answered(self) -> int:
        """Captures with a final decision."""
        return self.captured + self.refused.total()

    def note(self, decision: pb.Decision, *, took_ms: float, now_s: float) -> None:
        """Counts a final decision; abandoned is counted as refused, for nothing was booked."""
        self.latencies_ms.append(took_ms)
        self._recent_s.append(now_s)
        if decision.HasField("captured"):
            captured = decision.captured
            self.captured += 1
            self.points_earned += captured.points_earned
            self.points_redeemed += captured.points_redeemed
            self.same_basket_redemptions += captured.points_redeemed_from_basket > 0
        elif decision.HasField("refused"):
            self.refused[pb.Reason.Name(decision.refused.reason)] += 1
        else:
            self.refused["ABANDONED"] += 1

    def note_beside(self, decision: pb.Decision) -> None:
        """Counts what was done beside a checkout: enrolled, reservation, released, voided,
        returned.
        """
        kind = decision.WhichOneof("result")
        if kind in ("voided", "returned"):
            reversal = decision.voided if kind == "voided" else decision.returned
            self.points_restored += reversal.points_restored
            self.points_taken_back += reversal.points_taken_back + reversal.points_owed
        if kind in BESIDE:
            self.beside[kind] += 1

    def per_s(self, *, now_s: float) -> float:
        """Checkouts a second over the last few seconds."""
        while self._recent_s and self._recent_s[0] < now_s - RATE_WINDOW_S:
            self._recent_s.popleft()
        if len(self._recent_s) < 2:
            return 0.0
        return len(self._recent_s) / max(now_s - self._recent_s[0], 0.001)


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile; 0 if there are no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(rank), 1) - 1]
