"""Taking back: the steps by which a lease loses its accelerators, shared by operations.

promise dropped   nothing was delivered yet; the promise is gone at once
begin stop        the lease is reclaiming: its jobs are told, its time is bounded
fence             nothing of it runs any more: delivered time is metered to its end,
                  and only now are the accelerators free
"""

from comptoir.desk.credit import let_go
from comptoir.desk.memory import ReclaimCount
from comptoir.desk.metered import meter_allocation, meter_attempt
from comptoir.desk.operations.breaking import bound_breaches, close_breaches
from comptoir.desk.operations.gating import gate_between_tenants
from comptoir.desk.operations.lost import lose_allocation
from comptoir.desk.operations.recalling import note_recall, taken_at_ms
from comptoir.desk.topping_up import top_up_lease
from comptoir.desk.transaction import Transaction
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause
from comptoir.leases.eligible import sellable_until
from comptoir.leases.jobs import AttemptState, Job, JobState
from comptoir.leases.lease import Lease, LeaseState, OnReclaim, Reason, request_of
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import replace

COMES_BACK = frozenset(
    {
        Reason.STRONGER_REQUEST,
        Reason.SUPPLY_ENDED,
        Reason.SELLING_WINDOW_END,
        Reason.NODE_LOST,
        Reason.NODE_MAINTENANCE,
    }
)


def comes_back(lease: Lease, now_ms: int) -> bool:
    """Whether a lease that is being taken back will wait for accelerators again."""
    return (
        lease.reason in COMES_BACK
        and lease.on_reclaim is OnReclaim.WAIT
        and (lease.ends_at_ms is None or lease.ends_at_ms > now_ms)
    )


def drop_promise(tx: Transaction, lease: Lease, state: LeaseState, reason: Reason) -> Lease:
    """End a lease that was not delivered yet, or put a scheduled one back to waiting."""
    due = []
    for allocation in tx.book.allocations_of(lease.id):
        if allocation.delivered_from_ms is None and allocation.fenced_at_ms is None:
            tx.book.allocations.put(replace(allocation, fenced_at_ms=tx.now_ms))
            if allocation.starts_at_ms <= tx.now_ms:
                due.append(allocation.node_id)
    if lease.state is LeaseState.HELD:
        state = LeaseState.CANCELLED  # nobody waits with a hold: it is made again, or it is not
    changes: dict[str, object] = {"scheduled_start_ms": None, "lent": False}
    if state is LeaseState.WAITING and lease.flexible:
        changes["ends_at_ms"] = (lease.latest_start_ms or 0) + (lease.duration_s or 0) * MS_PER_S
    moved = tx.book.leases.put(lease.moved(state, tx.now_ms, reason=reason, **changes))
    spare_victims(tx, moved)
    if state is not LeaseState.WAITING:
        let_go(tx, lease.id)
        close_breaches(tx, moved, tx.now_ms)
        _cancel_queued_jobs(tx, moved)
    tx.emit_lease(f"lease.{state}", lease, reason=reason)
    for node_id in due:  # its tenant may have left the node for this promise, unchecked
        gate_between_tenants(tx, node_id, lease.tenant_id)
    return moved


def spare_victims(tx: Transaction, lease: Lease) -> None:
    """Who was to give way for what a lease wants no more, and was not told yet, stays."""
    for victim in tx.book.victims_of.get(lease.id):
        _spare(tx, victim)


