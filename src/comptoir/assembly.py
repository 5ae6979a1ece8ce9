"""The assembly: reads settings, and is the only place that wires choices together.

Here a store, a clock, engines, the desk, its queue and its loops become one trading
post. `open_post` gives it to the demo, the tests and `comptoir up` alike.
"""

import gc
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comptoir.desk.check_loop import CheckLoop
from comptoir.desk.clearing import clear_ended
from comptoir.desk.close_loop import CloseLoop
from comptoir.desk.close_requests import CloseSlice
from comptoir.desk.desk import Call, Desk
from comptoir.desk.engine_loop import EngineLoop
from comptoir.desk.engine_port import Engine, EngineSettings
from comptoir.desk.failure_requests import ReportChecks
from comptoir.desk.kernel_threads import KernelThreads
from comptoir.desk.notice_loop import NoticeLoop
from comptoir.desk.notice_port import Sender
from comptoir.desk.notice_requests import SettleDeliveries
from comptoir.desk.notice_threads import NoticeThreads
from comptoir.desk.opening_loop import OpeningLoop
from comptoir.desk.opening_requests import BringSlice
from comptoir.desk.ports import Checker, Clock
from comptoir.desk.queue import DeskQueue
from comptoir.desk.receipt_requests import Dun
from comptoir.desk.requests import DeclareSupply, IssuedKey, IssueKey, NewNode, Observed, Opening
from comptoir.desk.test_clock import StandingClock
from comptoir.engines.local.checks import LocalChecker
from comptoir.engines.local.engine import LocalEngine, memory_total_bytes
from comptoir.notices.mailing import MailSettings
from comptoir.notices.posting import Outside
from comptoir.notices.secrets import open_key
from comptoir.notices.sender import NoticeSender
from comptoir.store.opening import directory_lock, open_store, writer_lock
from comptoir.store.plan_child import PlanChild
from comptoir.store.sql_store import SqlStore
from comptoir.store.views import Views, lists, totals
from comptoir.tenants.parties import Role
from comptoir.units.errors import Conflict
from comptoir.units.time import format_instant, parse_instant

log = logging.getLogger("comptoir")

OPERATOR_KEY_FILE = "operator.key"
CLOCK_FILE = "test-clock"
_PENDING = "operator.key.pending"
HOUSE_EVERY_S = 3_600.0
ANSWERS_KEPT_MS = 30 * 86_400_000
DELIVERIES_KEPT_MS = 30 * 86_400_000
POLL_BUSY_S = 0.05
GARBAGE_THRESHOLDS = (10_000, 5, 200)
POLL_IDLE_S = 1.0
CHECKS_EVERY_S = 5.0
CLOSES_EVERY_S = 0.25


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds UTC."""
        return time.time_ns() // 1_000_000


class SystemEntropy:
    """The machine's randomness."""

    def token_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return secrets.token_bytes(count)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator chooses for one trading post."""

    data: Path
    database_url: str | None = None
    meter_every_s: float = 60.0
    local_engine: bool = True
    engine: EngineSettings = EngineSettings()  # noqa: RUF009  (frozen)
    mail: MailSettings | None = None
    """The mail server for notices; without one no mail is sent."""
    webhooks_to_loopback: bool = False
    """Whether webhooks may be on this machine, and there without TLS: for development."""
    test_clock_ms: int | None = None
    """Where the clock of a new book stands that is made to try things on."""


@dataclass(frozen=True, slots=True)
class TradingPost:
    """Everything that serves one book."""

    settings: Settings
    instance: str
    desk: Desk
    queue: DeskQueue
    store: SqlStore
    views: Views
    engines: dict[str, Engine]
    sender: Sender
    planner: PlanChild
    first_key: IssuedKey | None
    """The operator's key, when this opening made it."""


@contextmanager
def open_post(settings: Settings) -> Iterator[TradingPost]:
    """Open a trading post on a data directory, and close it gracefully: jobs run on.

    Raises:
        Conflict: `data_directory_in_use`, `schema_too_new`.
    """
    data = settings.data.resolve()
    with ExitStack() as stack:
        stack.enter_context(directory_lock(data))
        if settings.database_url is not None:
            stack.enter_context(writer_lock(settings.database_url, _stand_by))
        os.chmod(data, 0o700)
        clock = open_clock(data, settings.test_clock_ms)
        instance = _instance(data)
        store = open_store(data, settings.database_url, instance)
        stack.callback(store.close)
        views = Views(store.engine)
        engines: dict[str, Engine] = {}
        checkers: dict[str, Checker] = {}
        if settings.local_engine and not isinstance(clock, StandingClock):
            local = LocalEngine(data / "engine", instance, settings.engine)
            engines[local.name] = local
            checkers[local.name] = LocalChecker(local, data / "engine", memory_total_bytes)
        with loading_a_book():
            desk = Desk(store, clock, SystemEntropy(), frozenset(checkers))
        queue = DeskQueue(desk, meter_every_ms=int(settings.meter_every_s * 1_000))
        sender = NoticeSender(
            open_key(data), Outside(loopback=settings.webhooks_to_loopback), settings.mail
        )
        first_key = _open_book(desk, data)
        kernels = KernelThreads(queue)
        planner = PlanChild(data, settings.database_url)
        stack.callback(planner.close)
        queue.start()
        stack.callback(queue.stop)
        stack.callback(kernels.stop)
        _supply_own_machine(queue, views, engines)
        runner = _Loops(queue, views, engines, checkers, sender)
        runner.start()
        stack.callback(runner.stop)
        yield TradingPost(
            settings, instance, desk, queue, store, views, engines, sender, planner, first_key
        )


