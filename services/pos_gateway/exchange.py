"""What a till has asked on its stream and not been told yet. Here nobody waits."""

import asyncio
from collections import deque
from typing import Protocol

from google.protobuf.message import DecodeError

from services.pos_gateway import wire
from services.pos_gateway.ends import NO_MESSAGE, NOT_READING, End, wrong
from services.pos_gateway.form import refusal, wrong_count
from services.pos_gateway.inflight import Answer
from services.pos_gateway.terminals import Terminal
from services.pos_gateway.wire import Sent
from services.runtime.grpc import MESSAGE_BYTES_MAX


class Submit(Protocol):
    """`Uplink.submit`."""

    def __call__(self, sent: Sent, *, terminal: Terminal, answer: Answer) -> None: ...


class Outbox:
    """Decisions for one till, packed into responses of at most 1 MiB each."""

    def __init__(self) -> None:
        self._responses: deque[list[bytes]] = deque()
        self._last_bytes = 0
        self._decisions = 0

    def __len__(self) -> int:
        return self._decisions

    def put(self, decision: bytes) -> None:
        field = wire.decision_field(decision)
        if not self._responses or self._last_bytes + len(field) > MESSAGE_BYTES_MAX:
            self._responses.append([])
            self._last_bytes = 0
        self._responses[-1].append(field)
        self._last_bytes += len(field)
        self._decisions += 1

    def take(self) -> bytes | None:
        """The next response to write, serialised; None if there is nothing to say."""
        if not self._responses:
            return None
        response = self._responses.popleft()
        self._decisions -= len(response)
        return b"".join(response)


class Exchange:
    """The state of one stream. Whoever writes takes responses until there is none, asks whether it
    is `over`, and waits for the next `change`.
    """

    def __init__(self, *, terminal: Terminal, submit: Submit, decisions_max: int) -> None:
        self._terminal = terminal
        self._submit = submit
        self._decisions_max = decisions_max
        self._outbox = Outbox()
        self._unanswered = 0
        self._end: End | None = None
        self._end_when_answered: End | None = None
        self._changed: asyncio.Future[None] | None = None

    def take(self, message: bytes) -> End | None:
        """Sends the operations of one message on their way, or says why the stream ends."""
        try:
            operations = wire.operations(message)
        except DecodeError:
            return NO_MESSAGE
        words = wrong_count(operations)
        if words is not None:
            return wrong(words)
        self._unanswered += len(operations)
        for sent in operations:
            refused = refusal(sent)
            if refused is not None:
                self._answer(refused)
            else:
                self._submit(sent, terminal=self._terminal, answer=self._answer)
        return None

    def end(self, how: End) -> None:
        """At once. Answers that are still to come are dropped."""
        self._end = self._end or how
        self._outbox = Outbox()
        self.wake()

    def end_when_answered(self, how: End) -> None:
        """When everything that was read has been answered."""
        self._end_when_answered = self._end_when_answered or how
        self.wake()

    def response(self) -> bytes | None:
        """The next one to write; None if there is nothing to say."""
        return self._outbox.take()

    def over(self) -> End | None:
        """How the stream ends, if it does; ask when everything is written."""
        if self._end is None and self._unanswered == 0:
            return self._end_when_answered
        return self._end

    def change(self) -> asyncio.Future[None]:
        """Done at the next `wake`: something has to be written, or the stream ends."""
        self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def wake(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():  # done: the till hung up
            changed.set_result(None)

    def _answer(self, decision: bytes) -> None:
        self._unanswered -= 1
        if self._end is not None:
            return
        self._outbox.put(decision)
        if len(self._outbox) > self._decisions_max:
            self.end(NOT_READING)
        self.wake()
