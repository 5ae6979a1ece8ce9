"""What contracts ask besides usage: instalments ahead of it, and what was committed and not spent.

Each has a key that is its own for ever, kept with the invoice that asks it: none is asked twice,
whoever draws it up. Instalments make a prepayment draft of their own; a shortfall is a line of
the draft of the period in which its step ends, and what usage that came late takes off it of
the next.
"""

from collections.abc import Iterator

from comptoir.billing.drafts import DraftState, InvoiceDraft, a_line, add_line, whole
from comptoir.billing.invoices import InvoiceKind, InvoiceLine, LineType
from comptoir.desk.close_memory import BilledKey
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.contracts import newest_approved
from comptoir.desk.operations.money.drawing_up import empty_draft, provisional_taxes
from comptoir.desk.transaction import Transaction
from comptoir.sales.commitments import Commitment, InstalmentDue, instalments_due
from comptoir.sales.committed_steps import settle, take_back_late
from comptoir.sales.contracts import Contract, commitments_alive, end_of
from comptoir.sales.exits import ExitFee, exit_fees_due, exit_settlements
from comptoir.sales.tranches import exit_at
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import InvoiceId, PeriodId
from comptoir.units.money import (
    NUMERATOR_PER_MICRO,
    format_minor,
    format_percent,
    round_to_minor_micros,
)
from comptoir.units.time import format_day, format_instant


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
        words = (
            f"{contract.number}, {due.commitment}: instalment of {_day(tx, contract, due.at_ms)}"
        )
        line = _line(LineType.INSTALMENT, words, due.micros, due.at_ms, due.key)
        drafts[contract.currency] = add_line(draft, line)
        _keep(tx, due.key, draft.id)
    return tuple(
        tx.book.closing.drafts.put(whole(one, provisional_taxes(tx, tenant, one), tx.now_ms))
        for one in drafts.values()
    )


def _instalments(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[Contract, InstalmentDue]]:
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        version = tx.book.contracts.in_force(contract, until_ms - 1) or newest_approved(
            tx.book, contract
        )
        if version is None:
            continue
        acts = tx.book.contracts.acts_of.get(contract.id)
        last_ms = min(until_ms, end_of(version, acts))
        alive = commitments_alive(version.body, acts, last_ms - 1)
        for due in instalments_due(contract.id, alive, 0, last_ms):
            if due.key not in tx.book.closing.billed_keys:
                yield contract, due


def add_true_ups(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, until_ms: int
) -> None:
    """Put what was committed and not spent, and what exits cost or give back, into the drafts."""
    for currency, key, line in [
        *_shortfalls(tx, tenant, until_ms),
        *_exit_fees(tx, tenant, until_ms),
        *_exit_settlements(tx, tenant, until_ms),
    ]:
        draft = filling_draft(tx, tenant, period_id, currency)
        tx.book.closing.drafts.put(add_line(draft, line))
        _keep(tx, key, draft.id)
    add_late_usage(tx, tenant, period_id)


def add_late_usage(tx: Transaction, tenant: Tenant, period_id: PeriodId | None) -> None:
    """Count usage that came after its step was trued up against what was asked for that.

    Its own price is a line of the same draft, so nobody pays for it twice. Where nothing of the
    tenant is drawn up in that currency, the next draft has it.
    """
    for step in tx.book.contracts.steps_of.get(tenant.id):
        less = take_back_late(step)
        draft = _filling(tx, tenant, period_id, step.currency) if less != step else None
        if draft is None:
            continue
        contract = tx.book.contracts.contracts[step.contract_id]
        words = (
            f"{contract.number}, {step.commitment}: used late, asked already as not spent by "
            f"{_day(tx, contract, step.until_ms)}"
        )
        micros, window = less.asked_micros - step.asked_micros, (step.from_ms, step.until_ms)
        line = a_line(LineType.TRUE_UP, words, micros, window, step.key)
        tx.book.closing.drafts.put(add_line(draft, line))
        tx.book.contracts.steps.put(less)


def filling_draft(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, currency: str
) -> InvoiceDraft:
    """The draft of a currency that is being filled, or a new one."""
    found = _filling(tx, tenant, period_id, currency)
    return found or empty_draft(tx, tenant, period_id, currency)


