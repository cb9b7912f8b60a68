"""Sealing: AES-256-GCM, keys derived by HKDF-SHA-256, keyed hashes by HMAC-SHA-256.

A sealed text carries its random nonce in front. What it is bound to (whose it is, what for, which
version) is authenticated with it: a row moved to another member, or an older one put back, does not
open.
"""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
_CONTEXT = "bonpunkt.identity.1"


class BrokenSealError(Exception):
    """The text was changed, belongs elsewhere, or the key is another. Says nothing of what is in
    it.
    """


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, text: bytes, *, bound_to: bytes) -> bytes:
    """Nonce ‖ ciphertext ‖ tag."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, bound_to)


def unseal(key: bytes, sealed: bytes, *, bound_to: bytes) -> bytes:
    """What `seal` was given. BrokenSealError if anything differs."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # ValueError: too short to be anything sealed
        raise BrokenSealError("a sealed text does not open with its key") from None


def binding(member_id: str, *, purpose: str, version: int) -> bytes:
    """What a text of a member is bound to. No part can hold the newline between them."""
    return f"{_CONTEXT}\n{member_id}\n{purpose}\n{version}".encode()


def derived(secret: bytes, *, purpose: str) -> bytes:
    """A key for one purpose; from it neither the secret nor another purpose's key can be had."""
    info = f"{_CONTEXT}.{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def keyed_hash(key: bytes, *, kind: int, normal: str) -> bytes:
    """Equal for equal texts of a kind, and worth nothing without the key. 32 bytes."""
    return hmac.new(key, bytes((kind,)) + normal.encode(), hashlib.sha256).digest()
