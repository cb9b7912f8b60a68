"""What is sealed opens with its key, in its place, unchanged; and not otherwise."""

import pytest

from services.loyalty.identity.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    BrokenSealError,
    binding,
    derived,
    keyed_hash,
    new_key,
    seal,
    unseal,
)

MEMBER = "0198c6f4-0000-7000-8000-000000000001"
OTHER = "0198c6f4-0000-7000-8000-000000000002"
TEXT = b'{"surname":"Marker"}'
PLACE = binding(MEMBER, purpose="profile", version=3)
TAG_BYTES = 16


def test_what_was_sealed_opens() -> None:
    key = new_key()

    sealed = seal(key, TEXT, bound_to=PLACE)

    assert unseal(key, sealed, bound_to=PLACE) == TEXT
    assert len(sealed) == NONCE_BYTES + len(TEXT) + TAG_BYTES
    assert b"Marker" not in sealed


def test_the_same_text_is_sealed_differently_each_time() -> None:
    key = new_key()

    assert seal(key, TEXT, bound_to=PLACE) != seal(key, TEXT, bound_to=PLACE)


def test_every_changed_byte_is_noticed() -> None:
    key = new_key()
    sealed = seal(key, TEXT, bound_to=PLACE)

    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(BrokenSealError):
            unseal(key, bytes(changed), bound_to=PLACE)


@pytest.mark.parametrize("length", [0, 1, NONCE_BYTES, NONCE_BYTES + TAG_BYTES - 1])
def test_what_is_too_short_does_not_open(length: int) -> None:
    key = new_key()
    sealed = seal(key, b"", bound_to=PLACE)

    with pytest.raises(BrokenSealError):
        unseal(key, sealed[:length], bound_to=PLACE)


@pytest.mark.parametrize(
    "place",
    [
        binding(OTHER, purpose="profile", version=3),
        binding(MEMBER, purpose="consent", version=3),
        binding(MEMBER, purpose="profile", version=2),
        b"",
    ],
    ids=["another member", "another purpose", "an older version", "nothing"],
)
def test_it_opens_in_its_place_only(place: bytes) -> None:
    key = new_key()
    sealed = seal(key, TEXT, bound_to=PLACE)

    with pytest.raises(BrokenSealError):
        unseal(key, sealed, bound_to=place)


def test_another_key_does_not_open_it_and_the_error_tells_nothing() -> None:
    sealed = seal(new_key(), TEXT, bound_to=PLACE)

    with pytest.raises(BrokenSealError) as raised:
        unseal(new_key(), sealed, bound_to=PLACE)

    assert MEMBER not in str(raised.value)
    assert raised.value.__cause__ is None


def test_keys_for_other_purposes_are_other_keys() -> None:
    secret = new_key()

    wrapping, indexing = derived(secret, purpose="wrap"), derived(secret, purpose="index")

    assert len({secret, wrapping, indexing}) == 3
    assert len(wrapping) == len(indexing) == KEY_BYTES
    assert derived(secret, purpose="wrap") == wrapping


def test_a_keyed_hash_depends_on_key_kind_and_text() -> None:
    key = new_key()

    found = keyed_hash(key, kind=1, normal="anna@example.org")

    assert found == keyed_hash(key, kind=1, normal="anna@example.org")
    assert len(found) == 32
    assert found != keyed_hash(key, kind=2, normal="anna@example.org")
    assert found != keyed_hash(key, kind=1, normal="anna@example.com")
    assert found != keyed_hash(new_key(), kind=1, normal="anna@example.org")