def _spare(tx: Transaction, victim: Lease) -> None:
    """A lease that was to give way, and was not told yet, stays: until the next promise.

    A gang is whole or absent: all of it stays up to where its first part has to go.
    """
    parts = [
        allocation
        for allocation in tx.book.allocations_of(victim.id)
        if allocation.fenced_at_ms is None and not allocation.lost
    ]
    end_ms, reclaimed_for = victim.ends_at_ms, None
    for allocation in parts:
        bound_ms = _supplied_until(tx, victim, allocation)
        if bound_ms is not None and (end_ms is None or bound_ms < end_ms):
            end_ms, reclaimed_for = bound_ms, None
        window = Window(allocation.starts_at_ms)
        for other in tx.book.snapshot.in_the_way(allocation, window, tx.now_ms):
            if end_ms is None or other.starts_at_ms < end_ms:
                end_ms, reclaimed_for = other.starts_at_ms, other.lease_id
    for allocation in parts:
        tx.book.allocations.put(replace(allocation, ends_at_ms=end_ms))
    if reclaimed_for == victim.reclaimed_for:
        return
    tx.book.leases.put(replace(victim, reclaimed_for=reclaimed_for))
    tx.emit_lease("lease.reclaim_dropped", victim, reclaimed_for=reclaimed_for)


def _supplied_until(tx: Transaction, victim: Lease, allocation: Allocation) -> int | None:
    """Until when the supply lets a lease stay where it is: its end, its window, planned work."""
    inbound = tx.book.inbound[allocation.inbound_lease_id]
    bounds = [inbound.ends_at_ms]
    node = tx.book.nodes[allocation.node_id]
    if node.kept_free(Window(max(allocation.starts_at_ms, tx.now_ms))):
        bounds.append(node.maintenance_from_ms)
    if victim.ends_at_ms is None:
        request = request_of(victim, tx.book.tenants[victim.tenant_id], tx.now_ms)
        bounds.append(sellable_until(inbound.conditions, request, Window(tx.now_ms))[1])
    return min((bound for bound in bounds if bound is not None), default=None)


def begin_stop(tx: Transaction, lease: Lease, reason: Reason, kill_at_ms: int) -> Lease:
    """Announce the end to an active lease's jobs; its time is over at `kill_at_ms`.

    That a stronger request takes back a lease with a recall clause is a recall.
    """
    ends = [kill_at_ms]
    recalled_at_ms = taken_at_ms(tx, lease)
    for allocation in tx.book.allocations_of(lease.id):
        if allocation.fenced_at_ms is None:
            end = kill_at_ms
            if allocation.ends_at_ms is not None:
                end = min(end, allocation.ends_at_ms)
            tx.book.allocations.put(replace(allocation, ends_at_ms=end))
            ends.append(kill_at_ms if allocation.lost else end)
    bound_breaches(tx, lease, min(ends))
    for attempt in tx.book.live_attempts.get(lease.id):
        tx.book.attempts.put(
            replace(
                attempt,
                stop_at_ms=attempt.stop_at_ms or tx.now_ms,
                kill_at_ms=min(kill_at_ms, attempt.kill_at_ms or kill_at_ms),
            )
        )
    moved = tx.book.leases.put(
        lease.moved(
            LeaseState.RECLAIMING,
            tx.now_ms,
            reason=reason,
            stop_at_ms=tx.now_ms,
            kill_at_ms=kill_at_ms,
        )
    )
    tx.emit_lease(
        "lease.reclaiming",
        lease,
        reason=reason,
        kill_at_ms=kill_at_ms,
        notice_s=lease.notice_s,
        comes_back=comes_back(moved, kill_at_ms),
        reclaimed_for=lease.reclaimed_for,
    )
    if lease.recall and reason is Reason.STRONGER_REQUEST:
        note_recall(tx, lease, recalled_at_ms or kill_at_ms)
    return moved


def give_up(tx: Transaction, lease: Lease, reason: Reason) -> Lease:
    """A lease that is being taken back is not wanted back, from now on.

    A recall stays one: it is counted, and what it was promised ends now.
    """
    if not lease.recall or lease.reason is not Reason.STRONGER_REQUEST:
        return tx.book.leases.put(replace(lease, reason=reason))
    ends_at_ms = max(tx.now_ms, lease.starts_at_ms + 1)
    given_up = replace(lease, on_reclaim=OnReclaim.END, ends_at_ms=ends_at_ms)
    return tx.book.leases.put(given_up)


