"""The operations of money: prices, usage, invoices, what a lender earns.

One a file, as everywhere under `operations`; each has its line in `MONEY_OPERATIONS`.
"""

from comptoir.desk.operations.money import (
    admissions,
    budgets,
    close_period,
    contract_acts,
    contracts,
    credit_invoice,
    credit_lender,
    entities,
    explain_contract,
    finalising,
    grants,
    issue_invoice,
    preview_invoice,
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
    Operation("import_rate_card", Permission.RATES_PROPOSE, rates.import_rate_card),
    Operation("approve_rate", Permission.RATES_APPROVE, rates.approve_rate),
    Operation("propose_contract", Permission.CONTRACTS_WRITE, contracts.propose_contract),
    Operation("withdraw_contract", Permission.CONTRACTS_WRITE, contracts.withdraw_contract),
    Operation("approve_contract", Permission.CONTRACTS_APPROVE, contracts.approve_contract),
    Operation("explain_contract", Permission.READ, explain_contract.explain_contract),
    Operation("act_on_contract", Permission.CONTRACTS_ACT, contract_acts.act_on_contract),
    Operation("settle_supply", Permission.INVOICES_WRITE, supply_costs.settle_supply),
    Operation("record_usage", Permission.USAGE_WRITE, record_usage.record_usage),
    Operation("close_period", Permission.PERIODS_CLOSE, close_period.close_period),
    Operation("close_slice", Permission.SYSTEM, close_period.close_slice),
    Operation("finalise_invoice", Permission.INVOICES_WRITE, finalising.finalise_invoice),
    Operation("credit_invoice", Permission.INVOICES_WRITE, credit_invoice.credit_invoice),
    Operation("preview_invoice", Permission.READ, preview_invoice.preview_invoice),
    Operation("issue_invoice", Permission.INVOICES_WRITE, issue_invoice.issue_invoice),
    Operation("create_entity", Permission.ENTITIES_WRITE, entities.create_entity),
    Operation("change_entity", Permission.ENTITIES_WRITE, entities.change_entity),
    Operation("import_tax_rules", Permission.ENTITIES_WRITE, entities.import_tax_rules),
    Operation("import_fx_rates", Permission.ENTITIES_WRITE, entities.import_fx_rates),
    Operation("invite_customer", Permission.ADMISSIONS_WRITE, admissions.invite_customer),
    Operation("accept_terms", Permission.TERMS_ACCEPT, admissions.accept_terms),
    Operation("screen_customer", Permission.ADMISSIONS_WRITE, admissions.screen_customer),
    Operation("admit_customer", Permission.ADMISSIONS_APPROVE, admissions.admit_customer),
    Operation("refuse_customer", Permission.ADMISSIONS_APPROVE, admissions.refuse_customer),
    Operation("set_budget", Permission.BUDGETS_WRITE, budgets.set_budget),
    Operation("end_budget", Permission.BUDGETS_WRITE, budgets.end_budget),
    Operation("give_grant", Permission.GRANTS_WRITE, grants.give_grant),
    Operation("show_credit", Permission.READ, grants.show_credit),
)
