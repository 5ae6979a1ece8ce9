"""What doors ask of the desk about who sells, who buys, and on what credit."""

from dataclasses import dataclass

from comptoir.billing.credit import Exposure
from comptoir.sales.credit_blocks import EVERYTHING, Covers, CreditBlock
from comptoir.tenants.budgets import BudgetPeriod, WhenSpent
from comptoir.tenants.entities import PAYMENT_DAYS, TaxIds
from comptoir.units.ids import BudgetId, LegalEntityId, TenantId


@dataclass(frozen=True, slots=True)
class CreateEntity:
    """A legal entity that sells from now on."""

    slug: str
    name: str
    country: str
    currency: str
    zone: str = "UTC"
    address: tuple[str, ...] = ()
    tax_ids: TaxIds = ()
    iban: str = ""
    bic: str = ""
    invoice_series: str = "{entity}-{year}"
    credit_note_series: str = "CN-{entity}-{year}"
    admission_required: bool = False
    payment_days: int = PAYMENT_DAYS


@dataclass(frozen=True, slots=True)
class ChangeEntity:
    """What an entity's next invoices say; None leaves it as it is."""

    entity_id: LegalEntityId
    name: str | None = None
    country: str | None = None
    address: tuple[str, ...] | None = None
    tax_ids: TaxIds | None = None
    admission_required: bool | None = None
    payment_days: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Where an entity is paid from now on; None leaves it as it is."""

    entity_id: LegalEntityId
    iban: str | None = None
    bic: str | None = None


@dataclass(frozen=True, slots=True)
class ImportTable:
    """The text of a CSV file, and where it came from."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class TableImported:
    """How many lines were new, and how many the book had already."""

    added: int
    repeated: int


@dataclass(frozen=True, slots=True)
class InviteCustomer:
    """Ask a tenant to accept a version of the terms, and say who it is."""

    tenant_id: TenantId
    entity_id: LegalEntityId
    legal_name: str
    country: str
    terms_version: str
    address: tuple[str, ...] = ()
    tax_id: str = ""
    is_business: bool = True
    exemption: str = ""


@dataclass(frozen=True, slots=True)
class AcceptTerms:
    """Yes to the terms: said by the customer's own user, of the version it was invited to."""

    tenant_id: TenantId
    terms_version: str


@dataclass(frozen=True, slots=True)
class ScreenCustomer:
    """What a screening found, when, and the credit limit that it supports (None: no limit)."""

    tenant_id: TenantId
    screened_at_ms: int
    evidence: str
    credit_limit: str | None


@dataclass(frozen=True, slots=True)
class AdmitCustomer:
    """Put the proposed limit in force; said again, so that nobody approves another."""

    tenant_id: TenantId
    credit_limit: str | None


@dataclass(frozen=True, slots=True)
class RefuseCustomer:
    """Turn a customer away, with the reason."""

    tenant_id: TenantId
    because: str


@dataclass(frozen=True, slots=True)
class SetBudget:
    """So much for a tenant (None: one's own) or one of its projects; what there is, is changed."""

    amount: str
    tenant_id: TenantId | None = None
    project: str = ""
    period: BudgetPeriod = BudgetPeriod.MONTH
    thresholds: tuple[int, ...] = (50, 80)
    when_spent: WhenSpent = WhenSpent.STOP


@dataclass(frozen=True, slots=True)
class BudgetRef:
    """End this budget."""

    budget_id: BudgetId


@dataclass(frozen=True, slots=True)
class GiveGrant:
    """Credit that costs the tenant nothing, until an instant, under conditions."""

    tenant_id: TenantId
    amount: str
    until_ms: int
    conditions: tuple[str, ...] = ()
    covers: Covers = EVERYTHING


@dataclass(frozen=True, slots=True)
class ShowCredit:
    """What a tenant owes and may come to owe, and the credit that it has."""

    tenant_id: TenantId


@dataclass(frozen=True, slots=True)
class Credit:
    """The answer to `ShowCredit`."""

    exposure: Exposure
    blocks: tuple[CreditBlock, ...]
    leases: int
