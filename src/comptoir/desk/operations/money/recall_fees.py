"""Fees of recalls: what the house owes for what it took back, a line of the customer's invoice.

Each month bears its own part of it, priced as the lease would have been. A line is below zero: it
takes the fee off what the customer used, and what is more than that is the customer's credit.
"""

from comptoir.billing.drafts import a_line, add_line
from comptoir.billing.invoices import InvoiceLine, LineType
from comptoir.desk.close_memory import BilledKey
from comptoir.desk.operations.money.agreed_lines import filling_draft
from comptoir.desk.operations.money.crediting_breaches import handed_over, node_of
from comptoir.desk.terms import estimate_of
from comptoir.desk.transaction import Transaction
from comptoir.sales.contracts import Contract
from comptoir.sales.credit_blocks import PPM
from comptoir.sales.recall_fees import undelivered
from comptoir.sales.tranches import ActType, ContractAct, RecallClause
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import LeaseId, PeriodId
from comptoir.units.money import round_to_minor_micros
from comptoir.units.time import format_instant


def add_recall_fees(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, window: tuple[int, int]
) -> None:
    """Put what recalls cost the house in a window into the drafts being filled."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        for act in tx.book.contracts.acts_of.get(contract.id):
            key = f"{contract.id}/recall/{act.id}/{window[0]}"
            if act.type is not ActType.RECALL or act.noted_at_ms >= window[1]:
                continue
            line = None if key in tx.book.closing.billed_keys else _fee(tx, contract, act, window)
            if line is not None:
                draft = filling_draft(tx, tenant, period_id, contract.currency)
                tx.book.closing.drafts.put(add_line(draft, line))
                tx.book.closing.billed_keys.put(BilledKey(key, draft.id))


def _fee(
    tx: Transaction, contract: Contract, act: ContractAct, window: tuple[int, int]
) -> InvoiceLine | None:
    """The line of one recall, by the clause under which it was done."""
    clause = _clause(tx, contract, act)
    lease = tx.find(tx.book.leases, LeaseId(act.subject))
    if clause is None or not clause.fee_ppm or lease is None:
        return None
    stood = handed_over(tx, lease.id)
    span = undelivered(lease, stood, act.noted_at_ms, window)
    if span is None:
        return None
    last = max(stood, key=lambda one: (one.delivered_from_ms or 0, one.id), default=None)
    node = None if last is None else node_of(tx, last.node_id)
    price = estimate_of(tx.book, lease, span, "" if node is None else node.site) or 0
    micros = round_to_minor_micros(price * clause.fee_ppm // PPM, contract.currency)
    since, until = map(format_instant, span)
    whole, rest = divmod(clause.fee_ppm, PPM // 100)
    percent = f"{whole}.{rest:04d} %" if rest else f"{whole} %"
    words = (
        f"{contract.number}: {lease.accelerators:,} {lease.kind} of {lease.id} recalled and not "
        f"delivered from {since} to {until}, at {percent} of their price"
    )
    return a_line(LineType.RECALL_FEE, words, -micros, span, act.id) if micros else None


def _clause(tx: Transaction, contract: Contract, act: ContractAct) -> RecallClause | None:
    version = tx.book.contracts.in_force(contract, act.noted_at_ms)
    return None if version is None else version.body.recall
