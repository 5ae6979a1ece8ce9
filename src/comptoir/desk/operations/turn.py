"""The turn of the book: what time alone causes.

In this order, so that what one step frees the next can use: ends that are due are
announced; work that is confirmed over is fenced; the queue is tried; promises that can
be kept are delivered; queued jobs get an attempt; running time is metered.
Each step is bounded: a turn that leaves work over says so and is run again.
"""

from dataclasses import replace

from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.request_lease import place
from comptoir.desk.operations.submit_job import release_if_asked
from comptoir.desk.operations.taking_back import (
    begin_stop,
    drop_promise,
    fence,
    finish_job,
    meter_live_attempts,
)
from comptoir.desk.requests import Turn
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.jobs import Attempt, AttemptState, Job, JobState
from comptoir.leases.lease import Lease, LeaseState, Reason
from comptoir.leases.snapshot import standing_window
from comptoir.placement.why import queue_key
from comptoir.units.errors import Refused
from comptoir.units.ids import AttemptId
from comptoir.units.time import MS_PER_S, Window

MOST_PLANS_A_TURN = 200


def turn(tx: Transaction, request: Turn) -> bool:
    """Move the book to `tx.now_ms`. Returns whether bounded work was left over."""
    left = _announce_due_ends(tx, request.most)
    left |= _fence_finished(tx, request.most)
    left |= _try_queue(tx)
    left |= _deliver(tx, request.most)
    left |= _start_jobs(tx, request.most)
    return _meter(tx, request) or left


def _announce_due_ends(tx: Transaction, most: int) -> bool:
    due: list[tuple[Lease, int]] = []
    for lease in tx.book.leases_by_state.get(LeaseState.ACTIVE):
        ends = [
            allocation.ends_at_ms
            for allocation in tx.book.snapshot.allocations_of.get(lease.id, {}).values()
            if allocation.ends_at_ms is not None and allocation.fenced_at_ms is None
        ]
        if ends and min(ends) - lease.notice_s * MS_PER_S <= tx.now_ms:
            due.append((lease, min(ends)))
    for lease, end in due[:most]:
        reason = _reason(lease, end)
        if reason is Reason.WINDOW_END:
            kill_at = max(end, tx.now_ms)
        else:  # announced late (the desk was down): the notice is whole, the bill is not
            kill_at = max(end, tx.now_ms + lease.notice_s * MS_PER_S)
        begin_stop(tx, lease, reason, kill_at)
    return len(due) > most


def _reason(lease: Lease, end_ms: int) -> Reason:
    if lease.ends_at_ms is not None and end_ms >= lease.ends_at_ms:
        return Reason.WINDOW_END
    return Reason.STRONGER_REQUEST if lease.reclaimed_for else Reason.SUPPLY_ENDED


def _fence_finished(tx: Transaction, most: int) -> bool:
    """Free what is confirmed over: no attempt lives, and a lease handed over has had its time."""
    ready = []
    for lease in tx.book.leases_by_state.get(LeaseState.RECLAIMING):
        if tx.book.live_attempts.count(lease.id):
            continue
        has_engine = all(
            tx.book.nodes[allocation.node_id].engine
            for allocation in tx.book.allocations_of(lease.id)
        )
        if has_engine or (lease.kill_at_ms or 0) <= tx.now_ms:
            ready.append(lease)
    for lease in ready[:most]:
        fence(tx, lease)
    return len(ready) > most


def _deliver(tx: Transaction, most: int) -> bool:
    """Hand over what was promised as soon as it is asked for and really free."""
    done = 0
    for lease in tx.book.leases_by_state.get(LeaseState.SCHEDULED):
        if done >= most:
            return True
        if lease.ends_at_ms is not None and lease.ends_at_ms <= tx.now_ms:
            drop_promise(tx, lease, LeaseState.BROKEN, Reason.WINDOW_PASSED)
            continue
        if lease.starts_at_ms > tx.now_ms:
            continue
        promised = [a for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None]
        if any(a.ends_at_ms is not None and a.ends_at_ms <= tx.now_ms for a in promised):
            drop_promise(tx, lease, LeaseState.WAITING, Reason.SUPPLY_ENDED)
            continue
        if all(_free_now(tx, allocation) for allocation in promised):
            _activate(tx, lease, promised)
            done += 1
    return False


def _free_now(tx: Transaction, mine: Allocation) -> bool:
    """Nothing else stands on these accelerators from now until the promise's end."""
    window = Window(tx.now_ms, mine.ends_at_ms)
    held = set(mine.accelerators)
    return not any(
        other.id != mine.id
        and held.intersection(other.accelerators)
        and standing_window(other, tx.now_ms).overlaps(window)
        for other in tx.book.snapshot.standing_on(mine.node_id)
    )


