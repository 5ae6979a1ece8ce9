"""Tenants, their users, and the keys that users act with."""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.ids import KeyId, RateCardId, TenantId, UserId
from comptoir.units.values import Term


class TenantKind(StrEnum):
    """An internal team is charged back; a customer is invoiced."""

    TEAM = "team"
    ENTERPRISE = "enterprise"
    RESEARCHER = "researcher"


class TenantState(StrEnum):
    """A suspended tenant keeps its data, gets no new lease, and its leases are taken back."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Role(Term):
    """What a user is trusted with. The first five belong to the house, the rest to a tenant."""

    OPERATOR = "operator"
    FINANCE = "finance"
    SALES = "sales"
    APPROVER = "approver"
    AUDITOR = "auditor"
    TENANT_ADMIN = "tenant_admin"
    TENANT_MEMBER = "tenant_member"
    TENANT_READ_ONLY = "tenant_read_only"


HOUSE_ROLES = frozenset({Role.OPERATOR, Role.FINANCE, Role.SALES, Role.APPROVER, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Tenant:
    """An internal team or a customer.

    `slug` is lower-case and unique; it names the tenant's invoice series. `grants` open
    grant-funded supply to it; `residency` is where all its data must stay (empty: anywhere).
    """

    id: TenantId
    slug: str
    name: str
    kind: TenantKind
    state: TenantState
    rate_card_id: RateCardId
    created_at_ms: int
    grants: tuple[str, ...] = ()
    residency: str = ""

    @property
    def is_internal(self) -> bool:
        """Whether use is charged back rather than invoiced."""
        return self.kind is TenantKind.TEAM


@dataclass(frozen=True, slots=True)
class Quota:
    """The most accelerators of a kind that a tenant may hold or be promised at once."""

    tenant_id: TenantId
    kind: str
    accelerators: int


@dataclass(frozen=True, slots=True)
class User:
    """A person or a program. `tenant_id` None is the house itself."""

    id: UserId
    name: str
    tenant_id: TenantId | None
    roles: tuple[Role, ...]
    disabled: bool
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: 256 random bits, kept as a hash, found by its public prefix.

    `issued_with` is the key with which it was issued; None: by the book itself, or before keys
    remembered it.
    """

    id: KeyId
    user_id: UserId
    prefix: str
    secret_sha256: str
    note: str
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    issued_with: KeyId | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is acting, as authenticated. The desk's own loops act as `SYSTEM`."""

    user_id: UserId
    key_id: KeyId | None
    tenant_id: TenantId | None
    roles: tuple[Role, ...]
    is_system: bool = False


SYSTEM = Actor(UserId("system"), None, None, (), is_system=True)
