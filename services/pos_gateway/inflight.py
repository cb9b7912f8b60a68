"""Operations between a till's message and its answer: limits, deadlines, tokens, frames.

Pure but for the messages: no I/O, no clock. `now_ms` is an argument, milliseconds of a monotonic
clock.

An operation is *queued* until a frame takes it and *written* from then on. Which of the two it was
when its time ran out, or when loyalty went away, is all the difference to a till: a queued one was
certainly never decided, of a written one only loyalty knows.

There is no timer and no task for each operation. Deadlines lie in a wheel of 10 ms ticks that one
caller turns, so that an answer may fall due up to 10 ms late.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway.limits import Limits
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.wire import Sent, entry

FRAME_OPERATIONS_MAX: Final = 512
FRAME_BYTES_MAX: Final = 4 << 20
TICK_MS: Final = 10
TIMEOUT_DEFAULT_MS: Final = 5_000
TIMEOUT_MAX_MS: Final = 60_000

Answer = Callable[[bytes], None]  # takes a serialised till decision
Cause = pb.Undecided.Cause

_REMEDIES: dict[Cause, str] = {
    pb.Undecided.CAUSE_OVERLOADED: "too much is under way; repeat later under the same id",
    pb.Undecided.CAUSE_UNAVAILABLE: "the ledger cannot be reached; repeat later under the same id",
    pb.Undecided.CAUSE_EXPIRED: (
        "its time was over before its turn came; repeat under the same id, or abandon it"
    ),
    pb.Undecided.CAUSE_ANSWER_LOST: (
        "it may have been booked; ask Status, repeat under the same id, or abandon it"
    ),
}

CAUSES = tuple(_REMEDIES)


class _Slot:
    def __init__(
        self, token: int, sent: Sent, terminal: Terminal, due_ms: int, now_ms: int, answer: Answer
    ) -> None:
        self.token = token
        self.operation_id = sent.operation_id
        self.terminal = terminal
        self.raw = sent.raw  # let go when written
        self.size_bytes = len(sent.raw)
        self.accepted_ms = now_ms
        self.due_ms = due_ms
        self.answer = answer


def undecided(operation_id: str, cause: Cause) -> bytes:
    """A till decision that decides nothing, serialised."""
    decision = pb.Decision(
        operation_id=operation_id,
        undecided=pb.Undecided(cause=cause, remedy=_REMEDIES[cause]),
    )
    return decision.SerializeToString()


class InFlight:
    """Every operation that was accepted and is not answered yet; each is answered exactly once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queued: dict[int, _Slot] = {}
        self._queued_bytes = 0
        self._written: dict[int, _Slot] = {}
        self._by_terminal: dict[str, int] = {}
        self._wheel: dict[int, dict[int, _Slot]] = {}
        self._swept_tick = 0
        self._last_token = 0
        self.last_written = 0  # the token of the last operation that is in a frame
        self.undecided: Counter[Cause] = Counter()  # answers without a decision that were given

    def __len__(self) -> int:
        return len(self._queued) + len(self._written)

    @property
    def queued(self) -> int:
        return len(self._queued)

    @property
    def accepted(self) -> int:
        """All that were ever accepted."""
        return self._last_token

    def age_ms(self, token: int, *, now_ms: int) -> int | None:
        """How long ago an operation that was written had been accepted; None if it has ended."""
        slot = self._written.get(token)
        return now_ms - slot.accepted_ms if slot is not None else None

    def turn_back(self, operation_id: str, *, cause: Cause, answer: Answer) -> None:
        """Answers an operation that nothing is decided upon."""
        self.undecided[cause] += 1
        answer(undecided(operation_id, cause))

    def accept(self, sent: Sent, *, terminal: Terminal, answer: Answer, now_ms: int) -> None:
        """Queues the operation, or answers at once that there is no room for it."""
        limits = self._limits
        of_terminal = self._by_terminal.get(terminal.terminal_id, 0)
        size_bytes = len(sent.raw)
        if (
            len(self) >= limits.operations_max
            or of_terminal >= limits.terminal_operations_max
            or self._queued_bytes + size_bytes > limits.queued_bytes_max
        ):
            overloaded = pb.Undecided.CAUSE_OVERLOADED
            self.turn_back(sent.operation_id, cause=overloaded, answer=answer)
            return
        timeout_ms = min(sent.timeout_ms or TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS)
        self._last_token = token = self._last_token + 1
        slot = _Slot(token, sent, terminal, now_ms + timeout_ms, now_ms, answer)
        if not self._wheel:
            self._swept_tick = now_ms // TICK_MS
        self._queued[token] = slot
        self._queued_bytes += size_bytes
        self._by_terminal[terminal.terminal_id] = of_terminal + 1
        self._wheel.setdefault(_tick(slot), {})[token] = slot

    def next_frame(self, *, now_ms: int) -> bytes | None:
        """The oldest queued operations as a CommitRequest, as many as fit; from now on they count
        as written.

        Each carries as `timeout_ms` what is left of it; one with nothing left expires here.
        """
        entries: list[bytes] = []
        frame_bytes = 0
        for slot in list(self._queued.values()):
            if len(entries) == FRAME_OPERATIONS_MAX:
                break
            frame_bytes += slot.size_bytes
            if entries and frame_bytes > FRAME_BYTES_MAX:
                break
            left_ms = slot.due_ms - now_ms
            if left_ms <= 0:
                self._end_undecided(slot, pb.Undecided.CAUSE_EXPIRED)
                continue
            entries.append(self._write(slot, left_ms))
        return b"".join(entries) if entries else None

    def _write(self, slot: _Slot, left_ms: int) -> bytes:
        """Its part of a frame."""
        token, terminal, raw = slot.token, slot.terminal, slot.raw
        del self._queued[token]
        self._queued_bytes -= slot.size_bytes
        slot.raw = b""
        self._written[token] = slot
        self.last_written = token
        return entry(token, terminal.terminal_id, terminal.store_id, raw, left_ms)

    def decided(self, token: int, decision: bytes) -> None:
        """Loyalty's answer; one that nobody waits for any more, or that comes twice, is dropped."""
        slot = self._written.get(token)
        if slot is not None:
            self._forget(slot)
            slot.answer(decision)

    def expire(self, *, now_ms: int) -> None:
        """Answers every operation whose time is over."""
        tick_now = now_ms // TICK_MS
        if not self._wheel:
            return
        for tick in range(self._swept_tick, tick_now):
            for slot in list(self._wheel.get(tick, {}).values()):
                self._end_undecided(slot, self._cause_of_expiry(slot))
        self._swept_tick = max(self._swept_tick, tick_now)

    def lose_written(self) -> None:
        """The stream broke: no answer will come to what was written on it."""
        for slot in list(self._written.values()):
            self._end_undecided(slot, pb.Undecided.CAUSE_ANSWER_LOST)

    def refuse_queued(self) -> None:
        """Loyalty stays away: what was not written is not kept waiting."""
        for slot in list(self._queued.values()):
            self._end_undecided(slot, pb.Undecided.CAUSE_UNAVAILABLE)

    def _cause_of_expiry(self, slot: _Slot) -> Cause:
        if slot.token in self._queued:
            return pb.Undecided.CAUSE_EXPIRED
        return pb.Undecided.CAUSE_ANSWER_LOST

    def _end_undecided(self, slot: _Slot, cause: Cause) -> None:
        self._forget(slot)
        self.turn_back(slot.operation_id, cause=cause, answer=slot.answer)

    def _forget(self, slot: _Slot) -> None:
        """Everywhere; before it is answered."""
        token = slot.token
        if self._written.pop(token, None) is None:
            del self._queued[token]
            self._queued_bytes -= slot.size_bytes
        tick = _tick(slot)
        of_tick = self._wheel[tick]
        del of_tick[token]
        if not of_tick:
            del self._wheel[tick]
        terminal_id = slot.terminal.terminal_id
        left = self._by_terminal[terminal_id] - 1
        if left:
            self._by_terminal[terminal_id] = left
        else:
            del self._by_terminal[terminal_id]


def _tick(slot: _Slot) -> int:
    return slot.due_ms // TICK_MS
