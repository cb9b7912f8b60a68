"""Signing, and one attempt against receivers of every manner."""

import base64
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.notifier.addresses import Policy, why_not_accepted
from services.notifier.delivery import Answer
from services.notifier.events import event_from_entry
from services.notifier.webhook import Courier, key_of, new_secret, signed_headers
from tests.notifier.feed import entry
from tests.notifier.receivers import SECRET, raw_server, receiving, serving, status

BODY = event_from_entry(entry(), epoch=1).body
LOOPBACK = Policy(allow_loopback=True)


def now_us() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def courier(
    url: str,
    *,
    timeout_s: float = 5,
    policy: Policy = LOOPBACK,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[Courier]:
    opened = Courier(
        url=url,
        keys=[key_of(SECRET)],
        connections=4,
        timeout_s=timeout_s,
        policy=policy,
        resolver=resolver,
    )
    try:
        yield opened
    finally:
        await opened.close()


async def posted(url: str, *, timeout_s: float = 5) -> Answer:
    async with courier(url, timeout_s=timeout_s) as opened:
        return await opened.post(delivery_id="msg_1", body=BODY, now_us=now_us())


def test_an_independent_library_verifies_what_was_signed() -> None:
    secret = new_secret()
    headers = signed_headers(
        keys=[key_of(secret)], delivery_id="msg_1", timestamp_s=now_us() // 1_000_000, body=BODY
    )

    Webhook(secret).verify(BODY, headers)

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**headers, "webhook-id": "msg_2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example of the reference libraries of Standard Webhooks."""
    headers = signed_headers(
        keys=[key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_keys_are_changed_both_verify() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers(
        keys=[key_of(new), key_of(old)],
        delivery_id="msg_1",
        timestamp_s=now_us() // 1_000_000,
        body=BODY,
    )

    Webhook(old).verify(BODY, headers)
    Webhook(new).verify(BODY, headers)


@pytest.mark.parametrize("length", [24, 64])
def test_secrets_of_24_to_64_bytes_are_taken(length: int) -> None:
    assert len(key_of("whsec_" + base64.b64encode(bytes(length)).decode())) == length


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET + "!",
        SECRET[:-1],
        "whsec_\u00e4",
    ],
)
def test_every_other_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        key_of(secret)

    assert len(secret) < 10 or secret.removeprefix("whsec_") not in str(refused.value)


async def test_the_bytes_that_were_signed_are_sent() -> None:
    async with receiving() as receiver, courier(receiver.url) as opened:
        answer = await opened.post(delivery_id="msg_9", body=BODY, now_us=now_us())

    assert answer == Answer(status=204)
    assert [(post.delivery_id, post.body) for post in receiver.posts] == [("msg_9", BODY)]


@pytest.mark.parametrize("code", [200, 201, 204, 299])
async def test_2xx_is_a_success(code: int) -> None:
    async with receiving(status(code)) as receiver:
        answer = await posted(receiver.url)

    assert (answer.status, answer.error, answer.is_success) == (code, "", True)


@pytest.mark.parametrize("code", [304, 400, 401, 404, 410, 418, 429, 500, 502, 503, 504])
async def test_every_other_status_is_a_failure_that_says_so(code: int) -> None:
    async with receiving(status(code)) as receiver:
        answer = await posted(receiver.url)

    assert (answer.status, answer.is_success) == (code, False)
    assert f"answered {code}" in answer.error


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(code: int) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        receiver.reply = status(code, location=elsewhere.url)
        answer = await posted(receiver.url)

    assert (answer.status, len(receiver.posts), elsewhere.posts) == (code, 1, [])
    assert "redirects are not followed" in answer.error


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [("0", 0), ("120", 120), ("99999999999999", 999_999_999), ("soon", None), ("-5", None)],
)
async def test_retry_after_in_seconds_is_understood(header: str, expected_s: int | None) -> None:
    async with receiving(status(503, retry_after=header)) as receiver:
        assert (await posted(receiver.url)).retry_after_s == expected_s


async def test_retry_after_as_a_date_is_understood() -> None:
    in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    long_ago = format_datetime(datetime(1999, 12, 31, tzinfo=UTC), usegmt=True)
    async with receiving(status(429, retry_after=in_two_hours)) as receiver:
        assert (await posted(receiver.url)).retry_after_s == pytest.approx(7_200, abs=5)
        receiver.reply = status(429, retry_after=long_ago)
        assert (await posted(receiver.url)).retry_after_s == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n" + b"x: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 1_000,
    ],
)
async def test_garbage_is_a_failure_in_printable_words(answer: bytes) -> None:
    async with raw_server(answer) as (url, _):
        result = await posted(url)

    assert (result.status, result.is_success) == (0, False)
    assert result.error.isprintable()
    assert 0 < len(result.error) <= 200


async def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    async with raw_server(b"", hang=True) as (url, connected):
        answer = await posted(url, timeout_s=0.2)

    assert (answer, len(connected)) == (Answer(0, "no answer within 0.2 s"), 1)


async def test_nobody_listening_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answer = await posted(f"http://127.0.0.1:{taken.getsockname()[1]}/")

    assert (answer.status, "onnect" in answer.error) == (0, True)


async def test_the_status_counts_though_the_body_never_ends() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nfirst of many"
    async with raw_server(endless, hang=True) as (url, _):
        assert (await posted(url)).is_success


async def test_a_huge_body_is_not_read() -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 100_000_000:
            await response.write(bytes(65_536))
            sent += 65_536
        return response

    app = web.Application()
    app.add_routes([web.post("/", flood)])
    async with serving(app) as url:
        answer = await posted(url)

    assert answer.is_success
    assert sent < 20_000_000  # what fits into the kernel's buffers


async def test_a_connection_is_used_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    async with raw_server(answer, posts=3) as (url, connected), courier(url) as opened:
        for _ in range(3):
            assert (await opened.post(delivery_id="m", body=BODY, now_us=now_us())).is_success

    assert len(connected) == 1


class Resolver(AbstractResolver):
    """Says that every name is at this address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(
            hostname=host, host=self._address, port=port, family=socket.AF_INET, proto=0, flags=0
        )
        return [found]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001"])
async def test_loopback_in_any_form_is_not_connected_to_unless_allowed(host: str) -> None:
    """Also past the check of the URL, as when the settings became stricter later."""
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\n") as (url, connected):
        url = url.replace("127.0.0.1", host)
        async with courier(url, policy=Policy()) as opened:
            answer = await opened.post(delivery_id="m", body=BODY, now_us=now_us())

    assert (answer.status, connected) == (0, [])


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_the_address_that_is_dialled_is_the_one_that_is_checked(address: str) -> None:
    """A name that was elsewhere when its endpoint was added, and is inside now, gains nothing."""
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\n") as (loopback_url, connected):
        url = loopback_url.replace("http://127.0.0.1", "https://rebinding.example")
        assert why_not_accepted(url, policy=Policy()) == ""

        async with courier(url, policy=Policy(), resolver=Resolver(address)) as opened:
            answer = await opened.post(delivery_id="m", body=BODY, now_us=now_us())

    assert (answer.status, connected) == (0, [])
    assert f"address {address} is" in answer.error
