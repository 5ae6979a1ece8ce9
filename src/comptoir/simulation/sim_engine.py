"""An engine that runs jobs in virtual time. It outlives the desk, as real jobs do.

What a job does is its command: ("run", duration_ms, exit_code, on_term, term_ms, busy_percent)
where `on_term` is `honour` (save a checkpoint, exit 143), `finish` (exit 0) or `ignore`;
"vanish" is lost after its duration; "refuse" can never start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from comptoir.desk.engine_port import (
    AttemptSight,
    EngineHealth,
    EngineNode,
    FileEntry,
    LogPage,
    NodeSight,
    Observation,
    StartOrder,
    StopNotice,
)
from comptoir.fleet.nodes import Node
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.faults import Faults
from comptoir.simulation.machines import Fate, Machines, Trouble
from comptoir.units.errors import NotFound, Refused, Unavailable
from comptoir.units.ids import AttemptId, LeaseId, NodeId, TenantId


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt as it really ran. `ends_at_ms` is when it will end if nobody interferes."""

    order: StartOrder
    started_at_ms: int
    ends_at_ms: int
    exit_code: int | None
    """None: it vanishes."""


class SimEngine:
    """Implements `desk.engine_port.Engine`, with the faults of a plan around every call."""

    name = "sim"

    def __init__(self, clock: VirtualClock, faults: Faults, machines: Machines) -> None:
        self._clock = clock
        self._faults = faults
        self._machines = machines
        self.fleet: Mapping[NodeId, Node] = {}
        """The nodes it is told of; those of its name are its own."""
        self._known: dict[AttemptId, Run] = {}
        self.history: dict[AttemptId, Run] = {}
        """Every attempt that ever ran, for the auditor."""
        self.told: dict[AttemptId, StopNotice] = {}
        self.untold: list[AttemptId] = []
        """Attempts that were signalled without having been told why, for the auditor."""
        self._told_in_vain: set[AttemptId] = set()

    # Before and after every call: the faults.

    def _before(self) -> str:
        phase = self._faults.engine_phase()
        if phase == "before":
            self._faults.kill()
        if phase == "unavailable":
            raise Unavailable("engine_unavailable", "the engine does not answer")
        return phase

    def _after(self, phase: str) -> None:
        if phase == "after":
            self._faults.kill()
        if phase == "lost":
            raise Unavailable("engine_unavailable", "the engine's answer was lost")

    # The port.

    def health(self) -> EngineHealth:
        """Always well."""
        return EngineHealth(True)

    def probe(self) -> EngineHealth:
        """As ever."""
        return self.health()

    def nodes(self) -> Sequence[EngineNode]:
        """The machines of the fleet as they can be seen."""
        phase = self._before()
        seen = [
            EngineNode(
                node.name, node.kind, node.accelerators, node.memory_bytes,
                *self._machines.sight(node.id, self._clock.true_ms), "as the machine says",
            )
            for node in self.fleet.values()
            if node.engine == self.name
        ]  # fmt: skip
        self._after(phase)
        return seen

    def start(self, order: StartOrder) -> None:
        """See the port."""
        phase = self._before()
        if order.command[0] == "refuse":
            raise Refused("cannot_run_here", "this order can never run here")
        self._reach(order.node_id)
        if order.attempt_id not in self.history:
            now = self._clock.true_ms
            duration = int(order.command[1])
            code = None if order.command[0] == "vanish" else int(order.command[2])
            run = Run(order, now, now + duration, code)
            self._known[order.attempt_id] = self.history[order.attempt_id] = run
        self._after(phase)

    def tell(self, attempt_id: AttemptId, notice: StopNotice) -> None:
        """See the port."""
        self._told_in_vain.add(attempt_id)
        phase = self._before()
        if attempt_id in self._known:
            self.told[attempt_id] = notice
        self._after(phase)
        self._told_in_vain.discard(attempt_id)

    def stop(self, attempt_id: AttemptId) -> None:
        """See the port."""
        phase = self._before()
        run = self._known.get(attempt_id)
        if run is not None:
            self._reach(run.order.node_id)
        if run is not None and attempt_id not in {*self.told, *self._told_in_vain}:
            self.untold.append(attempt_id)
        now = self._clock.true_ms
        if run is not None and now < run.ends_at_ms and run.order.command[3] != "ignore":
            ends = now + int(run.order.command[4])
            if ends < run.ends_at_ms:
                code = 0 if run.order.command[3] == "finish" else 143
                self._set(replace(run, ends_at_ms=ends, exit_code=code))
        self._after(phase)

    def kill(self, attempt_id: AttemptId) -> None:
        """See the port."""
        phase = self._before()
        run = self._known.get(attempt_id)
        if run is not None:
            self._reach(run.order.node_id)
        if run is not None and self._clock.true_ms < run.ends_at_ms:
            self._set(replace(run, ends_at_ms=self._clock.true_ms, exit_code=137))
        self._after(phase)

    def observe(self) -> Sequence[Observation]:
        """See the port."""
        phase = self._before()
        seen = [
            self._see(run)
            for run in self._known.values()
            if self._machines.sight(run.order.node_id, self._clock.true_ms)[0]
            is not NodeSight.UNKNOWN
        ]
        self._after(phase)
        return seen

    def forget(self, attempt_ids: Iterable[AttemptId]) -> None:
        """See the port."""
        phase = self._before()
        for attempt_id in attempt_ids:
            run = self._known.get(attempt_id)
            hidden = run is not None and self._machines.trouble(
                run.order.node_id, self._clock.true_ms
            )
            if run is not None and not hidden and run.ends_at_ms <= self._clock.true_ms:
                del self._known[attempt_id]
        self._after(phase)

    def put_archive(self, lease_id: LeaseId, tenant_id: TenantId, archive: BinaryIO) -> int:
        """No directories here."""
        return 0

    def list_files(self, lease_id: LeaseId) -> Sequence[FileEntry]:
        """No directories here."""
        return ()

    def open_file(self, lease_id: LeaseId, path: str) -> BinaryIO:
        """No directories here."""
        raise NotFound("no_such_file", path)

    def read_log(
        self, lease_id: LeaseId, attempt_id: AttemptId, offset: int, limit: int
    ) -> LogPage:
        """No logs here."""
        return LogPage(b"", offset)

    def list_directories(self) -> Sequence[LeaseId]:
        """No directories here."""
        return ()

    def delete_directory(self, lease_id: LeaseId) -> None:
        """No directories here."""

    # How it runs.

    def running(self) -> int:
        """How many attempts run now."""
        return sum(1 for run in self._known.values() if self._clock.true_ms < run.ends_at_ms)

    def kept(self) -> int:
        """How many attempts it was not told to forget."""
        return len(self._known)

    def machine_fails(self, trouble: Trouble) -> None:
        """What runs on a machine ends with it, or when it has cut itself off."""
        end = trouble.from_ms if trouble.fate is Fate.DEAD else trouble.fences_at_ms
        if end < trouble.until_ms:
            self._end_all(trouble.node_id, end)

    def reboot(self, node_id: NodeId) -> None:
        """Nothing runs on a machine any more."""
        self._end_all(node_id, self._clock.true_ms)

    def _end_all(self, node_id: NodeId, at_ms: int) -> None:
        for run in list(self._known.values()):
            if run.order.node_id == node_id and run.ends_at_ms > at_ms:
                ends_at_ms = max(at_ms, run.started_at_ms)
                self._set(replace(run, ends_at_ms=ends_at_ms, exit_code=None))

    def _reach(self, node_id: NodeId) -> None:
        if self._machines.sight(node_id, self._clock.true_ms)[0] is not NodeSight.WELL:
            raise Unavailable("engine_unavailable", f"{node_id} does not answer")

    def _set(self, run: Run) -> None:
        self._known[run.order.attempt_id] = self.history[run.order.attempt_id] = run

    def _see(self, run: Run) -> Observation:
        now = self._clock.true_ms
        over = run.ends_at_ms <= now
        until = run.ends_at_ms if over else now
        worked = (until - run.started_at_ms) * len(run.order.accelerators)
        sight = AttemptSight.RUNNING
        if over:
            sight = AttemptSight.EXITED if run.exit_code is not None else AttemptSight.LOST
        return Observation(
            run.order.attempt_id,
            sight,
            run.started_at_ms,
            run.ends_at_ms if over and run.exit_code is not None else None,
            run.exit_code if over else None,
            worked * int(run.order.command[5]) // 100,
        )