def _activate(tx: Transaction, lease: Lease, promised: list[Allocation]) -> None:
    for allocation in promised:
        tx.book.allocations.put(
            replace(allocation, starts_at_ms=tx.now_ms, delivered_from_ms=tx.now_ms)
        )
    tx.book.leases.put(
        lease.moved(
            LeaseState.ACTIVE,
            tx.now_ms,
            activated_at_ms=lease.activated_at_ms or tx.now_ms,
        )
    )
    tx.emit(
        "lease.active",
        lease.id,
        lease.tenant_id,
        nodes=[allocation.node_id for allocation in promised],
    )


def _try_queue(tx: Transaction) -> bool:
    """Plan waiting leases in queue order; the same question is not asked twice in vain."""
    waiting = tx.book.leases_by_state.get(LeaseState.WAITING)
    passed = [x for x in waiting if x.ends_at_ms is not None and x.ends_at_ms <= tx.now_ms]
    for lease in passed:
        drop_promise(tx, lease, LeaseState.REFUSED, Reason.WINDOW_PASSED)
    if tx.book.queue_tried_at == tx.book.snapshot.version:
        return False
    in_vain: dict[tuple[str, str, str, int | None], int] = {}
    plans = 0
    for lease in sorted(tx.book.leases_by_state.get(LeaseState.WAITING), key=queue_key):
        if plans >= MOST_PLANS_A_TURN:
            return True
        question = (lease.kind, lease.shape, lease.lease_class, lease.ends_at_ms)
        if lease.accelerators >= in_vain.get(question, lease.accelerators + 1):
            continue
        plans += 1
        try:
            placed = place(tx, lease)
        except Refused:
            placed = None  # the fleet has shrunk under it: it waits for the fleet to grow
        if placed is None:
            in_vain[question] = lease.accelerators
    tx.book.queue_tried_at = tx.book.snapshot.version
    return False


def _start_jobs(tx: Transaction, most: int) -> bool:
    """Give the next queued job of each free, active lease an attempt: the stored intent."""
    ready: list[tuple[Lease, Job]] = []
    for lease_id in tx.book.queued_jobs.groups():
        lease = tx.book.leases.get(lease_id)
        if lease is None or lease.state is not LeaseState.ACTIVE:
            continue
        if tx.book.live_attempts.count(lease_id):
            continue
        job = tx.book.queued_jobs.first(lease_id)
        if job is not None:
            ready.append((lease, job))
    for lease, job in ready[:most]:
        _intend(tx, lease, job)
    return len(ready) > most


def _intend(tx: Transaction, lease: Lease, job: Job) -> None:
    allocations = [a for a in tx.book.allocations_of(lease.id) if a.delivered]
    node = tx.book.nodes[allocations[0].node_id]
    if len(allocations) > 1 or not node.engine:
        why = "spans nodes" if len(allocations) > 1 else "stands on a node without an engine"
        done = finish_job(tx, job, JobState.FAILED, None, f"{lease.id} {why}: no job can run there")
        release_if_asked(tx, done)
        return
    held = allocations[0].accelerators
    attempt = Attempt(
        id=AttemptId(tx.new_id("at")),
        job_id=job.id,
        lease_id=lease.id,
        tenant_id=lease.tenant_id,
        allocation_id=allocations[0].id,
        number=job.attempts + 1,
        node_id=node.id,
        engine=node.engine,
        accelerators=held,
        memory_bytes=node.memory_bytes * len(held) // node.accelerators,
        state=AttemptState.STARTING,
        ordered_at_ms=tx.now_ms,
    )
    tx.book.attempts.put(attempt)
    tx.book.jobs.put(replace(job, state=JobState.RUNNING, attempts=attempt.number))
    tx.emit(
        "attempt.ordered", attempt.id, job.tenant_id, job=job.id, lease=lease.id,
        number=attempt.number,
    )  # fmt: skip


def _meter(tx: Transaction, request: Turn) -> bool:
    """Book running time that was last booked a while ago."""
    done = 0
    for state in (LeaseState.ACTIVE, LeaseState.RECLAIMING):
        for lease in tx.book.leases_by_state.get(state):
            if not _due(tx, lease, request.meter_every_ms):
                continue
            if done >= request.most:
                return True
            done += 1
            for allocation in tx.book.allocations_of(lease.id):
                if allocation.delivered:
                    meter_allocation(tx, lease, allocation, tx.now_ms)
            meter_live_attempts(tx, lease)
    return False


def _due(tx: Transaction, lease: Lease, every_ms: int) -> bool:
    return any(
        allocation.delivered
        and (allocation.metered_until_ms or allocation.delivered_from_ms or 0) + every_ms
        <= allocation.billable_until(tx.now_ms)
        for allocation in tx.book.snapshot.allocations_of.get(lease.id, {}).values()
    )
