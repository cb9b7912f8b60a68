"""What the replay counts."""

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.demo.figures import RATE_WINDOW_S, Figures, percentile


def _captured(*, earned: int = 0, redeemed: int = 0, from_basket: int = 0) -> pb.Decision:
    captured = pb.Captured(
        points_earned=earned, points_redeemed=redeemed, points_redeemed_from_basket=from_basket
    )
    return pb.Decision(captured=captured)


def _refused(reason: pb.Reason) -> pb.Decision:
    return pb.Decision(refused=pb.Refused(reason=reason))


def _note(figures: Figures, *decisions: pb.Decision) -> None:
    for decision in decisions:
        figures.note(decision, took_ms=1.0, now_s=0.0)


def test_points_are_summed_over_captures() -> None:
    figures = Figures()
    _note(figures, _captured(earned=5, redeemed=3), _captured(earned=7))

    assert (figures.captured, figures.points_earned, figures.points_redeemed) == (2, 12, 3)


def test_only_points_beyond_the_balance_make_a_same_basket_redemption() -> None:
    figures = Figures()
    _note(figures, _captured(redeemed=9), _captured(redeemed=9, from_basket=1))

    assert figures.same_basket_redemptions == 1


def test_refusals_are_counted_by_reason_and_are_answers() -> None:
    figures = Figures()
    _note(
        figures,
        _refused(pb.REASON_KEY_REUSED),
        _refused(pb.REASON_KEY_REUSED),
        _refused(pb.REASON_CARD_NOT_ACCEPTED),
        pb.Decision(abandoned=pb.Abandoned(abandoned=True)),
        _captured(),
    )

    assert figures.refused == {
        "REASON_KEY_REUSED": 2,
        "REASON_CARD_NOT_ACCEPTED": 1,
        "ABANDONED": 1,
    }
    assert (figures.captured, figures.answered) == (1, 5)


def test_the_rate_looks_back_a_few_seconds_only() -> None:
    figures = Figures()
    for second in range(20):
        figures.note(_captured(), took_ms=1.0, now_s=float(second))

    assert figures.per_s(now_s=19.0) == pytest.approx(6 / RATE_WINDOW_S)
    assert figures.per_s(now_s=100.0) == 0.0


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, 0.0),
        ([3.0], 99, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 102)], 99, 100.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
    ],
)
def test_percentiles_are_values_that_occurred(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected
