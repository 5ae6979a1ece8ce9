"""From whom a tenant buys: one answer for everything that invoices, taxes or closes a month."""

from comptoir.desk.memory import Memory
from comptoir.tenants.entities import HOUSE_ENTITY, LegalEntity
from comptoir.units.ids import TenantId


def entity_of(book: Memory, tenant_id: TenantId) -> LegalEntity:
    """The legal entity of a tenant: its admission's, else the house's."""
    admission = book.credit.admissions.get(tenant_id)
    return book.credit.entities[HOUSE_ENTITY if admission is None else admission.entity_id]
