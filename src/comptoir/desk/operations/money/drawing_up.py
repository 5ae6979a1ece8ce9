"""Drawing up: what a tenant has used and owes becomes a draft, the same way for all who bill.

The close, an invoice in between and a preview go through here: accruals are put into drafts (one
a currency), then credit is drawn, then taxes are put on. Only the close and the invoice in between
write; a preview's transaction keeps nothing of it.
"""

from collections.abc import Iterator

from comptoir.billing.accruals import Accrual
from comptoir.billing.drafts import DraftState, InvoiceDraft, carried, fill, whole
from comptoir.billing.invoices import InvoiceKind, Party, TaxLine, tax_line
from comptoir.billing.tax import Tax, tax_for
from comptoir.desk.dues import cut_accrual, edges_of
from comptoir.desk.entities import entity_of
from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.money.drawing_credit import draw_credit, draw_tax, show_credit
from comptoir.desk.operations.taking_back import meter_live_attempts
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import LeaseState
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import InvoiceId, PeriodId
from comptoir.units.values import replace

CUTTING_COSTS = 40
"""What adding up the charges of an accrual costs of a slice's work, in accruals."""


def meter_tenant(tx: Transaction, tenant: Tenant, until_ms: int, most: int) -> int:
    """Book delivered time of a tenant up to an instant; how many allocations had some left."""
    done = 0
    for lease in tx.book.leases_by_tenant.get(tenant.id):
        if lease.state not in (LeaseState.ACTIVE, LeaseState.RECLAIMING):
            continue
        metered = False
        for allocation in tx.book.allocations_of(lease.id):
            since = allocation.metered_until_ms or allocation.delivered_from_ms
            if since is None or since >= allocation.billable_until(until_ms):
                continue
            if done >= most:
                return done
            meter_allocation(tx, lease, allocation, until_ms)
            metered, done = True, done + 1
        if metered:
            meter_live_attempts(tx, lease)
    return done


def open_accruals(tx: Transaction, tenant: Tenant, before_ms: int) -> Iterator[Accrual]:
    """What is not billed of months that begin before an instant, in the order of lines."""
    for key, accruals in tx.book.closing.unbilled.shelves(tenant.id):
        if key[0] < before_ms:
            yield from accruals


def put_into_drafts(
    tx: Transaction,
    tenant: Tenant,
    period_id: PeriodId | None,
    before_ms: int,
    most: int,
    only: str = "",
) -> tuple[int, int]:
    """Put accruals into the tenant's drafts, one a currency.

    Returns:
        How many were put, and what it cost: at `most`, there may be more.
    """
    taken: list[Accrual] = []
    cost, at = 0, edges_of(tx.book, tenant.id)
    for accrual in open_accruals(tx, tenant, before_ms):
        if cost >= most:
            break
        if only in ("", accrual.currency):
            taken.append(cut_accrual(tx, accrual, at))
            cost += 1 + CUTTING_COSTS * (len(taken[-1].cuts) - len(accrual.cuts))
    for currency in dict.fromkeys(accrual.currency for accrual in taken):
        mine = [accrual for accrual in taken if accrual.currency == currency]
        draft, placed = fill(_draft_in(tx, tenant, period_id, currency), mine)
        tx.book.closing.drafts.put(draft)
        for accrual in mine:
            tx.book.money.accruals.put(
                replace(accrual, invoice_id=draft.id, invoice_line=placed[accrual])
            )
    return len(taken), cost


def _draft_in(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, currency: str
) -> InvoiceDraft:
    """The draft of a currency that is being filled, or a new one."""
    for draft in tx.book.closing.drafts_of.get((tenant.id, period_id)):
        if draft.currency == currency and draft.state is DraftState.FILLING:
            return draft
    return empty_draft(tx, tenant, period_id, currency)


def empty_draft(
    tx: Transaction,
    tenant: Tenant,
    period_id: PeriodId | None,
    currency: str,
    kind: InvoiceKind | None = None,
) -> InvoiceDraft:
    """A draft with nothing in it yet."""
    usual = InvoiceKind.CHARGEBACK if tenant.is_internal else InvoiceKind.INVOICE
    return InvoiceDraft(
        InvoiceId(tx.new_id("iv")), entity_of(tx.book, tenant.id).id, tenant.id, kind or usual,
        period_id, currency, DraftState.FILLING, tx.now_ms, tx.now_ms, tx.now_ms,
    )  # fmt: skip