def open_clock(data: Path, test_clock_ms: int | None) -> Clock:
    """The machine's clock, or the test clock that a data directory was made with.

    Raises:
        Conflict: `not_a_new_book`: a book keeps the clock that it began with.
    """
    path = data / CLOCK_FILE

    def keep(instant_ms: int) -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(format_instant(instant_ms) + "\n")
        draft.replace(path)

    if path.exists():
        return StandingClock(parse_instant(path.read_text().strip()), keep)
    if test_clock_ms is None:
        return SystemClock()
    if (data / "instance").exists():
        raise Conflict(
            "not_a_new_book",
            f"{data} holds a book already, and its time is the time",
            "name a new data directory for a book with a test clock",
        )
    keep(test_clock_ms)
    return StandingClock(test_clock_ms, keep)


@contextmanager
def loading_a_book() -> Iterator[None]:
    """Keep the garbage collector from walking through the whole book again and again.

    The book is large, lives long and has no cycles: a collection of everything finds nothing
    in it and stops every thread meanwhile (80 ms for 27,000 leases). Nothing is collected while
    a book is loaded, and what was loaded is left out for good. What comes later is looked
    through rarely, and once an hour with the housekeeping.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
        gc.set_threshold(*GARBAGE_THRESHOLDS)


def _stand_by() -> None:
    log.info("another desk serves this book: standing by until it is gone")


def _instance(data: Path) -> str:
    """A short name of this book's server, kept in its data directory."""
    path = data / "instance"
    if not path.exists():
        path.write_text(secrets.token_hex(4))
    return path.read_text().strip()


def _open_book(desk: Desk, data: Path) -> IssuedKey | None:
    """On the first start: open the book, and leave the operator's key in a file of mode 0600.

    A marker beside the file says that the key is on its way, so that a crash between the
    commit and the file does not lock everybody out.
    """
    pending, path = data / _PENDING, data / OPERATOR_KEY_FILE
    if len(desk.book.users) and not pending.exists():
        return None
    pending.touch(mode=0o600)
    if len(desk.book.users):
        operators = [u for u in desk.book.users if Role.OPERATOR in u.roles and not u.disabled]
        operator = min(operators, key=lambda user: (user.created_at_ms, user.id))
        issued = desk.call("issue_key", IssueKey(operator.id, "made again after a crash"))
    else:
        issued = desk.call("open_book", Opening())
    assert isinstance(issued, IssuedKey) and issued.secret is not None
    draft = data / f"{OPERATOR_KEY_FILE}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(issued.secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    pending.unlink()
    return issued


def _supply_own_machine(queue: DeskQueue, views: Views, engines: dict[str, Engine]) -> None:
    """The machine's own cores are the first supply: an inbound lease from ourselves.

    Once, as soon as the engine can run work. When the operator has ended it, it stays ended.
    """
    for engine in engines.values():
        found = engine.nodes()
        if not found or not engine.health().available:
            continue
        if totals.was_ever_supplied(views, engine.name, (node.name for node in found)):
            continue
        supply = DeclareSupply(
            name="owned",
            kind=found[0].kind,
            nodes=tuple(
                NewNode(node.name, node.accelerators, node.memory_bytes, engine.name)
                for node in found
            ),
        )
        queue.call(Call("declare_supply", supply)).unwrap()


def notice_loop(queue: DeskQueue, sender: Sender) -> NoticeLoop:
    """The loop that sends what subscriptions are to be told."""
    desk = queue.desk

    def submit(settled: SettleDeliveries) -> None:
        queue.call(Call("settle_deliveries", settled)).unwrap()

    return NoticeLoop(lambda: desk.book, desk.store, sender, submit, secrets.randbelow)


