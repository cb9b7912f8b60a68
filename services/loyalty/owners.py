"""Whose is this card, and who went on as whom? Remembered, because members come back; checked again
under the lock.
"""

from collections import OrderedDict
from collections.abc import Iterable

from services.loyalty.store import Located

REMEMBERED_MAX = 200_000


class Owners:
    """Cards and where their members live: the latest so many, in memory. `moved` leads from
    members who were merged to those who went on; a merge is for ever, so it never grows stale.
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[str, Located] = OrderedDict()
        self.moved: dict[str, str] = {}

    def known(self, card: str) -> Located | None:
        return self._owners.get(card)

    def remember(self, card: str, owner: Located) -> None:
        self._owners[card] = owner
        if len(self._owners) > REMEMBERED_MAX:
            self._owners.popitem(last=False)

    def moves_of(self, member_ids: Iterable[str]) -> dict[str, str]:
        """What is known by now of who of these went on as whom, along all merges.

        A copy: what is learnt while a batch is decided leads to members whom it has not locked.
        """
        moves: dict[str, str] = {}
        if self.moved:
            for member_id in member_ids:
                here = member_id
                while (following := self.moved.get(here)) is not None:
                    moves[here] = following
                    here = following
        return moves
