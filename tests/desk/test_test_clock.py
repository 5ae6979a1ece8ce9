"""The test clock: time goes on in steps, and what is due in between happens in between."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir.assembly import Settings, TradingPost, open_post
from comptoir.desk.desk import Call
from comptoir.desk.requests import DeclareSupply, NewNode
from comptoir.desk.test_clock import advance
from comptoir.store.views import lists
from comptoir.units.errors import Conflict, Invalid

START_MS = 1_790_812_800_000  # 2026-10-01T00:00:00Z
HOUR_MS = 3_600_000


@pytest.fixture
def post(tmp_path: Path) -> Iterator[TradingPost]:
    with open_post(Settings(tmp_path, test_clock_ms=START_MS)) as opened:
        yield opened


def test_a_test_clock_stands_until_it_is_moved(post: TradingPost) -> None:
    assert post.desk.clock.now_ms() == START_MS
    assert go(post, START_MS + HOUR_MS) == START_MS + HOUR_MS
    assert post.desk.now_ms() == START_MS + HOUR_MS
    assert not post.engines  # work that runs keeps the time of its machine


def test_what_is_due_between_two_instants_happens_between_them(post: TradingPost) -> None:
    supply = DeclareSupply(
        "rented", "h100-sxm", (NewNode("n0", 8, 0, ""),), ends_at_ms=START_MS + 30 * HOUR_MS
    )
    post.queue.call(Call("declare_supply", supply)).unwrap()
    go(post, START_MS + 48 * HOUR_MS)
    told = lists.told_events(post.views, ("supply.ended",), None, None, 0, 10)
    assert [row.at_ms for row in told] == [START_MS + 30 * HOUR_MS]


def test_a_book_keeps_where_its_test_clock_stands(tmp_path: Path) -> None:
    with open_post(Settings(tmp_path, test_clock_ms=START_MS)) as first:
        go(first, START_MS + HOUR_MS)
    with open_post(Settings(tmp_path)) as second:
        assert second.desk.clock.now_ms() == START_MS + HOUR_MS


def test_time_goes_on_only_and_not_too_far(post: TradingPost) -> None:
    with pytest.raises(Invalid, match="clock_backwards"):
        advance(post.queue, START_MS - 1)
    with pytest.raises(Invalid, match="clock_too_far"):
        advance(post.queue, START_MS + 3_661 * 24 * HOUR_MS)
    assert post.desk.clock.now_ms() == START_MS


def test_a_book_that_runs_on_the_real_time_is_not_moved(tmp_path: Path) -> None:
    with open_post(Settings(tmp_path, local_engine=False)) as real:
        tomorrow_ms = real.desk.clock.now_ms() + 24 * HOUR_MS
        with pytest.raises(Conflict, match="no_test_clock"):
            advance(real.queue, tomorrow_ms)
    again = Settings(tmp_path, test_clock_ms=START_MS)
    with pytest.raises(Conflict, match="not_a_new_book"), open_post(again):
        pass


def go(post: TradingPost, to_ms: int) -> int:
    while (stands := advance(post.queue, to_ms)) < to_ms:
        pass
    return stands
