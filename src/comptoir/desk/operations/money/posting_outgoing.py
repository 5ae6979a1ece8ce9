"""Money that went out and that the book did not know: posted by hand, once another agrees.

A bank's file tells of it, and the book passes it over: a fee, a salary, a supplier that the bank
names in another way. What is this house's business is posted to its bank's fees or to a supplier;
the rest stays passed over and moves nothing.
"""

from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.receivables import payment_named
from comptoir.desk.receipt_requests import PostOutgoing
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.contracts import Contract, Direction
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Refused
from comptoir.units.ids import ContractId
from comptoir.units.text import check_text
from comptoir.units.values import replace

BANK_FEES = "bank fees"


def post_outgoing(tx: Transaction, request: PostOutgoing) -> Payment:
    """Say what an amount that went out was for: the bank's fee, or a supplier's contract.

    Raises:
        NotFound: the payment, the contract.
        Refused: `not_passed_over`: it came in, or the book knows already what it was for;
            `wrong_supply`: the contract is not one under which this could have been paid.
        Invalid: `bad_text`.
        Unavailable: `opening_under_way`.
    """
    refuse_while_bringing(tx)
    reason = check_text("reason", request.reason, 1, 500)
    payment = payment_named(tx, request.payment_id)
    source = _source(payment)
    contract = None if request.contract is None else _contract(tx, payment, request.contract)
    cost, about = ledger.bank_fees(payment.entity_id), BANK_FEES
    if contract is not None:
        cost, about = ledger.supplier_payable(contract.partner), contract.number
    kind = "bank_fee" if contract is None else "supplier_payment"
    tx.post(
        f"outgoing:{payment.id}", kind, f"{payment.id} for {about}: {reason}"[:200],
        max(payment.value_at_ms, 0),
        ledger.transfer(cost, source, ledger.currency(payment.currency), -payment.micros),
    )  # fmt: skip
    tx.emit(
        "payment.posted", payment.id, None, micros=str(-payment.micros),
        currency=payment.currency, about=about, reason=reason,
    )  # fmt: skip
    posted = replace(payment, state=PaymentState.SENT, about=about, left_micros=0)
    return tx.book.receipts.payments.put(posted)


def _source(payment: Payment) -> ledger.Account:
    """What it is taken from: the account, or what waits to be recognised and was taken before.

    Raises:
        Refused: `not_passed_over`.
    """
    if payment.state is PaymentState.PASSED_OVER:
        return ledger.cash(payment.entity_id)
    if payment.micros < 0 and payment.left_micros == -payment.micros:
        return ledger.unidentified_receipts(payment.entity_id)
    raise Refused(
        "not_passed_over",
        f"{payment.id} is {payment.state.replace('_', ' ')}: what it was for is known",
        "see `comptoir payment list --state passed_over`",
    )


def _contract(tx: Transaction, payment: Payment, named: str) -> Contract:
    """The contract under which a supplier was paid.

    Raises:
        NotFound: there is none.
        Refused: `wrong_supply`.
    """
    book = tx.book.contracts
    found = book.by_number.first(named) or book.contracts.get(ContractId(named))
    if found is None:
        raise not_found(f"contract {named}")
    wrong = (
        "is one that we sell by" if found.direction is not Direction.BOUGHT
        else f"is of {found.entity_id}, and {payment.id} went out for {payment.entity_id}"
        if found.entity_id != payment.entity_id
        else f"is in {found.currency}, and {payment.id} went out in {payment.currency}"
        if found.currency != payment.currency
        else ""
    )  # fmt: skip
    if wrong:
        raise Refused("wrong_supply", f"{found.number} {wrong}", "name the supplier's contract")
    return found
