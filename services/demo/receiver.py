"""An e-mail system or a CRM for the demo: receives webhooks as a stranger would.

It knows the notifier by its documentation alone and verifies with the independent package
`standardwebhooks`. Run as `python -m services.demo.receiver --name email --port 0
--secret-file FILE --state FILE`; the first line on standard output is the port.
"""

import asyncio
import html
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from services.runtime import process

BODY_BYTES_MAX = 65_536
EVENTS_SHOWN = 20
SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Received:
    """What the receiver keeps of an event: the member's state, no more."""

    delivery_id: str
    event_type: str
    member_id: str
    epoch: int
    member_version: int
    points: int
    available: int


def verified(secret: Webhook, body: bytes, headers: Mapping[str, str]) -> Received | None:
    """The event, if its signature is right and it is one; None for everything else.

    The package raises its own error for a wrong signature, but half of Python's for headers and
    bodies that are merely malformed: to a receiver they all mean that nobody vouches for this.
    """
    try:
        secret.verify(body, dict(headers), json_parse=False)
        event = orjson.loads(body)
        data = event["data"]
        return Received(
            delivery_id=headers["webhook-id"],
            event_type=_text(event["type"]),
            member_id=_text(data["member_id"]),
            epoch=int(data["epoch"]),
            member_version=int(data["member_version"]),
            points=int(data["points"]),
            available=int(data["available"]),
        )
    except Exception:
        return None


class Mailbox:
    """Everything received so far, kept in a file to which lines are only ever added.

    A line is written before the answer is given, so whoever was answered is counted also after
    the process was killed. Of each member the newest version stays, whatever arrives late.
    """

    def __init__(self, path: Path) -> None:
        self.total = 0
        self.rejected = 0
        self.backwards = 0
        self.newest: dict[str, tuple[int, int]] = {}
        self.last: deque[Received] = deque(maxlen=EVENTS_SHOWN)
        self._ids: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._replay(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @property
    def distinct(self) -> int:
        return len(self._ids)

    def keep(self, received: Received) -> None:
        line = [getattr(received, name) for name in Received.__slots__]
        os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._count(received)

    def reject(self) -> None:
        os.write(self._file, b"null\n")
        self.rejected += 1

    def close(self) -> None:
        os.close(self._file)

    def _replay(self, path: Path) -> None:
        """Counts what the file holds; a line torn by a crash was never answered, so it goes."""
        if not path.exists():
            return
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            kept = orjson.loads(line)
            if kept is None:
                self.rejected += 1
            else:
                self._count(Received(*kept))

    def _count(self, received: Received) -> None:
        self.total += 1
        if received.delivery_id in self._ids:
            return
        self._ids.add(received.delivery_id)
        self.last.appendleft(received)
        version = (received.epoch, received.member_version)
        if version < self.newest.get(received.member_id, (0, 0)):
            self.backwards += 1
        else:
            self.newest[received.member_id] = version


class Receiver:
    def __init__(self, *, name: str, secret: str, mailbox: Mailbox) -> None:
        self._name = name
        self._secret = Webhook(secret)
        self._mailbox = mailbox

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.add_routes(
            [
                web.post("/", self.receive),
                web.get("/figures", self.figures),
                web.get("/", self.page),
            ]
        )
        return app

    async def receive(self, request: web.Request) -> web.Response:
        """204 for an event, new or repeated; 400 for what nobody vouches for, 413 if too long."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            self._mailbox.reject()
            raise
        received = verified(self._secret, body, request.headers)
        if received is None:
            self._mailbox.reject()
            return web.Response(status=400)
        self._mailbox.keep(received)
        return web.Response(status=204)

    async def figures(self, _: web.Request) -> web.Response:
        return web.Response(
            body=orjson.dumps({"name": self._name, **self._figures()}),
            content_type="application/json",
        )

    async def page(self, _: web.Request) -> web.Response:
        figures = "".join(f"<li>{name}: {value:,}</li>" for name, value in self._figures().items())
        rows = "".join(_row(each) for each in self._mailbox.last)
        text = _PAGE.format(name=html.escape(self._name), figures=figures, rows=rows)
        return web.Response(text=text, content_type="text/html")

    def _figures(self) -> dict[str, int]:
        """`versions_backwards`: distinct events that came after a newer one of their member."""
        return {
            "verified_distinct": self._mailbox.distinct,
            "verified_total": self._mailbox.total,
            "rejected": self._mailbox.rejected,
            "members": len(self._mailbox.newest),
            "versions_backwards": self._mailbox.backwards,
        }


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{name}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #ccc}}
td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}</style></head>
<body><h1>{name}</h1><ul>{figures}</ul>
<table><thead><tr><th>event<th>member<th class="n">version<th class="n">points
<th class="n">available</tr></thead><tbody>{rows}</tbody></table></body></html>
"""


def _row(of: Received) -> str:
    numbers = "".join(
        f'<td class="n">{each:,}' for each in (of.member_version, of.points, of.available)
    )
    return f"<tr><td>{html.escape(of.event_type)}<td>{html.escape(of.member_id)}{numbers}</tr>"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


@click.command()
@click.option("--name", required=True, help="Whom it plays, as in: email, crm.")
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="0 for a free one.")
@click.option("--secret-file", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(*, name: str, port: int, secret_file: Path, state: Path) -> None:
    """Receives the notifier's webhooks on loopback: POST /, GET / and GET /figures."""
    secret = secret_file.read_text(encoding="ascii").strip()
    mailbox = Mailbox(state)
    receiver = Receiver(name=name, secret=secret, mailbox=mailbox)

    async def serve(stop: asyncio.Event) -> None:
        runner = web.AppRunner(receiver.app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await stop.wait()
        await runner.cleanup()
        mailbox.close()

    process.run(serve)


if __name__ == "__main__":
    main()
