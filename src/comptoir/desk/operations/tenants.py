"""Tenants: created, suspended, resumed, and their quotas."""

from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.taking_back import begin_stop, drop_promise
from comptoir.desk.requests import CreateTenant, SetEligibility, SetQuota, TenantRef
from comptoir.desk.transaction import Transaction
from comptoir.fleet.conditions import check_residency
from comptoir.fleet.kinds import check_kind
from comptoir.leases.lease import LeaseState, Reason
from comptoir.pricing.rates import first_card
from comptoir.tenants.parties import Quota, Tenant, TenantState
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict
from comptoir.units.ids import RateCardId, TenantId
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

MOST_ACCELERATORS = 10_000_000
MOST_GRANTS = 64
MOST_NOTICE_S = 60
"""The longest notice that a suspended tenant's work still gets."""


def create_tenant(tx: Transaction, request: CreateTenant) -> Tenant:
    """Make a tenant; its rate card is the book's oldest if none is named.

    Raises:
        Conflict: `slug_taken`.
        NotFound: the rate card.
    """
    if not tx.actor.is_system:
        refuse_while_bringing(tx)
    slug = check_slug("slug", request.slug)
    if tx.book.tenant_by_slug.first(slug) is not None:
        raise Conflict("slug_taken", f"there is a tenant {slug!r} already", "choose another slug")
    card_id = request.rate_card_id or _oldest_card(tx)
    if card_id not in tx.book.money.rate_cards:
        raise not_found(f"rate card {card_id}")
    tenant = Tenant(
        TenantId(tx.new_id("tn")),
        slug,
        check_text("name", request.name, 1, 100),
        request.kind,
        TenantState.ACTIVE,
        card_id,
        tx.now_ms,
        _grants(request.grants),
        check_residency("residency", request.residency),
    )
    tx.book.tenants.put(tenant)
    tx.emit("tenant.created", tenant.id, tenant.id, slug=slug, kind=tenant.kind)
    return tenant


def set_eligibility(tx: Transaction, request: SetEligibility) -> Tenant:
    """Record the grants a tenant holds and where its data must stay; what stands, stands.

    Raises:
        Invalid: `bad_slug`, `bad_residency`, `out_of_range`.
    """
    tenant = tx.tenant(request.tenant_id)
    grants = tenant.grants if request.grants is None else _grants(request.grants)
    residency = tenant.residency if request.residency is None else request.residency
    changed = replace(tenant, grants=grants, residency=check_residency("residency", residency))
    if changed != tenant:
        tx.book.queue_tried_at = -1  # who waits may stand elsewhere now
        tx.emit("tenant.eligibility_set", tenant.id, tenant.id, grants=grants, residency=residency)
        tx.book.tenants.put(changed)
    return changed


def _grants(names: tuple[str, ...]) -> tuple[str, ...]:
    check_count("grants", len(names), 0, MOST_GRANTS)
    return tuple(sorted({check_slug("grant", name) for name in names}))


def _oldest_card(tx: Transaction) -> RateCardId:
    return first_card(tx.book.money.rate_cards).id


def suspend_tenant(tx: Transaction, request: TenantRef) -> Tenant:
    """No new leases; waiting ones are cancelled, running ones stopped with their notice."""
    tenant = tx.tenant(request.tenant_id)
    if tenant.state is TenantState.SUSPENDED:
        return tenant
    for lease in tx.book.leases_by_tenant.get(tenant.id):
        match lease.state:
            case LeaseState.WAITING | LeaseState.SCHEDULED | LeaseState.HELD:
                drop_promise(tx, lease, LeaseState.CANCELLED, Reason.TENANT_SUSPENDED)
            case LeaseState.ACTIVE:
                kill_at = tx.now_ms + min(lease.notice_s, MOST_NOTICE_S) * MS_PER_S
                begin_stop(tx, lease, Reason.TENANT_SUSPENDED, kill_at)
            case LeaseState.RECLAIMING:  # it was to come back: now it ends
                tx.book.leases.put(replace(lease, reason=Reason.TENANT_SUSPENDED))
    tx.emit("tenant.suspended", tenant.id, tenant.id, slug=tenant.slug)
    return tx.book.tenants.put(replace(tenant, state=TenantState.SUSPENDED))


def resume_tenant(tx: Transaction, request: TenantRef) -> Tenant:
    """The tenant may lease again."""
    tenant = tx.tenant(request.tenant_id)
    if tenant.state is TenantState.ACTIVE:
        return tenant
    tx.emit("tenant.resumed", tenant.id, tenant.id, slug=tenant.slug)
    return tx.book.tenants.put(replace(tenant, state=TenantState.ACTIVE))


def set_quota(tx: Transaction, request: SetQuota) -> Quota:
    """Bound what a tenant may hold or be promised of a kind; what it has stays."""
    tenant = tx.tenant(request.tenant_id)
    quota = Quota(
        tenant.id,
        check_kind(request.kind),
        check_count("accelerators", request.accelerators, 0, MOST_ACCELERATORS),
    )
    tx.book.quotas.put(quota)
    tx.emit("quota.set", tenant.id, tenant.id, kind=quota.kind, accelerators=quota.accelerators)
    return quota
