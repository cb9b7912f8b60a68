"""An earlier receipt as the journal recorded it, and what was taken back of it so far."""

from services.loyalty.domain.basket import LineItem
from services.loyalty.domain.decision import Captured
from services.loyalty.domain.life import State
from services.loyalty.domain.lots import LotMove
from services.loyalty.domain.member import PendingMove
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.value import value


@value
class Original:
    """A captured receipt. Whatever comes back of it is decided from this, never by the rules of
    the day on which it comes back.
    """

    bucket: int  # of its journal row
    sequence: int
    operation_id: str  # of the capture
    member_id: str  # whose it was then
    terminal_id: str
    store_id: str
    effective_at_us: int
    business_date: str
    receipt_number: str
    captured: Captured  # the recorded decision
    lot_moves: tuple[LotMove, ...]
    pending_moves: tuple[PendingMove, ...]
    line_items: tuple[LineItem, ...] | None  # None: their retention is over
    programme: Programme  # the version by which it was decided
    qualifying_points: int  # that it counted towards a tier


@value
class Reversal:
    """What was taken back of a receipt so far, all returns together.

    `lines` are (line id, thousandths, gross minor units), signed like the line, in the order of
    the receipt. `points_taken_back` counts all of the earned points that were claimed: taken, owed
    and let go.
    """

    voided: bool = False
    complete: bool = False  # every line came back whole
    lines: tuple[tuple[str, int, int], ...] = ()
    discount_minor: int = 0
    points_restored: int = 0
    points_taken_back: int = 0
    points_from_pending: int = 0  # those of points_taken_back that were still pending
    points_netted: int = 0  # … and that the receipt had both earned and redeemed
    qualifying_points: int = 0

    @property
    def state(self) -> State:
        """Where the receipt is in its life."""
        if self.voided:
            return State.VOIDED
        if self.complete:
            return State.RETURNED
        return State.RETURNED_IN_PART if self.lines else State.CAPTURED

    @property
    def refund_minor(self) -> int:
        """Gross of everything that came back so far."""
        return sum([gross for _, _, gross in self.lines])


NOTHING_REVERSED = Reversal()
