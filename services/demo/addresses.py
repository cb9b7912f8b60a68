"""Where the processes of a run listen: the defaults, the environment's wish, any free ports."""

import os
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
RECEIVERS = ("email", "crm")
RECEIVER_PORTS = {"email": 7721, "crm": 7722}
DEFAULTS = {
    "LOYALTY_LISTEN": f"{HOST}:7702",
    "GATEWAY_LISTEN": f"{HOST}:7701",
    "NOTIFIER_LISTEN": f"{HOST}:7703",
    "ADMIN_LISTEN": f"{HOST}:7700",
}
# below the range from which the kernel takes ports for outgoing connections
FREE_PORTS = range(20_000, 32_000)
ATTEMPTS_MAX = 200


class PortsTakenError(Exception):
    """Addresses that other processes hold; the text names the setting of each."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """`host:port` of every process; the receivers' ports are on the loopback interface."""

    loyalty: str
    gateway: str
    notifier: str
    admin: str
    receiver_ports: Mapping[str, int]


def choose(
    environment: Mapping[str, str],
    *,
    free_ports: bool,
    receiver_ports: Mapping[str, int],
    demo: bool,
) -> Addresses:
    """The addresses of a run; raises `PortsTakenError` with every one that cannot be had.

    `receiver_ports` are those of an earlier run on the same data folder: an endpoint's address
    stays.
    """
    wished = {name: environment.get(name, default) for name, default in DEFAULTS.items()}
    ports = {name: receiver_ports.get(name, RECEIVER_PORTS[name]) for name in RECEIVERS}
    if free_ports:
        found = iter(_free_ports(len(DEFAULTS) + len(RECEIVERS)))
        for name in DEFAULTS.keys() - environment.keys():
            wished[name] = f"{HOST}:{next(found)}"
        for receiver in RECEIVERS:
            ports[receiver] = receiver_ports.get(receiver) or next(found)
    complaints = [
        f"cannot listen on {address} ({fault}): set {name} to another address, "
        "or stop what is there"
        for name, address in wished.items()
        if (fault := fault_of(address))
    ]
    complaints += [
        f"cannot listen on {HOST}:{port} ({fault}), where the demo's {name} receiver is "
        "registered: stop what is there, or begin anew with another --data"
        for name, port in ports.items()
        if demo and (fault := fault_of(f"{HOST}:{port}"))
    ]
    if complaints:
        raise PortsTakenError("\n".join(complaints))
    return Addresses(
        loyalty=wished["LOYALTY_LISTEN"],
        gateway=wished["GATEWAY_LISTEN"],
        notifier=wished["NOTIFIER_LISTEN"],
        admin=wished["ADMIN_LISTEN"],
        receiver_ports=ports,
    )


def target(listen: str) -> str:
    """Where a process of the same machine reaches what listens at `listen`."""
    host, _, port = listen.rpartition(":")
    everywhere = {"0.0.0.0": HOST, "[::]": "[::1]", "": HOST}  # noqa: S104 - recognised, not bound
    return f"{everywhere.get(host, host)}:{port}"


def way_to(name: str, addresses: Addresses) -> str:
    """The same as a target to be asked: by TLS if the environment gives the service a certificate,
    which must be for this machine, too.
    """
    address = target(getattr(addresses, name))
    encrypted = os.environ.get(f"{name.upper()}_TLS_CERTIFICATE_FILE")
    return f"https://{address}" if encrypted else address


def fault_of(listen: str) -> str:
    """Why one could not listen at this address now; empty if one could."""
    host, colon, port = listen.rpartition(":")
    if not colon:
        return "not of the form host:port"
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
            probe.listen()
        except OSError as error:
            return (error.strerror or str(error)).lower()
        except (ValueError, OverflowError):
            return "not of the form host:port"
    return ""


def _free_ports(count: int) -> list[int]:
    drawn = random.sample(FREE_PORTS, ATTEMPTS_MAX)
    found = [port for port in drawn if not fault_of(f"{HOST}:{port}")][:count]
    assert len(found) == count, "two hundred random ports cannot all be taken"
    return found
