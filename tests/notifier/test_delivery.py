"""What an answer makes of a delivery and of its endpoint."""

import pytest

from services.notifier.delivery import (
    FAILURES_TO_OPEN,
    SCHEDULE_S,
    Allowance,
    Answer,
    Breaker,
    Dead,
    Delivered,
    Retry,
    after_answer,
    outcome,
)

US = 1_000_000
NOW_US = 1_777_897_800 * US
OK = Answer(status=204)
FAILED = Answer(status=500)


def after(answer: Answer, *, tries: int = 1, jitter: float = 0) -> Delivered | Retry | Dead:
    return outcome(answer, tries=tries, schedule_s=SCHEDULE_S, jitter=jitter)


def breaker_after(
    *answers: Answer, breaker: Breaker | None = None, now_us: int = NOW_US
) -> Breaker:
    breaker = breaker or Breaker()
    for answer in answers:
        breaker = after_answer(breaker, answer, now_us=now_us)
    return breaker


@pytest.mark.parametrize("status", [200, 204, 299])
def test_only_2xx_is_a_success(status: int) -> None:
    assert after(Answer(status)) == Delivered()


@pytest.mark.parametrize("status", [0, 100, 199, 300, 301, 304, 308, 400, 404, 410, 500, 503, 599])
def test_everything_else_is_tried_again(status: int) -> None:
    assert isinstance(after(Answer(status)), Retry)


def test_each_attempt_waits_as_the_schedule_says() -> None:
    waits = [after(FAILED, tries=tries) for tries in range(1, len(SCHEDULE_S))]

    assert waits == [Retry(wait_s) for wait_s in SCHEDULE_S[1:]]


def test_the_schedule_is_the_example_of_standard_webhooks() -> None:
    assert len(SCHEDULE_S) == 10
    assert divmod(sum(SCHEDULE_S) // 60, 60) == (75, 35)


def test_a_delivery_is_dead_after_its_last_attempt_and_not_before() -> None:
    last = len(SCHEDULE_S)

    assert isinstance(after(FAILED, tries=last - 1), Retry)
    assert after(FAILED, tries=last) == Dead()
    assert after(OK, tries=last) == Delivered()


def test_jitter_makes_a_wait_a_fifth_longer_or_shorter() -> None:
    assert after(FAILED, tries=2, jitter=-1) == Retry(240)
    assert after(FAILED, tries=2, jitter=1) == Retry(360)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_throttling_answer_waits_a_minute_at_least(status: int) -> None:
    assert after(Answer(status), tries=1, jitter=1) == Retry(60)
    assert after(Answer(status), tries=2) == Retry(300)


def test_retry_after_lengthens_a_wait_up_to_a_day_and_never_shortens_it() -> None:
    assert after(Answer(503, retry_after_s=4_000), tries=2) == Retry(4_000)
    assert after(Answer(503, retry_after_s=1), tries=2) == Retry(300)
    assert after(Answer(503, retry_after_s=86_400), tries=2) == Retry(86_400)
    assert after(Answer(503, retry_after_s=86_401), tries=2) == Retry(86_400)


def test_a_breaker_opens_after_ten_failures_in_a_row_and_not_after_nine() -> None:
    nine = breaker_after(*[FAILED] * (FAILURES_TO_OPEN - 1))
    ten = breaker_after(FAILED, breaker=nine)

    assert (nine.is_open, nine.allowance(now_us=NOW_US)) == (False, Allowance.ALL)
    assert (ten.is_open, ten.allowance(now_us=NOW_US)) == (True, Allowance.NONE)


def test_a_success_begins_the_count_anew() -> None:
    breaker = breaker_after(*[FAILED] * 9, OK, *[FAILED] * 9)

    assert not breaker.is_open


def test_an_open_breaker_lets_one_probe_through_after_its_rest() -> None:
    breaker = breaker_after(*[FAILED] * 10)

    assert breaker.allowance(now_us=NOW_US + 30 * US - 1) is Allowance.NONE
    assert breaker.allowance(now_us=NOW_US + 30 * US) is Allowance.ONE


def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    breaker = breaker_after(*[FAILED] * 10)

    closed = breaker_after(OK, breaker=breaker, now_us=NOW_US + 30 * US)

    assert closed == Breaker()


def test_each_probe_that_fails_doubles_the_rest_up_to_ten_minutes() -> None:
    breaker = breaker_after(*[FAILED] * 10)
    rests_s = []
    for _ in range(6):
        now_us = breaker.quiet_until_us
        breaker = breaker_after(FAILED, breaker=breaker, now_us=now_us)
        rests_s.append((breaker.quiet_until_us - now_us) // US)

    assert rests_s == [60, 120, 240, 480, 600, 600]


def test_requests_that_were_under_way_when_it_opened_do_not_lengthen_the_rest() -> None:
    opened = breaker_after(*[FAILED] * 10)
    later = breaker_after(*[FAILED] * 31, breaker=opened, now_us=NOW_US + US)

    assert later.quiet_until_us == opened.quiet_until_us


def test_too_many_requests_silences_the_endpoint_for_a_minute() -> None:
    breaker = breaker_after(Answer(429))

    assert breaker.allowance(now_us=NOW_US + 60 * US - 1) is Allowance.NONE
    assert breaker.allowance(now_us=NOW_US + 60 * US) is Allowance.ALL


def test_retry_after_silences_the_endpoint_for_an_hour_at_most() -> None:
    def quiet_s(retry_after_s: int) -> int:
        breaker = breaker_after(Answer(503, retry_after_s=retry_after_s))
        return max(0, breaker.quiet_until_us - NOW_US) // US

    assert [quiet_s(each) for each in (0, 7, 3_600, 3_601)] == [0, 7, 3_600, 3_600]


def test_a_late_success_does_not_end_a_pause_that_was_asked_for() -> None:
    breaker = breaker_after(Answer(429), OK)

    assert breaker.allowance(now_us=NOW_US) is Allowance.NONE
