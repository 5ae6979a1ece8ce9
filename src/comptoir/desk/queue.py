"""The desk live: one writer thread, natural batches, a bounded queue.

Calls gather while a batch commits, and the next batch takes all that gathered: no
linger. When the queue is full a call is refused at once (429), but work that ends or
frees something, and the desk's own loops, has room of its own.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from comptoir.desk.desk import Call, Desk, Outcome
from comptoir.desk.requests import Turn
from comptoir.leases.lease import LeaseState
from comptoir.units.errors import ComptoirError, Conflict, InvariantBroken, Unavailable

log = logging.getLogger("comptoir.desk")

FREEING = frozenset(
    {
        "turn",
        "observe",
        "settle_deliveries",
        "cancel_lease",
        "end_lease",
        "shrink_lease",
        "release_hold",
        "cancel_series",
        "cancel_job",
        "record_usage",
        "revoke_key",
        "disable_user",
        "suspend_tenant",
        "fail_node",
        "report_checks",
        "open_book",
    }
)
"""Operations with reserved room in the queue, also taken while the disk is short of room."""


@dataclass(frozen=True, slots=True)
class TurnFailing:
    """The book does not turn: why, and since when. Promises are not kept meanwhile."""

    code: str
    message: str
    since_ms: int


@dataclass(slots=True)
class _Waiting:
    """A call and who hears its outcome: a thread, or an event loop (`loop` says which)."""

    call: Call
    done: Future[Outcome] | asyncio.Future[Outcome]
    loop: asyncio.AbstractEventLoop | None = None


class DeskQueue:
    """Feeds one desk from many threads and event loops.

    Args:
        desk: The writer. Only this queue's thread calls `execute`.
        most_waiting: Calls that may wait; as many again are kept for `FREEING` ones.
        most_a_batch: Calls in one commit.
        meter_every_ms: How often running time is booked.
        turn_every_s: The longest pause between two turns of the book.
        least_between_turns_s: The shortest, while somebody waits. While nobody does, a turn
            goes with every batch: what a request promises is handed over in its own commit.
    """

    def __init__(
        self,
        desk: Desk,
        most_waiting: int = 2_048,
        most_a_batch: int = 256,
        meter_every_ms: int = 60_000,
        turn_every_s: float = 0.25,
        least_between_turns_s: float = 0.02,
    ) -> None:
        self.desk = desk
        self._most_waiting = most_waiting
        self._most_a_batch = most_a_batch
        self._turn = Call("turn", Turn(meter_every_ms=meter_every_ms))
        self._turn_every_s = turn_every_s
        self._least_between_turns_s = least_between_turns_s
        self._waiting: deque[_Waiting] = deque()
        self._in_flight: set[tuple[str, str]] = set()
        self._wake = threading.Condition()
        self._stopping = False
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self.longest_batch_s = 0.0
        self.turn_failing: TurnFailing | None = None
        """What the last turn failed with; None when it did its work."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then stop writing."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` (from the desk's thread, it must not block) after every batch."""
        self._listeners.append(heard)

    def put(self, call: Call) -> "Future[Outcome]":
        """Queue a call from any thread.

        Raises:
            Unavailable: `queue_full`, `disk_full` or `stopping`.
            Conflict: `in_flight`: the same idempotency key is being worked on.
        """
        done: Future[Outcome] = Future()
        self._put(_Waiting(call, done))
        return done

    def _put(self, waiting: _Waiting) -> None:
        call = waiting.call
        frees = call.operation in FREEING
        if not frees and self.desk.store.short_of_room():
            raise Unavailable(
                "disk_full",
                "the disk of the book is nearly full: only work that ends or frees is taken",
                "free some space on the server",
                retry_after_s=30,
            )
        with self._wake:
            if self._stopping:
                raise Unavailable("stopping", "the server is stopping", "try again soon", None, 2)
            limit = self._most_waiting * (2 if frees else 1)
            if len(self._waiting) >= limit:
                raise Unavailable(
                    "queue_full",
                    f"{len(self._waiting):,} calls wait, the most there may be",
                    "try again after a moment",
                    {"waiting": len(self._waiting)},
                )
            if call.idempotency is not None:
                key = (call.actor.user_id, call.idempotency.key)
                if key in self._in_flight:
                    raise Conflict(
                        "in_flight",
                        f"the idempotency key {call.idempotency.key!r} is being worked on",
                        "wait for its answer, then ask again",
                    )
                self._in_flight.add(key)
            self._waiting.append(waiting)
            self._wake.notify()

    def depth(self) -> int:
        """How many calls wait for the next batch."""
        return len(self._waiting)

    def call(self, call: Call, timeout_s: float = 30.0) -> Outcome:
        """Queue a call and wait for its outcome."""
        return self.put(call).result(timeout_s)

    async def ask(self, call: Call) -> Outcome:
        """Queue a call from an event loop and await its outcome."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()
        self._put(_Waiting(call, done, loop))
        return await done

    def _run(self) -> None:
        last_turn = 0.0
        turn_wanted = True  # something has changed since the last turn
        while True:
            batch = self._gather(last_turn, turn_wanted)
            if batch is None:
                return
            turn_due = self._goes_along(batch) or (
                time.monotonic() >= last_turn + self._pause(bool(batch) or turn_wanted)
            )
            if turn_due:
                last_turn = time.monotonic()
            turn_wanted = self._work(batch, turn_due) or (
                not turn_due and bool(batch or turn_wanted)
            )

    def _goes_along(self, batch: list[_Waiting]) -> bool:
        """Whether a turn goes with this batch: with no queue to try it costs next to nothing."""
        return bool(batch) and not self.desk.book.leases_by_state.count(LeaseState.WAITING)

    def _pause(self, something_changed: bool) -> float:
        """How long after a turn the next one is due."""
        return self._least_between_turns_s if something_changed else self._turn_every_s

    def _gather(self, last_turn: float, turn_wanted: bool) -> list[_Waiting] | None:
        """Wait for calls, or for the next turn; None once stopped with nothing left."""
        pause = self._pause(turn_wanted)
        with self._wake:
            while not self._waiting and not self._stopping:
                left = last_turn + pause - time.monotonic()
                if left <= 0:
                    break
                self._wake.wait(left)
            if self._stopping and not self._waiting:
                return None
            count = min(len(self._waiting), self._most_a_batch)
            return [self._waiting.popleft() for _ in range(count)]

    def _work(self, batch: list[_Waiting], with_turn: bool) -> bool:
        """Run one batch; returns whether another turn is wanted at once."""
        # From here on a thread that goes away cannot cancel: its answer would else be set on a
        # future that is cancelled in that very moment, and the error would end this thread.
        for waiting in batch:
            if isinstance(waiting.done, Future):
                waiting.done.set_running_or_notify_cancel()
        calls = [waiting.call for waiting in batch]
        if with_turn:
            calls.append(self._turn)
        started = time.monotonic()
        try:
            outcomes = self.desk.execute(calls)
        except Exception as error:
            outcomes = [Outcome(error=_broken(error)) for _ in calls]
        self.longest_batch_s = max(self.longest_batch_s, time.monotonic() - started)
        if with_turn:
            self._note_turn(outcomes[-1].error)
        with self._wake:
            for waiting in batch:
                if waiting.call.idempotency is not None:
                    key = (waiting.call.actor.user_id, waiting.call.idempotency.key)
                    self._in_flight.discard(key)
        _tell(batch, outcomes)
        if batch or with_turn:
            for heard in self._listeners:
                heard()
        return with_turn and outcomes[-1].value is True

    def _note_turn(self, error: ComptoirError | None) -> None:
        """Keep what the last turn failed with; a new message is told in the log, once."""
        before = self.turn_failing
        if error is None:
            if before is not None:
                log.info("the book turns again")
            self.turn_failing = None
            return
        since_ms = self.desk.clock.now_ms() if before is None else before.since_ms
        self.turn_failing = TurnFailing(error.code, error.message, since_ms)
        if before is None or before.message != error.message:
            log.error("the book does not turn: %s", error)


def _tell(batch: list[_Waiting], outcomes: list[Outcome]) -> None:
    """Give every caller its outcome: a thread at once, an event loop all of its own together."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], Outcome]]] = {}
    for waiting, outcome in zip(batch, outcomes, strict=False):
        if isinstance(waiting.done, asyncio.Future):
            assert waiting.loop is not None
            by_loop.setdefault(waiting.loop, []).append((waiting.done, outcome))
        elif not waiting.done.cancelled():
            waiting.done.set_result(outcome)
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # it is closed: nobody there hears anything any more
            loop.call_soon_threadsafe(_tell_here, told)


def _tell_here(told: list[tuple[asyncio.Future[Outcome], Outcome]]) -> None:
    """In the loop's own thread, where a caller that has gone has cancelled its future."""
    for done, outcome in told:
        if not done.done():
            done.set_result(outcome)


def _broken(error: Exception) -> ComptoirError:
    """A bug stops the desk, with its trace in the log and one sentence for callers."""
    log.critical("the desk stopped: %s", error, exc_info=error)
    what = "an invariant broke" if isinstance(error, InvariantBroken) else "an internal error"
    return Unavailable(
        "desk_stopped", f"{what}: nothing more is written", "see the server's log", None, 60
    )
