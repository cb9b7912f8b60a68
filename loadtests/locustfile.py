"""Simulated tills for Locust: identify, quote and capture recorded baskets, one after another.

    locust -f loadtests/locustfile.py --headless --users 32 --spawn-rate 32 --run-time 30s

The tills speak to the gateway at TARGET. They and their members are added for the run, through
loyalty at LOYALTY, with the service token of BONPUNKT_SERVICE_TOKEN_FILE; the defaults are those
of `make run`. Each till begins CHECKOUTS_PER_S checkouts a second, as long as the service keeps
up. The run fails when a budget of LOAD_BUDGET (loadtests/budget.toml) is broken, or when no
request was made.
"""

# ruff: noqa: E402  gevent has to be told to gRPC before anything opens a channel
import grpc.experimental.gevent
from locust import User, constant_throughput, events, task  # patches the standard library

grpc.experimental.gevent.init_gevent()

import os
import random
import time
from pathlib import Path
from typing import ClassVar

import uuid_utils.compat as uuids
from locust.env import Environment
from locust.runners import WorkerRunner

from bonpunkt.loyalty.v1 import member_pb2, member_pb2_grpc, terminal_pb2, terminal_pb2_grpc
from bonpunkt.till.v1 import till_pb2 as pb
from bonpunkt.till.v1 import till_pb2_grpc
from loadtests import budget, recorded
from services.runtime.grpc import Metadata, bearer

TARGET = os.environ.get("TARGET", "127.0.0.1:7701")
LOYALTY = os.environ.get("LOYALTY", "127.0.0.1:7702")
TOKEN_FILE = Path(os.environ.get("BONPUNKT_SERVICE_TOKEN_FILE", "var/service-token"))
BUDGET_FILE = Path(os.environ.get("LOAD_BUDGET", Path(__file__).with_name("budget.toml")))

CHECKOUTS_PER_S = 1.0
MEMBERS = 512
BASKETS = 2_000
DEADLINE_S = 10.0


class Store:
    """What all tills of this process share: members, baskets, a terminal, a connection."""

    def __init__(self) -> None:
        self.baskets = recorded.baskets(BASKETS)
        self.stub = till_pb2_grpc.TillServiceStub(grpc.insecure_channel(TARGET))
        inside: Metadata = (
            *bearer(TOKEN_FILE.read_text(encoding="ascii").strip()),
            ("bonpunkt-actor", "cli:load"),
        )
        with grpc.insecure_channel(LOYALTY) as loyalty:
            self.metadata = _add_terminal(loyalty, inside)
            self.cards = _enrol(loyalty, inside)
        self._wait_until_known()

    def ask(self, operation: pb.Operation) -> pb.Decision:
        """The decision on one operation; raises grpc.RpcError if there is none in time."""
        request = pb.SubmitRequest(operations=[operation])
        answer = self.stub.Submit(request, metadata=self.metadata, timeout=DEADLINE_S)
        return answer.decisions[0]

    def _wait_until_known(self) -> None:
        """Until the gateway has heard of the new terminal; raises if that takes too long."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.ask(_stamped(pb.Operation(identify=pb.Identify(card=self.cards[0]))))
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAUTHENTICATED or (
                    time.monotonic() > deadline
                ):
                    raise
                time.sleep(0.05)
            else:
                return


class Till(User):
    """One till: whoever comes shows a card, sees what the basket earns, and pays."""

    wait_time = constant_throughput(CHECKOUTS_PER_S)
    store: ClassVar[Store]

    @task
    def checkout(self) -> None:
        """Identify, quote, capture; every third customer redeems what is possible."""
        card = random.choice(self.store.cards)
        basket = random.choice(self.store.baskets)
        identify = pb.Operation(identify=pb.Identify(card=card))
        quote = pb.Operation(quote=pb.Quote(card=card, basket=basket))
        capture = recorded.capture(card, basket, redeems=random.randrange(3) == 0)
        self._timed("identify", "identified", _stamped(identify))
        self._timed("quote", "quoted", _stamped(quote))
        self._timed("capture", "captured", capture)

    def _timed(self, name: str, expected: str, operation: pb.Operation) -> None:
        """Asks, and tells Locust how long it took and whether it was the expected answer."""
        failure: Exception | None = None
        size = 0
        begun = time.perf_counter()
        try:
            decision = self.store.ask(operation)
            size = decision.ByteSize()
            if decision.WhichOneof("result") != expected:
                failure = ValueError(f"not {expected}: {decision}")
        except grpc.RpcError as error:
            failure = error
        self.environment.events.request.fire(
            request_type="grpc",
            name=name,
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=size,
            exception=failure,
            context={},
        )


def open_store(**_: object) -> None:
    """Each process that has tills has a store of its own."""
    Till.store = Store()


def judge(environment: Environment, **_: object) -> None:
    """Decides the exit code: once, where the figures of all processes come together."""
    if isinstance(environment.runner, WorkerRunner):
        return
    seen = {
        entry.name: budget.Seen(
            requests=entry.num_requests,
            failures=entry.num_failures,
            p99_ms=entry.get_response_time_percentile(0.99) or 0.0,
        )
        for entry in environment.stats.entries.values()
    }
    for words in (broken := budget.broken(budget.read(BUDGET_FILE), seen)):
        print(f"budget broken: {words}")
    if not broken:
        print("every budget was kept")
    environment.process_exit_code = 1 if broken else 0


def _stamped(operation: pb.Operation) -> pb.Operation:
    operation.id = str(uuids.uuid7())
    operation.timeout_ms = int(DEADLINE_S * 1000)
    return operation


def _add_terminal(loyalty: grpc.Channel, inside: Metadata) -> Metadata:
    """A new terminal; what it shows the gateway."""
    stub = terminal_pb2_grpc.TerminalServiceStub(loyalty)
    name = f"load-{uuids.uuid7()}"
    request = terminal_pb2.AddTerminalRequest(terminal_id=name, store_id="load")
    secret = stub.AddTerminal(request, metadata=inside, timeout=DEADLINE_S).secret
    return (("bonpunkt-terminal", name), *bearer(secret))


def _enrol(loyalty: grpc.Channel, inside: Metadata) -> list[str]:
    """The cards of new members."""
    stub = member_pb2_grpc.MemberServiceStub(loyalty)
    new = [
        member_pb2.Enrolment(
            operation_id=str(uuids.uuid7()),
            member_id=str(uuids.uuid7()),
            card=f"load-{uuids.uuid7()}",
            language="de",
        )
        for _ in range(MEMBERS)
    ]
    request = member_pb2.EnrolMembersRequest(enrolments=new)
    outcomes = stub.EnrolMembers(request, metadata=inside, timeout=DEADLINE_S).outcomes
    refused = [outcome.reason for outcome in outcomes if not outcome.accepted]
    assert not refused, refused[:3]
    return [enrolment.card for enrolment in new]


events.test_start.add_listener(open_store)  # type: ignore[no-untyped-call]
events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
