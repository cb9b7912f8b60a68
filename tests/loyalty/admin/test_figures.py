"""Figures are asked for once a moment, however many pages watch."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from services.loyalty.admin.figures import Fresh


def test_watchers_at_the_same_time_share_one_answer() -> None:
    asked: list[int] = []
    barrier = Barrier(8)
    figure = Fresh(lambda: asked.append(1) or len(asked), fresh_s=3600)

    def watch() -> int:
        barrier.wait()
        return figure.get()

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(watch) for _ in range(8)]

    assert [answer.result() for answer in answers] == [1] * 8


def test_a_stale_answer_is_asked_for_again() -> None:
    answers = iter([1, 2])
    figure = Fresh(lambda: next(answers), fresh_s=0)

    assert (figure.get(), figure.get(), figure.last()) == (1, 2, 2)


def test_a_failure_is_not_kept() -> None:
    answers = iter([lambda: 1 / 0, lambda: 1.0])
    figure = Fresh(lambda: next(answers)(), fresh_s=3600)
    with pytest.raises(ZeroDivisionError):
        figure.get()

    assert figure.get() == 1.0
