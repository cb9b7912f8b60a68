"""Where things live and what stays unique: numbers that never change, or nothing is found again."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonpunkt.till import operations
from services.loyalty.keys import (
    BUCKET_COUNT,
    KeyKind,
    bucket_of,
    card_key,
    member_bucket,
    operation_key,
    receipt_key,
    reservation_key,
)
from services.loyalty.places import keys_of
from tests.loyalty.ledgers import a_block, a_capture, an_abandon, an_enrolment

MEMBER_ID = "0198c6f4-0000-7000-8000-000000000001"
CARD_DIGEST = "fdd0b2c6a87bc442beb5083aff8ff71d"  # sha256("card\n2900000000018"), 16 bytes


def test_ids_live_where_they_always_lived() -> None:
    """Computed with nothing but SHA-256: the last four bytes, modulo 32."""
    assert BUCKET_COUNT == 32
    assert member_bucket(MEMBER_ID) == 2
    assert operation_key(MEMBER_ID) == (14, 1, UUID(MEMBER_ID).bytes)
    card = card_key("2900000000018")
    assert (card.bucket, card.kind, card.key.hex()) == (16, 3, CARD_DIGEST)
    receipt = receipt_key(terminal_id="till-1", business_date="2026-11-20", receipt_number="7")
    assert (receipt.bucket, receipt.kind, receipt.key.hex()) == (
        23,
        2,
        "15fda4594350337f30c6e5825fc9a1c3",
    )


def test_members_are_spread_over_all_buckets() -> None:
    spread = Counter(member_bucket(operations.new_id()) for _ in range(3200))

    assert set(spread) == set(range(BUCKET_COUNT))
    assert max(spread.values()) < 200, "100 on average"


@given(st.binary(max_size=40))
def test_every_identity_has_a_bucket(identity: bytes) -> None:
    assert 0 <= bucket_of(identity) < BUCKET_COUNT


def test_an_operation_and_the_end_of_its_reservation_are_two_keys() -> None:
    operation, end = operation_key(MEMBER_ID), reservation_key(MEMBER_ID)

    assert operation.key == end.key
    assert operation != end


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("till-1", "2026-11-20", "1"), ("till-11", "2026-11-20", "")),
        (("till-1", "2026-11-20", "1"), ("till-1", "2026-11-2", "01")),
        (("till-1", "2026-11-20", "1"), ("till-1", "2026-11-21", "1")),
    ],
)
def test_what_names_a_receipt_does_not_run_together(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    keys = {
        receipt_key(terminal_id=terminal, business_date=day, receipt_number=number)
        for terminal, day, number in (one, other)
    }

    assert len(keys) == 2


def test_every_command_takes_its_own_id_first() -> None:
    capture, enrolment = a_capture(), an_enrolment()
    block, abandon = a_block(MEMBER_ID), an_abandon(MEMBER_ID)

    taken = {
        command.operation_id: keys_of(command) for command in (capture, enrolment, block, abandon)
    }

    assert all(keys[0] == operation_key(own) for own, keys in taken.items())
    kinds = [[key.kind for key in keys[1:]] for keys in taken.values()]
    assert kinds == [[KeyKind.RECEIPT], [KeyKind.CARD], [], [KeyKind.OPERATION]]
    assert taken[abandon.operation_id][1] == operation_key(MEMBER_ID)
