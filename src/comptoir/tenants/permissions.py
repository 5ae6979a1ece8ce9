"""What each role may do: one table, read by the desk for every operation and every view."""

from comptoir.tenants.parties import HOUSE_ROLES, Actor, Role
from comptoir.units.errors import Forbidden, NotFound
from comptoir.units.ids import TenantId
from comptoir.units.values import Term


class Permission(Term):
    """One thing an actor can be allowed. `read` is what a tenant may see of its own."""

    READ = "read"
    READ_HOUSE = "read_house"
    TENANTS_WRITE = "tenants_write"
    TENANTS_SUSPEND = "tenants_suspend"
    USERS_WRITE = "users_write"
    KEYS_ISSUE = "keys_issue"
    ENTITLEMENTS_WRITE = "entitlements_write"
    FLEET_WRITE = "fleet_write"
    LEASES_WRITE = "leases_write"
    USAGE_WRITE = "usage_write"
    RATES_PROPOSE = "rates_propose"
    RATES_APPROVE = "rates_approve"
    INVOICES_WRITE = "invoices_write"
    CONTRACTS_WRITE = "contracts_write"
    CONTRACTS_APPROVE = "contracts_approve"
    CONTRACTS_ACT = "contracts_act"
    PERIODS_CLOSE = "periods_close"
    PAYMENTS_WRITE = "payments_write"
    DISPUTES_WRITE = "disputes_write"
    OPENINGS_WRITE = "openings_write"
    OPENINGS_APPROVE = "openings_approve"
    SUBSCRIPTIONS_WRITE = "subscriptions_write"
    ENTITIES_WRITE = "entities_write"
    ADMISSIONS_WRITE = "admissions_write"
    ADMISSIONS_APPROVE = "admissions_approve"
    TERMS_ACCEPT = "terms_accept"
    BUDGETS_WRITE = "budgets_write"
    GRANTS_WRITE = "grants_write"
    MONEY_ASK = "money_ask"
    MONEY_APPROVE = "money_approve"
    SYSTEM = "system"


_P = Permission
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset(
        {
            _P.READ,
            _P.READ_HOUSE,
            _P.TENANTS_WRITE,
            _P.TENANTS_SUSPEND,
            _P.USERS_WRITE,
            _P.KEYS_ISSUE,
            _P.ENTITLEMENTS_WRITE,
            _P.FLEET_WRITE,
            _P.LEASES_WRITE,
            _P.SUBSCRIPTIONS_WRITE,
            _P.USAGE_WRITE,
            _P.RATES_PROPOSE,
            _P.CONTRACTS_WRITE,
            _P.CONTRACTS_ACT,
            _P.BUDGETS_WRITE,
        }
    ),
    Role.FINANCE: frozenset(
        {
            _P.READ,
            _P.READ_HOUSE,
            _P.INVOICES_WRITE,
            _P.PAYMENTS_WRITE,
            _P.DISPUTES_WRITE,
            _P.RATES_PROPOSE,
            _P.KEYS_ISSUE,
            _P.ENTITIES_WRITE,
            _P.BUDGETS_WRITE,
            _P.GRANTS_WRITE,
            _P.MONEY_ASK,
            _P.PERIODS_CLOSE,
            _P.OPENINGS_WRITE,
        }
    ),
    Role.SALES: frozenset(
        {
            _P.READ,
            _P.READ_HOUSE,
            _P.TENANTS_WRITE,
            _P.RATES_PROPOSE,
            _P.CONTRACTS_WRITE,
            _P.CONTRACTS_ACT,
            _P.KEYS_ISSUE,
            _P.ADMISSIONS_WRITE,
        }
    ),
    Role.APPROVER: frozenset(
        {
            _P.READ,
            _P.READ_HOUSE,
            _P.RATES_APPROVE,
            _P.CONTRACTS_APPROVE,
            _P.KEYS_ISSUE,
            _P.ADMISSIONS_APPROVE,
            _P.OPENINGS_APPROVE,
            _P.MONEY_ASK,
            _P.MONEY_APPROVE,
        }
    ),
    Role.AUDITOR: frozenset({_P.READ, _P.READ_HOUSE}),
    Role.TENANT_ADMIN: frozenset(
        {
            _P.READ,
            _P.LEASES_WRITE,
            _P.USERS_WRITE,
            _P.KEYS_ISSUE,
            _P.SUBSCRIPTIONS_WRITE,
            _P.CONTRACTS_ACT,
            _P.TERMS_ACCEPT,
            _P.BUDGETS_WRITE,
            _P.DISPUTES_WRITE,
        }
    ),
    Role.TENANT_MEMBER: frozenset({_P.READ, _P.LEASES_WRITE, _P.KEYS_ISSUE}),
    Role.TENANT_READ_ONLY: frozenset({_P.READ}),
}


def may(actor: Actor, permission: Permission) -> bool:
    """Whether any of the actor's roles allows `permission`."""
    return actor.is_system or any(permission in PERMISSIONS[role] for role in actor.roles)


def require(actor: Actor, permission: Permission) -> None:
    """Let the actor pass, or say what it lacks.

    Raises:
        Forbidden: `missing_permission`.
    """
    if not may(actor, permission):
        allowed = sorted(role for role, granted in PERMISSIONS.items() if permission in granted)
        raise Forbidden(
            "missing_permission",
            f"this needs {permission}, and your roles "
            f"({', '.join(actor.roles) or 'none'}) do not give it",
            f"ask someone with the role {' or '.join(allowed)}" if allowed else "",
            {"permission": permission},
        )


def require_tenant(actor: Actor, tenant_id: TenantId | None, what: str) -> None:
    """Let house actors and the owning tenant pass; to others the thing does not exist.

    Raises:
        NotFound: `not_found`, worded as for a thing that never was.
    """
    if actor.is_system or actor.tenant_id is None or actor.tenant_id == tenant_id:
        return
    raise not_found(what)


def not_found(what: str) -> NotFound:
    """The one answer for what is missing and for what is another tenant's."""
    return NotFound("not_found", f"there is no {what}", "check the id, or list what you have")


def is_house(roles: tuple[Role, ...]) -> bool:
    """Whether these are roles of the house rather than of a tenant."""
    return all(role in HOUSE_ROLES for role in roles)
