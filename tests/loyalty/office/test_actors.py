"""Every writing call says who acts."""

import grpc
import pytest

from bonpunkt.loyalty.v1 import staff_pb2 as staff_pb
from bonpunkt.loyalty.v1 import terminal_pb2 as pb
from tests.loyalty.office.conftest import Office, signed_in

REQUEST = pb.AddTerminalRequest(terminal_id="till-1", store_id="store-1")


async def refusal(office: Office, *metadata: tuple[str, str]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await office.terminals.AddTerminal(REQUEST, metadata=metadata)
    assert await office.terminals.ListTerminals(pb.ListTerminalsRequest()) == (
        pb.ListTerminalsResponse()
    )
    return raised.value.code()


@pytest.mark.parametrize("actor", ["demo", "cli:root", "cli:Anna.Meier@shop-1"])
async def test_the_command_line_and_the_demo_may_act(office: Office, actor: str) -> None:
    await office.terminals.AddTerminal(REQUEST, metadata=(("bonpunkt-actor", actor),))

    assert await office.actions() == [(actor, "terminal.add", "till-1")]


@pytest.mark.parametrize("actor", ["staff:anna", "cli:", "cli:a b", "demo2", "cli:" + "x" * 65])
async def test_no_other_actor_can_be_claimed(office: Office, actor: str) -> None:
    assert await refusal(office, ("bonpunkt-actor", actor)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_nobody_acts_without_a_name(office: Office) -> None:
    assert await refusal(office) is grpc.StatusCode.UNAUTHENTICATED


async def test_a_session_and_an_actor_at_once_are_refused(office: Office) -> None:
    await office.add("anna", "manager")
    session = await office.sign_in("anna")

    code = await refusal(office, *signed_in(session), ("bonpunkt-actor", "demo"))

    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_manager_acts_by_name_until_the_session_ends(office: Office) -> None:
    await office.add("anna", "manager")
    session = await office.sign_in("anna")
    await office.staff.SignOut(staff_pb.SignOutRequest(session=session))
    assert await refusal(office, *signed_in(session)) is grpc.StatusCode.UNAUTHENTICATED

    session = await office.sign_in("anna")
    await office.terminals.AddTerminal(REQUEST, metadata=signed_in(session))

    assert (await office.actions())[-1] == ("staff:anna", "terminal.add", "till-1")


async def test_a_clerk_may_not_do_what_managers_do(office: Office) -> None:
    await office.add("carl")
    session = await office.sign_in("carl")

    assert await refusal(office, *signed_in(session)) is grpc.StatusCode.PERMISSION_DENIED
