"""What contracts ask besides usage: instalments ahead of it, and what was committed and not spent.

Each has a key that is its own for ever, kept with the invoice that asks it: none is asked twice,
whoever draws it up. Instalments make a prepayment draft of their own; a shortfall is a line of
the draft of the period in which its step ends.
"""

from collections.abc import Iterator

from comptoir.billing.drafts import DraftState, InvoiceDraft, a_line, add_line, whole
from comptoir.billing.invoices import InvoiceKind, InvoiceLine, LineType
from comptoir.desk.close_memory import BilledKey
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.contracts import newest_approved
from comptoir.desk.operations.money.drawing_up import empty_draft, provisional_taxes
from comptoir.desk.transaction import Transaction
from comptoir.sales.commitments import (
    Commitment,
    InstalmentDue,
    TrueUp,
    instalments_due,
    true_up_due,
)
from comptoir.sales.contracts import Contract, commitments_alive, end_of, exit_fee_due
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import InvoiceId, PeriodId
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.time import format_instant


def draw_up_prepayments(tx: Transaction, request: PreviewInvoice) -> tuple[InvoiceDraft, ...]:
    """Drafts of the instalments of a tenant's commitments whose day has come, one a currency.

    Raises:
        Refused: `nothing_to_bill`.
    """
    tenant = tx.tenant(request.tenant_id)
    drafts = prepayment_drafts(tx, tenant, None, tx.now_ms)
    if not drafts:
        raise Refused(
            "nothing_to_bill",
            f"no instalment of {tenant.slug} is due before {format_instant(tx.now_ms)} and not "
            "drawn up",
            "see `comptoir contract show`",
        )
    return drafts


def prepayment_drafts(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, until_ms: int
) -> tuple[InvoiceDraft, ...]:
    """The drafts of instalments due before an instant that nobody has drawn up."""
    drafts: dict[str, InvoiceDraft] = {}
    for contract, due in _instalments(tx, tenant, until_ms):
        draft = drafts.get(contract.currency) or empty_draft(
            tx, tenant, period_id, contract.currency, InvoiceKind.PREPAYMENT
        )
        words = f"{contract.number}, {due.commitment}: instalment of {_day(due.at_ms)}"
        line = a_line(LineType.INSTALMENT, words, due.micros, (due.at_ms, due.at_ms + 1), due.key)
        drafts[contract.currency] = add_line(draft, line)
        _keep(tx, due.key, draft.id)
    return tuple(
        tx.book.closing.drafts.put(whole(one, provisional_taxes(tx, tenant, one), tx.now_ms))
        for one in drafts.values()
    )


def _instalments(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[Contract, InstalmentDue]]:
    for contract, commitments, ends_ms in _agreed(tx, tenant, until_ms):
        for due in instalments_due(contract.id, commitments, 0, min(until_ms, ends_ms)):
            if due.key not in tx.book.closing.billed_keys:
                yield contract, due


def add_true_ups(tx: Transaction, tenant: Tenant, period_id: PeriodId, until_ms: int) -> None:
    """Put what was committed and not spent, and fees of exits, into the drafts being filled."""
    lines = [
        (contract, due.key, _true_up_line(contract, due))
        for contract, due in shortfalls(tx, tenant, until_ms)
    ]
    for contract, key, line in [*lines, *_exit_fees(tx, tenant, until_ms)]:
        draft = next(
            (
                one
                for one in tx.book.closing.drafts_of.get((tenant.id, period_id))
                if one.currency == contract.currency and one.state is DraftState.FILLING
            ),
            None,
        ) or empty_draft(tx, tenant, period_id, contract.currency)
        tx.book.closing.drafts.put(add_line(draft, line))
        _keep(tx, key, draft.id)


def _exit_fees(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[Contract, str, InvoiceLine]]:
    """What leaving early costs, once each exit has taken effect."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        versions = tx.book.contracts.versions_of.get(contract.id)
        acts = tx.book.contracts.acts_of.get(contract.id)
        fee = exit_fee_due(contract.id, versions, acts, until_ms)
        if fee is not None and fee.key not in tx.book.closing.billed_keys:
            words = f"{contract.number}: ended early, {_day(fee.at_ms)}"
            window = fee.at_ms, fee.at_ms + 1
            yield contract, fee.key, a_line(LineType.TRUE_UP, words, fee.micros, window, fee.key)


def shortfalls(tx: Transaction, tenant: Tenant, until_ms: int) -> list[tuple[Contract, TrueUp]]:
    """The shortfalls of steps that end by an instant and were not asked before."""
    found = []
    for contract, commitments, _ in _agreed(tx, tenant, until_ms):
        spent = {
            (one.name, step.from_ms): _spent(tx, tenant, one, step.from_ms, step.until_ms)
            for one in commitments
            for step in one.access
            if step.until_ms <= until_ms
            and f"{contract.id}/{one.name}/{step.from_ms}" not in tx.book.closing.billed_keys
        }
        found += [
            (contract, due)
            for due in true_up_due(contract.id, commitments, spent, 0, until_ms)
            if due.key not in tx.book.closing.billed_keys
        ]
    return found


def _agreed(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[Contract, list[Commitment], int]]:
    """The tenant's contracts with the commitments that bind just before an instant."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        version = tx.book.contracts.in_force(contract, until_ms - 1) or newest_approved(
            tx.book, contract
        )
        if version is not None:
            acts = tx.book.contracts.acts_of.get(contract.id)
            alive = commitments_alive(version.body, acts, until_ms - 1)
            yield contract, alive, end_of(version, acts)


def _spent(
    tx: Transaction, tenant: Tenant, commitment: Commitment, from_ms: int, until_ms: int
) -> int:
    """Micros of usage in a step that a commitment covers, before credit is drawn."""
    total = 0
    for kind, lease_class, rate_id, micros in tx.store.find_spent(tenant.id, from_ms, until_ms):
        rate = tx.book.money.rates.get(rate_id)
        if commitment.covers.holds(kind, lease_class, "" if rate is None else rate.site):
            total += micros
    return total


def _true_up_line(contract: Contract, due: TrueUp) -> InvoiceLine:
    words = f"{contract.number}, {due.commitment}: committed and not spent by {_day(due.until_ms)}"
    owed = round_to_minor_micros(due.micros * NUMERATOR_PER_MICRO, contract.currency)
    return a_line(LineType.TRUE_UP, words, owed, (due.from_ms, due.until_ms), due.key)


def _keep(tx: Transaction, key: str, invoice_id: InvoiceId) -> None:
    tx.book.closing.billed_keys.put(BilledKey(key, invoice_id))


def _day(instant_ms: int) -> str:
    return format_instant(instant_ms)[:10]
