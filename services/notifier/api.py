"""The gRPC face: parses, delegates, renders. Errors name the field and say what would be right."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.notifier.v1 import notifier_pb2 as pb
from bonpunkt.notifier.v1 import notifier_pb2_grpc as pb_grpc
from services.notifier import endpoints, webhook
from services.notifier.actors import Actors, Context
from services.notifier.addresses import Policy, why_not_accepted
from services.notifier.database import FAULTS
from services.notifier.endpoints import BY_STAFF, Endpoints
from services.notifier.events import TYPES
from services.notifier.schema import State
from services.runtime import logs

SERVICE_NAMES = ("bonpunkt.notifier.v1.EndpointService", "bonpunkt.notifier.v1.DeliveryService")
PAGE_SIZE, PAGE_SIZE_MAX = 50, 200

_NAME = re.compile(r"[a-z0-9._-]{1,64}")
_MEMBER = re.compile(r"[0-9a-f-]{1,36}")
_DELIVERY = re.compile(r"msg_([0-9a-f]{12})_([0-9]{1,18})_([0-9]{1,4})_([0-9]{1,18})")
_TOKEN = re.compile(r"[0-9]{1,18}")

log = logs.logger(__name__)


class EndpointService(pb_grpc.EndpointServiceServicer):
    def __init__(
        self,
        store: Endpoints,
        *,
        actors: Actors,
        policy: Policy,
        clock: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._actors = actors
        self._policy = policy
        self._clock = clock
        self._changed = changed

    async def AddEndpoint(
        self, request: pb.AddEndpointRequest, context: Context
    ) -> pb.AddEndpointResponse:
        wrong = _why_not_added(request, policy=self._policy)
        if wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        actor = await self._actors.manager(context)
        secret = request.secret or webhook.new_secret()
        async with _answering(context):
            added = await self._store.add(
                name=request.name,
                url=request.url,
                event_types=sorted(set(request.event_types)),
                secret=secret,
                actor=actor,
                now_us=self._clock(),
            )
        if added is None:
            words = f"name: {request.name} is taken by another endpoint"
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, words)
        self._changed()
        return pb.AddEndpointResponse(endpoint=_endpoint(added), secret=secret)

    async def ListEndpoints(
        self, _: pb.ListEndpointsRequest, context: Context
    ) -> pb.ListEndpointsResponse:
        async with _answering(context):
            found = await self._store.all()
        return pb.ListEndpointsResponse(endpoints=[_endpoint(each) for each in found])

    async def DisableEndpoint(
        self, request: pb.DisableEndpointRequest, context: Context
    ) -> pb.DisableEndpointResponse:
        actor = await self._actors.manager(context)
        async with _answering(context):
            found = await self._store.disable(
                request.name, reason=BY_STAFF, actor=actor, now_us=self._clock()
            )
        if found is None:
            await _no_endpoint(request.name, context)
        self._changed()
        return pb.DisableEndpointResponse(endpoint=_endpoint(found))

    async def EnableEndpoint(
        self, request: pb.EnableEndpointRequest, context: Context
    ) -> pb.EnableEndpointResponse:
        actor = await self._actors.manager(context)
        async with _answering(context):
            found = await self._store.enable(request.name, actor=actor, now_us=self._clock())
        if found is None:
            await _no_endpoint(request.name, context)
        self._changed()
        return pb.EnableEndpointResponse(endpoint=_endpoint(found))


class DeliveryService(pb_grpc.DeliveryServiceServicer):
    def __init__(
        self,
        store: Endpoints,
        *,
        actors: Actors,
        clock: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._actors = actors
        self._clock = clock
        self._changed = changed

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        wrong = _why_not_listed(request)
        if wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        size = request.page_size or PAGE_SIZE
        async with _answering(context):
            found = await self._store.deliveries(
                member_id=request.member_id,
                endpoint_name=request.endpoint,
                state=State(request.state) if request.state else None,
                before=int(request.page_token) if request.page_token else None,
                limit=size + 1,
            )
        page = found[:size]
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(each) for each in page],
            next_page_token=str(page[-1].number) if len(found) > size else "",
        )

    async def Redeliver(
        self, request: pb.RedeliverRequest, context: Context
    ) -> pb.RedeliverResponse:
        parts = _DELIVERY.fullmatch(request.delivery_id)
        actor = await self._actors.anybody(context)
        found = None
        if parts:
            async with _answering(context):
                found = await self._store.redeliver(
                    key=parts[1],
                    epoch=int(parts[2]),
                    bucket=int(parts[3]),
                    sequence=int(parts[4]),
                    actor=actor,
                    now_us=self._clock(),
                )
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "delivery_id: there is no such delivery")
        self._changed()
        return pb.RedeliverResponse(delivery=_delivery(found))

    async def GetFigures(self, _: pb.GetFiguresRequest, context: Context) -> pb.GetFiguresResponse:
        async with _answering(context):
            figures, entries_taken_in = await self._store.figures()
        return pb.GetFiguresResponse(
            endpoints=[
                pb.EndpointFigures(
                    endpoint=each.endpoint,
                    pending=each.pending,
                    delivered=each.delivered,
                    dead=each.dead,
                )
                for each in figures
            ],
            entries_taken_in=entries_taken_in,
        )


@asynccontextmanager
async def _answering(context: Context) -> AsyncIterator[None]:
    """A database that is away is no fault of the caller: UNAVAILABLE, to be tried again."""
    try:
        yield
    except FAULTS as error:
        log.error("the database failed", error=str(error))
        words = "the notifier's database does not answer; nothing was changed, try again"
        await context.abort(grpc.StatusCode.UNAVAILABLE, words)


def _why_not_added(request: pb.AddEndpointRequest, *, policy: Policy) -> str:
    if not _NAME.fullmatch(request.name):
        return "name: must be 1 to 64 characters of a-z 0-9 . _ -"
    wrong_url = why_not_accepted(request.url, policy=policy)
    if wrong_url:
        return f"url: {wrong_url}"
    for place, event_type in enumerate(request.event_types):
        if event_type not in TYPES:
            return f"event_types[{place}]: there are {', '.join(TYPES)}"
    if request.secret:
        try:
            webhook.key_of(request.secret)
        except ValueError as error:
            return f"secret: {error}"
    return ""


def _why_not_listed(request: pb.ListDeliveriesRequest) -> str:
    if request.page_size > PAGE_SIZE_MAX:
        return f"page_size: must be 1 to {PAGE_SIZE_MAX}, or 0 for {PAGE_SIZE}"
    if request.page_token and not _TOKEN.fullmatch(request.page_token):
        return "page_token: must be the next_page_token of an answer, or empty"
    if request.member_id and not _MEMBER.fullmatch(request.member_id):
        return "member_id: must be a UUID in lower case, or empty"
    if request.endpoint and not _NAME.fullmatch(request.endpoint):
        return "endpoint: must be an endpoint's name, or empty"
    if request.state and request.state not in {each.value for each in State}:
        return "state: there is no such state"
    return ""


async def _no_endpoint(name: str, context: Context) -> NoReturn:
    shown = name if _NAME.fullmatch(name) else "that"
    await context.abort(grpc.StatusCode.NOT_FOUND, f"name: there is no endpoint {shown}")


def _endpoint(of: endpoints.Endpoint) -> pb.Endpoint:
    return pb.Endpoint(
        name=of.name,
        url=of.url,
        event_types=of.event_types,
        enabled=of.enabled,
        disabled_reason=of.disabled_reason,
        added_at=_timestamp(of.added_at_us),
    )


def _delivery(of: endpoints.Delivery) -> pb.Delivery:
    is_pending, is_delivered = of.state is State.PENDING, of.state is State.DELIVERED
    return pb.Delivery(
        delivery_id=of.delivery_id,
        endpoint=of.endpoint,
        event_type=of.event_type,
        member_id=of.member_id,
        member_version=of.member_version,
        state=pb.Delivery.State.Name(of.state.value),
        attempts=of.attempts,
        created_at=_timestamp(of.created_at_us),
        next_attempt_at=_timestamp(of.next_attempt_us) if is_pending else None,
        delivered_at=_timestamp(of.last_attempt_us or 0) if is_delivered else None,
        last_status=of.last_status,
        last_error=of.last_error,
        bucket=of.bucket,
        sequence=of.sequence,
    )


def _timestamp(us: int) -> Timestamp:
    return Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1_000)
