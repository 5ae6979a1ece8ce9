"""Tenants, quotas, users, keys, and who is asking."""

from typing import Annotated

from pydantic import Field

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Instant,
    InstantIn,
    Line,
    Named,
    Residency,
)
from comptoir.desk.operations.tenants import MOST_GRANTS
from comptoir.tenants.parties import Role, TenantKind, TenantState
from comptoir.tenants.permissions import Permission

Grants = Annotated[list[Line], Field(max_length=MOST_GRANTS)]


class TenantBody(Body):
    """A new tenant. `rate_card`: an id or a name; left out, the book's first card.

    `grants` open grant-funded supply to it; its leases stay in `residency`.
    """

    slug: Line = Field(examples=["acme"])
    name: Line = Field(examples=["Acme Robotics"])
    kind: TenantKind
    rate_card: Named | None = None
    grants: Grants = Field(default_factory=list)
    residency: Residency = ""


class Tenant(Answer):
    """An internal team or a customer."""

    id: str
    slug: str
    name: str
    kind: TenantKind
    state: TenantState
    rate_card_id: str
    created_at: Instant
    grants: list[str]
    residency: str


class EligibilityBody(Body):
    """Which grants a tenant holds, and where its data must stay; left out, as it is."""

    grants: Grants | None = None
    residency: Residency | None = None


class QuotaBody(Body):
    """At most so many accelerators of the kind at once; what the tenant has, it keeps."""

    accelerators: Count


class Quota(Answer):
    """The most accelerators of a kind that a tenant may hold or be promised at once."""

    tenant_id: str
    kind: str
    accelerators: int


class UserBody(Body):
    """A new user. Without `tenant`: of the house, or of the asking admin's own tenant."""

    name: Line
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    tenant: Named | None = None


class User(Answer):
    """A person or a program; `tenant_id` null is the house itself."""

    id: str
    name: str
    tenant_id: str | None
    roles: list[Role]
    disabled: bool
    created_at: Instant


class KeyBody(Body):
    """A new key; without `user_id`, for oneself."""

    user_id: Named | None = None
    note: Line = ""
    expires_at: InstantIn | None = None


class Key(Answer):
    """An API key, without its secret. `issued_with` (a key) is null to tenants."""

    id: str
    user_id: str
    prefix: str
    note: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    issued_with: str | None


class IssuedKey(Key):
    """A new key with its secret: shown this once, null when the answer is repeated."""

    secret: str | None


class WhoAmI(Answer):
    """Who is asking, and what they may do."""

    user_id: str
    name: str
    tenant_id: str | None
    tenant_slug: str | None
    roles: list[Role]
    permissions: list[Permission]
    key_id: str | None
    key_expires_at: Instant | None
