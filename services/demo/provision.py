"""What the demo needs in the installation: endpoints, terminals, members, one person of staff.

All through the services' own APIs with the actor `demo`, and all of it may be repeated: a second
run finds most of it there.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TypeVar

import grpc

from bonpunkt.loyalty.v1 import (
    member_pb2,
    member_pb2_grpc,
    staff_pb2,
    staff_pb2_grpc,
    terminal_pb2,
    terminal_pb2_grpc,
)
from bonpunkt.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from services.demo.addresses import HOST
from services.demo.folder import DataFolder, Terminal
from services.demo.mapping import Shopper, store_name, tills
from services.runtime.grpc import Metadata, bearer

Response = TypeVar("Response")

CALL_TIMEOUT_S = 30.0
NAMES_TRIED_MAX = 100
ENROLMENTS_MAX = 512  # a request
CALLS_AT_ONCE = 32
STAFF_NAME = "demo"
STAFF_ROLE = "manager"


class ProvisionError(Exception):
    """The installation has something else under a name or id that the demo needs."""


def actor(token: str) -> Metadata:
    """Call metadata of everything the demo does by itself."""
    return (*bearer(token), ("bonpunkt-actor", "demo"))


async def add_terminals(
    channel: grpc.aio.Channel, *, metadata: Metadata, stores: Iterable[int], folder: DataFolder
) -> dict[str, Terminal]:
    """The tills of these stores by name; those whose secret the folder does not have are added."""
    known = folder.terminals()
    stub = terminal_pb2_grpc.TerminalServiceStub(channel)
    free = asyncio.Semaphore(CALLS_AT_ONCE)

    async def add(till: str, store_id: int) -> None:
        # the plain name may be taken: by an earlier run that was killed before it kept the secret
        for terminal_id in (till, *(f"{till}.{n}" for n in range(2, NAMES_TRIED_MAX))):
            request = terminal_pb2.AddTerminalRequest(
                terminal_id=terminal_id, store_id=store_name(store_id)
            )
            async with free:
                added = await _unless_taken(
                    stub.AddTerminal(request, metadata=metadata, timeout=CALL_TIMEOUT_S)
                )
            if added is not None:
                known[till] = Terminal(terminal_id, added.secret)
                folder.keep_terminal(till, known[till])
                return
        raise ProvisionError(f"every terminal name like {till} is taken; begin anew: --data DIR")

    try:
        async with asyncio.TaskGroup() as group:
            for store_id in stores:
                for till in tills(store_id):
                    if till not in known:
                        group.create_task(add(till, store_id))
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None  # the others are of the same cause
    return known


async def enrol(
    channel: grpc.aio.Channel, *, metadata: Metadata, shoppers: Sequence[Shopper]
) -> None:
    """Opens every shopper as a member with a card; repeated enrolments change nothing."""
    stub = member_pb2_grpc.MemberServiceStub(channel)
    for first in range(0, len(shoppers), ENROLMENTS_MAX):
        request = member_pb2.EnrolMembersRequest(
            enrolments=[
                member_pb2.Enrolment(
                    operation_id=shopper.enrolment_id,
                    member_id=shopper.member_id,
                    card=shopper.card,
                    language=shopper.language,
                )
                for shopper in shoppers[first : first + ENROLMENTS_MAX]
            ]
        )
        answer = await stub.EnrolMembers(request, metadata=metadata, timeout=CALL_TIMEOUT_S)
        refused = [outcome for outcome in answer.outcomes if not outcome.accepted]
        if refused:
            raise ProvisionError(
                f"{len(refused)} households cannot become members: "
                f"{refused[0].reason}, {refused[0].remedy}"
            )


async def add_endpoints(
    channel: grpc.aio.Channel, *, metadata: Metadata, ports: Mapping[str, int], folder: DataFolder
) -> None:
    """Tells the notifier of the demo's receivers; they ask for every event."""
    stub = notifier_pb2_grpc.EndpointServiceStub(channel)
    for name, port in ports.items():
        request = notifier_pb2.AddEndpointRequest(
            name=name, url=f"http://{HOST}:{port}/", secret=folder.endpoint_secret(name)
        )
        await _unless_taken(stub.AddEndpoint(request, metadata=metadata, timeout=CALL_TIMEOUT_S))


async def renew_staff_password(channel: grpc.aio.Channel, *, metadata: Metadata) -> str:
    """A new password of the person `demo`, who is added if need be; earlier sessions end."""
    stub = staff_pb2_grpc.StaffServiceStub(channel)
    password = secrets.token_urlsafe(12)
    person = staff_pb2.AddStaffRequest(name=STAFF_NAME, password=password, role=STAFF_ROLE)
    added = await _unless_taken(stub.AddStaff(person, metadata=metadata, timeout=CALL_TIMEOUT_S))
    if added is None:
        change = staff_pb2.SetPasswordRequest(name=STAFF_NAME, password=password)
        await stub.SetPassword(change, metadata=metadata, timeout=CALL_TIMEOUT_S)
    return password


async def _unless_taken(call: Awaitable[Response]) -> Response | None:
    """What the call returns; None if it ends with ALREADY_EXISTS."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            return None
        raise
