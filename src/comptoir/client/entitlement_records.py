"""What the API says of entitlements, lending and policy, by the rules of `records`."""

from typing import TypedDict


class Entitlement(TypedDict):
    """Accelerators of a kind for a team, or (`tenant_id` None) for a group, over a window."""

    id: str
    tenant_id: str | None
    group: str
    parent: str
    kind: str
    site: str
    accelerators: int
    starts_at: str
    ends_at: str | None
    lend_limit: int | None
    borrow_limit: int | None
    lender_share_bps: int
    set_by: str
    set_at: str


class LoanParty(TypedDict):
    """Who borrows or lends; `tenant_id` names a team, to the house alone."""

    word: str
    tenant_id: str | None
    accelerators: int


class Share(TypedDict):
    """Where a team or a group stands now, in accelerators of one kind."""

    kind: str
    tenant_id: str | None
    name: str
    parent: str
    at: str
    entitled: int
    used: int
    borrowed: int
    idle: int
    lent: int
    may_lend: int
    may_borrow: int
    lent_to: list[LoanParty]
    borrowed_from: list[LoanParty]
    sentence: str


class LentLine(TypedDict):
    """What was lent to one class at one price, and the lender's share of it."""

    lease_class: str
    price_per_accelerator_hour: str
    currency: str
    accelerator_ms: str
    credit: str


class LenderStatement(TypedDict):
    """One kind of one team over a window: entitled = used + lent + idle."""

    tenant_id: str
    kind: str
    starts_at: str
    ends_at: str
    entitled_accelerator_ms: str
    used_accelerator_ms: str
    borrowed_accelerator_ms: str
    lent_accelerator_ms: str
    idle_accelerator_ms: str
    idle_cost: str
    currency: str
    lines: list[LentLine]
    credits: dict[str, str]


class LenderCredit(TypedDict):
    """What was posted for a kind, by currency, up to an instant."""

    tenant_id: str
    kind: str
    until: str
    credits: dict[str, str]


class ClassPolicy(TypedDict):
    """How leases of a class are treated that are asked for from now on."""

    lease_class: str
    notice_s: int
    minimum_runtime_s: int
    ageing_s: int
