"""The desk on compiled kernels: the same book, changed over on the desk's own thread."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comptoir.desk import kernel_threads
from comptoir.desk.desk import Call
from comptoir.desk.kernel_threads import KernelThreads, is_kept
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import DeclareSupply, NewNode, Turn
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.warming import warmed
from comptoir.simulation.run import Schedule
from comptoir.simulation.template import book_place
from tests.builders import Book


class OnCompiled(Schedule):
    """A schedule in which every desk that starts plans with compiled kernels."""

    def _start(self) -> None:
        super()._start()
        self._desk.use(compiled())


def history(kind: type[Schedule], seed: int) -> tuple[list[str], list[Any], list[str]]:
    """Every line of a schedule, every row that it leaves, and the rules that were broken."""
    lines: list[str] = []
    schedule = kind(seed, book_place(), lines.append)
    schedule.run()
    rows = [dict(table.rows) for table in schedule._desk.book.all_tables]
    return lines, rows, schedule.finish().problems


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_desk_keeps_the_same_book_on_either_kernels(seed: int) -> None:
    """Placements, reclaims, restarts, faults; then the tables are held to freshly built ones."""
    lines, rows, problems = history(Schedule, seed)
    assert history(OnCompiled, seed) == (lines, rows, problems)
    assert not problems


@pytest.fixture
def live(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskQueue]:
    """A desk behind its queue; its one node is a large fleet, and kernels are made at once."""
    monkeypatch.setattr(kernel_threads, "BEGIN_AFTER_S", 0.0)
    monkeypatch.setattr(kernel_threads, "LEAST_NODES", 1)
    book.price_all()
    book.supply(8, engine="")
    queue = DeskQueue(book.desk)
    queue.start()
    yield queue
    queue.stop()


def until(true: Callable[[], bool], timeout_s: float = 20.0) -> None:
    ends = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.01)


def test_a_desk_changes_over_on_its_own_thread_and_stays_so(
    live: DeskQueue, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    use = book.desk.use

    def noted(kernels: Backend) -> None:
        threads.append(threading.current_thread().name)
        use(kernels)

    monkeypatch.setattr(book.desk, "use", noted)
    monkeypatch.setattr(kernel_threads, "is_kept", lambda _: True)
    kernels = KernelThreads(live)
    until(lambda: book.desk.kernels.name == "compiled")
    kernels.stop()
    live.stop()
    assert threads == ["desk"]
    lease = book.lease(book.tenant("acme"), LeaseClass.ON_DEMAND, 3)
    book.turn()
    assert book.now(lease).state is LeaseState.ACTIVE
    pools = [*book.desk.book.snapshot.pools.values()]
    book.desk.reload()
    pools += book.desk.book.snapshot.pools.values()
    assert [pool.backend.name for pool in pools] == ["compiled", "compiled"]


def test_a_small_fleet_keeps_the_plain_kernels(
    live: DeskQueue, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node more, and it does not."""
    monkeypatch.setattr(kernel_threads, "LEAST_NODES", 2)
    kernels = KernelThreads(live)
    for _ in range(3):
        live.call(Call("turn", Turn())).unwrap()
    assert kernels._thread is None
    live.call(Call("declare_supply", DeclareSupply("s", "cpu-core", (NewNode("n9", 4),)))).unwrap()
    until(lambda: book.desk.kernels.name == "compiled")
    kernels.stop()


def test_a_desk_goes_on_with_plain_kernels_when_compiling_fails(
    live: DeskQueue, book: Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = (sys.executable, "-c", "raise SystemExit('no compiler here')")
    monkeypatch.setattr(kernel_threads, "FILL_CACHE", failing)
    monkeypatch.setattr(kernel_threads, "is_kept", lambda _: False)
    kernels = KernelThreads(live)
    until(lambda: "no compiled kernels" in caplog.text)
    kernels.stop()
    assert "no compiler here" in caplog.text
    assert book.desk.kernels is PLAIN


def test_no_child_outlives_a_server_that_stops_while_it_compiles(
    live: DeskQueue, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        kernel_threads, "FILL_CACHE", (sys.executable, "-c", "import time; time.sleep(60)")
    )
    monkeypatch.setattr(kernel_threads, "is_kept", lambda _: False)
    kernels = KernelThreads(live)
    until(lambda: kernels._child is not None)
    began = time.monotonic()
    kernels.stop()
    assert time.monotonic() - began < 20
    assert kernels._child is not None and kernels._child.returncode == -15
    assert book.desk.kernels is PLAIN


def test_kernels_are_kept_once_the_cache_has_every_function_of_this_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{name}_0123" for name in ("hold", "find")]
    functions = [
        SimpleNamespace(
            py_func=SimpleNamespace(__qualname__=name),
            stats=SimpleNamespace(cache_path=str(tmp_path)),
        )
        for name in names
    ]
    monkeypatch.setattr(kernel_threads, "desk_functions", lambda _: functions)
    (tmp_path / "kernel.hold_0123-40.py311.nbi").touch()
    (tmp_path / "kernel_find.find_9999-40.py311.nbi").touch()
    assert not is_kept(PLAIN)
    (tmp_path / "kernel_find.find_0123-40.py311.nbi").touch()
    assert is_kept(PLAIN)


def test_the_cache_that_numba_writes_is_the_one_that_is_looked_at() -> None:
    assert is_kept(warmed())
