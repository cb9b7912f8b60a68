"""Values: what is compared by its content and never changed once made."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass that the type checker treats as frozen.

    Python's own `frozen=True` makes each new object three times as dear, and a checkout makes some
    thirty of them; mypy refuses an assignment just as well.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
