"""One schedule: act, let time pass, kill, start again, wind down, audit."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptoir.desk.close_requests import CloseSlice, DraftRef
from comptoir.desk.desk import Call, Desk
from comptoir.desk.engine_loop import EngineLoop
from comptoir.desk.memory import Memory
from comptoir.desk.notice_loop import NoticeLoop
from comptoir.desk.notice_requests import SettleDeliveries
from comptoir.desk.receipt_requests import Dun
from comptoir.desk.requests import LeaseRef, NodeRef, Observed, Turn
from comptoir.fleet.states import NodeState
from comptoir.leases.lease import LeaseState
from comptoir.simulation.audit_entitled import entitled_waits
from comptoir.simulation.audit_limits import LimitWatch
from comptoir.simulation.auditor import Facts, audit
from comptoir.simulation.clock import MONTH_END_MS, START_MS, SeededEntropy, VirtualClock
from comptoir.simulation.faults import LEAST_KILLS, Faults, FaultyStore, Killed
from comptoir.simulation.machines import SCALED_RATE, Fate, Machines
from comptoir.simulation.moving_in import MovingIn
from comptoir.simulation.sim_engine import SimEngine
from comptoir.simulation.sim_post import SimPost
from comptoir.simulation.template import BookPlace, book_place
from comptoir.simulation.workload import Asked, Workload
from comptoir.store.sql_store import SqlStore
from comptoir.tenants.subscriptions import SubscriptionState
from comptoir.units.errors import ComptoirError, Unavailable

LEAST_OPERATIONS = 50
ENOUGH_OPERATIONS = 90
MOST_ROUNDS = 400
MOST_WIND_DOWN_ROUNDS = 60
OVERDUE_MS = 34 * 86_400_000
"""After so long an invoice is asked for again."""
STEPS_MS = (0, 1, 40, 250, 250, 1_000, 5_000, 31_000, 61_000, 400_000, 3_700_000, 86_400_000 * 3)


@dataclass(slots=True)
class Report:
    """What one schedule did, and every rule that the auditor found broken."""

    seed: int
    failures: float | None = None
    operations: int = 0
    kills: int = 0
    commits: int = 0
    engine_calls: int = 0
    machines_failed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        """The one command that replays it."""
        rate = "" if self.failures is None else f" --failures {self.failures:g}"
        return f"python -m comptoir.simulation --seed {self.seed}{rate}"


def _rate(rng: random.Random, failures: float | None) -> float:
    """Failures in 1,000 node-days: as asked, or as the seed says."""
    drawn = rng.choice((0, SCALED_RATE, SCALED_RATE))
    return drawn if failures is None else failures


def simulate_schedule(
    seed: int, say: Callable[[str], None] | None = None, failures: float | None = None
) -> Report:
    """Run the schedule of a seed and audit the book it leaves.

    Args:
        seed: Decides everything.
        say: Told every step, one line each.
        failures: Of machines, in 1,000 node-days; None is the rate of `machines.py`, or none.

    Returns:
        The report; no problems means that every rule held.
    """
    schedule = Schedule(seed, book_place(), say, failures)
    try:
        schedule.run()
    except Exception as error:
        schedule.report.problems.append(f"{type(error).__name__}: {error}")
        if say is not None:
            raise
    return schedule.finish()


class Schedule:
    """The state of one run: what survives a kill, and the desk that does not."""

    def __init__(
        self,
        seed: int,
        place: BookPlace,
        say: Callable[[str], None] | None = None,
        failures: float | None = None,
    ) -> None:
        self.report = Report(seed, failures)
        self._say = say
        self._place = place
        place.fresh()
        self._rng = random.Random(seed)
        self._clock = VirtualClock(self._rng.choice((START_MS, MONTH_END_MS, MONTH_END_MS)))
        self._entropy = SeededEntropy(seed)
        self._faults = Faults(random.Random(seed + 1))
        self._machines = Machines(random.Random(seed + 2), _rate(self._rng, failures))
        self._engine = SimEngine(self._clock, self._faults, self._machines)
        self._post = SimPost(random.Random(seed + 3), self._faults)
        self._store: FaultyStore | None = None
        self._asked: list[Asked] = []
        self._waiting: list[Asked] = []
        self._submitted: list[Observed] = []
        self._limits = LimitWatch()
        self._skewed = self._rng.random() < 0.1
        self._moving_in = MovingIn(random.Random(seed + 4))
        self._start()
        self._workload = Workload(self._rng, self._clock, self._desk.book, self._machines)

    def run(self) -> None:
        """At least the least operations and the least kills, then quiet until nothing moves."""
        if self._rng.random() < 0.35:
            self._guarded(lambda: self._moving_in.begin(self._desk))
        rounds = 0
        while self._unfinished() and rounds < MOST_ROUNDS:
            rounds += 1
            if self.report.operations > ENOUGH_OPERATIONS:
                self._faults.kill_soon()
            self._guarded(self._round)
        if self._rng.random() < 0.3:
            self._faults.kill_within(8)
            self._faults.kill_within(16)
            self._guarded(self._close_a_month)
        self._say_line("-- no more faults; winding down")
        self._faults.on, self._faults.down = False, 0
        self._machines.calm(self._clock.true_ms)
        self._clock.skew_ms = max(self._clock.skew_ms, 0)
        self._guarded(self._turn)
        self._guarded(self._retry)
        if self._rng.random() < 0.5:
            self._guarded(self._settle_down)
        self._guarded(lambda: self._moving_in.go_on(self._desk, MOST_WIND_DOWN_ROUNDS))
        self._guarded(self._close_the_rest)
        self._guarded(self._send_the_rest)

    def finish(self) -> Report:
        """Audit, and give the store back."""
        report = self.report
        report.kills, report.commits = self._faults.kills, self._faults.commits
        report.engine_calls, report.faults = self._faults.engine_calls, self._faults.counts
        report.machines_failed = len(self._machines.history)
        facts = Facts(
            {asked.key: asked for asked in self._asked},
            list(self._engine.history.values()),
            self._engine.told,
            self._engine.untold,
            self._machines.history,
            self._post.arrived,
            self._clock.true_ms,
            clocks_agree=not self._skewed,
        )
        if not report.problems:
            report.problems += audit(self._place, self._desk, facts)
        self._stop()
        if report.kills < LEAST_KILLS or report.operations < LEAST_OPERATIONS:
            report.problems.append(f"{report.operations} operations, {report.kills} kills: too few")
        return report

    # Living and dying.

    def _start(self) -> None:
        self._faults.down = 0
        self._store = FaultyStore(SqlStore(self._place.engine), self._faults)
        self._desk = Desk(self._store, self._clock, self._entropy)
        self._loop = EngineLoop(self._engine, lambda: self._desk.book, self._observe)
        self._notices = NoticeLoop(
            lambda: self._desk.book, self._store, self._post, self._settle, self._rng.randrange
        )
        self._desk.listen(self._notices.hear)

    def _stop(self) -> None:
        if self._store is not None:
            self._store.real.close()
            self._store = None

    def _guarded(self, act: Callable[[], None]) -> None:
        """Act; when the desk is killed meanwhile, start another one."""
        while True:
            try:
                act()
            except Killed:
                self._say_line("** killed")
                self._stop()
                self._clock.advance(self._rng.choice((0, 100, 4_000, 90_000)))
                self._start()
                continue
            return

    def _unfinished(self) -> bool:
        return self.report.operations < LEAST_OPERATIONS or self._faults.kills < LEAST_KILLS

    # One round.

    def _round(self) -> None:
        if self._waiting and self._rng.random() < 0.7:
            self._retry()
        else:
            asked = self._workload.batch(self._desk.book, 4)
            self._asked += asked
            self._waiting += asked
            self._execute(asked)
        self._time_passes()
        self._turn()
        if self._rng.random() < 0.8:
            self._step_engine()
            self._turn()
        if self._rng.random() < 0.7:
            self._send()
        self._close_on(self._rng.choice((0, 1, 3)))
        self._moving_in.go_on(self._desk, self._rng.choice((0, 1, 2)))
        if self._rng.random() < 0.3:
            self._dun()
        if self._submitted and self._rng.random() < 0.1:
            again = self._rng.choice(self._submitted[-20:])
            self._desk.execute([Call("observe", again)])

    def _time_passes(self, by: int | None = None) -> None:
        if by is None:
            by = self._rng.choices(STEPS_MS, (3, 3, 5, 5, 5, 5, 5, 3, 3, 2, 1, 1))[0]
        before = self._clock.true_ms
        self._clock.advance(by)
        self._engine.fleet = dict(self._desk.book.nodes.rows)
        if by:
            for trouble in self._machines.live(self._engine.fleet.values(), before, before + by):
                self._engine.machine_fails(trouble)
                self._say_line(f"** {trouble}")
        if self._skewed and self._rng.random() < 0.1:
            self._clock.skew_ms = self._rng.choice((0, -90_000, 45_000, -3_600_000))
        self._say_line(f".. {by} ms pass")

    def _execute(self, asked: list[Asked]) -> None:
        """Ask; what is heard is remembered for the auditor, what is not is asked again."""
        asked = [one for one in asked if self._is_true(one)]
        outcomes = self._desk.execute([one.call for one in asked])
        for one, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome.error, Unavailable):
                self._say_line(f"{one.key} {one.call.operation}: {outcome.error.code}")
                if outcome.error.code == "internal_error":
                    self.report.problems.append(f"{one.call}: {outcome.error.message}")
                continue
            if outcome.stored is not None:
                one.answer = (outcome.stored.status, outcome.stored.body)
            else:
                assert one.call.encode is not None
                one.answer = one.call.encode(outcome.error or outcome.value)
            self.report.operations += 1
            self._say_line(f"{one.key} {one.call.operation} {one.call.request}: {one.answer[1]!r}")
        self._waiting = [one for one in self._waiting if one.answer is None]

    def _is_true(self, one: Asked) -> bool:
        """What a person may say of a machine now.

        Who says that it is repaired has rebooted it, and it is up; who says that nothing runs
        there any more sees it dead.
        """
        request, operation = one.call.request, one.call.operation
        stopped = operation == "fail_node" and request.stopped
        if operation != "repair_node" and not stopped:
            return True
        node_id = request.node_id
        trouble = self._machines.trouble(node_id, self._clock.true_ms)
        if stopped and trouble is not None and trouble.fate is Fate.DEAD:
            return True
        if stopped or trouble is not None:
            self._waiting = [other for other in self._waiting if other is not one]
            return False
        self._machines.reboot(node_id)
        self._engine.reboot(node_id)
        return True

    def _retry(self) -> None:
        """The same writes under the same keys, in another order; some actors give up."""
        if self._waiting and self._rng.random() < 0.1:
            self._waiting.pop(self._rng.randrange(len(self._waiting)))
        self._rng.shuffle(self._waiting)
        if self._waiting:
            self._execute(self._waiting[:6])

    def _turn(self) -> None:
        for _ in range(3):
            outcome = self._desk.execute([Call("turn", Turn(most=self._rng.choice((1, 200))))])[0]
            if isinstance(outcome.error, Unavailable):
                return
            if outcome.unwrap() is False:
                self._look_at_entitled()
                return

    def _look_at_entitled(self) -> None:
        """After a whole turn: limits hold, and nobody waits for what it is entitled to and could
        have. What the turn itself has handed over may be taken back from the next turn on.
        """
        book = self._desk.book
        rows = self._place.rows()
        try:
            self.report.problems += self._limits.look(rows, self._desk.now_ms())
            if book.queue_tried_at != book.snapshot.version:
                return
            self.report.problems += entitled_waits(rows, self._desk.now_ms())
        finally:
            rows.close()

    def _close_a_month(self) -> None:
        """A month ends, is closed, billed and credited; the desk is killed meanwhile."""
        ends_ms = self._workload.closing.due_ends_ms(self._desk.book)
        if ends_ms > self._clock.now_ms():
            self._time_passes(ends_ms - self._clock.now_ms() + self._rng.choice((0, 20_000)))
        self._turn()
        for maker in (*self._workload.closing.month(), *self._workload.paying.month()):
            self._execute_new([maker])
            if self._rng.random() < 0.3:
                self._execute_new([self._workload.paying.approve])
            self._close_on(self._rng.choice((1, 4)))
        if self._rng.random() < 0.5:
            self._time_passes(OVERDUE_MS)
            self._dun()
            self._execute_new(self._workload.paying.month()[:4])
            self._dun()

    def _execute_new(self, makers: Sequence[Callable[[Memory], Any]]) -> None:
        """Ask what each of them draws, one after the other."""
        for maker in makers:
            asked = maker(self._desk.book)
            if asked is not None:
                self._asked.append(asked)
                self._waiting.append(asked)
                self._execute([asked])

    def _dun(self) -> None:
        """Who has not paid is asked again, as far as one call comes."""
        self._desk.execute([Call("dun", Dun(self._rng.choice((1, 200))))])

    def _close_on(self, slices: int) -> None:
        """Some slices of what closes, of some size; the desk may be killed in each."""
        for _ in range(slices):
            for period_id in self._desk.book.closing.committed_closing:
                piece = CloseSlice(period_id, self._rng.choice((1, 7, 300)))
                self._desk.execute([Call("close_slice", piece)])

    def _observe(self, observed: Observed) -> Any:
        self._submitted.append(observed)
        try:
            return self._desk.call("observe", observed)
        except Unavailable:
            self._submitted.pop()
            raise

    def _step_engine(self) -> None:
        try:
            self._loop.step(self._desk.now_ms())
        except ComptoirError as error:
            self._say_line(f"the engine loop heard {error.code}")

    def _send(self) -> None:
        """Serve each subscription to which something is due, in some order."""
        due = self._notices.due(self._desk.now_ms())
        self._rng.shuffle(due)
        for id in due:
            self._notices.serve(id, self._desk.now_ms)

    def _settle(self, settled: SettleDeliveries) -> None:
        try:
            self._desk.call("settle_deliveries", settled)
        except ComptoirError as error:
            if error.code == "internal_error":
                self.report.problems.append(f"{settled}: {error.message}")
            raise

    # The end.

    def _close_the_rest(self) -> None:
        """What is closing comes to its end, and all drafts are final."""
        for _ in range(MOST_WIND_DOWN_ROUNDS):
            self._close_on(3)
        if self._desk.book.openings.committed_bringing:
            self.report.problems.append("an opening is never brought")
        if self._desk.book.closing.committed_closing:
            self.report.problems.append("a close never comes to its end")
        told = self._workload.closing.rates(self._desk.book)  # what asks in euros needs today's
        if told is not None:
            self._desk.execute([told.call])
        for draft in list(self._desk.book.closing.drafts):
            self._desk.call("finalise_invoice", DraftRef(draft.id))

    def _send_the_rest(self) -> None:
        """Everybody is well again: what is still to be sent arrives. Nothing else moves."""
        for done in range(MOST_WIND_DOWN_ROUNDS):
            self._send()
            waits = [
                one
                for one in self._desk.book.subscriptions
                if one.state is SubscriptionState.ACTIVE
                and one.next_try_at_ms > self._desk.now_ms()
            ]
            # What could not be settled is left alone for a moment: the first round says nothing.
            if done and not waits and not self._notices.due(self._desk.now_ms()):
                return
            self._clock.advance(900_000)
        self.report.problems.append("notices never come to rest")

    def _settle_down(self) -> None:
        """End everything and let time pass until nothing is left that could move."""
        for node in list(self._desk.book.nodes):
            if node.state in (NodeState.FAILED, NodeState.UNKNOWN):
                self._machines.reboot(node.id)
                self._engine.reboot(node.id)
                self._desk.call("repair_node", NodeRef(node.id))
        for lease in list(self._desk.book.leases):
            if lease.state in (LeaseState.WAITING, LeaseState.SCHEDULED, LeaseState.HELD):
                self._desk.call("cancel_lease", LeaseRef(lease.id))
            elif lease.state in (LeaseState.ACTIVE, LeaseState.RECLAIMING):
                self._desk.call("end_lease", LeaseRef(lease.id))
        for _ in range(MOST_WIND_DOWN_ROUNDS):
            while self._desk.call("turn", Turn()):
                pass
            self._step_engine()
            if not len(self._desk.book.leases) and not self._engine.kept():
                return
            self._clock.advance(20_000)
        self.report.problems.append(
            f"never came to rest: {[f'{x.id} {x.state}' for x in self._desk.book.leases]}, "
            f"the engine keeps {self._engine.kept()}"
        )

    def _say_line(self, line: str) -> None:
        if self._say is not None:
            self._say(f"{self._clock.true_ms} {line}")
