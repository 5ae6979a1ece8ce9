"""The desk live: one writer thread, natural batches, a bounded queue.

Calls gather while a batch commits, and the next batch takes all that gathered: no
linger. Calls that were asked together stay together, in one batch and so in one commit.
When the queue is full a call is refused at once (429), but work that ends or frees
something, and the desk's own loops, has room of its own.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
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


Hear = Callable[[Sequence[Outcome]], object]
"""Who is told what came of calls that were asked together, in their order."""


@dataclass(slots=True)
class _Waiting:
    """Calls that were asked together, and who hears of them: in a loop, or in the desk's thread."""

    calls: Sequence[Call]
    hear: Hear
    loop: asyncio.AbstractEventLoop | None = None
    done: Future[Outcome] | None = None
    """What a thread waits for, if it is one that does."""
    keys: frozenset[tuple[str, str]] = frozenset()


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
        self._calls_waiting = 0
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

        def hear(outcomes: Sequence[Outcome]) -> None:
            if not done.cancelled():
                done.set_result(outcomes[0])

        self._put(_Waiting((call,), hear, done=done))
        return done

    def _put(self, waiting: _Waiting) -> None:
        """Take calls that go together, all of one operation; or none of them."""
        calls = waiting.calls
        frees = calls[0].operation in FREEING
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
            if self._calls_waiting + len(calls) > limit:
                raise Unavailable(
                    "queue_full",
                    f"{self._calls_waiting:,} calls wait, the most there may be",
                    "try again after a moment",
                    {"waiting": self._calls_waiting},
                )
            waiting.keys = self._now_in_flight(calls)
            self._waiting.append(waiting)
            self._calls_waiting += len(calls)
            self._wake.notify()

    def _now_in_flight(self, calls: Sequence[Call]) -> frozenset[tuple[str, str]]:
        """The keys of calls, which from now on are being worked on.

        Raises:
            Conflict: `in_flight`: one of them is already.
        """
        keys = frozenset(
            (call.actor.user_id, call.idempotency.key) for call in calls if call.idempotency
        )
        for _, key in keys & self._in_flight:
            raise Conflict(
                "in_flight",
                f"the idempotency key {key!r} is being worked on",
                "wait for its answer, then ask again",
            )
        self._in_flight |= keys
        return keys

    def depth(self) -> int:
        """How many calls wait for the next batch."""
        return self._calls_waiting

    def call(self, call: Call, timeout_s: float = 30.0) -> Outcome:
        """Queue a call and wait for its outcome."""
        return self.put(call).result(timeout_s)

    async def ask(self, call: Call) -> Outcome:
        """Queue a call from an event loop and await its outcome."""
        return (await self.ask_together((call,)))[0]

    async def ask_together(self, calls: Sequence[Call]) -> Sequence[Outcome]:
        """Queue calls of one operation for one batch, and await what comes of each.

        At most `most_a_batch` of them, which goes for a batch that somebody makes, too.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Sequence[Outcome]] = loop.create_future()

        def hear(outcomes: Sequence[Outcome]) -> None:
            if not done.done():  # a caller that has gone has cancelled it
                done.set_result(outcomes)

        self._put(_Waiting(calls, hear, loop))
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
            batch: list[_Waiting] = []
            room = self._most_a_batch
            while self._waiting and (len(self._waiting[0].calls) <= room or not batch):
                batch.append(self._waiting.popleft())
                room -= len(batch[-1].calls)
            self._calls_waiting -= self._most_a_batch - room
            return batch

    def _work(self, batch: list[_Waiting], with_turn: bool) -> bool:
        """Run one batch; returns whether another turn is wanted at once."""
        # From here on a thread that goes away cannot cancel: its answer would else be set on a
        # future that is cancelled in that very moment, and the error would end this thread.
        for waiting in batch:
            if waiting.done is not None:
                waiting.done.set_running_or_notify_cancel()
        calls = [call for waiting in batch for call in waiting.calls]
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
                self._in_flight -= waiting.keys
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
    """Give every caller its outcomes: a thread at once, an event loop all of its own together."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Hear, Sequence[Outcome]]]] = {}
    first = 0
    for waiting in batch:
        after = first + len(waiting.calls)
        told = outcomes[first:after]
        first = after
        if waiting.loop is None:
            waiting.hear(told)
        else:
            by_loop.setdefault(waiting.loop, []).append((waiting.hear, told))
    for loop, heard in by_loop.items():
        with suppress(RuntimeError):  # it is closed: nobody there hears anything any more
            loop.call_soon_threadsafe(_tell_here, heard)


def _tell_here(heard: list[tuple[Hear, Sequence[Outcome]]]) -> None:
    """In the loop's own thread."""
    for hear, told in heard:
        hear(told)


def _broken(error: Exception) -> ComptoirError:
    """A bug stops the desk, with its trace in the log and one sentence for callers."""
    log.critical("the desk stopped: %s", error, exc_info=error)
    what = "an invariant broke" if isinstance(error, InvariantBroken) else "an internal error"
    return Unavailable(
        "desk_stopped", f"{what}: nothing more is written", "see the server's log", None, 60
    )