def _filling(
    tx: Transaction, tenant: Tenant, period_id: PeriodId | None, currency: str
) -> InvoiceDraft | None:
    """The draft of a currency that is being filled."""
    for one in tx.book.closing.drafts_of.get((tenant.id, period_id)):
        if one.currency == currency and one.state is DraftState.FILLING:
            return one
    return None


def _exit_fees(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[str, str, InvoiceLine]]:
    """What leaving early costs, once each exit has taken effect."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        versions = tx.book.contracts.versions_of.get(contract.id)
        acts = tx.book.contracts.acts_of.get(contract.id)
        for fee in exit_fees_due(contract, versions, acts, until_ms):
            if fee.key not in tx.book.closing.billed_keys:
                words = _words_of_exit(tx, contract, fee)
                line = _line(LineType.TRUE_UP, words, fee.micros, fee.at_ms, fee.key)
                yield contract.currency, fee.key, line


def _words_of_exit(tx: Transaction, contract: Contract, fee: ExitFee) -> str:
    day = _day(tx, contract, fee.at_ms)
    if not fee.commitment:
        return f"{contract.number}: fee of the exit, ended early {day}"
    share = format_percent(fee.rest_ppm)
    left = format_minor(
        round_to_minor_micros(fee.left_micros * NUMERATOR_PER_MICRO, contract.currency),
        contract.currency,
    )
    return (
        f"{contract.number}, {fee.commitment}: {share} % of the {left} released, ended early {day}"
    )


def _exit_settlements(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[str, str, InvoiceLine]]:
    """What was paid ahead for steps that an exit released, or of kept ones is still to be paid."""
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        acts = tx.book.contracts.acts_of.get(contract.id)
        ends_ms = exit_at(acts)
        if ends_ms is None or ends_ms > until_ms:
            continue
        alive, day = _bind_at(tx, contract, ends_ms - 1), _day(tx, contract, ends_ms)
        for key, name, micros in exit_settlements(contract, alive, ends_ms):
            if micros and key not in tx.book.closing.billed_keys:
                kept = "still to be paid of" if micros > 0 else "paid ahead and released of"
                words = f"{contract.number}, {name}: {kept} it, ended early {day}"
                line = _line(LineType.INSTALMENT, words, micros, ends_ms, key)
                yield contract.currency, key, line


def _shortfalls(
    tx: Transaction, tenant: Tenant, until_ms: int
) -> Iterator[tuple[str, str, InvoiceLine]]:
    """The shortfalls of steps that end by an instant; each step is looked at once."""
    ended = [
        step
        for step in tx.book.contracts.steps_of.get(tenant.id)
        if not step.settled and step.until_ms <= until_ms
    ]
    for step in sorted(ended, key=lambda one: (one.until_ms, one.key)):
        contract = tx.book.contracts.contracts[step.contract_id]
        alive = _bind_at(tx, contract, step.until_ms - 1)
        binds = any(one.name == step.commitment for one in alive)
        done = tx.book.contracts.steps.put(settle(step, binds))
        if done.asked_micros:
            words = (
                f"{contract.number}, {step.commitment}: committed and not spent by "
                f"{_day(tx, contract, step.until_ms)}"
            )
            window = step.from_ms, step.until_ms
            line = a_line(LineType.TRUE_UP, words, done.asked_micros, window, step.key)
            yield step.currency, step.key, line


def _bind_at(tx: Transaction, contract: Contract, instant_ms: int) -> list[Commitment]:
    """The commitments that bind at an instant: the tranche of another may never have come."""
    version = tx.book.contracts.in_force(contract, instant_ms) or newest_approved(tx.book, contract)
    acts = tx.book.contracts.acts_of.get(contract.id)
    return [] if version is None else commitments_alive(version.body, acts, instant_ms)


def _line(type: LineType, words: str, micros: int, at_ms: int, key: str) -> InvoiceLine:
    return a_line(type, words, micros, (at_ms, at_ms + 1), key)


def _keep(tx: Transaction, key: str, invoice_id: InvoiceId) -> None:
    tx.book.closing.billed_keys.put(BilledKey(key, invoice_id))


def _day(tx: Transaction, contract: Contract, instant_ms: int) -> str:
    """A date as the contract's file says it: in the zone of its entity."""
    return format_day(instant_ms, tx.book.credit.entities[contract.entity_id].zone)
