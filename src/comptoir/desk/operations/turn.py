"""The turn of the book: what time alone causes.

In this order, so that what one step frees the next can use: nodes are tended; supply that is
over is closed; contracts move (what was not spoken of is accepted, the cost of days that are
over is booked); acts that wait for an approval and could not be done any more lapse; lost nodes
are replaced; holds expire; ends that come near are warned of; work that runs on credit is held
for anew; ends that are due are announced; work that is confirmed over is fenced; recalls that
contracts still allow are counted; what stands on others' entitlements is restated; the queue is
tried; promises that can be kept are delivered; queued jobs get an attempt; running time is metered.

A turn looks only at what the book's agenda holds: leases that changed since the last turn and
leases whose instant has come. Each step is bounded: a turn that leaves work over says so and
is run again.
"""

from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.breaking import break_start, close_breaches
from comptoir.desk.operations.crediting import may_start, renew_holds
from comptoir.desk.operations.endings import warn_endings
from comptoir.desk.operations.holds import expire_holds
from comptoir.desk.operations.looking import MOST_LOOKED_AT, Look, billable_ms, metered_ms
from comptoir.desk.operations.money.approvals import lapse_acts
from comptoir.desk.operations.money.contract_acts import accept_in_silence
from comptoir.desk.operations.money.supply_costs import settle_daily
from comptoir.desk.operations.queueing import try_queue
from comptoir.desk.operations.recalling import settle_recalls
from comptoir.desk.operations.replacing import replace_lost
from comptoir.desk.operations.restating import restate, touch_entitlements, wake_entitlements
from comptoir.desk.operations.submit_job import release_if_asked
from comptoir.desk.operations.supply import close_supply, supply_is_free
from comptoir.desk.operations.taking_back import (
    begin_stop,
    drop_promise,
    fence,
    finish_job,
    meter_live_attempts,
)
from comptoir.desk.operations.tending import tend_nodes
from comptoir.desk.requests import Turn
from comptoir.desk.transaction import Transaction
from comptoir.fleet.states import KEEPS_PROMISES, NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.jobs import Attempt, AttemptState, Job, JobState
from comptoir.leases.lease import TOLD_AHEAD_MS, Lease, LeaseState, Reason
from comptoir.units.ids import AttemptId, id_number
from comptoir.units.recurrence import next_opening
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import replace


def turn(tx: Transaction, request: Turn) -> bool:
    """Move the book to `tx.now_ms`. Returns whether bounded work was left over."""
    look = Look(tx, request)
    try:
        nodes_left = tend_nodes(tx)
        _close_supply(tx)
        accept_in_silence(tx)
        settle_daily(tx)
        lapse_acts(tx)
        nodes_left |= replace_lost(tx, request.most)
        look.again()
        expire_holds(look)
        warn_endings(look)
        renew_holds(look)
        _announce_due_ends(look)
        _fence_finished(look)
        settle_recalls(tx)
        wake_entitlements(tx)
        restated_left = restate(tx)
        queue_left = try_queue(look) or restated_left
        look.again()
        _announce_due_ends(look)  # those that give way to a promise of this turn
        _fence_finished(look)
        _deliver(look)
        look.again()
        _start_jobs(look)
        _meter(look)
    except BaseException:
        for lease_id in look.seen:
            tx.book.agenda.touch(lease_id)
        touch_entitlements(tx)
        tx.book.recalls.counted_in = None
        raise
    return look.close() or queue_left or nodes_left


def _close_supply(tx: Transaction) -> None:
    """Inbound leases whose time is over end; one that begins may help who waits."""
    agenda = tx.book.supply_agenda
    due = agenda.take(tx.now_ms, MOST_LOOKED_AT)
    try:
        for inbound_id in due:
            agenda.remind(inbound_id, _tend_supply(tx, tx.book.inbound.get(inbound_id)))
    except BaseException:
        for inbound_id in due:
            agenda.touch(inbound_id)
        raise


