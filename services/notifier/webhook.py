"""Webhooks as Standard Webhooks 1.0.0 has them: signing, and one attempt to deliver."""

import asyncio
import base64
import binascii
import errno
import hashlib
import hmac
import secrets
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.notifier.addresses import Policy, why_not_dialled
from services.notifier.delivery import Answer

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, no secret
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
ANSWER_BYTES_MAX = 16_384  # read of an answer, to use its connection again; nothing is kept
DRAIN_S = 1.0
KEEPALIVE_S = 30.0
ERROR_CHARACTERS_MAX = 200

Headers = Mapping[str, str]
NO_HEADERS: Headers = {}
_AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int]]


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def key_of(secret: str) -> bytes:
    """The bytes to sign with. ValueError says, without the secret, what is wrong with it."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"must start with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"must be base64 after {SECRET_PREFIX}") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ValueError(f"must hold {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} random bytes")
    return key


def signed_headers(
    *, keys: Sequence[bytes], delivery_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The three headers of one attempt, with a signature for each key while keys are changed.

    `timestamp_s` is the attempt's, in whole seconds: an old copy cannot be played back later.
    """
    assert "." not in delivery_id, "the signed text is cut at dots"
    text = b"%b.%d.%b" % (delivery_id.encode("ascii"), timestamp_s, body)
    signatures = [base64.b64encode(hmac.digest(key, text, hashlib.sha256)) for key in keys]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{each.decode('ascii')}" for each in signatures),
    }


class Courier:
    """Connections to one endpoint. A slow endpoint fills its own connections only."""

    def __init__(
        self,
        *,
        url: str,
        keys: Sequence[bytes],
        connections: int,
        timeout_s: float,
        policy: Policy,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._url = URL(url)
        self._keys = tuple(keys)
        self._policy = policy
        self._timeout_s = timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                keepalive_timeout=KEEPALIVE_S,
                socket_factory=self._socket,
                resolver=resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            headers={"content-type": "application/json", "user-agent": "Bonpunkt"},
            auto_decompress=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def post(
        self, *, delivery_id: str, body: bytes, now_us: int, headers: Headers = NO_HEADERS
    ) -> Answer:
        """One attempt, with further headers. Whatever the other side does, what comes of it is an
        `Answer`.
        """
        signed = signed_headers(
            keys=self._keys,
            delivery_id=delivery_id,
            timestamp_s=now_us // 1_000_000,
            body=body,
        )
        try:
            async with self._session.post(
                self._url, data=body, headers={**headers, **signed}, allow_redirects=False
            ) as response:
                answer = _answer(response, now_us=now_us)
                await _drain(response)
                return answer
        except TimeoutError:
            return Answer(status=0, error=f"no answer within {self._timeout_s:g} s")
        except Exception as error:  # a receiver may provoke whatever the HTTP library can raise
            return Answer(status=0, error=_words(error))

    def _socket(self, info: _AddrInfo) -> socket.socket:
        """The socket for an address that is about to be dialled, if it may be."""
        family, kind, protocol, _, address = info
        encrypted = self._url.scheme == "https"
        reason = why_not_dialled(address[0], encrypted=encrypted, policy=self._policy)
        if reason:
            raise PermissionError(errno.EACCES, reason)
        return socket.socket(family, kind, protocol)


def _answer(response: aiohttp.ClientResponse, *, now_us: int) -> Answer:
    status = response.status
    retry_after_s = _retry_after_s(response.headers.get("retry-after", ""), now_us=now_us)
    error = "" if 200 <= status < 300 else f"answered {status}"
    if 300 <= status < 400:
        error += "; redirects are not followed"
    return Answer(status=status, error=error, retry_after_s=retry_after_s)


def _retry_after_s(text: str, *, now_us: int) -> int | None:
    """Seconds from now, from either form of the header; what is no such form asks for nothing."""
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.fromtimestamp(now_us / 1_000_000, UTC)).total_seconds()))


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a short body, so that the connection can be used again; gives it up otherwise.

    The status has decided already: a body that never ends changes nothing.
    """
    if response.content.at_eof():
        return
    left = ANSWER_BYTES_MAX
    try:
        async with asyncio.timeout(DRAIN_S):
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
    except (TimeoutError, aiohttp.ClientError, OSError):
        left = 0
    if left == 0:
        response.close()


def _words(error: BaseException) -> str:
    """One printable line; a receiver has a hand in what it says."""
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not valid HTTP"
    text = f"{error}" or type(error).__name__
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())[:ERROR_CHARACTERS_MAX]
