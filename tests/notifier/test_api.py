"""The gRPC face: every error has its status and names the field."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from bonpunkt.loyalty.v1.staff_pb2 import Staff
from bonpunkt.notifier.v1 import notifier_pb2 as pb
from bonpunkt.notifier.v1 import notifier_pb2_grpc as pb_grpc
from services.notifier.__main__ import serve
from services.notifier.settings import Settings
from services.notifier.webhook import key_of
from services.runtime.grpc import Metadata, bearer, channel, is_serving
from tests.notifier.feed import TOKEN, Loyalty
from tests.notifier.receivers import SECRET, receiving, status
from tests.servers.ports import free_port
from tests.servers.waiting import eventually

DEMO: Metadata = (*bearer(TOKEN), ("bonpunkt-actor", "demo"))
URL = "http://127.0.0.1:9/"
Code = grpc.StatusCode


@dataclass(slots=True)
class Api:
    endpoints: Any
    deliveries: Any
    target: str

    async def add(self, name: str = "email", *, metadata: Metadata = DEMO, **fields: Any) -> Any:
        request = pb.AddEndpointRequest(name=name, **{"url": URL, "secret": SECRET, **fields})
        return await self.endpoints.AddEndpoint(request, metadata=metadata)

    async def list(self, **fields: Any) -> Any:
        return await self.deliveries.ListDeliveries(
            pb.ListDeliveriesRequest(**fields), metadata=bearer(TOKEN)
        )

    async def figures(self) -> Any:
        request = pb.GetFiguresRequest()
        return await self.deliveries.GetFigures(request, metadata=bearer(TOKEN))

    async def delivered(self, count: int) -> bool:
        figures = await self.figures()
        return count == sum(int(each.delivered) for each in figures.endpoints)


@pytest.fixture
async def api(database_url: str, loyalty: Loyalty) -> AsyncIterator[Api]:
    """The whole service, as its process runs it."""
    target = f"127.0.0.1:{free_port()}"
    settings = Settings(
        listen=target,
        loyalty=f"127.0.0.1:{loyalty.port}",
        database_url=database_url,
        migrate_at_start=True,
        service_token=TOKEN,
        concurrency=8,
        timeout_s=5,
        schedule_s=(0, 0, 0),
        disable_after_s=0,
        allow_private_addresses=False,
        allow_loopback=True,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(serve(settings, stop))
    try:
        await eventually(lambda: is_serving(target))
        async with channel(target) as to:
            ends, deliveries = pb_grpc.EndpointServiceStub(to), pb_grpc.DeliveryServiceStub(to)
            yield Api(endpoints=ends, deliveries=deliveries, target=target)
    finally:
        stop.set()
        await running


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details() or ""


async def test_every_call_needs_the_service_token(api: Api) -> None:
    wrong = bearer("wrong")
    calls = [
        api.endpoints.AddEndpoint(pb.AddEndpointRequest(), metadata=wrong),
        api.endpoints.ListEndpoints(pb.ListEndpointsRequest(), metadata=wrong),
        api.endpoints.DisableEndpoint(pb.DisableEndpointRequest(), metadata=wrong),
        api.endpoints.EnableEndpoint(pb.EnableEndpointRequest(), metadata=wrong),
        api.deliveries.ListDeliveries(pb.ListDeliveriesRequest(), metadata=wrong),
        api.deliveries.Redeliver(pb.RedeliverRequest(), metadata=wrong),
        api.deliveries.GetFigures(pb.GetFiguresRequest(), metadata=wrong),
    ]

    for call in calls:
        assert (await refused(call))[0] is Code.UNAUTHENTICATED


async def test_an_added_endpoint_is_listed_without_its_secret(api: Api) -> None:
    types = ["member.unblocked", "member.blocked", "member.blocked"]
    added = await api.add(event_types=types)

    listed = await api.endpoints.ListEndpoints(pb.ListEndpointsRequest(), metadata=bearer(TOKEN))

    assert added.secret == SECRET
    assert list(listed.endpoints) == [added.endpoint]
    assert (added.endpoint.name, added.endpoint.url, added.endpoint.enabled) == ("email", URL, True)
    assert added.endpoint.event_types == ["member.blocked", "member.unblocked"]
    assert added.endpoint.added_at.seconds > 0
    assert SECRET not in str(listed)


async def test_a_secret_is_made_if_none_is_given(api: Api) -> None:
    one, other = await api.add("a", secret=""), await api.add("b", secret="")

    assert len(key_of(one.secret)) == 32
    assert one.secret != other.secret


@pytest.mark.parametrize("name", ["a", "a" * 64, "crm-2.of_shop"])
async def test_names_of_1_to_64_of_the_allowed_characters_are_taken(api: Api, name: str) -> None:
    assert (await api.add(name)).endpoint.name == name


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name: must be 1 to 64 characters"),
        ({"name": "a" * 65}, "name: must be 1 to 64 characters"),
        ({"name": "E-Mail"}, "name: must be"),
        ({"name": "a b"}, "name: must be"),
        ({"url": ""}, "url: is not of the form"),
        ({"url": "http://example.com/"}, "url: needs https"),
        ({"url": "https://10.0.0.1/"}, "url: address 10.0.0.1 is private"),
        ({"event_types": ["member.enrolled", "member.maried"]}, "event_types[1]: there are member"),
        ({"secret": "abc"}, "secret: must start with whsec_"),
        ({"secret": "whsec_YWJj"}, "secret: must hold 24 to 64 random bytes"),
    ],
)
async def test_what_is_wrong_with_an_endpoint_is_told_with_its_field(
    api: Api, fields: dict[str, Any], words: str
) -> None:
    code, details = await refused(api.add(**fields))

    assert code is Code.INVALID_ARGUMENT
    assert details.startswith(words)


async def test_a_name_that_is_taken_is_refused_and_changes_nothing(api: Api) -> None:
    await api.add()

    assert await refused(api.add(url="http://127.0.0.1:10/")) == (
        Code.ALREADY_EXISTS,
        "name: email is taken by another endpoint",
    )
    listed = await api.endpoints.ListEndpoints(pb.ListEndpointsRequest(), metadata=bearer(TOKEN))
    assert [each.url for each in listed.endpoints] == [URL]


async def test_endpoints_are_disabled_and_enabled_by_name(api: Api) -> None:
    await api.add()
    disable, enable = (
        pb.DisableEndpointRequest(name="email"),
        pb.EnableEndpointRequest(name="email"),
    )

    for _ in range(2):
        off = (await api.endpoints.DisableEndpoint(disable, metadata=DEMO)).endpoint
        assert (off.enabled, off.disabled_reason) == (False, "by staff")
    for _ in range(2):
        on = (await api.endpoints.EnableEndpoint(enable, metadata=DEMO)).endpoint
        assert (on.enabled, on.disabled_reason) == (True, "")


async def test_an_endpoint_that_does_not_exist_is_not_found(api: Api) -> None:
    disable, enable = pb.DisableEndpointRequest(name="x"), pb.EnableEndpointRequest(name="\n")

    assert await refused(api.endpoints.DisableEndpoint(disable, metadata=DEMO)) == (
        Code.NOT_FOUND,
        "name: there is no endpoint x",
    )
    assert await refused(api.endpoints.EnableEndpoint(enable, metadata=DEMO)) == (
        Code.NOT_FOUND,
        "name: there is no endpoint that",
    )


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ((), Code.UNAUTHENTICATED),
        ((("bonpunkt-actor", "staff:anna"),), Code.INVALID_ARGUMENT),
        ((("bonpunkt-actor", "cli:"),), Code.INVALID_ARGUMENT),
        ((("bonpunkt-actor", "demo"), ("bonpunkt-session", "of-anna")), Code.INVALID_ARGUMENT),
        ((("bonpunkt-session", "ended"),), Code.UNAUTHENTICATED),
        ((("bonpunkt-session", "of-bert"),), Code.PERMISSION_DENIED),
    ],
)
async def test_whoever_changes_endpoints_says_who_it_is(
    api: Api, loyalty: Loyalty, shown: Metadata, code: grpc.StatusCode
) -> None:
    loyalty.sessions = {"of-anna": Staff(name="anna", role="manager")}
    loyalty.sessions["of-bert"] = Staff(name="bert", role="clerk")

    assert (await refused(api.add(metadata=(*bearer(TOKEN), *shown))))[0] is code

    assert (await api.figures()).endpoints == []


@pytest.mark.parametrize("shown", [("bonpunkt-session", "of-anna"), ("bonpunkt-actor", "cli:root")])
async def test_managers_and_the_command_line_may_change_endpoints(
    api: Api, loyalty: Loyalty, shown: tuple[str, str]
) -> None:
    loyalty.sessions = {"of-anna": Staff(name="anna", role="manager")}

    await api.add(metadata=(*bearer(TOKEN), shown))


async def test_without_loyalty_no_session_is_believed(api: Api, loyalty: Loyalty) -> None:
    await loyalty.stop()
    metadata = (*bearer(TOKEN), ("bonpunkt-session", "of-anna"))

    code, details = await refused(api.add(metadata=metadata))

    assert (code, details.partition(",")[0]) == (Code.UNAVAILABLE, "loyalty")


async def test_deliveries_are_listed_newest_first_by_pages(api: Api, loyalty: Loyalty) -> None:
    async with receiving() as email:
        await api.add(url=email.url)
        for version in range(1, 6):
            loyalty.change(1, version=version)
        await eventually(lambda: api.delivered(5))

    first = await api.list(page_size=2)
    second = await api.list(page_size=2, page_token=first.next_page_token)
    third = await api.list(page_size=2, page_token=second.next_page_token)
    whole = await api.list(page_size=5)

    pages = [[each.member_version for each in page.deliveries] for page in (first, second, third)]
    assert pages == [[5, 4], [3, 2], [1]]
    assert (third.next_page_token, whole.next_page_token) == ("", "")


async def test_a_delivery_tells_what_became_of_it(api: Api, loyalty: Loyalty) -> None:
    async with receiving() as email, receiving(status(400)) as crm:
        await api.add("email", url=email.url)
        await api.add("crm", url=crm.url)
        change = loyalty.change(1, version=1, kind="enrol")
        await eventually(lambda: has_dead(api))
        await eventually(lambda: api.delivered(1))

    (arrived,) = (await api.list(endpoint="email")).deliveries
    (dead,) = (await api.list(state=pb.Delivery.STATE_DEAD)).deliveries
    assert arrived.delivery_id == email.ids[0]
    assert arrived.event_type == "member.enrolled"
    assert (arrived.member_id, arrived.member_version) == (change.member_id, 1)
    assert (arrived.bucket, arrived.sequence) == (change.bucket, change.sequence)
    assert (arrived.state, arrived.attempts) == (pb.Delivery.STATE_DELIVERED, 1)
    assert (arrived.last_status, arrived.last_error) == (204, "")
    assert arrived.HasField("delivered_at")
    assert not arrived.HasField("next_attempt_at")
    assert (dead.endpoint, dead.state, dead.attempts) == ("crm", pb.Delivery.STATE_DEAD, 3)
    assert (dead.last_status, dead.last_error) == (400, "answered 400")
    assert not dead.HasField("delivered_at")
    assert not dead.HasField("next_attempt_at")


async def has_dead(api: Api) -> bool:
    return any(each.dead for each in (await api.figures()).endpoints)


async def test_a_list_is_narrowed_by_member_endpoint_and_state(api: Api, loyalty: Loyalty) -> None:
    off = pb.DisableEndpointRequest(name="crm")
    async with receiving() as email:
        await api.add("email", url=email.url)
        await api.add("crm", url=email.url)
        await api.endpoints.DisableEndpoint(off, metadata=DEMO)
        one, _ = loyalty.change(1, version=1), loyalty.change(2, version=1)
        await eventually(lambda: api.delivered(2))

    async def found(**fields: Any) -> int:
        return len((await api.list(**fields)).deliveries)

    assert await found() == 4
    assert await found(member_id=one.member_id) == 2
    assert await found(endpoint="crm") == 2
    assert await found(state=pb.Delivery.STATE_PENDING) == 2
    assert await found(state=pb.Delivery.STATE_DEAD) == 0
    assert await found(member_id=one.member_id, endpoint="email", state=2) == 1
    assert await found(member_id=one.member_id, endpoint="email", state=1) == 0
    assert await found(endpoint="nobody") == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"page_size": 201}, "page_size"),
        ({"page_token": "abc"}, "page_token"),
        ({"page_token": "-1"}, "page_token"),
        ({"page_token": "9" * 19}, "page_token"),
        ({"member_id": "' OR 1=1 --"}, "member_id"),
        ({"member_id": "a\x00b"}, "member_id"),
        ({"endpoint": "a b"}, "endpoint"),
        ({"state": 9}, "state"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    api: Api, fields: dict[str, Any], field: str
) -> None:
    code, details = await refused(api.list(**fields))

    assert (code, details.partition(":")[0]) == (Code.INVALID_ARGUMENT, field)


@pytest.mark.parametrize("page_size", [0, 1, 200])
async def test_pages_of_up_to_200_are_allowed(api: Api, page_size: int) -> None:
    assert (await api.list(page_size=page_size)).deliveries == []


async def test_a_clerk_may_put_a_delivery_back_in_line(api: Api, loyalty: Loyalty) -> None:
    loyalty.sessions = {"of-bert": Staff(name="bert", role="clerk")}
    metadata = (*bearer(TOKEN), ("bonpunkt-session", "of-bert"))
    async with receiving() as email:
        await api.add(url=email.url)
        loyalty.change(1, version=1)
        await eventually(lambda: api.delivered(1))
        request = pb.RedeliverRequest(delivery_id=email.ids[0])
        again = (await api.deliveries.Redeliver(request, metadata=metadata)).delivery
        await eventually(lambda: len(email.posts) == 2)
        await eventually(lambda: api.delivered(1))

    assert (again.state, again.delivery_id) == (pb.Delivery.STATE_PENDING, email.ids[0])
    assert again.HasField("next_attempt_at")
    assert email.ids[0] == email.ids[1]


@pytest.mark.parametrize(
    "delivery_id",
    ["", "msg_000000000000_1_0_1", "msg_x_1_0_1", "msg_000000000000_1_0_" + "9" * 30, "a\x00b"],
)
async def test_a_delivery_that_does_not_exist_is_not_found(api: Api, delivery_id: str) -> None:
    request = pb.RedeliverRequest(delivery_id=delivery_id)

    assert (await refused(api.deliveries.Redeliver(request, metadata=DEMO)))[0] is Code.NOT_FOUND


async def test_figures_count_by_endpoint_and_all_entries(api: Api, loyalty: Loyalty) -> None:
    async with receiving() as email, receiving(status(400)) as crm:
        await api.add("email", url=email.url)
        await api.add("crm", url=crm.url)
        loyalty.change(1, version=1)
        loyalty.change(1, version=1, accepted=False)
        loyalty.change(2, version=1)
        await eventually(lambda: api.delivered(2))

        async def all_dead() -> bool:
            return [each.dead for each in (await api.figures()).endpoints] == [2, 0]

        await eventually(all_dead)

    figures = await api.figures()
    assert figures.entries_taken_in == 3
    assert [(each.endpoint, each.pending, each.delivered) for each in figures.endpoints] == [
        ("crm", 0, 0),
        ("email", 0, 2),
    ]


async def test_health_tells_when_intake_has_stopped_for_good(api: Api, loyalty: Loyalty) -> None:
    """What was taken in is still delivered, and people can still look."""
    async with receiving() as email:
        await api.add(url=email.url)
        loyalty.change(1, version=1)
        await eventually(lambda: api.delivered(1))
        await loyalty.stop()
        loyalty.epoch = 2
        await loyalty.start()
        await eventually(lambda: stopped_serving(api.target))

        request = pb.RedeliverRequest(delivery_id=email.ids[0])
        await api.deliveries.Redeliver(request, metadata=DEMO)
        await eventually(lambda: len(email.posts) == 2)

    assert (await api.figures()).entries_taken_in == 1


async def stopped_serving(target: str) -> bool:
    return not await is_serving(target)