def _tend_supply(tx: Transaction, inbound: InboundLease | None) -> int | None:
    """Do what is due on an inbound lease; returns when to look at it again."""
    if inbound is None or inbound.state is not InboundState.ACTIVE:
        return None
    if inbound.starts_at_ms > tx.now_ms:
        return inbound.starts_at_ms
    tx.book.queue_tried_at = -1
    if inbound.ends_at_ms is None or inbound.ends_at_ms > tx.now_ms:
        return _next_change_ms(inbound, tx.now_ms)
    if supply_is_free(tx, inbound):
        close_supply(tx, inbound)
        return None
    return tx.now_ms


def _next_change_ms(inbound: InboundLease, now_ms: int) -> int | None:
    """When it ends, or before that may be sold again."""
    opening = next_opening(inbound.selling_windows, now_ms + 1)
    if opening is None:
        return inbound.ends_at_ms
    return min(opening.start_ms, inbound.ends_at_ms or opening.start_ms)


def _announce_due_ends(look: Look) -> None:
    """Leases whose promise ends within their notice are told, and what waited too long."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.ACTIVE):
        ends = [
            allocation.ends_at_ms
            for allocation in tx.book.allocations_of(lease.id)
            if allocation.ends_at_ms is not None
            and allocation.fenced_at_ms is None
            and not allocation.lost
        ]
        notice_ms = lease.notice_s * MS_PER_S
        if not ends or min(ends) - notice_ms - TOLD_AHEAD_MS > tx.now_ms:
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        reason = _reason(tx, lease, min(ends))
        if reason is Reason.WINDOW_END and min(ends) > tx.now_ms and _idle(tx, lease):
            continue  # nobody to tell, and a sold window is the holder's to its end
        done += 1
        if reason in (Reason.WINDOW_END, Reason.SELLING_WINDOW_END):
            kill_at = max(min(ends), tx.now_ms)
        else:  # announced late (the desk was down): the notice is whole, the bill is not
            kill_at = max(min(ends), tx.now_ms + notice_ms)
        begin_stop(tx, lease, reason, kill_at)


def _idle(tx: Transaction, lease: Lease) -> bool:
    """Whether an engine has the lease's nodes and nothing runs on them."""
    return _on_engines(tx, lease) and not tx.book.live_attempts.count(lease.id)


def _on_engines(tx: Transaction, lease: Lease) -> bool:
    return all(tx.book.nodes[a.node_id].engine for a in tx.book.allocations_of(lease.id))


def _reason(tx: Transaction, lease: Lease, end_ms: int) -> Reason:
    if lease.ends_at_ms is not None and end_ms >= lease.ends_at_ms:
        return Reason.WINDOW_END
    return Reason.STRONGER_REQUEST if lease.reclaimed_for else _supply_reason(tx, lease, end_ms)


def _supply_reason(tx: Transaction, lease: Lease, end_ms: int) -> Reason:
    """Which bound of the supply a promise has come to: its end, a selling window's, or work."""
    if any(
        tx.book.nodes[allocation.node_id].maintenance_from_ms == end_ms
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.ends_at_ms == end_ms
    ):
        return Reason.NODE_MAINTENANCE
    ending = [
        inbound
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.ends_at_ms == end_ms
        and (inbound := tx.book.inbound[allocation.inbound_lease_id]).selling_windows
        and inbound.ends_at_ms != end_ms
    ]
    return Reason.SELLING_WINDOW_END if ending else Reason.SUPPLY_ENDED


def _fence_finished(look: Look) -> None:
    """Free what is confirmed over: no attempt lives, and what was handed over had its time.

    A lease without an engine is in its holder's hands until its time is over; so is a sold
    window, even when its jobs ended before it did.
    """
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.RECLAIMING):
        if tx.book.live_attempts.count(lease.id):
            continue
        at_once = lease.reason is not Reason.WINDOW_END and _on_engines(tx, lease)
        if not at_once and (lease.kill_at_ms or 0) > tx.now_ms:
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        fence(tx, lease)


