"""What people are looked up by, in the one form that is hashed: two spellings of the same are one.

Matches are exact: a blind index knows no "begins with" and no "sounds like".
"""

import re
import unicodedata
from enum import IntEnum

EMAIL_MAX = 254
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 6, 15  # E.164

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_PHONE_SIGNS = re.compile(r"[\s()/.\u2010-\u2015-]")
_PHONE = re.compile(rf"\+[1-9][0-9]{{{PHONE_DIGITS_MIN - 1},{PHONE_DIGITS_MAX - 1}}}")
_TRUNK_ZERO = re.compile(r"\(0\)")  # +49 (0) 30 …
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae", "å": "aa"})


class Kind(IntEnum):
    """What a blind index is of. The numbers are hashed: they never change."""

    EMAIL = 1
    PHONE = 2
    SURNAME = 3
    FULL_NAME = 4


def normal_email(text: str) -> str | None:
    """Lower case, the domain in its ASCII form; None if it is no address."""
    address = unicodedata.normalize("NFKC", text).strip().casefold()
    if len(address) > EMAIL_MAX or not _EMAIL.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return None


def normal_phone(text: str, *, country_code: str) -> str | None:
    """E.164, such as +4930123456; a number without a country is of `country_code` (digits).

    None if it is no number.
    """
    digits = unicodedata.normalize("NFKC", text).strip()
    digits = _PHONE_SIGNS.sub("", _TRUNK_ZERO.sub("", digits))
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif digits.startswith("0"):
        digits = f"+{country_code}{digits[1:]}"
    elif not digits.startswith("+"):
        digits = f"+{country_code}{digits}"
    return digits if _PHONE.fullmatch(digits) and digits.isascii() else None


def normal_name(text: str) -> str:
    """Letters and digits only, without case and accents; Müller, MUELLER and Mu-eller are one."""
    folded = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    plain = unicodedata.normalize("NFKD", folded)
    return "".join(sign for sign in plain if sign.isalnum())


def normal_full_name(*, surname: str, given_name: str) -> str | None:
    """None unless both parts have a letter."""
    surname, given_name = normal_name(surname), normal_name(given_name)
    return f"{surname}\n{given_name}" if surname and given_name else None
