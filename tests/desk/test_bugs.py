"""A bug in one call undoes that call, is told, and lets the desk go on."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from comptoir.api.handlers.status import desk_state
from comptoir.api.problems import encode_problem, status_of
from comptoir.desk.desk import Call, Idempotency
from comptoir.desk.operations import OPERATIONS
from comptoir.desk.operations import turn as turning_book
from comptoir.desk.operations.operation import Operation
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import CreateTenant, Turn
from comptoir.tenants.parties import TenantKind
from comptoir.tenants.permissions import Permission
from comptoir.units.errors import ComptoirError
from tests.builders import Book


def create(slug: str, key: str, encode: Any, book: Book) -> Call:
    request = CreateTenant(slug, slug, TenantKind.TEAM)
    return Call("create_tenant", request, book.operator, Idempotency(key, "0" * 64), encode)


def broken(_said: object) -> tuple[int, bytes]:
    raise TypeError("cannot encode")


def good(said: Any) -> tuple[int, bytes]:
    return (200, b"{}") if not isinstance(said, Exception) else encode_problem(said)  # type: ignore[arg-type]


def test_an_answer_that_cannot_be_encoded_undoes_its_call_and_no_other(book: Book) -> None:
    calls = [create("acme", "a", broken, book), create("zenith", "b", good, book)]
    first, second = book.desk.execute(calls)
    assert first.error is not None and first.error.code == "internal_error"
    assert status_of(first.error) == 500
    second.unwrap()
    book.desk.reload()
    assert [tenant.slug for tenant in book.desk.book.tenants] == ["zenith"]
    (again,) = book.desk.execute([create("acme", "a", good, book)])
    again.unwrap()


def test_a_refusal_that_cannot_be_encoded_is_still_a_refusal(book: Book) -> None:
    book.tenant("acme")
    (said,) = book.desk.execute([create("acme", "a", broken, book)])
    assert said.error is not None and said.error.code == "slug_taken"
    assert not book.desk.broken


@pytest.fixture
def turning(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DeskQueue, list[str]]]:
    """A queue whose turns fail with the message at hand, while there is one."""
    message: list[str] = []

    def turn(_tx: object, _request: object) -> bool:
        if message:
            raise ValueError(message[0])
        return False

    monkeypatch.setitem(OPERATIONS, "turn", Operation("turn", Permission.SYSTEM, turn))
    queue = DeskQueue(book.desk, turn_every_s=0.01, least_between_turns_s=0.001)
    queue.start()
    yield queue, message
    queue.stop()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_turn_that_fails_is_seen_and_told_once_a_message(
    turning: tuple[DeskQueue, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    queue, message = turning
    assert desk_state(queue) == "ok"
    with caplog.at_level(logging.ERROR):
        for said in ("one", "other"):
            message[:] = [said]
            until(lambda: queue.turn_failing is not None)
            time.sleep(0.1)
        assert desk_state(queue) == "turn_failing"
        told = [r for r in caplog.records if r.getMessage() == "turn failed"]
        assert len(told) == 2
        message.clear()
        until(lambda: queue.turn_failing is None)
        message[:] = ["other"]
        until(lambda: queue.turn_failing is not None)
        time.sleep(0.1)
        told = [r for r in caplog.records if r.getMessage() == "turn failed"]
        assert len(told) == 3  # it is news again, after turns that went well
    assert queue.turn_failing is not None and queue.turn_failing.code == "internal_error"
    assert queue.turn_failing.since_ms == queue.desk.clock.now_ms()
    message.clear()
    until(lambda: queue.turn_failing is None)
    assert desk_state(queue) == "ok"


def test_supply_that_a_failed_turn_had_in_hand_is_looked_at_again(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.supply(2)
    book.supply(2)
    book.turn()
    agenda, supplied = book.desk.book.supply_agenda, list(book.desk.book.inbound)

    def bug(*_: object) -> int:
        raise ValueError("a bug")

    for inbound in supplied:
        agenda.touch(inbound.id)
    with monkeypatch.context() as patched:
        patched.setattr(turning_book, "_tend_supply", bug)
        with pytest.raises(ComptoirError, match="internal_error"):
            book.desk.call("turn", Turn())
    assert set(agenda.take(book.clock.instant_ms, 10)) == {inbound.id for inbound in supplied}
