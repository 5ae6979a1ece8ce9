"""What doors ask of the desk about who sells, who buys, and on what credit."""

from dataclasses import dataclass

from comptoir.tenants.entities import TaxIds
from comptoir.units.ids import LegalEntityId, TenantId


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


@dataclass(frozen=True, slots=True)
class ChangeEntity:
    """What an entity's next invoices say; None leaves it as it is."""

    entity_id: LegalEntityId
    name: str | None = None
    country: str | None = None
    address: tuple[str, ...] | None = None
    tax_ids: TaxIds | None = None
    iban: str | None = None
    bic: str | None = None
    admission_required: bool | None = None


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
