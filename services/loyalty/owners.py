"""Whose is this card? Remembered, because members come back; checked again under the lock."""

from collections import OrderedDict

from services.loyalty.store import Located

REMEMBERED_MAX = 200_000


class Owners:
    """Cards and where their members live: the latest so many, in memory."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, Located] = OrderedDict()

    def known(self, card: str) -> Located | None:
        return self._owners.get(card)

    def remember(self, card: str, owner: Located) -> None:
        self._owners[card] = owner
        if len(self._owners) > REMEMBERED_MAX:
            self._owners.popitem(last=False)
