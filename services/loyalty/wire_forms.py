"""The forms of what comes from outside (ids, cards, texts, days), and what makes two requests one.

A refusal names the path of its field; a form that holds today holds for ever, since what passed is
in the journal.
"""

import re
from hashlib import sha256

import orjson

from services.loyalty.domain.days import day_from_text, day_text
from services.loyalty.domain.decision import Refusal, Refused

CARD_MAX = 64  # characters of a card, and of every other short text: receipt number, cashier
TEXTS_MAX = 1000  # characters of all texts of one line together
DAY_LENGTH = len("2026-12-31")
LANGUAGE_MAX = 35  # of a BCP 47 tag
NO_BREAK_SPACE = "\u00a0"  # common in article texts; Python does not count it as printable
UUID_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# An operation id that others make: version 8 is for what time does (domain/due.py), so that nobody
# can take the id of an effect before it happens.
OPERATION_ID_FORM = re.compile(rf"(?!.{{14}}8){UUID_FORM.pattern}")

# Counts up when the fields that make a request the same request change; old fingerprints stay
# comparable by it.
FINGERPRINT_VERSION = 1


def card_refusal(card: str, path: str) -> Refused | None:
    """Here as below, `path` is that of the message that the field is in."""
    if 1 <= len(card) <= CARD_MAX and card.isprintable():
        return None
    return Refused(
        Refusal.MALFORMED,
        f"{path}.card",
        f"send the card number, 1 to {CARD_MAX} printable characters",
    )


def receipt_refusal(receipt_number: str, business_date: str, path: str) -> Refused | None:
    """What is wrong with the two that, with a terminal, name a receipt."""
    if not 1 <= len(receipt_number) <= CARD_MAX or not receipt_number.isprintable():
        return Refused(
            Refusal.MALFORMED,
            f"{path}.receipt_number",
            f"send the printed number, 1 to {CARD_MAX} printable characters",
        )
    return business_date_refusal(business_date, path)


def business_date_refusal(day: str, path: str) -> Refused | None:
    try:
        well_formed = len(day) == DAY_LENGTH and day_text(day_from_text(day)) == day
    except ValueError:
        well_formed = False
    if well_formed:
        return None
    return Refused(
        Refusal.MALFORMED, f"{path}.business_date", "send the till's business day as YYYY-MM-DD"
    )


def cashier_refusal(cashier: str, path: str) -> Refused | None:
    if len(cashier) <= CARD_MAX and cashier.isprintable():
        return None
    return malformed_text(f"{path}.cashier")


def is_language(tag: str) -> bool:
    """Whether it may be a BCP 47 tag, such as "de" or "de-AT"."""
    return 2 <= len(tag) <= LANGUAGE_MAX and tag.replace("-", "").isalnum()


def malformed_id(path: str) -> Refused:
    return Refused(
        Refusal.MALFORMED_ID,
        path,
        "send a UUID (version 7 advised, not 8) in its canonical text form, in lower case",
    )


def malformed_text(path: str) -> Refused:
    return Refused(
        Refusal.MALFORMED,
        path,
        f"send printable characters only, at most {CARD_MAX} of a cashier and {TEXTS_MAX} a line",
    )


def command_fingerprint(kind: str, *fields: object, lines: str = "") -> bytes:
    """What a request is known by for ever: a hash over its kind and the fields that matter.

    `lines` are the line items as stored, JSON by themselves already.
    """
    return sha256(orjson.dumps([FINGERPRINT_VERSION, kind, *fields]) + lines.encode()).digest()