def fence(tx: Transaction, lease: Lease) -> Lease:
    """Free the accelerators of a lease whose work is confirmed to be over.

    What is lost is fenced with its node, whoever's it was; on a node that nobody sees, nothing
    is billed since it was last seen.
    """
    last = (0, "")
    for allocation in tx.book.allocations_of(lease.id):
        if allocation.fenced_at_ms is not None or allocation.lost:
            continue
        node = tx.book.nodes[allocation.node_id]
        if node.state is NodeState.UNKNOWN:
            cause = BreachCause.NODE_UNKNOWN
            lose_allocation(tx, allocation, node, cause, node.state_since_ms)
            continue
        until = allocation.billable_until(tx.now_ms)
        if allocation.delivered_from_ms is not None:
            until = max(until, allocation.delivered_from_ms)
            allocation = replace(allocation, delivered_until_ms=until)
        allocation = tx.book.allocations.put(replace(allocation, fenced_at_ms=tx.now_ms))
        meter_allocation(tx, lease, allocation, until)
        if allocation.delivered_from_ms is not None:
            last = max(last, (until, node.site))
        gate_between_tenants(tx, node.id, lease.tenant_id)
    back = comes_back(lease, tx.now_ms)
    state = LeaseState.WAITING if back else LeaseState.ENDED
    moved = tx.book.leases.put(
        lease.moved(
            state,
            tx.now_ms,
            scheduled_start_ms=None,
            stop_at_ms=None,
            kill_at_ms=None,
            reclaims=lease.reclaims + (lease.reason is Reason.STRONGER_REQUEST),
            lost=(),
            lent=lease.lent and not back,
        )
    )
    if last[0]:
        top_up_lease(tx, moved, *last)
    close_breaches(tx, moved, tx.now_ms)
    if lease.reason is Reason.STRONGER_REQUEST:
        _count_reclaim(tx, lease)
    if not back:
        let_go(tx, lease.id)
        _cancel_queued_jobs(tx, moved)
    tx.emit_lease(f"lease.{state}", lease, reason=lease.reason)
    return moved


def _count_reclaim(tx: Transaction, lease: Lease) -> None:
    """What offers of spot say: how often this kind was taken back of late."""
    day_ms = tx.now_ms // DAY_MS * DAY_MS
    known = tx.book.reclaim_counts.get((lease.kind, day_ms))
    so_far = 0 if known is None else known.reclaims
    tx.book.reclaim_counts.put(ReclaimCount(lease.kind, day_ms, so_far + 1))


def finish_job(
    tx: Transaction, job: Job, state: JobState, exit_code: int | None, detail: str
) -> Job:
    """Write a job's end."""
    done = tx.book.jobs.put(
        replace(job, state=state, exit_code=exit_code, finished_at_ms=tx.now_ms, detail=detail)
    )
    tx.emit(
        f"job.{state}", job.id, job.tenant_id, lease=job.lease_id, exit_code=exit_code,
        attempts=job.attempts, detail=detail,
    )  # fmt: skip
    return done


def cancel_attempt(tx: Transaction, job: Job, notice_ms: int) -> None:
    """Ask the engine to stop a job's live attempt: first SIGTERM, then an end."""
    for attempt in tx.book.live_attempts.get(job.lease_id):
        if attempt.job_id == job.id and attempt.state in (
            AttemptState.STARTING,
            AttemptState.RUNNING,
        ):
            kill_at = tx.now_ms + notice_ms
            tx.book.attempts.put(
                replace(
                    attempt,
                    stop_at_ms=attempt.stop_at_ms or tx.now_ms,
                    kill_at_ms=min(kill_at, attempt.kill_at_ms or kill_at),
                )
            )


def meter_live_attempts(tx: Transaction, lease: Lease) -> None:
    """Measure what a lease's running attempts have occupied so far."""
    for attempt in tx.book.live_attempts.get(lease.id):
        meter_attempt(tx, lease, attempt)


def _cancel_queued_jobs(tx: Transaction, lease: Lease) -> None:
    for job in tx.book.queued_jobs.get(lease.id):
        finish_job(tx, job, JobState.CANCELLED, None, f"its lease {lease.id} is {lease.state}")
