"""From whom a tenant buys: one answer for everything that invoices, taxes or closes a month."""

from collections.abc import Iterable

from comptoir.desk.memory import Memory
from comptoir.ledger.entries import Posting
from comptoir.tenants.entities import HOUSE_ENTITY, LegalEntity
from comptoir.units.ids import LegalEntityId, TenantId


def entity_of(book: Memory, tenant_id: TenantId) -> LegalEntity:
    """The legal entity of a tenant: its admission's, else the house's."""
    admission = book.credit.admissions.get(tenant_id)
    return book.credit.entities[HOUSE_ENTITY if admission is None else admission.entity_id]


def closed_until_ms(book: Memory, postings: Iterable[Posting]) -> int:
    """Until when the books are closed for those whose accounts are posted to.

    A tenant's own cut comes first: while its entity closes a period it may be closed already.
    """
    until_ms = 0
    for posting in postings:
        holder = posting.account.rpartition(":")[2]
        if holder in book.tenants:
            mark = book.money.billing_marks.get(TenantId(holder))
            cut_ms = 0 if mark is None else mark.closed_until_ms
            entity_id = entity_of(book, TenantId(holder)).id
            until_ms = max(until_ms, cut_ms, book.closing.closed_until_ms(entity_id))
        elif holder in book.credit.entities:
            until_ms = max(until_ms, book.closing.closed_until_ms(LegalEntityId(holder)))
        else:
            for contract in book.contracts.bought.each(True):
                if holder in (contract.id, contract.partner):
                    until_ms = max(until_ms, book.closing.closed_until_ms(contract.entity_id))
    return until_ms
