"""The till's way to the gateway: TLS, unless the gateway is on this very machine."""

import ipaddress
import os
from pathlib import Path

import grpc

CA_FILE_KEY = "BONPUNKT_CA_FILE"

_OPTIONS = [
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # so long an attempt to connect may take, too
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.use_local_subchannel_pool", 1),
]


def credentials_for(target: str, ca_file: str | Path | None) -> grpc.ChannelCredentials | None:
    """What a channel to `target` needs to speak TLS; None for plain text.

    Plain text only to loopback, and there unless a `ca_file` is given or the target begins with
    `https://`. Else the gateway's certificate must be signed for the host name of `target` by a CA
    of `ca_file`, by default the file that BONPUNKT_CA_FILE names. Raises ValueError if there is
    none, OSError if it cannot be read.
    """
    if ca_file is None and not target.startswith("https://") and _is_loopback(target):
        return None
    path = ca_file or os.environ.get(CA_FILE_KEY)
    if not path:
        raise ValueError(
            f"{target} is asked by TLS: give the CA's certificate as ca_file or {CA_FILE_KEY}"
        )
    return grpc.ssl_channel_credentials(Path(path).read_bytes())


def open_channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """A channel that connects by itself, and again with short waits."""
    address = target.removeprefix("https://")
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)


def _is_loopback(target: str) -> bool:
    if target.startswith("unix:"):
        return True
    host = target.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
