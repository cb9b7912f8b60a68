"""The life of a redemption: what is missing in the table is illegal."""

from services.loyalty.domain.life import LIFE, Event, State, may

ENDS = {State.REPLACED, State.RELEASED, State.VOIDED, State.RETURNED}


def test_every_state_is_reached_and_every_event_happens() -> None:
    assert {*LIFE.values(), State.NEW} == set(State)
    assert {event for _, event in LIFE} == set(Event)


def test_nothing_follows_an_end() -> None:
    followed = {state for state, _ in LIFE}
    assert followed == set(State) - ENDS


def test_a_reservation_can_end_in_one_way_only() -> None:
    ended = {LIFE[State.RESERVED, event] for event in Event if may(State.RESERVED, event)}
    assert not any(
        may(state, event)
        for state in ended - {State.EXPIRED, State.CAPTURED}
        for event in (Event.CAPTURE, Event.RELEASE, Event.TIMEOUT)
    )
    assert not may(State.CAPTURED, Event.CAPTURE)


def test_a_void_comes_before_any_return() -> None:
    assert may(State.CAPTURED, Event.VOID)
    assert not may(State.RETURNED_IN_PART, Event.VOID)
    assert not may(State.VOIDED, Event.RETURN)
