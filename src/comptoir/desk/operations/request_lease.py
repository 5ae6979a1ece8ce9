"""A request for capacity: admitted or refused with the numbers, then placed or queued."""

from dataclasses import replace

from comptoir.desk.requests import RequestLease
from comptoir.desk.transaction import Transaction
from comptoir.fleet.conditions import check_residency
from comptoir.fleet.kinds import check_kind
from comptoir.leases.allocation import Allocation
from comptoir.leases.eligible import eligible
from comptoir.leases.lease import (
    Lease,
    LeaseClass,
    LeaseState,
    Reason,
    request_of,
)
from comptoir.leases.policy import MOST_NOTICE_S
from comptoir.placement.check import check_plan
from comptoir.placement.plan import Plan, plan_lease, refuse_impossible
from comptoir.placement.why import queue_key
from comptoir.pricing.rates import rate_at
from comptoir.tenants.parties import Tenant, TenantState
from comptoir.units.errors import Forbidden, Invalid, Refused
from comptoir.units.ids import AllocationId, LeaseId
from comptoir.units.text import check_count, check_text
from comptoir.units.time import LATEST_MS, MS_PER_S, Window, check_instant, format_instant

MOST_ACCELERATORS = 10_000_000
MOST_LIVE_LEASES_A_TENANT = 100_000


def request_lease(tx: Transaction, request: RequestLease) -> Lease:
    """Take a request into the book: scheduled if it has a place, waiting if it must wait.

    Raises:
        Invalid: `unknown_kind`, `out_of_range`, `end_before_start`, `start_in_the_past`,
            `notice_too_long`, `recall_of_what`.
        Forbidden: `recall_by_house`.
        Refused: `tenant_suspended`, `class_not_allowed`, `quota_exceeded`, `no_rate`,
            `too_many_leases`, and those of `leases.eligible` and of
            `placement.plan.refuse_impossible`.
    """
    tenant = tx.acting_tenant(request.tenant_id)
    lease = _judge_words(tx, request, tenant)
    _judge_tenant(tx, lease, tenant)
    asked = request_of(lease, tenant, tx.now_ms)
    eligible(tx.book.inbound_by_kind.get(asked.kind), asked)
    refuse_impossible(tx.book.snapshot, asked)
    tx.book.leases.put(lease)
    tx.emit_lease("lease.requested", lease, shape=lease.shape)
    if _somebody_is_ahead(tx, lease):
        return lease
    return place(tx, lease) or lease


def place(tx: Transaction, lease: Lease) -> Lease | None:
    """Promise a waiting lease its accelerators, if placement finds them.

    Raises:
        Refused: those of `leases.eligible` and of `placement.plan.refuse_impossible`.
    """
    request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    eligible(tx.book.inbound_by_kind.get(request.kind), request)
    plan = plan_lease(tx.book.snapshot, request, tx.now_ms)
    if plan is None:
        return None
    check_plan(tx.book.snapshot, request, plan, tx.now_ms)
    return _commit_plan(tx, lease, plan)


def _commit_plan(tx: Transaction, lease: Lease, plan: Plan) -> Lease:
    for reclaim in plan.reclaims:
        victim = tx.book.leases[reclaim.lease_id]
        tx.book.leases.put(replace(victim, reclaimed_for=lease.id))
        for allocation in tx.book.allocations_of(victim.id):
            if allocation.fenced_at_ms is None:
                end = min(reclaim.until_ms, allocation.ends_at_ms or reclaim.until_ms)
                tx.book.allocations.put(replace(allocation, ends_at_ms=end))
        tx.emit_lease(
            "lease.reclaim_planned",
            victim,
            until_ms=reclaim.until_ms,
            notice_s=victim.notice_s,
            reclaimed_for=lease.id,
            cost_accelerator_ms=reclaim.cost_accelerator_ms,
            why=reclaim.why,
        )
    for part in plan.allocations:
        tx.book.allocations.put(
            Allocation(
                AllocationId(tx.new_id("al")),
                lease.id,
                lease.tenant_id,
                part.node_id,
                tx.book.nodes[part.node_id].inbound_lease_id,
                part.accelerators,
                plan.starts_at_ms,
                part.ends_at_ms,
            )
        )
    scheduled = tx.book.leases.put(
        lease.moved(
            LeaseState.SCHEDULED,
            tx.now_ms,
            scheduled_start_ms=plan.starts_at_ms,
            reason=Reason.NONE,
            reclaimed_for=None,
        )
    )
    tx.emit_lease(
        "lease.scheduled",
        lease,
        starts_at_ms=plan.starts_at_ms,
        ends_at_ms=lease.ends_at_ms,
        nodes=[part.node_id for part in plan.allocations],
        why=plan.why,
    )
    return scheduled


