"""The demo's programme, as a file with a change that a test wants."""

import json
from pathlib import Path

from services.loyalty.settings import DEMO_PROGRAMME


def programme_file(folder: Path, *, reservation_s: int) -> str:
    """A reservation lives for `reservation_s`. The folder is made; the file's path."""
    programme = json.loads(DEMO_PROGRAMME.read_text())
    programme["redeem"]["reservation_s"] = reservation_s
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "programme.json"
    file.write_text(json.dumps(programme))
    return str(file)
