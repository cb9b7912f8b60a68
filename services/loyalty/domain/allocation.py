"""What of a receipt hangs on each of its lines, and how much comes back with a piece of a line.

The recorded discount, points redeemed, points earned and qualifying points are split over the lines
once, exactly. Of each, ⌊share × returned gross ÷ gross⌋ has come back with a line, counted over all
its returns: so the last piece takes the exact rest, in whatever pieces and order the line came.

Coupons and deposits have negative gross and negative shares. Goods that come back without them
would bring back more than the receipt had, so the sums over the lines are kept within bounds:
never less than came back before, never more than was recorded.
"""

from collections.abc import Mapping, Sequence

from services.loyalty.domain.basket import LineItem
from services.loyalty.domain.decision import LineRefund, VatRefund
from services.loyalty.domain.discount import rounded_to_sum, split_by_vat_rate
from services.loyalty.domain.earn import line_weight
from services.loyalty.domain.original import Original, Reversal
from services.loyalty.domain.value import value


@value
class Piece:
    """What comes back of one line now, and all that came back of it with this; signed like the
    line.
    """

    line: LineItem
    quantity_milli: int
    refund_minor: int  # gross, as it was rung up
    quantity_after_milli: int
    gross_after_minor: int


@value
class Allocation:
    """What one return takes of a receipt. `lines` and `complete` are the reversal's after it."""

    refund_minor: int
    discount_minor: int
    line_refunds: tuple[LineRefund, ...]
    vat_refunds: tuple[VatRefund, ...]
    points_restored: int
    points_taken_back: int
    qualifying_points: int
    lines: tuple[tuple[str, int, int], ...]
    complete: bool


@value
class Shares:
    """What of the receipt hangs on each line, in the order of the lines; each adds up to what was
    recorded.
    """

    discount_minor: tuple[int, ...]
    points_redeemed: tuple[int, ...]
    points_earned: tuple[int, ...]
    qualifying_points: tuple[int, ...]


def pieces_of(
    lines: Sequence[LineItem], so_far: Reversal, quantities: Mapping[str, int]
) -> tuple[Piece, ...]:
    """The pieces that come back now, in the order of the receipt.

    `quantities` are thousandths by line id, each at most what is left of its line, with its sign.
    The gross of a part of a line is rounded down, counted over all its returns. A line of quantity
    0 comes back whole.
    """
    before = {line_id: (quantity, gross) for line_id, quantity, gross in so_far.lines}
    pieces = []
    for line in lines:
        if line.line_id not in quantities:
            continue
        quantity_before, gross_before = before.get(line.line_id, (0, 0))
        quantity_after = quantity_before + quantities[line.line_id]
        gross_after = line.total_minor
        if quantity_after != line.quantity_milli:
            gross_after = part_of(line.total_minor, quantity_after, line.quantity_milli)
        pieces.append(
            Piece(
                line=line,
                quantity_milli=quantities[line.line_id],
                refund_minor=gross_after - gross_before,
                quantity_after_milli=quantity_after,
                gross_after_minor=gross_after,
            )
        )
    return tuple(pieces)


def allocate(original: Original, so_far: Reversal, pieces: Sequence[Piece]) -> Allocation:
    """What comes back with `pieces` of the receipt's lines, whose refund is 0 or more."""
    lines = original.line_items
    assert lines is not None, "nothing is returned by line once the lines are gone"
    captured, shares = original.captured, shares_of(original, lines)
    after = _lines_after(lines, so_far, pieces)
    gross_of = {line_id: gross for line_id, _, gross in after}
    gross = [gross_of.get(line.line_id, 0) for line in lines]
    own_minor = _came_back(shares.discount_minor, lines, gross)
    discount_after_minor = _within_bounds(own_minor, original, lines, so_far, pieces)
    discount_minor = discount_after_minor - so_far.discount_minor
    discounts = _discounts_of(pieces, original, discount_minor)
    redeemed_back = _came_back(shares.points_redeemed, lines, gross)
    if discount_after_minor != own_minor:  # points go where the discount goes
        redeemed_back = part_of(
            captured.points_redeemed, discount_after_minor, captured.discount_minor
        )
    earned_back = _came_back(shares.points_earned, lines, gross)
    qualifying_back = _came_back(shares.qualifying_points, lines, gross)
    return Allocation(
        refund_minor=sum([piece.refund_minor for piece in pieces]),
        discount_minor=discount_minor,
        line_refunds=tuple(
            [
                LineRefund(piece.line.line_id, piece.quantity_milli, piece.refund_minor, discount)
                for piece, discount in zip(pieces, discounts, strict=True)
            ]
        ),
        vat_refunds=_vat_refunds(pieces, discounts),
        points_restored=_more(
            redeemed_back, than=so_far.points_restored, of=captured.points_redeemed
        ),
        points_taken_back=_more(
            earned_back, than=so_far.points_taken_back, of=captured.points_earned
        ),
        qualifying_points=_more(
            qualifying_back, than=so_far.qualifying_points, of=original.qualifying_points
        ),
        lines=after,
        complete=[quantity for _, quantity, _ in after] == [line.quantity_milli for line in lines],
    )


# --- shares ---------------------------------------------------------------------------------


