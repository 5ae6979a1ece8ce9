"""The operations of money: prices, usage, invoices, what a lender earns.

One a file, as everywhere under `operations`; each has its line in `MONEY_OPERATIONS`.
"""

from comptoir.desk.operations.money import (
    contract_acts,
    contracts,
    credit_lender,
    issue_invoice,
    rates,
    record_usage,
    supply_costs,
)
from comptoir.desk.operations.operation import Operation
from comptoir.tenants.permissions import Permission

MONEY_OPERATIONS: tuple[Operation, ...] = (
    Operation("credit_lender", Permission.INVOICES_WRITE, credit_lender.credit_lender),
    Operation("create_rate_card", Permission.RATES_PROPOSE, rates.create_rate_card),
    Operation("propose_rate", Permission.RATES_PROPOSE, rates.propose_rate),
    Operation("approve_rate", Permission.RATES_APPROVE, rates.approve_rate),
    Operation("propose_contract", Permission.CONTRACTS_WRITE, contracts.propose_contract),
    Operation("withdraw_contract", Permission.CONTRACTS_WRITE, contracts.withdraw_contract),
    Operation("approve_contract", Permission.CONTRACTS_APPROVE, contracts.approve_contract),
    Operation("act_on_contract", Permission.CONTRACTS_ACT, contract_acts.act_on_contract),
    Operation("settle_supply", Permission.INVOICES_WRITE, supply_costs.settle_supply),
    Operation("record_usage", Permission.USAGE_WRITE, record_usage.record_usage),
    Operation("issue_invoice", Permission.INVOICES_WRITE, issue_invoice.issue_invoice),
)
