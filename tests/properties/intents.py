"""What tills and staff may want, as a generator chooses it: small values that print well.

A number that points at something (a member, a basket, a receipt) is taken modulo how many of them
there are when its turn comes; from STRANGE on it points at what is over or was never there.
"""

from typing import NamedTuple

from hypothesis import strategies as st

from tests.properties.modelled import Redeem, RedeemSome
from tests.properties.reckoning import Line

# What the shop sells; line ids are given when a basket is rung up.
ARTICLES = {
    "bread": Line("", "GROCERY", "reduced", 1000, 199),
    "wine": Line("", "GROCERY", "full", 1000, 2_499),
    "crate": Line("", "GROCERY", "full", 3000, 3_300),
    "cheese": Line("", "GROCERY", "reduced", 1234, 1_467),
    "apples": Line("", "PRODUCE", "reduced", 2718, 599),
    "cigarettes": Line("", "TOBACCO", "full", 1000, 850),
    "television": Line("", "GROCERY", "full", 1000, 89_999),
    "gift": Line("", "GROCERY", "full", 1000, 0),
    "fee": Line("", "GROCERY", "full", 0, 100),
    "deposit": Line("", "DEPOSIT", "full", 12000, 300),
    "empties": Line("", "DEPOSIT", "full", -7000, -175),
    "coupon": Line("", "GROCERY", "reduced", 1000, -150),
}
Articles = tuple[str, ...]


class Enrol(NamedTuple):
    opening: int


class EnrolAgain(NamedTuple):
    """With an id or a card that is somebody's."""

    who: int
    same_id: bool


class Buy(NamedTuple):
    who: int
    articles: Articles
    redeem: Redeem
    reservation: int | None = None  # names one that is none of this basket's, or unknown


class Reserve(NamedTuple):
    who: int
    articles: Articles
    redeem: RedeemSome


class ReserveAgain(NamedTuple):
    basket: int
    articles: Articles  # () for those of before
    redeem: RedeemSome
    by_same_card: bool


class Pay(NamedTuple):
    """A basket for which points were reserved."""

    basket: int
    keep: int  # so many of its lines; 0 for all
    redeem: Redeem
    named: bool
    by_same_card: bool


class Release(NamedTuple):
    reservation: int


class Void(NamedTuple):
    receipt: int
    by_id: bool
    other_day: bool


class Return(NamedTuple):
    """`eighths` of what was sold of each line, in order; 8 is what is left of it, 0 nothing.
    None at all: everything that is left.
    """

    receipt: int
    by_id: bool
    eighths: tuple[int, ...]


class Adjust(NamedTuple):
    who: int
    points: int  # 0: takes all that is available


class Merge(NamedTuple):
    into: int
    gone: int


class Block(NamedTuple):
    who: int
    blocked: bool


class Cards(NamedTuple):
    who: int
    lost: str  # "", "own" or "other"
    new: str  # "", "fresh" or "taken"


class Erase(NamedTuple):
    who: int


class Nightly(NamedTuple):
    who: int


Intent = (
    Enrol
    | EnrolAgain
    | Buy
    | Reserve
    | ReserveAgain
    | Pay
    | Release
    | Void
    | Return
    | Adjust
    | Merge
    | Block
    | Cards
    | Erase
    | Nightly
)

# --- strategies -----------------------------------------------------------------------------

STRANGE = 80

any_of = st.integers(0, 99)
# The newest most of the time: counted from the end.
recent = st.one_of(st.integers(-3, -1), st.integers(-2, -1), any_of)
articles = st.lists(st.sampled_from(sorted(ARTICLES)), min_size=1, max_size=4).map(tuple)
some = st.sampled_from([10, 50, 50, 100, 120, 5, 7, 51, 400, 5_000])
redeem_some = st.one_of(st.just("maximum"), st.just("maximum"), some)
redeem = st.one_of(st.none(), redeem_some)

enrol = st.builds(Enrol, st.sampled_from([0, 0, 120, 1_000]))
enrol_again = st.builds(EnrolAgain, any_of, st.booleans())
buy = st.builds(Buy, any_of, articles, redeem)
buy_with_a_wrong_reservation = st.builds(Buy, any_of, articles, redeem_some, any_of)
reserve = st.builds(Reserve, any_of, articles, redeem_some)
reserve_again = st.builds(
    ReserveAgain, recent, st.one_of(st.just(()), articles), redeem_some, st.booleans()
)
pay = st.builds(
    Pay, recent, st.integers(0, 2), redeem, st.booleans(), st.sampled_from([True, True, False])
)
release = st.builds(Release, recent)
void = st.builds(Void, recent, st.booleans(), st.sampled_from([False, False, True]))
return_all = st.builds(Return, recent, st.booleans(), st.just(()))
return_lines = st.builds(
    Return,
    recent,
    st.booleans(),
    st.lists(st.sampled_from([0, 1, 3, 4, 8, 8]), min_size=1, max_size=4).map(tuple),
)
adjust = st.builds(Adjust, any_of, st.sampled_from([0, 0, 0, 30, 500, -1, -9_999]))
merge = st.builds(Merge, st.integers(0, 2), st.integers(1, 84))
block = st.builds(Block, any_of, st.sampled_from([True, False, False]))
cards = st.builds(
    Cards, any_of, st.sampled_from(["", "own", "own", "other"]), st.sampled_from(["", "fresh"])
)
card_taken = st.builds(Cards, any_of, st.just(""), st.just("taken"))
erase = st.builds(Erase, any_of)
erase_nobody = st.builds(Erase, st.integers(STRANGE, 99))
nightly = st.builds(Nightly, any_of)

mistake = st.one_of(enrol_again, card_taken, buy_with_a_wrong_reservation, erase_nobody)
anything = st.one_of(
    buy, reserve, reserve_again, pay, release, void, return_all, return_lines,
    adjust, merge, block, cards, enrol_again, erase,
)  # fmt: skip
# What may share a batch: nothing that hangs on whether a key is free.
together = st.lists(
    st.one_of(
        buy, buy, reserve, reserve_again, pay, pay, release, void, return_all, return_lines,
        adjust, merge, block, cards, nightly,
    ),
    min_size=2,
    max_size=6,
)  # fmt: skip
