"""When a card is accepted, and what the ledger keeps of its number for ever."""

import hashlib

from services.loyalty.domain.decision import Refusal, Refused
from services.loyalty.domain.member import Member, Status


def accepts(member: Member, card: str) -> bool:
    return member.status is Status.ACTIVE and card in member.cards


def card_not_accepted(operation: str) -> Refused:
    """`operation` is the kind of operation that named the card, as its field is called."""
    return Refused(
        Refusal.CARD_NOT_ACCEPTED,
        f"{operation}.card",
        "this card takes no part; check the number, or go on without a card",
    )


def card_digest(card: str) -> bytes:
    """16 bytes that stand for the card in rows that are never deleted.

    The number itself is kept in the member's own row only, and goes when the member is erased.
    """
    return hashlib.sha256(b"card\n" + card.encode()).digest()[:16]