def _deliver(look: Look) -> None:
    """Hand over what was promised as soon as it is asked for and really free."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.SCHEDULED):
        if done >= look.request.most:
            look.leave(lease)
            continue
        if lease.ends_at_ms is not None and lease.ends_at_ms <= tx.now_ms:
            drop_promise(tx, lease, LeaseState.BROKEN, Reason.WINDOW_PASSED)
            continue
        if lease.start_ms > tx.now_ms:
            continue
        promised = [
            a
            for a in tx.book.allocations_of(lease.id)
            if a.fenced_at_ms is None and a.delivered_from_ms is None
        ]
        over = [a.ends_at_ms for a in promised if a.ends_at_ms and a.ends_at_ms <= tx.now_ms]
        if over:
            drop_promise(tx, lease, LeaseState.WAITING, _supply_reason(tx, lease, over[0]))
            continue
        blocked = next((a for a in promised if not _free_now(tx, a)), None)
        if blocked is None:
            if may_start(tx, lease):
                _activate(tx, lease, promised)
            done += 1
        else:
            break_start(tx, lease, blocked.node_id)


def _free_now(tx: Transaction, mine: Allocation) -> bool:
    """The node is well, its supply has begun, and nothing is in the way until the promise's end."""
    if tx.book.nodes[mine.node_id].state not in KEEPS_PROMISES:
        return False
    if tx.book.inbound[mine.inbound_lease_id].starts_at_ms > tx.now_ms:
        return False
    window = Window(tx.now_ms, mine.ends_at_ms)
    return not tx.book.snapshot.in_the_way(mine, window, tx.now_ms)


def _activate(tx: Transaction, lease: Lease, promised: list[Allocation]) -> None:
    for allocation in promised:
        accept_within_ms = tx.book.nodes[allocation.node_id].accept_within_s * MS_PER_S
        tx.book.allocations.put(
            replace(
                allocation,
                starts_at_ms=tx.now_ms,
                delivered_from_ms=tx.now_ms,
                accepted_at_ms=tx.now_ms + accept_within_ms,
            )
        )
    close_breaches(tx, lease, tx.now_ms)
    tx.book.leases.put(
        lease.moved(
            LeaseState.ACTIVE,
            tx.now_ms,
            activated_at_ms=lease.activated_at_ms or tx.now_ms,
        )
    )
    tx.emit_lease(
        "lease.active",
        lease,
        nodes=[allocation.node_id for allocation in promised],
        ends_at_ms=lease.ends_at_ms,
        notice_s=lease.notice_s,
    )


def _start_jobs(look: Look) -> None:
    """Give the next queued job of each free, active lease an attempt: the stored intent."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.ACTIVE):
        queued = tx.book.queued_jobs.get(lease.id)
        if not queued or lease.lost or tx.book.live_attempts.count(lease.id):
            continue
        if not _in_sight(tx, lease):
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        _intend(tx, lease, min(queued, key=lambda job: (job.submitted_at_ms, id_number(job.id))))


def _in_sight(tx: Transaction, lease: Lease) -> bool:
    """Whether nothing of a lease stands on a node that nobody sees: no work is begun there."""
    return all(
        tx.book.nodes[allocation.node_id].state is not NodeState.UNKNOWN
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.delivered
    )


def _intend(tx: Transaction, lease: Lease, job: Job) -> None:
    allocations = [a for a in tx.book.allocations_of(lease.id) if a.delivered]
    node = tx.book.nodes[allocations[0].node_id]
    if len(allocations) > 1 or not node.engine:
        why = "spans nodes" if len(allocations) > 1 else "stands on a node without an engine"
        done = finish_job(tx, job, JobState.FAILED, None, f"{lease.id} {why}: no job can run there")
        release_if_asked(tx, done)
        return
    if allocations[0].on_approval(tx.now_ms):  # who puts work on it has accepted it
        tx.book.allocations.put(replace(allocations[0], accepted_at_ms=tx.now_ms))
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


def _meter(look: Look) -> None:
    """Book running time that was last booked a while ago."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.ACTIVE, LeaseState.RECLAIMING):
        every_ms = look.request.meter_every_ms
        running = [a for a in tx.book.allocations_of(lease.id) if a.delivered]
        due = [(a, billable_ms(tx, a, tx.now_ms)) for a in running]
        if all(metered_ms(a) + every_ms > until for a, until in due):
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        for allocation, until in due:
            meter_allocation(tx, lease, allocation, until)
        meter_live_attempts(tx, lease)
