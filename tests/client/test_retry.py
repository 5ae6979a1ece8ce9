"""The one retry helper, on a clock of its own."""

import pytest

from comptoir.client.retry import Patience, retrying
from comptoir.units.errors import Conflict, Unavailable


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


def failing(times: int, error: Exception) -> "list[Exception]":
    return [error] * times


def attempt_all(errors: list[Exception], patience: Patience, clock: Clock) -> int:
    def attempt(number: int) -> int:
        if number < len(errors):
            raise errors[number]
        return number

    return retrying(
        attempt, patience, pause=clock.pause, clock=lambda: clock.now_s, jitter=lambda: 0.0
    )


def unavailable(retry_after_s: int = 0, code: str = "queue_full") -> Unavailable:
    return Unavailable(code, "not now", retry_after_s=retry_after_s)


def test_pauses_double_until_it_works() -> None:
    clock = Clock()
    assert attempt_all(failing(3, unavailable()), Patience(), clock) == 3
    assert clock.pauses == [0.1, 0.2, 0.4]


def test_a_pause_is_never_shorter_than_retry_after() -> None:
    clock = Clock()
    attempt_all(failing(2, unavailable(retry_after_s=7)), Patience(), clock)
    assert clock.pauses == [7.0, 7.0]


def test_no_pause_goes_past_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(Unavailable):
        attempt_all(failing(9, unavailable(retry_after_s=25)), Patience(9, deadline_s=60), clock)
    assert clock.pauses == [25.0, 25.0]


def test_tries_are_bounded() -> None:
    clock = Clock()
    with pytest.raises(Unavailable):
        attempt_all(failing(9, unavailable()), Patience(retries=2), clock)
    assert len(clock.pauses) == 2


def test_a_no_is_not_asked_again() -> None:
    clock = Clock()
    with pytest.raises(Conflict):
        attempt_all([Conflict("lease_over", "it is over")], Patience(), clock)
    assert clock.pauses == []


@pytest.mark.parametrize("code", ["internal_error", "not_comptoir", "tls_failed"])
def test_what_will_not_mend_is_not_asked_again(code: str) -> None:
    clock = Clock()
    with pytest.raises(Unavailable):
        attempt_all([unavailable(code=code)], Patience(), clock)
    assert clock.pauses == []
