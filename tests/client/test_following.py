"""Following a job when the server comes and goes: nothing twice, nothing missed."""

from typing import Any, cast

import pytest

from comptoir.client.following import Cut, Lost, Moved, Place, Said, follow
from comptoir.client.work import Jobs, Leases, LogPage
from comptoir.units.errors import Unavailable

LOGS = {1: b"one two three", 2: b"four"}


class FakeServer:
    """A job whose two attempts write a few bytes between questions; it fails when told to."""

    def __init__(self, fails_at: set[int], full: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.fails_at = fails_at
        self.full = full
        self.questions = 0

    def _asked(self) -> None:
        self.questions += 1
        if self.questions in self.fails_at:
            raise Unavailable("server_unreachable", "gone")

    def get(self, id: str) -> Any:
        self._asked()
        if id.startswith("ls"):
            return {"id": id, "state": "active", "kill_at": None}
        attempts = 1 if self.questions < 12 else 2
        state = "succeeded" if self.questions > 30 else "running"
        return {"id": id, "lease_id": "ls_1", "state": state, "attempts": attempts}

    def log(self, _: str, attempt: int, offset: int) -> LogPage:
        self._asked()
        data = LOGS[attempt][offset : offset + 4]
        return LogPage(data, offset + len(data), attempt, attempt in self.full)


def followed(server: FakeServer, place: Place | None = None) -> list[Said | Moved | Cut | Lost]:
    both = cast(Any, server)
    return list(follow(cast(Jobs, both), cast(Leases, both), "jb_1", place, pause=lambda _: None))


def words(steps: list[Said | Moved | Cut | Lost]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Said))


@pytest.mark.parametrize("fails_at", [set(), {3}, {1, 2, 4, 8, 16}, set(range(5, 25))])
def test_what_is_said_is_said_once(fails_at: set[int]) -> None:
    steps = followed(FakeServer(fails_at))
    assert words(steps) == b"one two threefour"
    assert any(isinstance(step, Lost) for step in steps) is bool(fails_at)


def test_a_log_that_is_cut_is_told_once_an_attempt_after_what_it_holds() -> None:
    steps = followed(FakeServer(set(), full={1, 2}))
    assert words(steps) == b"one two threefour"
    cuts = [(n, step.attempt) for n, step in enumerate(steps) if isinstance(step, Cut)]
    assert [attempt for _, attempt in cuts] == [1, 2]
    for at, attempt in cuts:
        assert not any(isinstance(s, Said) and s.attempt == attempt for s in steps[at:])


def test_the_last_step_is_the_end() -> None:
    last = followed(FakeServer(set()))[-1]
    assert isinstance(last, Moved)
    assert last.job["state"] == "succeeded"


def test_following_goes_on_at_a_place() -> None:
    place = Place()
    both = cast(Any, FakeServer(set()))
    said = b""
    for step in follow(both, both, "jb_1", place, pause=lambda _: None):
        if isinstance(step, Said):
            said += step.data
            break
    assert words(followed(FakeServer(set()), place)) == b"one two threefour"[len(said) :]


def test_two_minutes_of_silence_are_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 50))
    monkeypatch.setattr("comptoir.client.following.time.monotonic", lambda: float(next(now)))
    with pytest.raises(Unavailable):
        followed(FakeServer(set(range(1, 1_000))))
