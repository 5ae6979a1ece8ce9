"""The engine loop: make the engine match the committed book, and tell the book what it saw.

It chooses nothing. The orders are what the committed book says of its live attempts (never
what a running batch might still undo); every call is idempotent and repeated until an
observation confirms it, so that a lost answer, a repeated one, or the death of either side
changes nothing but the time it takes.
"""

import logging
from collections.abc import Callable
from typing import Any

from comptoir.desk.engine_port import (
    AttemptSight,
    Engine,
    EngineNode,
    NodeSight,
    Observation,
    StartOrder,
    StopKind,
    StopNotice,
)
from comptoir.desk.memory import Memory
from comptoir.desk.operations.taking_back import COMES_BACK, comes_back
from comptoir.desk.requests import Observed
from comptoir.fleet.states import NodeState
from comptoir.leases.jobs import Attempt, AttemptState, Job
from comptoir.leases.lease import FINAL, Lease, LeaseState, Reason
from comptoir.units.errors import ComptoirError, Unavailable
from comptoir.units.ids import AttemptId

log = logging.getLogger("comptoir.engine")

LEAST_NEW_WORK_MS = 1_000
SIGN_OF_LIFE_MS = 5_000

Submit = Callable[[Observed], Any]
"""How a step tells the book: the `observe` operation, through the queue or directly."""


class EngineLoop:
    """One engine's side of the book. `step` is one round; who calls it keeps the time."""

    def __init__(self, engine: Engine, book: Callable[[], Memory], submit: Submit) -> None:
        self._engine = engine
        self._book = book
        self._submit = submit
        self._told: dict[AttemptId, tuple[int, Observation]] = {}
        self._asked_to_stop: set[AttemptId] = set()
        self._told_jobs: dict[AttemptId, StopNotice] = {}
        self._told_nodes: dict[str, tuple[int, NodeSight]] = {}

    def step(self, now_ms: int) -> bool:
        """Give the orders that are due, then observe; returns whether anything happened."""
        book = self._book()
        if not book.settled:
            return False
        committed = book.committed_attempts.values()
        attempts = [attempt for attempt in committed if attempt.engine == self._engine.name]
        refused = self._order(attempts, now_ms)
        seen = self._observe()
        known = self._book().committed_attempts
        mine = [o for o in seen if o.attempt_id in known]
        news = tuple(o for o in mine if _is_news(self._told.get(o.attempt_id), o, now_ms))
        forgotten = self._forget(attempts, seen)
        nodes = self._changed_nodes(now_ms)
        if not (news or refused or forgotten or nodes):
            return False
        name = self._engine.name
        self._submit(Observed(name, news, tuple(refused), tuple(forgotten), nodes, now_ms))
        self._told_nodes.update((node.name, (now_ms, node.sight)) for node in nodes)
        for observation in news:
            self._told[observation.attempt_id] = (now_ms, observation)
        for attempt_id in forgotten:
            self._told.pop(attempt_id, None)
            self._asked_to_stop.discard(attempt_id)
            self._told_jobs.pop(attempt_id, None)
        return True

    def _order(self, attempts: list[Attempt], now_ms: int) -> list[tuple[AttemptId, str]]:
        refused: list[tuple[AttemptId, str]] = []
        for attempt in attempts:
            if attempt.over:
                continue
            try:
                if attempt.kill_at_ms is not None and attempt.kill_at_ms <= now_ms:
                    self._engine.kill(attempt.id)
                elif attempt.stop_at_ms is not None and attempt.stop_at_ms <= now_ms:
                    self._tell(attempt)
                    self._stop(attempt)
                if attempt.state is AttemptState.STARTING:
                    self._start(attempt)
            except Unavailable as error:
                log.warning("%s is not available: %s", self._engine.name, error.message)
            except ComptoirError as error:
                refused.append((attempt.id, f"{error.code}: {error.message}"))
        return refused

    def _tell(self, attempt: Attempt) -> None:
        """Let the job read why, before the signal and whenever it changes.

        A job that cannot be told is signalled all the same: its notice runs.
        """
        lease = self._book().leases.get(attempt.lease_id)
        allocation = self._book().allocations.get(attempt.allocation_id)
        gone = self._why_gone(attempt) if allocation is not None and allocation.lost else None
        notice = None if lease is None else stop_notice(attempt, lease, gone)
        if notice is None or self._told_jobs.get(attempt.id) == notice:
            return
        try:
            self._engine.tell(attempt.id, notice)
        except Unavailable as error:
            log.warning("%s cannot be told of its end: %s", attempt.id, error.message)
            return
        if attempt.state is AttemptState.RUNNING:
            self._told_jobs[attempt.id] = notice

    def _why_gone(self, attempt: Attempt) -> Reason:
        """Why the node of an attempt is taken from its lease: a move, planned work, or a loss."""
        node = self._book().nodes.get(attempt.node_id)
        if node is not None and node.state is NodeState.IN_SERVICE:
            return Reason.MOVED
        states = (NodeState.DRAINING, NodeState.MAINTENANCE)
        works = node is not None and node.maintenance is not None and node.state in states
        return Reason.NODE_MAINTENANCE if works else Reason.NODE_LOST

    def _stop(self, attempt: Attempt) -> None:
        """One SIGTERM is enough, unless the call failed or this side has been restarted."""
        if attempt.id not in self._asked_to_stop:
            self._engine.stop(attempt.id)
            if attempt.state is AttemptState.RUNNING:
                self._asked_to_stop.add(attempt.id)

    def _start(self, attempt: Attempt) -> None:
        """Start an attempt; one that is to stop already never starts."""
        if attempt.stop_at_ms is not None:
            sights = {o.attempt_id for o in self._engine.observe()}
            if attempt.id not in sights:
                raise _StoppedBeforeStart("stopped_before_start", "its lease was taken back first")
            return
        book = self._book()
        job = book.jobs.get(attempt.job_id)
        lease = book.leases.get(attempt.lease_id)
        if job is not None and lease is not None:
            self._engine.start(_order(book, attempt, job, lease))

    def _observe(self) -> list[Observation]:
        try:
            return list(self._engine.observe())
        except Unavailable as error:
            log.warning("%s cannot be observed: %s", self._engine.name, error.message)
            return []

    def _changed_nodes(self, now_ms: int) -> tuple[EngineNode, ...]:
        """Nodes that are seen otherwise than was told, at first all of them.

        One that is not well is told again and again: the book may not have cared (it was in
        maintenance), and then put it back in service.
        """
        try:
            seen = self._engine.nodes()
        except Unavailable:
            return ()
        return tuple(node for node in seen if self._is_due(node, now_ms))

    def _is_due(self, node: EngineNode, now_ms: int) -> bool:
        told_at_ms, sight = self._told_nodes.get(node.name, (0, None))
        if sight is not node.sight:
            return True
        return sight is not NodeSight.WELL and now_ms - told_at_ms >= SIGN_OF_LIFE_MS

    def _forget(self, attempts: list[Attempt], seen: list[Observation]) -> list[AttemptId]:
        """Attempts whose end is in the book need not be kept by the engine any more.

        What runs and is in no book (it was restored from an earlier backup) is ended: nobody
        would pay for it, and its accelerators are promised to others.
        """
        done = [attempt.id for attempt in attempts if attempt.over and not attempt.forgotten]
        known = self._book().committed_attempts
        strangers = [o for o in seen if o.attempt_id not in known]
        try:
            for stranger in strangers:
                if stranger.sight is AttemptSight.RUNNING:
                    log.warning("%s runs and is in no book: it is ended", stranger.attempt_id)
                    self._engine.kill(stranger.attempt_id)
            ended = [o.attempt_id for o in strangers if o.sight is not AttemptSight.RUNNING]
            self._engine.forget([*done, *ended])
        except Unavailable:
            return []
        for attempt_id in ended:
            self._told.pop(attempt_id, None)
        return done


