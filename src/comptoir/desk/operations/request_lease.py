"""A request for capacity: admitted or refused with the numbers, then placed or queued."""

from itertools import takewhile

from comptoir.desk.credit import take_hold
from comptoir.desk.entities import entity_of
from comptoir.desk.operations.grounds import refuse_entitled, would_borrow
from comptoir.desk.operations.placing import chosen_way, no_way, place
from comptoir.desk.operations.quota import judge_quota
from comptoir.desk.operations.recalling import recall_clause, recalls_spent
from comptoir.desk.operations.wishes import wished_choices, wished_window
from comptoir.desk.requests import RequestLease
from comptoir.desk.terms import price_of, terms_at
from comptoir.desk.transaction import Transaction
from comptoir.fleet.conditions import check_residency
from comptoir.leases.eligible import eligible
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState, request_of
from comptoir.leases.policy import MOST_NOTICE_S
from comptoir.leases.term import term_of
from comptoir.placement.plan import refuse_impossible
from comptoir.placement.starts import MOST_TRIES
from comptoir.tenants.parties import Tenant, TenantState
from comptoir.units.errors import Forbidden, Invalid, Refused
from comptoir.units.ids import LeaseId
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.time import MS_PER_S, Window, format_instant
from comptoir.units.values import replace

MOST_LIVE_LEASES_A_TENANT = 100_000


def request_lease(tx: Transaction, request: RequestLease) -> Lease:
    """Take a request into the book: scheduled if it has a place, waiting if it must wait.

    Raises:
        Invalid: those of `wishes.py`, `window_missing`, `notice_too_long` or `recall_of_what`.
        Forbidden: `recall_by_house`.
        Refused: `tenant_suspended`, `not_admitted`, `class_not_allowed`, `quota_exceeded`,
            `no_rate`, `too_many_leases`, those of `credit.take_hold`, and those of
            `leases.eligible` and of `placement.plan.refuse_impossible`.
    """
    lease = judge_request(tx, request)
    lease = replace(lease, borrowed=would_borrow(tx, lease))
    take_hold(tx, lease)
    tx.emit_lease("lease.requested", lease, shape=lease.shape)
    ways = _not_waited_for(tx, lease)
    placed = place(tx, lease, tries=MOST_TRIES, ways=ways) if ways else None
    return placed or tx.book.leases.put(lease)


def _not_waited_for(tx: Transaction, lease: Lease) -> list[Alternative]:
    """The first of its ways for which nobody waits ahead of it; the queue tries the others."""
    waiting = tx.book.waiting
    if not lease.other_kinds:
        return [] if waiting.ahead_of(lease) else list(lease.choices)
    free = takewhile(lambda way: not waiting.ahead_of(chosen_way(lease, way)), lease.choices)
    return list(free)


def judge_request(tx: Transaction, request: RequestLease) -> Lease:
    """The lease that a request would be, if it may be asked for and could ever be met.

    Raises:
        Invalid, Refused: as `request_lease`.
    """
    tenant = tx.acting_tenant(request.tenant_id)
    lease = _judge_words(tx, request, tenant)
    _judge_tenant(tx, lease, tenant)
    ways = [(choice, chosen_way(lease, choice)) for choice in lease.choices]
    for _, chosen in ways:
        judge_quota(tx, chosen, tenant)
        _judge_price(tx, chosen, tenant)
    refused: list[tuple[Alternative, Refused]] = []
    for choice, chosen in ways:
        try:
            asked = request_of(chosen, tenant, tx.now_ms)
            supply = tx.book.inbound_by_kind.each(asked.kind)
            eligible(supply, asked, lease.latest_start_ms)
            refuse_impossible(tx.book.snapshot, asked)
            refuse_entitled(tx, chosen)
        except Refused as no:
            refused.append((choice, no))
        else:
            return lease
    raise no_way(refused)


def _judge_words(tx: Transaction, request: RequestLease, tenant: Tenant) -> Lease:
    wish, choices = wished_window(request, tx.now_ms), wished_choices(request)
    window = wish.window
    shortest = window
    if wish.duration_s is not None:
        shortest = Window(window.start_ms, window.start_ms + wish.duration_s * MS_PER_S)
    recall, notice_s = _recallable(tx, request, tenant, shortest)
    return Lease(
        id=LeaseId(tx.new_id("ls")),
        tenant_id=tenant.id,
        requested_by=tx.actor.user_id,
        name=check_text("name", request.name, 0, 100),
        lease_class=request.lease_class,
        kind=request.kind,
        accelerators=request.accelerators,
        shape=request.shape,
        starts_at_ms=window.start_ms,
        ends_at_ms=window.end_ms,
        notice_s=notice_s,
        on_reclaim=request.on_reclaim,
        requested_at_ms=tx.now_ms,
        state=LeaseState.WAITING,
        state_since_ms=tx.now_ms,
        residency=check_residency("residency", request.residency),
        recall=recall,
        recall_spent=recall and recalls_spent(tx, tenant.id),
        minimum_runtime_s=tx.book.policy(request.lease_class).minimum_runtime_s,
        latest_start_ms=wish.latest_start_ms,
        duration_s=wish.duration_s,
        preferred_shape=request.preferred_shape,
        alternatives=choices if len(choices) > 1 else (),
        project=check_slug("project", request.project) if request.project else "",
        term=term_of(None if shortest.end_ms is None else shortest.end_ms - shortest.start_ms),
    )


def _recallable(
    tx: Transaction, request: RequestLease, tenant: Tenant, window: Window
) -> tuple[bool, int]:
    """Whether a lease may be recalled, as is asked or as its contract says; and its notice."""
    asked, notice_s = _recall(tx, request), _notice_s(tx, request, window)
    clause = recall_clause(tx, tenant.id, request.lease_class)
    if clause is None or window.end_ms is None:
        return asked, notice_s
    if clause.notice_s * MS_PER_S >= window.end_ms - window.start_ms:
        return asked, notice_s  # its notice would leave nothing of it
    return True, max(notice_s, clause.notice_s)


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
    _refuse_unadmitted(tx, tenant)
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


def _refuse_unadmitted(tx: Transaction, tenant: Tenant) -> None:
    """Where its seller asks for it, a customer is admitted before it asks for anything."""
    if tenant.is_internal or not entity_of(tx.book, tenant.id).admission_required:
        return
    admission = tx.book.credit.admissions.get(tenant.id)
    if admission is None or not admission.admitted:
        how = "was not invited" if admission is None else f"is {admission.state}"
        raise Refused(
            "not_admitted",
            f"{tenant.slug} {how}, and is not admitted as a customer yet",
            f"see comptoir admission show {tenant.slug}",
            {"state": None if admission is None else admission.state},
        )


def _judge_price(tx: Transaction, lease: Lease, tenant: Tenant) -> None:
    if price_of(tx.book, lease, lease.starts_at_ms) is None:
        card = tx.book.money.rate_cards[terms_at(tx, tenant.id, lease.starts_at_ms).rate_card_id]
        raise Refused(
            "no_rate",
            f"rate card {card.name!r} has no approved rate for {lease.kind} {lease.lease_class} "
            f"at {format_instant(lease.starts_at_ms)}",
            "ask sales to propose one and an approver to approve it",
            {"rate_card": card.id},
        )
