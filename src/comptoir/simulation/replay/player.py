"""The player: jobs live through the real desk, instant by instant.

At every instant at which something is due (a job comes, a job is done, a machine dies or comes
back, the desk has something on its agenda) the calls of that instant and a turn are one batch.
What a job does follows from its lease: it runs while the lease is active and whole. Its lease is
open-ended, since nobody knows when a job will be done; a reserved one is a window of the job's
length with an hour to spare.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from comptoir.desk.desk import Call, Desk
from comptoir.desk.failure_requests import FailNode
from comptoir.desk.ports import Event
from comptoir.desk.requests import LeaseRef, NodeRef, RequestLease, Turn
from comptoir.fleet.states import NodeState
from comptoir.leases.lease import Alternative, LeaseClass, LeaseState, Shape
from comptoir.placement import kernel as k
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.replay.breakdowns import MS_PER_DAY, NEVER_MS, Breakdowns
from comptoir.simulation.replay.lives import Life, Lives
from comptoir.simulation.replay.mixing import Work
from comptoir.simulation.replay.tally import Sample, Tally
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_HOUR, MS_PER_S

RUNS = (LeaseState.ACTIVE, LeaseState.RECLAIMING)
GONE = (LeaseState.REFUSED, LeaseState.BROKEN)
LATEST_START_MS = 30 * MS_PER_DAY
"""A sold window may begin so much later than it was asked for."""
_MOST_TURNS = 10_000
"""Of one instant: more would mean that the desk never comes to rest."""
_JOBS_A_REPORT = 200

Progress = Callable[[int, int], object]
"""Told how many jobs are over, of how many."""


@dataclass(slots=True)
class Player:
    """One replay. `node_sizes` are the largest node of each kind, `start_ms` the trace's zero."""

    desk: Desk
    clock: VirtualClock
    tally: Tally
    lives: Lives
    breakdowns: Breakdowns
    nodes: Sequence[NodeId]
    node_sizes: Mapping[str, int]
    tenant_of: Callable[[Work], TenantId]
    start_ms: int
    horizon_ms: int
    _heap: list[tuple[int, int, LeaseId, int]] = field(default_factory=list)
    _live: dict[LeaseId, Life] = field(default_factory=dict)
    _changed: dict[LeaseId, bool] = field(default_factory=dict)
    """Whose lease has changed since; whether a node died under it, even if it has another now."""
    _order: int = 0
    _sampled: int = 0
    _turn: Call = field(init=False)

    def __post_init__(self) -> None:
        self._turn = Call("turn", Turn(meter_every_ms=30 * MS_PER_DAY, most=1_000))
        self.desk.listen(self._hear)

    def play(self, works: Sequence[Work], progress: Progress) -> None:
        """Let all of it happen, until all jobs are over or the horizon."""
        coming, told = 0, 0
        while coming < len(works) or self._live:
            now = self._next_ms(works[coming].submit_ms if coming < len(works) else NEVER_MS)
            if now > self.horizon_ms:
                break
            self._sample_until(now)
            self.clock.true_ms = self.start_ms + now
            calls = [*self._due(now), *self._machines(now)]
            asked = []
            while coming < len(works) and works[coming].submit_ms <= now:
                asked.append(works[coming])
                coming += 1
            self._execute(now, calls, asked)
            over = coming - len(self._live)
            if over >= told + _JOBS_A_REPORT:
                progress(over, len(works))
                told = over
        self._close(bool(self._live) or coming < len(works))
        progress(len(works), len(works))

    def _close(self, cut: bool) -> None:
        """The end: what still runs is booked until then."""
        if cut:
            self.clock.true_ms = self.start_ms + self.horizon_ms
        now = self.clock.true_ms - self.start_ms
        self._sample_until(now)
        running = sum(life.since_ms is not None for life in self._live.values())
        for life in self._live.values():
            self.lives.leave(life, now)
        self.breakdowns.close(now, self.tally)
        self.tally.close(now, running, len(self._live) - running)
        for lease_id in self._live:
            self.desk.book.agenda.touch(lease_id)  # or a turn books it when its month is over
        booking = Call("turn", Turn(meter_every_ms=1, most=1_000))
        for _ in range(_MOST_TURNS):
            if not self.desk.execute([booking])[0].unwrap():
                break

    # What is due.

    def _next_ms(self, submit_ms: int) -> int:
        """The next instant at which anything happens."""
        book, after = self.desk.book, self.clock.true_ms
        found = min(submit_ms, self.breakdowns.next_ms())
        if self._heap:
            found = min(found, self._heap[0][0])
        for agenda in (book.agenda, book.supply_agenda, book.entitlement_agenda, book.node_agenda):
            at = agenda.next_ms(after)
            if at is not None:
                found = min(found, at - self.start_ms)
        return max(found, after - self.start_ms)

    def _due(self, now: int) -> Iterator[Call]:
        """Jobs that are done give back what they hold."""
        while self._heap and self._heap[0][0] <= now:
            _, _, lease_id, run = heapq.heappop(self._heap)
            life = self._live.get(lease_id)
            if life is not None and life.run == run and life.since_ms is not None:
                self.lives.finish(self._live.pop(lease_id), now)
                yield Call("end_lease", LeaseRef(lease_id))

    def _machines(self, now: int) -> Iterator[Call]:
        """Machines that die, and those that are back."""
        for number, fails in self.breakdowns.due(now, self.tally):
            node_id = self.nodes[number]
            node = self.desk.book.nodes.get(node_id)
            if fails:
                yield Call("fail_node", FailNode(node_id, "replayed failure", None, stopped=True))
            elif node is not None and node.state is NodeState.FAILED:
                yield Call("repair_node", NodeRef(node_id))

    # One instant.

    def _execute(self, now: int, calls: list[Call], asked: list[Work]) -> None:
        requests = [Call("request_lease", self._request(work)) for work in asked]
        outcomes = self.desk.execute([*calls, *requests, self._turn])
        for outcome in outcomes[: len(calls)]:
            outcome.unwrap()
        for work, outcome in zip(asked, outcomes[len(calls) :], strict=False):
            self.tally.submitted(work)
            if isinstance(outcome.error, Refused):
                self.tally.rejected(work, outcome.error)
            else:
                self._live[outcome.unwrap().id] = Life(work)
        left = outcomes[-1].unwrap()
        for _ in range(_MOST_TURNS):
            if not left:
                break
            left = self.desk.execute([self._turn])[0].unwrap()
        for lease_id, lost in self._changed.items():
            self._see(lease_id, lost, now)
        self._changed.clear()

    def _request(self, work: Work) -> RequestLease:
        """What a job asks for: its own kind, or any that there is, in the order of the fleet."""
        kinds = [work.kind] if work.kind else list(self.node_sizes)
        choices = [Alternative(kind, work.accelerators, self._shape(kind, work)) for kind in kinds]
        reserved = work.lease_class is LeaseClass.RESERVED
        latest_ms = self.clock.true_ms + LATEST_START_MS
        return RequestLease(
            choices[0].kind, work.accelerators, work.lease_class, choices[0].shape,
            name=work.id[:60], tenant_id=self.tenant_of(work), alternatives=tuple(choices[1:]),
            latest_start_ms=latest_ms if reserved else None,
            duration_s=-(-(work.duration_ms + MS_PER_HOUR) // MS_PER_S) if reserved else None,
        )  # fmt: skip

    def _shape(self, kind: str, work: Work) -> Shape:
        return Shape.NODE if work.accelerators <= self.node_sizes[kind] else Shape.CLUSTER

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.subject.startswith("ls_"):
                self._changed.setdefault(LeaseId(event.subject), False)
            elif event.type == "node.failed":
                self._changed.update(dict.fromkeys(map(LeaseId, event.data["leases"]), True))

    def _see(self, lease_id: LeaseId, lost: bool, now: int) -> None:
        """A lease has changed: its job runs, or runs no more."""
        life = self._live.get(lease_id)
        if life is None:
            return
        lease = self.desk.book.leases.get(lease_id)
        runs = lease is not None and lease.state in RUNS and not lease.lost
        if life.since_ms is not None and (lost or not runs):
            self.lives.interrupt(life, lost, now)
        if runs and life.since_ms is None:
            self._order += 1
            done_ms = self.lives.begin(life, now)
            heapq.heappush(self._heap, (done_ms, self._order, lease_id, life.run))
        if lease is None or lease.state in GONE:
            del self._live[lease_id]
            self.tally.gave_up()

    # What is drawn.

    def _sample_until(self, now: int) -> None:
        """The fleet as it stands at the grain of what is drawn, up to now."""
        if self._sampled > now:
            return
        free = whole = 0
        snapshot = self.desk.book.snapshot
        for kind in self.node_sizes:
            for pool in snapshot.pools_of(kind):
                table = pool.tables.node
                for handle in pool.handles.values():
                    size, untouched = table[handle + k.SIZE], table[handle + k.FREE]
                    if size > 0:
                        free += untouched
                        whole += untouched if untouched == size else 0
        waiting = self.desk.book.waiting.count()
        while self._sampled <= now:
            self.tally.samples.append(Sample(self._sampled, int(free), int(whole), waiting))
            self._sampled += self.tally.bucket_ms
