"""A receipt's points on their way back: redeemed ones into the lots that they came from, then
earned ones out of what is there.

In this order, so that points which the receipt earned and redeemed net out: they come back and are
taken at once, and nobody owes what they never had. Transfers stay gross and apart all the same, so
that reversals can be compared with what they reverse (I10).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.loyalty.domain import lots, tiers
from services.loyalty.domain.ledger import Account, Transfer, transfers
from services.loyalty.domain.lots import Lot, LotMove
from services.loyalty.domain.member import Member, PendingMove, Standing, apply_pending
from services.loyalty.domain.original import Original, Reversal
from services.loyalty.domain.programme import Clawback, Programme
from services.loyalty.domain.value import value


@value
class Claim:
    """What a void or a return claims of the receipt now."""

    points_restored: int
    points_taken_back: int
    qualifying_points: int


@value
class Booking:
    """A claim as movements. `leg` are those in the bucket of the receipt, if that is another.

    Of the points claimed: `taken_back` + `owed` + `let_go`. Of those taken back `from_pending` were
    pending, and `netted` had been both earned and redeemed by the receipt.
    """

    after: Member
    transfers: tuple[Transfer, ...]
    leg: tuple[Transfer, ...]
    lot_moves: tuple[LotMove, ...]
    pending_moves: tuple[PendingMove, ...]
    taken_back: int
    from_pending: int
    netted: int
    owed: int
    let_go: int


def book(
    member: Member,
    original: Original,
    so_far: Reversal,
    claim: Claim,
    *,
    bucket: int,
    programme: Programme,
    today: date,
) -> Booking:
    """Earned points are taken from what of the receipt is still pending, then from available
    points, which never fall below 0; the policy of `programme` says what becomes of the rest.

    `member` has the receipt's points now and is settled as of `today`; `bucket` is theirs.
    """
    restored = _restored(original, so_far, claim.points_restored, today, programme)
    open_lots = lots.apply(member.lots, restored)
    available = member.available + claim.points_restored
    netted = min(claim.points_taken_back, available, _to_net_out(original, so_far, claim))
    pending_moves = _from_pending(
        member, original, so_far, points_max=claim.points_taken_back - netted
    )
    from_pending = -sum([move.points for move in pending_moves])
    wanted = claim.points_taken_back - from_pending
    only_pending = programme.clawback is Clawback.ONLY_PENDING
    from_points = min(wanted, netted if only_pending else available)
    taken = lots.take(_own_first(open_lots, original), from_points)
    owed = wanted - from_points if programme.clawback is Clawback.UNLIMITED else 0
    tier, standing = _tier_after(member, original, claim, programme=programme, today=today)
    after = member.changed(
        points=member.points + claim.points_restored - from_points,
        lots=lots.apply(open_lots, taken),
        pending_lots=apply_pending(member.pending_lots, pending_moves),
        receivable=member.receivable - owed,
        tier=tier,
        standing=standing,
    )
    assert after.available >= 0, "more was taken back than was available"
    main, leg = _transfers(
        claim.points_restored,
        from_pending=from_pending,
        from_points=from_points,
        owed=owed,
        across=bucket != original.bucket,
    )
    return Booking(
        after=after,
        transfers=main,
        leg=leg,
        lot_moves=(*restored, *taken),
        pending_moves=pending_moves,
        taken_back=from_pending + from_points,
        from_pending=from_pending,
        netted=netted,
        owed=owed,
        let_go=wanted - from_points - owed,
    )


def _tier_after(
    member: Member, original: Original, claim: Claim, *, programme: Programme, today: date
) -> tuple[str, Standing]:
    """What had counted on the day of the capture, in the zone of the programme by which it was
    decided, counts no longer.
    """
    if not claim.qualifying_points:
        return member.tier, member.standing
    moment = datetime.fromtimestamp(original.effective_at_us // 1_000_000, UTC)
    captured_on = moment.astimezone(ZoneInfo(original.programme.time_zone)).date()
    return tiers.counted(
        member, -claim.qualifying_points, on=captured_on, today=today, programme=programme
    )


def _transfers(
    restored: int, *, from_pending: int, from_points: int, owed: int, across: bool
) -> tuple[tuple[Transfer, ...], tuple[Transfer, ...]]:
    """The transfers in the member's bucket, and those in the receipt's if that is another: the
    accounts from which the receipt had moved points are where they go back to.
    """
    source, target = Account.REDEEMED, Account.ISSUED
    leg: tuple[Transfer, ...] = ()
    if across:
        leg = transfers(
            Transfer(source, Account.IN_TRANSIT, restored),
            Transfer(Account.IN_TRANSIT, target, from_pending + from_points + owed),
        )
        source = target = Account.IN_TRANSIT
    main = transfers(
        Transfer(source, Account.POINTS, restored),
        Transfer(Account.PENDING, target, from_pending),
        Transfer(Account.POINTS, target, from_points),
        Transfer(Account.RECEIVABLE, target, owed),
    )
    return main, leg


# --- redeemed points go back ----------------------------------------------------------------


def _restored(
    original: Original, so_far: Reversal, points: int, today: date, programme: Programme
) -> tuple[LotMove, ...]:
    """The next `points` of those redeemed, into their lots: latest expiry first, so that the lot
    which the receipt itself filled is first. Where a lot's day has passed, the programme's days of
    grace begin.
    """
    passed, left = so_far.points_restored, points
    moves: dict[date, int] = {}
    for expires_on, points_moved in sorted(original.lot_moves, reverse=True):
        redeemed = max(0, -points_moved)
        skipped = min(passed, redeemed)
        into = min(left, redeemed - skipped)
        passed, left = passed - skipped, left - into
        if into:
            day = expires_on
            if day < today:
                day = today + timedelta(days=programme.return_grace_days)
            moves[day] = moves.get(day, 0) + into
    assert left == 0, "more points came back than were redeemed"
    return tuple([LotMove(day, into) for day, into in moves.items()])


def _to_net_out(original: Original, so_far: Reversal, claim: Claim) -> int:
    """Points that the receipt had earned and redeemed at once, that are back by now and were not
    taken since. They are the first that come back.
    """
    own = original.captured.points_redeemed_from_basket
    return min(own, so_far.points_restored + claim.points_restored) - so_far.points_netted


# --- earned points are taken ----------------------------------------------------------------


def _from_pending(
    member: Member, original: Original, so_far: Reversal, *, points_max: int
) -> tuple[PendingMove, ...]:
    """At most `points_max` of the receipt's own points that still wait; never those of another
    receipt in the same pending lot.
    """
    waiting = {(lot.activates_on, lot.expires_on): lot.points for lot in member.pending_lots}
    passed, left = so_far.points_from_pending, points_max
    moves = []
    for activates_on, expires_on, earned in original.pending_moves:
        gone = min(passed, earned)
        taken = min(left, earned - gone, waiting.get((activates_on, expires_on), 0))
        passed, left = passed - gone, left - taken
        if taken:
            moves.append(PendingMove(activates_on, expires_on, -taken))
    return tuple(moves)


def _own_first(open_lots: tuple[Lot, ...], original: Original) -> tuple[Lot, ...]:
    """The lots in the order in which points are taken back: first those that the receipt filled,
    then the others as a redemption takes them, soonest expiry first, which leaves the member the
    points that live longest.
    """
    filled = _days(original.lot_moves) | _days(original.pending_moves)
    return tuple(sorted(open_lots, key=lambda lot: lot.expires_on not in filled))


def _days(moves: Sequence[LotMove | PendingMove]) -> set[date]:
    return {move.expires_on for move in moves if move.points > 0}
