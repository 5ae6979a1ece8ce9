"""Entitlements, shares now, lenders' statements, and the policy of each class."""

from typing import Annotated

from pydantic import Field, StrictInt

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Instant,
    InstantIn,
    Line,
    Named,
    Positive,
)
from comptoir.leases.lease import LeaseClass

Bps = Annotated[StrictInt, Field(ge=0, le=10_000)]


class EntitlementBody(Body):
    """Accelerators for a `team` or for a `group`, out of a `parent` group's; limits may be null."""

    kind: Line = Field(examples=["h100-sxm"])
    accelerators: Positive
    team: Named | None = None
    group: Line = ""
    parent: Line = ""
    site: Line = ""
    starts_at: InstantIn | None = None
    ends_at: InstantIn | None = None
    lend_limit: Count | None = None
    borrow_limit: Count | None = None
    lender_share_bps: Bps = 5_000


class EndEntitlementBody(Body):
    """When it ends; left out, now."""

    ends_at: InstantIn | None = None


class Entitlement(Answer):
    """So many accelerators of a kind for a team, or (`tenant_id` null) for a group."""

    id: str
    tenant_id: str | None
    group: str
    parent: str
    kind: str
    site: str
    accelerators: int
    starts_at: Instant
    ends_at: Instant | None
    lend_limit: int | None
    borrow_limit: int | None
    lender_share_bps: int
    set_by: str
    set_at: Instant


class Party(Answer):
    """Who borrows or lends: a class of lease, a `team`, a group, or `nobody` (not given out).

    `tenant_id` names the team, to the house alone.
    """

    word: str
    tenant_id: str | None
    accelerators: int


class Share(Answer):
    """Where a team or a group stands now, in accelerators of one kind."""

    kind: str
    tenant_id: str | None
    name: str
    parent: str
    at: Instant
    entitled: int
    used: int
    borrowed: int
    idle: int
    lent: int
    may_lend: int
    may_borrow: int
    lent_to: list[Party]
    borrowed_from: list[Party]
    sentence: str


class Shares(Answer):
    """Every share that the asker may see."""

    items: list[Share]


class PolicyBody(Body):
    """What is left out stays as it is."""

    notice_s: Count | None = None
    minimum_runtime_s: Count | None = None
    ageing_s: Count | None = None


class ClassPolicy(Answer):
    """How leases of a class are treated that are asked for from now on."""

    lease_class: LeaseClass
    notice_s: int
    minimum_runtime_s: int
    ageing_s: int


class Policy(Answer):
    """The settings of every class, the strongest first."""

    items: list[ClassPolicy]
