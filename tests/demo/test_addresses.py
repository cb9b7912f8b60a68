"""Where a run listens, and what is told when it cannot."""

import socket
from collections.abc import Iterator

import pytest

from services.demo import addresses
from services.demo.addresses import PortsTakenError, choose, fault_of, target


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield somebody.getsockname()[1]


def test_a_taken_address_is_told_with_the_setting_to_change(taken_port: int) -> None:
    environment = {"GATEWAY_LISTEN": f"127.0.0.1:{taken_port}"}

    with pytest.raises(PortsTakenError, match=rf"127\.0\.0\.1:{taken_port} .*set GATEWAY_LISTEN"):
        choose(environment, free_ports=True, receiver_ports={}, demo=False)


def test_everything_that_is_taken_is_told_at_once(taken_port: int) -> None:
    everything = dict.fromkeys(addresses.DEFAULTS, f"127.0.0.1:{taken_port}")

    with pytest.raises(PortsTakenError) as complaints:
        choose(everything, free_ports=False, receiver_ports={}, demo=False)

    assert all(name in str(complaints.value) for name in addresses.DEFAULTS)


@pytest.mark.parametrize("listen", ["7702", "127.0.0.1:port", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_told(listen: str) -> None:
    with pytest.raises(PortsTakenError, match="LOYALTY_LISTEN"):
        choose({"LOYALTY_LISTEN": listen}, free_ports=True, receiver_ports={}, demo=False)


def test_free_ports_are_all_different_and_free() -> None:
    chosen = choose({}, free_ports=True, receiver_ports={}, demo=True)
    services = [chosen.loyalty, chosen.gateway, chosen.notifier, chosen.admin]
    receivers = [f"127.0.0.1:{port}" for port in chosen.receiver_ports.values()]

    assert len({*services, *receivers}) == 6
    assert [fault_of(address) for address in services + receivers] == [""] * 6


def test_the_environment_s_wish_goes_before_free_ports() -> None:
    free = choose({}, free_ports=True, receiver_ports={}, demo=False).loyalty

    chosen = choose({"LOYALTY_LISTEN": free}, free_ports=True, receiver_ports={}, demo=False)

    assert chosen.loyalty == free


def test_receivers_stay_where_their_endpoints_point() -> None:
    earlier = choose({}, free_ports=True, receiver_ports={}, demo=True).receiver_ports

    later = choose({}, free_ports=True, receiver_ports=earlier, demo=True)

    assert later.receiver_ports == earlier


def test_a_receiver_s_taken_port_matters_to_the_demo_only(taken_port: int) -> None:
    earlier = {"email": taken_port}

    with pytest.raises(PortsTakenError, match="email receiver is registered"):
        choose({}, free_ports=True, receiver_ports=earlier, demo=True)

    assert choose({}, free_ports=True, receiver_ports=earlier, demo=False)


@pytest.mark.parametrize(
    ("listen", "reached_at"),
    [
        ("127.0.0.1:7702", "127.0.0.1:7702"),
        ("0.0.0.0:7702", "127.0.0.1:7702"),
        (":7702", "127.0.0.1:7702"),
        ("[::]:7702", "[::1]:7702"),
        ("loyalty.example:7702", "loyalty.example:7702"),
    ],
)
def test_a_process_of_the_same_machine_finds_the_way(listen: str, reached_at: str) -> None:
    assert target(listen) == reached_at
