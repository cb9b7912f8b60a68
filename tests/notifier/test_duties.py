"""Who does what: everything by somebody, equal shares, and nothing by whoever is held for dead."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.database import Database
from services.notifier.duties import LEASE_S, RELAY, Duties, plan
from services.notifier.store import Store
from tests.notifier.feed import BUCKETS

EVERYTHING = frozenset({RELAY, *range(BUCKETS)})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.migrate()
    await Store(database).adopt(epoch=1, bucket_count=BUCKETS)
    yield database
    await database.close()


def held(duties: Duties) -> set[int]:
    return {*duties.buckets(), *({RELAY} if duties.is_relay() else ())}


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(
    workers=st.sets(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=7),
    duties=st.sets(st.integers(-1, 40)),
    data=st.data(),
)
def test_everything_is_done_by_somebody_in_equal_shares_after_two_rounds(
    workers: set[str], duties: set[int], data: st.DataObject
) -> None:
    """From any distribution: the first round frees what is too much, the second one takes it."""
    anybody = st.none() | st.sampled_from(sorted(workers))
    drawn = data.draw(st.fixed_dictionaries(dict.fromkeys(sorted(duties), anybody)))
    done_by = {duty: worker for duty, worker in drawn.items() if worker is not None}

    for _ in range(2):
        for me in sorted(workers):
            made = plan(me, workers=workers, done_by=done_by, duties=duties)
            done_by |= dict.fromkeys(made.take, me)
            done_by = {duty: by for duty, by in done_by.items() if duty not in made.give}

    assert done_by.keys() == duties
    shares = [sum(by == each for by in done_by.values()) for each in workers]
    assert max(shares) - min(shares) <= 1
    for me in workers:
        made = plan(me, workers=workers, done_by=done_by, duties=duties)
        assert not made.take | made.give, "an even distribution stays as it is"


async def test_one_process_does_everything_and_the_next_one_gets_its_share(
    database: Database,
) -> None:
    anna, bert = Duties(database, name="anna"), Duties(database, name="bert")
    await anna.beat(busy=())
    assert held(anna) == EVERYTHING

    await bert.beat(busy=())
    assert held(bert) == set(), "nothing is free yet"
    await anna.beat(busy=())
    await anna.beat(busy=())
    await bert.beat(busy=())

    assert held(anna) | held(bert) == EVERYTHING
    assert held(anna) & held(bert) == set()
    assert abs(len(held(anna)) - len(held(bert))) == 1


async def test_a_bucket_changes_hands_only_when_nothing_of_it_is_under_way(
    database: Database,
) -> None:
    anna, bert = Duties(database, name="anna"), Duties(database, name="bert")
    await anna.beat(busy=())
    for _ in range(3):
        await bert.beat(busy=())
        await anna.beat(busy=range(BUCKETS))
    gone = EVERYTHING - held(anna)
    assert gone, "what exceeds the share is not begun with any more"
    assert held(bert) == set(), "but still under way"

    await anna.beat(busy=())
    await bert.beat(busy=())

    assert held(bert) == gone


async def test_whoever_leaves_is_followed_at_once(database: Database) -> None:
    anna, bert = Duties(database, name="anna"), Duties(database, name="bert")
    await anna.beat(busy=())

    await anna.leave()
    await bert.beat(busy=())

    assert held(anna) == set()
    assert held(bert) == EVERYTHING


async def test_a_process_without_a_lease_does_nothing_before_others_may(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own clock ends the lease before the database's does."""
    clock = Clock()
    anna, bert = Duties(database, name="anna", monotonic=clock), Duties(database, name="bert")
    await anna.beat(busy=())
    clock.now_s += LEASE_S
    assert held(anna) == set()
    await bert.beat(busy=())
    assert held(bert) == set(), "the database's lease has not ended"

    with monkeypatch.context() as patched:
        patched.setattr("services.notifier.duties.LEASE_S", -1.0)
        await anna.beat(busy=())  # a lease that has ended, as if nothing had been heard since
    await bert.beat(busy=())

    assert held(bert) == EVERYTHING
