"""Money that went out: to a supplier under a contract, or back because a payment bounced.

Anything else (fees, salaries, a refund that was booked when it was ordered) is no business of this
book and is passed over.
"""

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceStatus, paid
from comptoir.billing.receipts import Payment, PaymentState, words_of
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.contracts import Contract, Direction
from comptoir.tenants.entities import LegalEntity
from comptoir.units.ids import PaymentId, TenantId


def record_outgoing(
    tx: Transaction, entity: LegalEntity, statement: str, key: str, entry: BankEntry
) -> Payment | None:
    """The payment that an outgoing entry makes, or None where the book knows nothing of it."""
    words = words_of(entry.reference)
    contract = _contract(tx, words)
    if contract is not None and contract.currency == entry.currency:
        return _to_supplier(tx, entity, statement, key, entry, contract)
    bounced = _bounced(tx, entity, words, entry) if entry.reversal else None
    return None if bounced is None else _taken_back(tx, entity, statement, key, entry, bounced)


def _contract(tx: Transaction, words: list[str]) -> Contract | None:
    for word in words:
        found = tx.book.contracts.by_number.first(word)
        if found is not None and found.direction is Direction.BOUGHT:
            return found
    return None


def _bounced(
    tx: Transaction, entity: LegalEntity, words: list[str], entry: BankEntry
) -> InvoiceStatus | None:
    """The one invoice of which so much had been paid."""
    for stored in tx.store.find_statuses(words):
        status = tx.book.closing.statuses.get(stored.invoice_id) or stored
        same = (status.entity_id, status.currency) == (entity.id, entry.currency)
        if same and status.paid_micros >= -entry.micros:
            return status
    return None


def _to_supplier(
    tx: Transaction,
    entity: LegalEntity,
    statement: str,
    key: str,
    entry: BankEntry,
    contract: Contract,
) -> Payment:
    payment = _sent(tx, entity, statement, key, entry, None, contract.number)
    tx.post(
        f"payment:{payment.id}", "supplier_payment", f"paid to {contract.partner}"[:200],
        entry.day_ms,
        ledger.transfer(
            ledger.supplier_payable(contract.partner), ledger.cash(entity.id),
            ledger.currency(entry.currency), -entry.micros,
        ),
    )  # fmt: skip
    tx.emit(
        "supplier.paid", payment.id, None, micros=str(-entry.micros), currency=entry.currency,
        partner=contract.partner, contract=contract.number,
    )  # fmt: skip
    return payment


def _taken_back(
    tx: Transaction,
    entity: LegalEntity,
    statement: str,
    key: str,
    entry: BankEntry,
    status: InvoiceStatus,
) -> Payment:
    """A payment of an invoice bounced: it asks again."""
    tx.book.closing.statuses.put(paid(status, entry.micros))
    payment = _sent(tx, entity, statement, key, entry, status.tenant_id, status.number)
    tx.post(
        f"payment:{payment.id}", "bounced", f"a payment of {status.number} bounced", entry.day_ms,
        ledger.transfer(
            ledger.receivable(status.tenant_id), ledger.cash(entity.id),
            ledger.currency(entry.currency), -entry.micros,
        ),
    )  # fmt: skip
    tx.emit(
        "payment.bounced", payment.id, status.tenant_id, micros=str(-entry.micros),
        currency=entry.currency, number=status.number,
    )  # fmt: skip
    return payment


def _sent(
    tx: Transaction,
    entity: LegalEntity,
    statement: str,
    key: str,
    entry: BankEntry,
    tenant_id: TenantId | None,
    about: str,
) -> Payment:
    return tx.book.receipts.payments.put(
        Payment(
            PaymentId(tx.new_id("py")), entity.id, key, statement, entry.day_ms, tx.now_ms,
            entry.micros, entry.currency, entry.reference, entry.payer, tenant_id,
            PaymentState.SENT, (), 0, about=about,
        )
    )  # fmt: skip
