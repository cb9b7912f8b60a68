"""What the shoppers of a run need: tills that may speak, members with points, recorded baskets.

Tills and members are added to the ledger for the run, through loyalty, and everything is booked for
real. The tills are blocked at the end; members and what they did stay, as a ledger has it.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import grpc

from bonpunkt.loyalty.v1 import member_pb2, member_pb2_grpc, terminal_pb2, terminal_pb2_grpc
from bonpunkt.till import operations as build
from bonpunkt.till.v1 import till_pb2 as pb
from loadtests import recorded
from loadtests.ways import StreamWay, UnansweredError, UnaryWay, Way
from services.runtime.grpc import Metadata, bearer, way_to

MEMBERS = 1_024
OPENING_POINTS = 2_000
BASKETS = 2_000
RECEIPTS = 64  # captured before the run, so that the first shopper has something to bring back
TILLS_A_CONNECTION = 8  # those of a store share one
# Two tills of seven ask call by call, the others over a stream. Seven shares no factor with the
# mix (loadtests/mix.py), so both come to ask for everything.
UNARY_OF_SEVEN = (1, 4)
CALL_WITHIN_S = 15.0
KNOWN_WITHIN_S = 30.0
ASK_AGAIN_S = 0.05


class Shop:
    """Between `open` and `close` the tills of a run may speak.

    Both raise grpc.RpcError where loyalty, and UnansweredError where the gateway does not answer.
    """

    def __init__(
        self, *, gateway: str, loyalty: str, token_file: Path, ca: bytes | None, tills: int
    ) -> None:
        self.baskets = recorded.baskets(BASKETS)
        self.business_date = datetime.now(UTC).date().isoformat()
        self.returnable: deque[pb.Operation] = deque()  # captures of which nothing came back
        self.tills: list[Metadata] = []
        self.cards: list[str] = []
        self._name = f"load-{build.new_id()}"
        self._till_count = tills
        token = token_file.read_text(encoding="ascii").strip()
        self._inside: Metadata = (*bearer(token), ("bonpunkt-actor", "cli:load"))
        self._loyalty = _channel(loyalty, ca=ca)
        connections = -(-tills // TILLS_A_CONNECTION)
        self._gateway = [_channel(gateway, ca=ca) for _ in range(connections)]

    def open(self) -> None:
        """Adds tills, members and receipts; `close` has to follow, also if this raises."""
        for number in range(self._till_count):
            self.tills.append(self._add_till(number))
        self._wait_until_known(self.tills[-1])
        self.cards = self._enrol()
        self._sell()

    def way(self, till: int) -> Way:
        """How a till asks."""
        channel = self._gateway[till // TILLS_A_CONNECTION]
        if till % 7 in UNARY_OF_SEVEN:
            return UnaryWay(channel, self.tills[till])
        return StreamWay(channel, self.tills[till])

    def unary_way(self) -> Way:
        """For what is asked beside the shoppers, as the first till."""
        return UnaryWay(self._gateway[0], self.tills[0])

    def basket(self, number: int) -> pb.Basket:
        """A recorded basket as a purchase of today, with a receipt of its own."""
        basket = pb.Basket()
        basket.CopyFrom(self.baskets[number % len(self.baskets)])
        basket.basket_id = build.new_id()
        basket.receipt_number = build.new_id()
        basket.business_date = self.business_date
        return basket

    def new_card(self) -> str:
        return f"load-{build.new_id()}"

    def close(self) -> None:
        """Blocks the tills that were added, and hangs up."""
        stub = terminal_pb2_grpc.TerminalServiceStub(self._loyalty)
        for metadata in self.tills:
            request = terminal_pb2.BlockTerminalRequest(terminal_id=metadata[0][1])
            stub.BlockTerminal(request, metadata=self._inside, timeout=CALL_WITHIN_S)
        for channel in (self._loyalty, *self._gateway):
            channel.close()

    def _add_till(self, number: int) -> Metadata:
        """A new terminal; what it shows the gateway."""
        stub = terminal_pb2_grpc.TerminalServiceStub(self._loyalty)
        name = f"{self._name}-{number}"
        request = terminal_pb2.AddTerminalRequest(terminal_id=name, store_id="load")
        secret = stub.AddTerminal(request, metadata=self._inside, timeout=CALL_WITHIN_S).secret
        return (("bonpunkt-terminal", name), *bearer(secret))

    def _wait_until_known(self, till: Metadata) -> None:
        """Until the gateway has heard of a till; raises UnansweredError if that takes too long."""
        way = UnaryWay(self._gateway[0], till)
        deadline = time.monotonic() + KNOWN_WITHIN_S
        while True:
            try:
                way.ask(build.status(build.new_id()))
            except UnansweredError as error:
                if not str(error).startswith("UNAUTHENTICATED") or time.monotonic() > deadline:
                    raise
                time.sleep(ASK_AGAIN_S)
            else:
                return

    def _enrol(self) -> list[str]:
        """The cards of new members, who bring some points along."""
        stub = member_pb2_grpc.MemberServiceStub(self._loyalty)
        new = [
            member_pb2.Enrolment(
                operation_id=build.new_id(),
                member_id=build.new_id(),
                card=self.new_card(),
                language="de",
                opening_points=OPENING_POINTS,
            )
            for _ in range(MEMBERS)
        ]
        for some in _chunks(new, 512):
            request = member_pb2.EnrolMembersRequest(enrolments=some)
            answer = stub.EnrolMembers(request, metadata=self._inside, timeout=CALL_WITHIN_S)
            refused = [outcome.reason for outcome in answer.outcomes if not outcome.accepted]
            assert not refused, refused[:3]
        return [enrolment.card for enrolment in new]

    def _sell(self) -> None:
        """Some receipts of which something can come back."""
        way = self.unary_way()
        for number in range(RECEIPTS):
            card, basket = self.cards[-1 - number], self.basket(number)
            way.ask(capture := build.capture(card, basket))
            self.returnable.append(capture)


def _channel(target: str, *, ca: bytes | None) -> grpc.Channel:
    address, credentials = way_to(target, ca=ca)
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _chunks(
    enrolments: Sequence[member_pb2.Enrolment], size: int
) -> Iterator[list[member_pb2.Enrolment]]:
    remaining = iter(enrolments)
    while some := list(itertools.islice(remaining, size)):
        yield some