def shares_of(original: Original, lines: Sequence[LineItem]) -> Shares:
    """Points redeemed follow the recorded discount of the lines, points earned their weight under
    the rules by which they were earned.
    """
    captured = original.captured
    discounts = dict(captured.line_discounts)
    discount_minor = tuple([discounts.get(line.line_id, 0) for line in lines])
    weights = [line_weight(line, original.programme) for line in lines]
    return Shares(
        discount_minor=discount_minor,
        points_redeemed=split(captured.points_redeemed, discount_minor),
        points_earned=split(captured.points_earned, weights),
        qualifying_points=split(original.qualifying_points, weights),
    )


def split(points: int, weights: Sequence[int]) -> tuple[int, ...]:
    """One share per signed weight, adding up to `points`; rounded by largest remainder, and among
    equals the earlier is first. Points hang on weights whose sum is positive; no points, on any.
    """
    if not points:
        return (0,) * len(weights)
    whole = sum(weights)
    assert whole > 0, "points were recorded that hang on nothing"
    return tuple(
        rounded_to_sum(
            [points * weight for weight in weights], denominator=whole, rounded_sum=points
        )
    )


def part_of(recorded: int, part: int, whole: int) -> int:
    """⌊recorded × part ÷ whole⌋ by absolute values, with the sign of `recorded`; of a `whole` of 0
    nothing.
    """
    if whole == 0:
        return 0
    magnitude = abs(recorded) * abs(part) // abs(whole)
    return magnitude if recorded >= 0 else -magnitude


def _came_back(shares: Sequence[int], lines: Sequence[LineItem], gross: Sequence[int]) -> int:
    """The sum of what has come back with `gross` of each line, before any bound."""
    return sum(
        [
            part_of(share, returned, line.total_minor)
            for share, returned, line in zip(shares, gross, lines, strict=True)
        ]
    )


def _more(came_back: int, *, than: int, of: int) -> int:
    """What comes back now: up to `came_back` in all, of which `than` is back before, but never less
    than nothing and never more than `of` in all.
    """
    return max(than, min(of, came_back)) - than


def _lines_after(
    lines: Sequence[LineItem], so_far: Reversal, pieces: Sequence[Piece]
) -> tuple[tuple[str, int, int], ...]:
    after = {line_id: (line_id, quantity, gross) for line_id, quantity, gross in so_far.lines}
    for piece in pieces:
        line_id = piece.line.line_id
        after[line_id] = (line_id, piece.quantity_after_milli, piece.gross_after_minor)
    return tuple([after[line.line_id] for line in lines if line.line_id in after])


# --- the discount ---------------------------------------------------------------------------


def _within_bounds(
    own_minor: int,
    original: Original,
    lines: Sequence[LineItem],
    so_far: Reversal,
    pieces: Sequence[Piece],
) -> int:
    """How much of all refunds had been paid in points: the lines' own shares, if they can be.

    Of the money that was paid no more comes back than there was, while the refunds of the receipt
    are within its total: beyond that (goods came back, a deposit did not) all of the discount has
    come back. Without negative lines no bound is ever met.
    """
    refund_minor = sum([piece.refund_minor for piece in pieces])
    assert refund_minor >= 0, "a return pays out, or nothing"
    recorded_minor, before_minor = original.captured.discount_minor, so_far.discount_minor
    paid_minor = sum([line.total_minor for line in lines]) - recorded_minor
    refunded_minor = so_far.refund_minor + refund_minor
    least = max(before_minor, min(recorded_minor, refunded_minor - paid_minor))
    most = min(recorded_minor, before_minor + refund_minor)
    assert least <= most, "the discount of a receipt came back beyond its bounds"
    return max(least, min(own_minor, most))


def _discounts_of(
    pieces: Sequence[Piece], original: Original, discount_minor: int
) -> tuple[int, ...]:
    """The discount of each piece: its line's own. Where a bound was met, or the pieces of a VAT
    rate would carry more than all of its refund, the discount of this return is split over the
    pieces as that of a purchase is.
    """
    shares = dict(original.captured.line_discounts)
    own = []
    for piece in pieces:
        share, gross_minor = shares.get(piece.line.line_id, 0), piece.line.total_minor
        gross_before_minor = piece.gross_after_minor - piece.refund_minor
        own.append(
            part_of(share, piece.gross_after_minor, gross_minor)
            - part_of(share, gross_before_minor, gross_minor)
        )
    if sum(own) == discount_minor and all(
        0 <= vat.discount_minor <= vat.refund_minor or vat.refund_minor <= vat.discount_minor <= 0
        for vat in _vat_refunds(pieces, own)
    ):
        return tuple(own)
    return split_by_vat_rate(
        discount_minor,
        totals_minor=[piece.refund_minor for piece in pieces],
        vat_rate_keys=[piece.line.vat_rate_key for piece in pieces],
    )


def _vat_refunds(pieces: Sequence[Piece], discounts: Sequence[int]) -> tuple[VatRefund, ...]:
    """Refunds and their discounts by VAT rate, in the order of first appearance."""
    refund_of: dict[str, int] = {}
    discount_of: dict[str, int] = {}
    for piece, discount_minor in zip(pieces, discounts, strict=True):
        key = piece.line.vat_rate_key
        refund_of[key] = refund_of.get(key, 0) + piece.refund_minor
        discount_of[key] = discount_of.get(key, 0) + discount_minor
    return tuple([VatRefund(key, refund, discount_of[key]) for key, refund in refund_of.items()])
