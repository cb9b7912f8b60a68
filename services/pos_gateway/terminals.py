"""Which tills may speak: loyalty's list, followed over a stream and kept on disk.

The copy on disk lets a gateway start while loyalty is away. It holds the hashes of secrets, never a
secret.
"""

import asyncio
import hashlib
import hmac
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load
from marshmallow.validate import Regexp

from bonpunkt.loyalty.v1 import terminal_pb2, terminal_pb2_grpc
from services.runtime import logs
from services.runtime.grpc import bearer

TERMINAL_KEY = "bonpunkt-terminal"
PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 2.0

log = logs.logger(__name__)

Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    terminal_id: str
    store_id: str
    secret_sha256: bytes
    blocked: bool = False


class Terminals:
    """The list as last heard, and who is admitted by it."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        token: str,
        path: Path,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._stub = terminal_pb2_grpc.TerminalServiceStub(channel)
        self._metadata = bearer(token)
        self._path = path
        self._jitter = jitter
        self._by_id: Mapping[str, Terminal] = {}
        self._on_change: list[Callable[[], None]] = []
        self.known = asyncio.Event()

    def on_change(self, call: Callable[[], None]) -> None:
        """Has `call` called after every change of the list."""
        self._on_change.append(call)

    def admitted(self, metadata: Metadata) -> Terminal | None:
        """The terminal whose id and secret a call's metadata show; None for everybody else.

        Unknown, blocked and wrong secret take the same way, so that neither words nor time tell
        them apart.
        """
        shown = dict(metadata)
        terminal_id, authorization = shown.get(TERMINAL_KEY), shown.get("authorization")
        if not isinstance(terminal_id, str) or not isinstance(authorization, str):
            return None
        scheme, _, secret = authorization.partition(" ")
        terminal = self._by_id.get(terminal_id, _NOBODY)
        right = hmac.compare_digest(
            hashlib.sha256(secret.encode()).digest(), terminal.secret_sha256
        )
        return terminal if right and scheme == "Bearer" and not terminal.blocked else None

    def still_admits(self, terminal: Terminal) -> bool:
        """Whether a terminal admitted earlier would be admitted now, as the same one."""
        return self._by_id.get(terminal.terminal_id) == terminal

    def load(self) -> None:
        """Takes the copy on disk, if there is one that can be read."""
        try:
            terminals = _FILE.loads(self._path.read_bytes())["terminals"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, ValidationError) as error:
            log.error(
                "the copy of the terminals is unreadable", path=str(self._path), why=str(error)
            )
            return
        self._replace(terminals)
        log.info("terminals are known from disk", count=len(terminals))

    async def follow(self) -> None:
        """Follows loyalty's list and keeps the copy on disk up to date. Runs until cancelled."""
        pause_s = PAUSE_MIN_S
        while True:
            request = terminal_pb2.FollowTerminalsRequest()
            call = self._stub.FollowTerminals(request, metadata=self._metadata, wait_for_ready=True)
            try:
                async for message in call:
                    await self._take(message)
                    pause_s = PAUSE_MIN_S
                why = "loyalty ended it"
            except grpc.aio.AioRpcError as error:
                why = f"{error.code().name}: {error.details()}"
            log.warning("the list of terminals is not followed", why=why)
            await asyncio.sleep(pause_s * (0.5 + self._jitter() / 2))
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _take(self, message: terminal_pb2.FollowTerminalsResponse) -> None:
        terminals = [_terminal_from_wire(each) for each in message.terminals]
        if self.known.is_set() and self._by_id == {each.terminal_id: each for each in terminals}:
            return
        self._replace(terminals)
        log.info("terminals are known from loyalty", count=len(terminals))
        try:
            await asyncio.to_thread(_write, self._path, _file_text(terminals))
        except (
            OSError
        ) as error:  # the list in memory is right; only a restart without loyalty is at risk
            log.error("the copy of the terminals cannot be written", why=str(error))

    def _replace(self, terminals: Iterable[Terminal]) -> None:
        self._by_id = {terminal.terminal_id: terminal for terminal in terminals}
        self.known.set()
        for call in self._on_change:
            call()


class _TerminalSchema(Schema):
    class Meta:
        unknown = EXCLUDE  # a newer gateway may have written more

    terminal_id = fields.String(required=True)
    store_id = fields.String(required=True)
    secret_sha256 = fields.String(required=True, validate=Regexp(r"^[0-9a-f]{64}$"))
    blocked = fields.Boolean(required=True)

    @post_load
    def _terminal(self, loaded: dict[str, Any], **_: object) -> Terminal:
        return Terminal(**{**loaded, "secret_sha256": bytes.fromhex(loaded["secret_sha256"])})


class _FileSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    terminals = fields.List(fields.Nested(_TerminalSchema), required=True)


_FILE = _FileSchema()
_NOBODY = Terminal(terminal_id="", store_id="", secret_sha256=bytes(32), blocked=True)


def _terminal_from_wire(message: terminal_pb2.Terminal) -> Terminal:
    return Terminal(
        terminal_id=message.terminal_id,
        store_id=message.store_id,
        secret_sha256=message.secret_sha256,
        blocked=message.blocked,
    )


def _file_text(terminals: Iterable[Terminal]) -> str:
    entries = [
        {**asdict(terminal), "secret_sha256": terminal.secret_sha256.hex()}
        for terminal in terminals
    ]
    return json.dumps({"terminals": entries}, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    """Replaces the file as a whole: a crash leaves the old copy or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
