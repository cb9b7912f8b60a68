"""docs/scale.md says what the recorded year and the measured figures come to, and nothing else."""

from collections import Counter

import pytest
from redis.crc import key_slot

from loadtests import scale
from loadtests.scale import DOCUMENT, Figures, Size, Year
from services.loyalty.keys import BUCKET_COUNT

YEAR = Year(
    baskets=1_000, households=10, stores=1, lines=5_000, busiest_hour=36, request_bytes=1_000
)


@pytest.fixture(scope="module")
def year() -> Year:
    return Year.recorded()


def test_the_document_has_the_tables_as_they_come_out(year: Year) -> None:
    """`python -m loadtests.scale --write` puts them there."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert scale.written(text, scale.tables(year, Figures())) == text


def test_the_document_names_the_limits_of_one_process_and_one_node(year: Year) -> None:
    millions = scale.members_of_one_process(year, Figures()) // 1_000_000

    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert f"some {millions} million members" in text
    a_node = Figures().node_bytes / Size.of(1_000_000, year, Figures()).bytes_kept
    assert f"8 TB hold three years of {a_node:.0f} million" in text


def test_the_recording_is_the_one_that_is_meant(year: Year) -> None:
    assert (year.baskets, year.households, year.stores) == (155_848, 2_469, 457)


def test_the_busiest_second_follows_from_the_busiest_hour() -> None:
    """100 baskets a member a year, 3.6 % of them in one hour, twice as many in its busiest second:
    1,000 members do 3,600 checkouts in that hour.
    """
    size = Size.of(1_000, YEAR, Figures(peak_in_the_hour=2.0))

    assert size.peak_per_s == pytest.approx(2.0)
    assert size.tills == 60
    assert size.request_bytes_per_s == pytest.approx(2_000)


@pytest.mark.parametrize(("rate", "processes"), [(4, 1), (3, 2)])
def test_a_process_is_at_most_half_full_in_it(rate: int, processes: int) -> None:
    figures = Figures(process_per_s_measured=rate, peak_in_the_hour=2.0, full=0.5)

    assert Size.of(1_000, YEAR, figures).processes == processes


def test_disk_is_every_row_for_the_years_that_are_kept() -> None:
    figures = Figures(bytes_a_row_measured=100, years_kept=3, node_bytes=1e7)

    size = Size.of(1_000, YEAR, figures)

    assert size.rows_a_year == pytest.approx(100_000 * scale.rows_a_basket())
    assert size.bytes_kept == pytest.approx(3 * size.bytes_a_year)
    assert size.nodes == -(-int(size.bytes_kept) // 10**7)


def test_a_request_is_as_long_as_a_till_sends_it(year: Year) -> None:
    assert 500 < year.request_bytes < 2_000


def test_the_streams_of_all_buckets_are_in_slots_of_their_own() -> None:
    """Of Redis Cluster; the spread over masters is the one of docs/scale.md."""
    slots = [key_slot(f"bonpunkt:1:{{{bucket}}}".encode()) for bucket in range(BUCKET_COUNT)]

    assert len(set(slots)) == BUCKET_COUNT
    assert sorted(Counter(slot * 3 // 16_384 for slot in slots).values()) == [8, 11, 13]
    six = Counter(slot * 6 // 16_384 for slot in slots).values()
    assert (min(six), max(six)) == (2, 8)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.174, "0.17"),
        (17.4, "17"),
        (174, "170"),
        (5_200, "5,200"),
        (52_100, "52,000"),
        (1_000_000, "1.0 million"),
        (33_300_000_000, "33 billion"),
    ],
)
def test_two_digits_are_told(value: float, words: str) -> None:
    assert scale._number(value) == words
