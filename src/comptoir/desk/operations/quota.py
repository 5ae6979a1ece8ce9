"""The quota: how many accelerators of a kind a tenant may hold or be promised at once."""

from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused


def judge_quota(tx: Transaction, lease: Lease, tenant: Tenant) -> None:
    """Let a lease pass that, beside the tenant's others in its window, fits the quota.

    A lease that waits for a flexible start has no window yet: it is judged again, among the
    others, when it is promised one.

    Raises:
        Refused: `quota_exceeded`.
    """
    quota = tx.book.quotas.get((tenant.id, lease.kind))
    if quota is None:
        return
    # All there are, over all time, are an upper bound: most requests need no closer look.
    if tx.book.accelerators_of.of((tenant.id, lease.kind)) + lease.accelerators <= (
        quota.accelerators
    ):
        return
    used = 0
    if not _has_no_window(lease):
        used = sum(
            other.accelerators
            for other in tx.book.leases_by_tenant.each(tenant.id)
            if other.kind == lease.kind
            and other.id != lease.id
            and not _has_no_window(other)
            and _overlap(other, lease)
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


def _has_no_window(lease: Lease) -> bool:
    return lease.flexible and lease.scheduled_start_ms is None


def _overlap(one: Lease, other: Lease) -> bool:
    """Whether the windows asked for share an instant."""
    return (one.ends_at_ms is None or other.start_ms < one.ends_at_ms) and (
        other.ends_at_ms is None or one.start_ms < other.ends_at_ms
    )
