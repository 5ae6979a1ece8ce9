"""SLA credits at the close: what a contract owes for broken guarantees, without a claim.

The credit is a block of its own, drawn by the invoice of the same month before anything else;
what is left of it serves the next. Its conditions are the explanation, and `credit.sla` tells it
to the customer with every number. Racks are those of the nodes as they stand at the close.
"""

from comptoir.billing.drafts import DraftState, InvoiceDraft
from comptoir.billing.invoices import LineType
from comptoir.billing.periods import Period
from comptoir.billing.sla_credits import Outage, SlaCredit, explained, sla_credit
from comptoir.desk.transaction import Transaction
from comptoir.leases.breaches import Breach
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.sales.contracts import ContractVersion
from comptoir.sales.credit_blocks import EVERYTHING, BlockState, CreditBlock, CreditSource
from comptoir.sales.sla_terms import SlaTerms
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import CreditBlockId

PRIORITY = 0
"""It is drawn before what the customer has paid for."""


def credit_breaches(tx: Transaction, tenant: Tenant, period: Period) -> None:
    """Work out and grant what a tenant's contracts owe it for the broken guarantees of a period."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        version = tx.book.contracts.in_force(contract, period.ends_at_ms - 1)
        if version is None or version.body.sla is None:
            continue
        outages = _outages(tx, tenant, period)
        if not outages:
            continue
        versions = {one.id for one in tx.book.contracts.versions_of.get(contract.id)}
        for draft in tx.book.closing.drafts_of.get((tenant.id, period.id)):
            if draft.state is not DraftState.FILLING or draft.currency != contract.currency:
                continue
            terms = version.body.sla
            delivered, charges = _used(draft, {str(one) for one in versions})
            month = period.starts_at_ms, period.ends_at_ms
            credit = sla_credit(terms, outages, month, delivered, charges, draft.currency)
            if credit.micros > 0:
                _grant(tx, tenant, version, period, draft, credit, terms)


def _outages(tx: Transaction, tenant: Tenant, period: Period) -> list[Outage]:
    """Broken guarantees of a tenant that reach into a period; what is open reaches to its end."""
    rows = {
        breach.id: breach
        for breach in tx.store.find_breaches(tenant.id, period.starts_at_ms, period.ends_at_ms)
    }
    rows |= {b.id: b for b in tx.book.breaches if b.tenant_id == tenant.id}
    found = []
    for breach in sorted(rows.values(), key=lambda b: (b.broken_from_ms, b.id)):
        until = breach.until(period.ends_at_ms) if breach.open else breach.broken_until_ms or 0
        if breach.broken_from_ms < period.ends_at_ms and until > period.starts_at_ms:
            found.append(_outage(tx, breach, until))
    return found


def _outage(tx: Transaction, breach: Breach, until_ms: int) -> Outage:
    node = tx.book.nodes.get(breach.node_id)
    rack = breach.node_id if node is None else f"{node.site}/{node.cluster}/{node.pod}/{node.rack}"
    beside = 0
    for allocation in tx.book.allocations_of(breach.lease_id):
        other = tx.book.nodes.get(allocation.node_id)
        if other is None or node is None or other.id == node.id:
            continue
        here = (other.site, other.cluster, other.pod, other.rack)
        if here == (node.site, node.cluster, node.pod, node.rack):
            beside += len(allocation.accelerators)
    return Outage(
        breach.id, breach.lease_id, breach.node_id, rack, breach.cause, breach.accelerators,
        breach.accelerators + beside, breach.gang_accelerators, breach.broken_from_ms, until_ms,
    )  # fmt: skip


def _used(draft: InvoiceDraft, versions: set[str]) -> tuple[int, int]:
    """What a month's draft delivers under a contract to guaranteed leases, and what it asks."""
    lines = [
        line
        for line in draft.lines
        if line.contract_version_id in versions
        and line.lease_class is not LeaseClass.SPOT
        and line.type in (LineType.USAGE, LineType.TOP_UP)
        and not line.correction
    ]
    delivered = sum(
        line.accelerator_ms
        for line in lines
        if line.type is LineType.USAGE and line.measure is Measure.DELIVERED
    )
    return delivered, sum(line.amount_micros for line in lines)


def _grant(
    tx: Transaction,
    tenant: Tenant,
    version: ContractVersion,
    period: Period,
    draft: InvoiceDraft,
    credit: SlaCredit,
    terms: SlaTerms,
) -> None:
    words = explained(credit, terms)
    block = tx.book.contracts.credit_blocks.put(
        CreditBlock(
            CreditBlockId(tx.new_id("cb")), tenant.id, version.contract_id, None,
            CreditSource.SLA_CREDIT, draft.currency, credit.micros, 0, 0, period.starts_at_ms, None,
            PRIORITY, EVERYTHING, words, BlockState.OPEN, tx.now_ms,
        )
    )  # fmt: skip
    tx.emit(
        "credit.sla",
        block.id,
        tenant.id,
        period=period.name,
        contract=version.contract_id,
        micros=str(credit.micros),
        currency=draft.currency,
        promised_accelerator_ms=credit.promised_ms,
        broken_accelerator_ms=credit.broken_ms,
        down_accelerator_ms=credit.down_ms,
        breaches=sorted({id for down in credit.downs for id in down.breaches}),
        because=list(words),
    )
