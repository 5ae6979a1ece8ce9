"""The operations of money: prices, usage, invoices, what a lender earns.

One a file, as everywhere under `operations`; each has its line in `MONEY_OPERATIONS`.
"""

from comptoir.desk.operations.money import credit_lender, issue_invoice, rates, record_usage
from comptoir.desk.operations.operation import Operation
from comptoir.tenants.permissions import Permission

MONEY_OPERATIONS: tuple[Operation, ...] = (
    Operation("credit_lender", Permission.INVOICES_WRITE, credit_lender.credit_lender),
    Operation("create_rate_card", Permission.RATES_PROPOSE, rates.create_rate_card),
    Operation("propose_rate", Permission.RATES_PROPOSE, rates.propose_rate),
    Operation("approve_rate", Permission.RATES_APPROVE, rates.approve_rate),
    Operation("record_usage", Permission.USAGE_WRITE, record_usage.record_usage),
    Operation("issue_invoice", Permission.INVOICES_WRITE, issue_invoice.issue_invoice),
)