def draw_drafts(
    tx: Transaction, tenant: Tenant, period_id: PeriodId, effective_at_ms: int, most: int
) -> int:
    """Let the usage of a tenant's filled drafts draw on credit, as far as a slice has room.

    A draft that fits into what is left of the slice is drawn at once, with what was put into it
    just now. A larger one waits until all of it is committed, and is drawn a part at a time.

    Returns:
        What it cost: at `most`, there may be more.
    """
    cost = 0
    for draft in tx.book.closing.drafts_of.get((tenant.id, period_id)):
        if draft.state is not DraftState.FILLING or (draft.drawing and draft.drawing.done):
            continue
        tax = _provisional_tax(tx, tenant, draft)
        tax_ppm = 0 if tax is None else tax.rate_ppm
        if draft.drawing is None and draft.accruals < most - cost:
            draw_credit(tx, draft, effective_at_ms, tax_ppm)
            cost += draft.accruals
            continue
        if cost < most and not tx.book.closing.billed.count(draft.id):
            draw_credit(tx, draft, effective_at_ms, tax_ppm, most - cost)
        return most
    return cost


def finish_drafts(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, effective_at_ms: int
) -> list[InvoiceDraft]:
    """Draw credit, put taxes on, and call the tenant's drafts whole; those that ask something."""
    finished = []
    for draft in tx.book.closing.drafts_of.get((tenant.id, period_id)):
        if draft.state is DraftState.FILLING:
            finished.append(finish_draft(tx, tenant, draft, effective_at_ms))
    return finished


def finish_draft(
    tx: Transaction, tenant: Tenant, draft: InvoiceDraft, effective_at_ms: int
) -> InvoiceDraft:
    """One of them."""
    tax = _provisional_tax(tx, tenant, draft)
    tax_ppm = 0 if tax is None else tax.rate_ppm
    if draft.drawing is None:
        draft = draw_credit(tx, draft, effective_at_ms, tax_ppm)
    draft = show_credit(tx, draft)
    draft = draw_tax(tx, draft, effective_at_ms, tax_ppm)
    taxes = taxes_on(draft, tax)
    return tx.book.closing.drafts.put(whole(carried(draft, taxes), taxes, tx.now_ms))


def provisional_taxes(tx: Transaction, tenant: Tenant, draft: InvoiceDraft) -> tuple[TaxLine, ...]:
    """The taxes a draft shows: none where no rule says, which is refused when it is final."""
    return taxes_on(draft, _provisional_tax(tx, tenant, draft))


def _provisional_tax(tx: Transaction, tenant: Tenant, draft: InvoiceDraft) -> Tax | None:
    try:
        return tax_of(tx, tenant, draft)
    except Refused:
        return None


def tax_of(tx: Transaction, tenant: Tenant, draft: InvoiceDraft) -> Tax | None:
    """How a draft is taxed today; a team is charged back without.

    Raises:
        Refused: `no_tax_rule`.
    """
    if draft.kind is InvoiceKind.CHARGEBACK:
        return None
    entity = tx.book.credit.entities[draft.entity_id]
    admission = tx.book.credit.admissions.get(tenant.id)
    return tax_for(tx.book.credit.tax_rules, entity, admission, tx.now_ms)


def taxes_on(draft: InvoiceDraft, tax: Tax | None) -> tuple[TaxLine, ...]:
    """The taxes on a draft's lines: on their sum, rounded once."""
    if tax is None:
        return ()
    words = tax.treatment, tax.seller_country, tax.rate_ppm, tax.note
    return (tax_line(draft.lines, draft.currency, *words),)


def parties_of(tx: Transaction, tenant: Tenant, tax: Tax | None) -> tuple[Party, Party]:
    """Who sells and who buys, as an invoice has to say it today."""
    entity = entity_of(tx.book, tenant.id)
    admission = tx.book.credit.admissions.get(tenant.id)
    sold_as = entity.tax_id_in(entity.country) if tax is None else tax.seller_tax_id
    seller = Party(entity.name, entity.address, entity.country, sold_as, entity.iban, entity.bic)
    if admission is None:
        return seller, Party(tenant.name)
    return seller, Party(
        admission.legal_name, admission.address, admission.country, admission.tax_id
    )
