"""The demo's receivers believe nothing that is not signed, and count everything once."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from services.demo.receiver import BODY_BYTES_MAX, EVENTS_SHOWN, Mailbox, Received, verified
from services.notifier.events import event_from_entry
from services.notifier.webhook import key_of, new_secret, signed_headers
from tests.notifier.feed import entry
from tests.servers import child

SECRET = new_secret()
MEMBER = "0190d8f0-0000-7000-8000-000000000001"
SOON_S = 10.0


def event(**changes: Any) -> bytes:
    """A body as the notifier makes it, with these fields of its data changed."""
    body = orjson.loads(event_from_entry(entry(), epoch=1).body)
    body["data"] |= changes
    return orjson.dumps(body)


def signed(body: bytes, *, delivery_id: str = "msg_1", age_s: float = 0) -> dict[str, str]:
    """By the independent library, which counts in local times relabelled as UTC."""
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(delivery_id, at, body.decode()),
    }


def now_s() -> int:
    return int(time.time())


def received(version: int, *, member: str = MEMBER, epoch: int = 1) -> Received:
    return Received(
        delivery_id=f"msg_{member}_{epoch}_{version}",
        event_type="member.points_changed",
        member_id=member,
        epoch=epoch,
        member_version=version,
        points=10,
        available=10,
    )


def is_believed(body: bytes, headers: Mapping[str, str]) -> bool:
    return verified(Webhook(SECRET), body, headers) is not None


def test_what_the_notifier_signs_is_believed() -> None:
    body = event(points=77, available=70, member_version=3)
    headers = signed_headers(
        keys=[key_of(SECRET)], delivery_id="msg_9", timestamp_s=now_s(), body=body
    )

    assert verified(Webhook(SECRET), body, headers) == Received(
        delivery_id="msg_9",
        event_type="member.points_changed",
        member_id=MEMBER,
        epoch=1,
        member_version=3,
        points=77,
        available=70,
    )


def test_one_right_signature_among_others_is_enough() -> None:
    headers = signed(event())
    headers["webhook-signature"] = f"v1,{'A' * 44} v1a,xyz {headers['webhook-signature']}"

    assert is_believed(event(), headers)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "inf"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,!"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v2,abc"},
        {"webhook-signature": "v1,\u00e4"},
        {"webhook-signature": " , "},
        {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()},
    ],
)
def test_a_changed_header_is_not_believed(changed: dict[str, str]) -> None:
    """Whatever error the library has for it."""
    assert not is_believed(event(), {**signed(event()), **changed})


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_not_believed(missing: str) -> None:
    headers = signed(event())
    del headers[missing]

    assert not is_believed(event(), headers)


@pytest.mark.parametrize("age_s", [400, -400])
def test_what_was_signed_long_ago_or_in_the_future_is_not_believed(age_s: float) -> None:
    assert is_believed(event(), signed(event(), age_s=age_s * 0.5))
    assert not is_believed(event(), signed(event(), age_s=age_s))


def test_a_changed_body_is_not_believed() -> None:
    assert not is_believed(event(points=1_000_000), signed(event()))
    assert not is_believed(event() + b"\n", signed(event()))
    assert not is_believed(b"\xff\xfe", signed(event()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"a","data":null}',
        b"[" * 2_000,
        event(member_id=7),
        event(points="many"),
        event(member_version=None),
    ],
)
def test_what_is_signed_but_no_event_is_not_believed(body: bytes) -> None:
    assert not is_believed(body, signed(body))


def test_repeated_deliveries_are_counted_once(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    for _ in range(3):
        box.keep(received(1))

    assert (box.distinct, box.total, len(box.last)) == (1, 3, 1)


def test_an_older_version_is_counted_and_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    for version in (1, 3, 2):
        box.keep(received(version))

    assert box.newest == {MEMBER: (1, 3)}
    assert (box.distinct, box.backwards) == (3, 1)


def test_after_a_restore_of_the_ledger_lower_versions_are_newer(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "box")
    box.keep(received(9, epoch=1))
    box.keep(received(2, epoch=2))

    assert (box.newest, box.backwards) == ({MEMBER: (2, 2)}, 0)


def test_everything_counted_is_counted_again_after_a_restart(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "folder" / "box")
    for version in (1, 2, 2, 1, 4, 3):
        box.keep(received(version))
    box.reject()
    box.close()

    again = Mailbox(tmp_path / "folder" / "box")

    assert (again.distinct, again.total, again.rejected, again.backwards) == (4, 6, 1, 1)
    assert (again.newest, list(again.last)) == (box.newest, list(box.last))


@pytest.mark.parametrize("torn", [b"[", b'["msg_1","member', b"nul"])
def test_a_line_that_a_crash_tore_was_never_answered_and_goes(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "box"
    box = Mailbox(path)
    box.keep(received(1))
    box.close()
    path.write_bytes(path.read_bytes() + torn)

    again = Mailbox(path)
    again.keep(received(2))
    again.close()

    assert Mailbox(path).distinct == 2


class Process:
    """`python -m services.demo.receiver`, at the port that it printed."""

    def __init__(self, folder: Path) -> None:
        (folder / "secret").write_text(SECRET + "\n")
        command = [sys.executable, "-m", "services.demo.receiver", "--name", "e-mail <b>"]
        command += ["--port", "0", "--secret-file", str(folder / "secret")]
        command += ["--state", str(folder / "state")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def end(self, by: signal.Signals) -> int:
        return child.end(self._process, by=by, within_s=SOON_S)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    yield running
    running.end(signal.SIGKILL)


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status


async def get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_process_answers_204_for_events_and_400_for_the_rest(process: Process) -> None:
    assert await post(process.url, event(), signed(event())) == 204
    assert await post(process.url, event(), signed(event())) == 204
    assert await post(process.url, event(points=8), signed(event())) == 400
    assert await post(process.url, b"", {}) == 400
    assert await post(process.url, bytes(BODY_BYTES_MAX + 1), signed(event())) == 413

    assert orjson.loads(await get(f"{process.url}/figures")) == {
        "name": "e-mail <b>",
        "verified_distinct": 1,
        "verified_total": 2,
        "rejected": 3,
        "members": 1,
        "versions_backwards": 0,
    }


async def test_what_was_answered_survives_a_kill(process: Process, tmp_path: Path) -> None:
    assert await post(process.url, event(), signed(event())) == 204
    process.end(signal.SIGKILL)

    again = Process(tmp_path)
    figures = orjson.loads(await get(f"{again.url}/figures"))
    status = again.end(signal.SIGTERM)

    assert (figures["verified_distinct"], status) == (1, 0)


async def test_the_page_shows_the_last_events_and_trusts_no_text(process: Process) -> None:
    for version in range(1, EVENTS_SHOWN + 2):
        body = event(member_id="<script>", member_version=version)
        assert await post(process.url, body, signed(body, delivery_id=f"msg_{version}")) == 204

    page = await get(process.url)

    assert page.count("&lt;script&gt;") == EVENTS_SHOWN
    assert "<script>" not in page
    assert "e-mail &lt;b&gt;" in page


def test_a_receiver_without_its_secret_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.demo.receiver", "--name", "x", "--port", "0"]
    command += ["--secret-file", str(tmp_path / "none"), "--state", os.devnull]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
