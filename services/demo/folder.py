"""The data folder of `bonpunkt up`: databases, secrets, logs, and where the demo goes on."""

import base64
import contextlib
import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class FolderInUseError(Exception):
    """Another `bonpunkt up` runs on the folder."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a till shows the gateway."""

    terminal_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths and small files under one folder; whatever is secret is readable by its owner only."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def service_token_file(self) -> Path:
        return self.root / "service-token"

    def service_token(self) -> str:
        """The token by which the services know each other; made at the first call."""
        return self._kept(self.service_token_file, secrets.token_hex(32))

    def endpoint_secret_file(self, endpoint: str) -> Path:
        return self.root / "demo" / f"endpoint-{endpoint}.secret"

    def endpoint_secret(self, endpoint: str) -> str:
        """A Standard Webhooks secret for one of the demo's receivers; made at the first call."""
        made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        return self._kept(self.endpoint_secret_file(endpoint), made)

    def receiver_state_file(self, endpoint: str) -> Path:
        return self.root / "demo" / f"received-{endpoint}"

    def receiver_ports(self) -> dict[str, int]:
        """The ports to which the demo's endpoints point; an endpoint's address stays."""
        return dict(self._load("receiver-ports.json", {}))

    def keep_receiver_ports(self, ports: dict[str, int]) -> None:
        self._save("receiver-ports.json", ports)

    def terminals(self) -> dict[str, Terminal]:
        """The demo's tills by their names in the mapping, as far as their secrets were kept."""
        file = self.root / "demo" / "terminals.jsonl"
        if not file.exists():
            return {}
        known = {}
        for line in file.read_text().split():
            with contextlib.suppress(json.JSONDecodeError):  # a crash cut the line short
                till, terminal_id, secret = json.loads(line)
                known[till] = Terminal(terminal_id, secret)
        return known

    def keep_terminal(self, till: str, terminal: Terminal) -> None:
        """Appends at once: loyalty tells a secret only once."""
        file = self.root / "demo" / "terminals.jsonl"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as output:
            row = [till, terminal.terminal_id, terminal.secret]
            # the newline before it ends a line that a crash may have cut short
            output.write("\n" + json.dumps(row, separators=(",", ":")) + "\n")

    def baskets_done(self) -> int:
        """How many baskets from the recording's beginning are settled, without a gap."""
        return int(self._load("position.json", {"baskets": 0})["baskets"])

    def keep_baskets_done(self, baskets: int) -> None:
        self._save("position.json", {"baskets": baskets})

    def _load(self, name: str, default: dict[str, Any]) -> dict[str, Any]:
        file = self.root / "demo" / name
        if not file.exists():
            return default
        content: dict[str, Any] = json.loads(file.read_text())
        return content

    def _save(self, name: str, content: dict[str, Any]) -> None:
        file = self.root / "demo" / name
        new = file.with_suffix(".new")
        new.write_text(json.dumps(content) + "\n")
        new.replace(file)

    def _kept(self, file: Path, made: str) -> str:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text(encoding="ascii").strip()
        with os.fdopen(descriptor, "w") as output:
            output.write(made + "\n")
        return made


class FolderLock:
    """Opens a data folder for one run at a time; `with FolderLock(root) as folder`.

    The lock goes with the process, also when it is killed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._descriptor: int | None = None

    def __enter__(self) -> DataFolder:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._root / "demo").mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(self._root / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise FolderInUseError(f"another bonpunkt up runs on {self._root}") from None
        return DataFolder(self._root)

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
