"""Points only ever move from one account to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.domain.ledger import (
    MEMBER_ACCOUNTS,
    PROGRAMME_ACCOUNTS,
    Account,
    Transfer,
    moved,
    transfers,
)


def test_every_account_is_a_members_or_the_programmes() -> None:
    assert set(MEMBER_ACCOUNTS) | set(PROGRAMME_ACCOUNTS) == set(Account)
    assert set(MEMBER_ACCOUNTS).isdisjoint(PROGRAMME_ACCOUNTS)


def test_a_leg_of_no_points_is_no_transfer() -> None:
    earned = Transfer(Account.ISSUED, Account.POINTS, 5)

    assert transfers(earned, Transfer(Account.POINTS, Account.REDEEMED, 0)) == (earned,)


def test_points_move_forward() -> None:
    with pytest.raises(AssertionError):
        transfers(Transfer(Account.ISSUED, Account.POINTS, -1))


@given(
    st.lists(
        st.builds(
            Transfer, st.sampled_from(Account), st.sampled_from(Account), st.integers(1, 10**9)
        ),
        max_size=8,
    )
)
def test_whatever_moves_sums_to_zero(legs: list[Transfer]) -> None:
    assert sum(moved(legs).values()) == 0


def test_what_moved_is_told_by_account() -> None:
    legs = transfers(
        Transfer(Account.ISSUED, Account.POINTS, 131),
        Transfer(Account.POINTS, Account.REDEEMED, 231),
    )

    assert moved(legs) == {Account.ISSUED: -131, Account.POINTS: -100, Account.REDEEMED: 231}