class _Loops:
    """The desk's background loops: a thread an engine and a checker, woken by every batch;
    and those that send notices."""

    def __init__(
        self,
        queue: DeskQueue,
        views: Views,
        engines: dict[str, Engine],
        checkers: dict[str, Checker],
        sender: Sender,
    ) -> None:
        self._queue = queue
        self._views = views
        self._engines = engines
        self._stop = threading.Event()
        self._wakes: list[threading.Event] = []
        self._threads: list[threading.Thread] = []
        for engine in engines.values():
            self._add(f"engine-{engine.name}", self._run_engine, engine)
        for checker in checkers.values():
            self._add(f"checks-{checker.name}", self._run_checks, checker)
        self._threads.append(threading.Thread(target=self._keep_house, name="house", daemon=True))
        for name, run in (("close", self._run_close), ("opening", self._run_opening)):
            self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._notices = notice_loop(queue, sender)
        self._sending = NoticeThreads(self._notices, queue.desk.clock.now_ms)

    def _add(self, name: str, run: Callable[[Any, threading.Event], None], given: Any) -> None:
        wake = threading.Event()
        self._wakes.append(wake)
        self._threads.append(
            threading.Thread(target=run, args=(given, wake), name=name, daemon=True)
        )

    def start(self) -> None:
        """Begin."""
        self._queue.listen(self._wake_all)
        self._queue.desk.listen(self._sending.hear)
        self._sending.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the round at hand."""
        self._stop.set()
        self._wake_all()
        self._sending.stop()
        for thread in self._threads:
            thread.join(10.0)

    def _wake_all(self) -> None:
        for wake in self._wakes:
            wake.set()

    def _run_engine(self, engine: Engine, wake: threading.Event) -> None:
        desk = self._queue.desk
        loop = EngineLoop(engine, lambda: desk.book, self._submit)
        while not self._stop.is_set():
            try:
                loop.step(desk.clock.now_ms())
            except Exception:
                log.exception("a round of engine %s failed", engine.name)
                self._stop.wait(POLL_IDLE_S)
            wake.wait(POLL_BUSY_S if desk.book.committed_attempts else POLL_IDLE_S)
            wake.clear()

    def _run_checks(self, checker: Checker, wake: threading.Event) -> None:
        desk = self._queue.desk
        loop = CheckLoop(checker, lambda: desk.book, self._report)
        while not self._stop.is_set():
            try:
                loop.step(desk.clock.now_ms())
            except Exception:
                log.exception("a round of checks of %s failed", checker.name)
            self._stop.wait(POLL_IDLE_S)
            wake.wait(CHECKS_EVERY_S)
            wake.clear()

    def _run_close(self) -> None:
        """Go on with every period that closes, a slice a time; look for one now and then."""
        desk = self._queue.desk
        loop = CloseLoop(lambda: desk.book, self._close)
        while not self._stop.is_set():
            try:
                if loop.step():
                    continue
            except Exception:
                log.exception("a slice of a close failed")
            self._stop.wait(CLOSES_EVERY_S)

    def _run_opening(self) -> None:
        """Go on with every opening that is being brought; look for one now and then."""
        desk = self._queue.desk
        loop = OpeningLoop(lambda: desk.book, desk.store.find, self._bring)
        while not self._stop.is_set():
            try:
                if loop.step():
                    continue
            except Exception:
                log.exception("a slice of an opening failed")
            self._stop.wait(CLOSES_EVERY_S)

    def _bring(self, piece: BringSlice) -> None:
        self._queue.call(Call("bring_slice", piece)).unwrap()

    def _close(self, piece: CloseSlice) -> None:
        self._queue.call(Call("close_slice", piece)).unwrap()

    def _report(self, report: ReportChecks) -> None:
        self._queue.call(Call("report_checks", report)).unwrap()

    def _submit(self, observed: Observed) -> None:
        self._queue.call(Call("observe", observed)).unwrap()

    def _keep_house(self) -> None:
        """Once an hour: forget old answers and files, dun, probe the engines, collect garbage."""
        while not self._stop.wait(HOUSE_EVERY_S):
            for duty in (
                self._forget,
                self._dun,
                self._clear,
                self._probe,
                self._notices.look_again,
                gc.collect,
            ):
                try:
                    duty()
                except Exception:
                    log.exception("housekeeping failed")

    def _forget(self) -> None:
        self._queue.call(Call("forget_answers", ANSWERS_KEPT_MS)).unwrap()
        self._queue.call(Call("forget_deliveries", DELIVERIES_KEPT_MS)).unwrap()

    def _dun(self) -> None:
        while self._queue.call(Call("dun", Dun())).unwrap():
            pass

    def _clear(self) -> None:
        desk = self._queue.desk
        for engine in self._engines.values():
            cleared = clear_ended(
                engine,
                lambda lease_id: lists.find(self._views, "lease", lease_id),
                desk.clock.now_ms(),
                desk.book.setting("files_kept_s"),
            )
            if cleared:
                log.info("engine %s: files of %d ended leases removed", engine.name, len(cleared))

    def _probe(self) -> None:
        for engine in self._engines.values():
            before, now = engine.health().available, engine.probe()
            if before and not now.available:
                log.error("engine %s takes no work any more: %s", engine.name, now.reason)
            elif now.available and not before:
                log.info("engine %s takes work now", engine.name)
        _supply_own_machine(self._queue, self._views, self._engines)