def _judge_words(tx: Transaction, request: RequestLease, tenant: Tenant) -> Lease:
    if request.starts_at_ms is not None:
        check_instant("starts_at", request.starts_at_ms)
    if request.ends_at_ms is not None:
        check_instant("ends_at", request.ends_at_ms)
    starts = tx.now_ms if request.starts_at_ms is None else request.starts_at_ms
    if starts < tx.now_ms:
        raise Invalid(
            "start_in_the_past",
            f"{format_instant(starts)} has passed",
            "give a later instant, or none for now",
        )
    window = Window(starts, request.ends_at_ms)
    if max(window.start_ms, window.end_ms or 0) > LATEST_MS:
        raise Invalid("bad_instant", "the window lies beyond the year 9999", "give an earlier one")
    return Lease(
        id=LeaseId(tx.new_id("ls")),
        tenant_id=tenant.id,
        requested_by=tx.actor.user_id,
        name=check_text("name", request.name, 0, 100),
        lease_class=request.lease_class,
        kind=check_kind(request.kind),
        accelerators=check_count("accelerators", request.accelerators, 1, MOST_ACCELERATORS),
        shape=request.shape,
        starts_at_ms=window.start_ms,
        ends_at_ms=window.end_ms,
        notice_s=_notice_s(tx, request, window),
        on_reclaim=request.on_reclaim,
        requested_at_ms=tx.now_ms,
        state=LeaseState.WAITING,
        state_since_ms=tx.now_ms,
        residency=check_residency("residency", request.residency),
        recall=_recall(tx, request),
        minimum_runtime_s=tx.book.policy(request.lease_class).minimum_runtime_s,
    )


def _recall(tx: Transaction, request: RequestLease) -> bool:
    """The recall clause: of a sold window only, and the house's to agree with the customer."""
    if not request.recall:
        return False
    if request.lease_class is not LeaseClass.RESERVED:
        raise Invalid(
            "recall_of_what",
            f"a recall clause belongs to a sold window, not to {request.lease_class}",
            "use --class reserved, or leave the clause out",
        )
    if tx.actor.tenant_id is not None:
        raise Forbidden(
            "recall_by_house",
            "a recall clause is agreed with the house, which puts it in the lease",
            "ask sales",
        )
    return True


def _notice_s(tx: Transaction, request: RequestLease, window: Window) -> int:
    """The notice asked for, or the default: never as long as the window itself."""
    most = MOST_NOTICE_S[request.lease_class]
    length_s = most + 1
    if window.end_ms is not None:
        length_s = (window.end_ms - window.start_ms) // MS_PER_S
    if request.notice_s is None:
        return min(tx.book.policy(request.lease_class).notice_s, length_s // 2)
    notice_s = check_count("notice_s", request.notice_s, 0, most)
    if notice_s >= max(length_s, 1):
        raise Invalid(
            "notice_too_long",
            f"a notice of {notice_s:,} s leaves nothing of a window of {length_s:,} s",
            "ask for a shorter notice or a longer window",
        )
    return notice_s


def _judge_tenant(tx: Transaction, lease: Lease, tenant: Tenant) -> None:
    if tenant.state is TenantState.SUSPENDED:
        raise Refused(
            "tenant_suspended", f"{tenant.slug} is suspended", "ask the operator to resume it"
        )
    if tenant.is_internal is not (lease.lease_class is LeaseClass.INTERNAL):
        allowed = "internal" if tenant.is_internal else "reserved, on_demand and spot"
        raise Refused(
            "class_not_allowed",
            f"{tenant.slug} is {'an internal team' if tenant.is_internal else 'a customer'}: "
            f"its classes are {allowed}, not {lease.lease_class}",
            f"use --class {allowed.split(',', maxsplit=1)[0]}",
        )
    if lease.lease_class is LeaseClass.RESERVED and lease.ends_at_ms is None:
        raise Invalid(
            "window_missing", "a reserved lease is a sold window and needs its end", "give an end"
        )
    if tx.book.leases_by_tenant.count(tenant.id) >= MOST_LIVE_LEASES_A_TENANT:
        raise Refused(
            "too_many_leases",
            f"{tenant.slug} has {MOST_LIVE_LEASES_A_TENANT:,} live leases, the most there may be",
            "end or cancel some",
        )
    judge_quota(tx, lease, tenant)
    line = tx.book.rates_by_line.get((tenant.rate_card_id, lease.kind, lease.lease_class))
    if rate_at(sorted(line, key=lambda r: r.effective_from_ms), lease.starts_at_ms) is None:
        card = tx.book.rate_cards[tenant.rate_card_id]
        raise Refused(
            "no_rate",
            f"rate card {card.name!r} has no approved rate for {lease.kind} {lease.lease_class} "
            f"at {format_instant(lease.starts_at_ms)}",
            "ask sales to propose one and an approver to approve it",
            {"rate_card": card.id},
        )


def judge_quota(tx: Transaction, lease: Lease, tenant: Tenant) -> None:
    """Let a lease pass that, beside the tenant's others in its window, fits the quota.

    Raises:
        Refused: `quota_exceeded`.
    """
    quota = tx.book.quotas.get((tenant.id, lease.kind))
    if quota is None:
        return
    used = sum(
        other.accelerators
        for other in tx.book.leases_by_tenant.get(tenant.id)
        if other.kind == lease.kind and other.id != lease.id and other.window.overlaps(lease.window)
    )
    if used + lease.accelerators > quota.accelerators:
        raise Refused(
            "quota_exceeded",
            f"{tenant.slug} has {used:,} of its {quota.accelerators:,} x {lease.kind} in that "
            f"window and asked for {lease.accelerators:,} more",
            f"ask for at most {max(quota.accelerators - used, 0):,}, end a lease, or ask for "
            "a larger quota",
            {"quota": quota.accelerators, "used": used, "asked": lease.accelerators},
        )


def _somebody_is_ahead(tx: Transaction, lease: Lease) -> bool:
    """A waiting lease of the same kind that the queue's order puts first."""
    return any(
        other.kind == lease.kind and other.id != lease.id and queue_key(other) < queue_key(lease)
        for other in tx.book.leases_by_state.get(LeaseState.WAITING)
    )
