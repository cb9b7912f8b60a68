"""How much may be in flight at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What comes on top is answered CAUSE_OVERLOADED."""

    operations_max: int = 8192
    terminal_operations_max: int = 1024
    queued_bytes_max: int = 64 << 20  # written operations are in loyalty's hands, not in our memory