def stop_notice(attempt: Attempt, lease: Lease, gone: Reason | None = None) -> StopNotice | None:
    """What the job of an attempt that is to stop is told; None while it is not.

    `gone`: why its node is lost, or about to be; its lease goes on elsewhere.
    """
    if attempt.stop_at_ms is None or attempt.kill_at_ms is None:
        return None
    stays = lease.state not in FINAL and lease.state is not LeaseState.RECLAIMING
    moves = gone is not None and stays
    if gone is not None and stays:
        kind, reason = StopKind.RECLAIM, str(gone)
    elif lease.state is not LeaseState.RECLAIMING:
        kind, reason = StopKind.CANCEL, "job_cancelled"
    elif lease.reason in COMES_BACK:
        kind, reason = StopKind.RECLAIM, str(lease.reason)
    else:
        kind, reason = StopKind.ENDING, str(lease.reason)
    return StopNotice(
        kind=kind,
        reason=reason,
        lease_id=attempt.lease_id,
        job_id=attempt.job_id,
        attempt_number=attempt.number,
        told_at_ms=attempt.stop_at_ms,
        kill_at_ms=attempt.kill_at_ms,
        resumes=moves or (kind is StopKind.RECLAIM and comes_back(lease, attempt.kill_at_ms)),
    )


class _StoppedBeforeStart(ComptoirError):
    """The order came too late to start and soon enough to be dropped."""


def _is_news(told: tuple[int, Observation] | None, seen: Observation, now_ms: int) -> bool:
    """A change of sight, a second of new work, or a sign of life that is due."""
    if told is None:
        return True
    told_at_ms, before = told
    return (
        before.sight is not seen.sight
        or seen.busy_ms - before.busy_ms >= LEAST_NEW_WORK_MS
        or (seen.sight is AttemptSight.RUNNING and now_ms - told_at_ms >= SIGN_OF_LIFE_MS)
    )


def _order(book: Memory, attempt: Attempt, job: Job, lease: Lease) -> StartOrder:
    runtime = None if job.runtime_id is None else book.runtimes.get(job.runtime_id)
    environment = dict(runtime.environment) if runtime else {}
    environment.update(job.environment)
    environment.update(
        COMPTOIR_TENANT=attempt.tenant_id,
        COMPTOIR_LEASE=attempt.lease_id,
        COMPTOIR_JOB=attempt.job_id,
        COMPTOIR_ATTEMPT=str(attempt.number),
        COMPTOIR_ACCELERATORS=str(len(attempt.accelerators)),
        COMPTOIR_NOTICE_S=str(lease.notice_s),
    )
    return StartOrder(
        attempt_id=attempt.id,
        job_id=attempt.job_id,
        lease_id=attempt.lease_id,
        tenant_id=attempt.tenant_id,
        attempt_number=attempt.number,
        node_id=attempt.node_id,
        accelerators=attempt.accelerators,
        command=job.command,
        environment=tuple(sorted(environment.items())),
        mounts=runtime.paths if runtime else (),
        memory_bytes=attempt.memory_bytes,
    )
