"""Money that went out: to a supplier under a contract, or back because a payment bounced.

Anything else (fees, salaries, a refund that was booked when it was ordered) is passed over: it is
kept as the bank told it, and moves nothing until somebody says what it was (`posting_outgoing`).
"""

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.receipts import Payment, PaymentState, plain, words_of
from comptoir.desk.operations.money.bouncing import record_bounce
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.contracts import Contract, Direction
from comptoir.tenants.entities import LegalEntity
from comptoir.units.values import replace

LEAST_NAME = 4
"""Letters of a supplier's name that tell it from other words."""


def record_outgoing(
    tx: Transaction, entity: LegalEntity, sent: Payment, entry: BankEntry
) -> Payment | None:
    """The payment that an outgoing entry makes, or None where the book knows nothing of it."""
    contract = _contract(tx, words_of(entry.reference)) or _owed(tx, entity, entry)
    if contract is not None and contract.currency == entry.currency:
        return _to_supplier(tx, entity, sent, entry, contract)
    return None if entry.reversal is False else record_bounce(tx, entity, sent, entry)


def _contract(tx: Transaction, words: list[str]) -> Contract | None:
    for word in words:
        found = tx.book.contracts.by_number.first(word)
        if found is not None and found.direction is Direction.BOUGHT:
            return found
    return None


def _owed(tx: Transaction, entity: LegalEntity, entry: BankEntry) -> Contract | None:
    """A contract with the supplier that an entry names, where it is owed so much or more."""
    said = plain(f"{entry.payer} {entry.reference}")
    for contract in tx.book.contracts.bought.get(True):
        name = plain(contract.partner)
        same = (contract.entity_id, contract.currency) == (entity.id, entry.currency)
        if not same or len(name) < LEAST_NAME or name not in said or entry.reversal:
            continue
        account = ledger.supplier_payable(contract.partner)
        held = tx.book.money.balances.get((account, ledger.currency(entry.currency)))
        if held is not None and held.amount <= entry.micros:
            return contract
    return None


def _to_supplier(
    tx: Transaction, entity: LegalEntity, sent: Payment, entry: BankEntry, contract: Contract
) -> Payment:
    payment = tx.book.receipts.payments.put(
        replace(sent, state=PaymentState.SENT, about=contract.number)
    )
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
