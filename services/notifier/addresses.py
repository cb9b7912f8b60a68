"""Which addresses webhooks may be sent to: the guard against being used to reach inside (SSRF).

A URL is judged by its form when an endpoint is added. What counts is judged when a connection is
made: the very address that is dialled, after all names have been resolved, so that a name which
resolves differently the second time gains nothing.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from yarl import URL

URL_CHARACTERS_MAX = 2_048


class Kind(Enum):
    GLOBAL = "global"
    LOOPBACK = "loopback"
    PRIVATE = "private"  # an operator may own receivers there
    SPECIAL = "special"  # nobody receives webhooks there: link-local, multicast, documentation, …


_LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
# From the special-purpose registries of IANA. Of IPv6 everything outside 2000::/3 is special.
_SPECIAL_V4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "169.254.0.0/16",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
_GLOBAL_V6 = ip_network("2000::/3")
_SPECIAL_V6 = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # Teredo and other tunnels and identifiers
            "2001:db8::/32",
            "2002::/16",  # 6to4: would be an IPv4 address in disguise
            "3fff::/20",
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def kind(address: IPv4Address | IPv6Address) -> Kind:
    """What an address is. One that wraps an IPv4 address (mapped, NAT64) is what it wraps."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return kind(address.ipv4_mapped)
        if address in _NAT64:
            return kind(IPv4Address(int(address) & 0xFFFF_FFFF))
    if any(address in network for network in _LOOPBACK):
        return Kind.LOOPBACK
    if any(address in network for network in _PRIVATE):
        return Kind.PRIVATE
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _SPECIAL_V4)
    else:
        special = address not in _GLOBAL_V6 or any(address in network for network in _SPECIAL_V6)
    return Kind.SPECIAL if special else Kind.GLOBAL


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows beyond the open internet."""

    allow_loopback: bool = False
    allow_private: bool = False

    def allows(self, found: Kind) -> bool:
        return (
            found is Kind.GLOBAL
            or (found is Kind.LOOPBACK and self.allow_loopback)
            or (found is Kind.PRIVATE and self.allow_private)
        )


def why_not_dialled(host: str, *, encrypted: bool, policy: Policy) -> str:
    """Why the resolved address `host` may not be connected to; empty if it may.

    Without encryption only loopback is dialled, whatever a name resolves to.
    """
    try:
        found = kind(ip_address(host.partition("%")[0]))
    except ValueError:
        return f"{host} is no address"
    if not policy.allows(found):
        return f"address {host} is {found.value}, which the notifier's settings do not allow"
    if not encrypted and found is not Kind.LOOPBACK:
        return f"address {host} is not on loopback, so it needs https"
    return ""


def why_not_accepted(text: str, *, policy: Policy) -> str:
    """Why `text` cannot be an endpoint's URL; empty if it can. Names are not resolved here."""
    if len(text) > URL_CHARACTERS_MAX:
        return f"is longer than {URL_CHARACTERS_MAX} characters"
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        return f"is no URL: {error}"
    if url.scheme not in ("http", "https") or not host or not port:
        return "is not of the form https://host/path"
    if url.raw_user is not None or url.raw_password is not None or url.raw_fragment:
        return "must not carry a user, a password or a fragment"
    if _looks_like_address(host):
        return why_not_dialled(host, encrypted=url.scheme == "https", policy=policy)
    if url.scheme == "http" and host.rstrip(".") != "localhost":
        return "needs https; http is for loopback only"
    if host.rstrip(".") == "localhost" and not policy.allow_loopback:
        return "is on loopback, which the notifier's settings do not allow"
    return ""


def _looks_like_address(host: str) -> bool:
    """Also what only some resolvers take for one, as 2130706433, 0x7f.1 and 0177.0.0.1.

    Such forms are refused: no top-level domain is a number.
    """
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")
