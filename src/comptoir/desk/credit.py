"""Stop in time: what a lease may cost is held before it starts, against a limit and budgets.

Only tenants with a credit limit or a budget that stops have holds; for all others every
function here returns at once. A hold is taken with the request, used up by metering, renewed by
the turn while open-ended work runs (`operations/crediting.py`), and let go when the lease is
over. Neighbours: `billing/credit.py` says what is owed, `budgeting.py` counts budgets.
"""

from collections.abc import Sequence

from comptoir.billing.credit import (
    CreditHold,
    Exposure,
    covered,
    hold_length_ms,
    with_tax,
)
from comptoir.billing.tax import tax_for
from comptoir.desk.budgeting import count_spending, refuse_beyond_budget, tell_held
from comptoir.desk.memory import Memory
from comptoir.desk.terms import currency_at, estimate_of, item_of_lease, terms_at
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import FINAL, Lease, LeaseState
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.tenants.admissions import Admission
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.money import format_percent, minor_up
from comptoir.units.recurrence import local_day_ms
from comptoir.units.time import LATEST_MS, MS_PER_S
from comptoir.units.values import replace
from comptoir.units.wire import money


def limit_of(book: Memory, tenant_id: TenantId) -> Admission | None:
    """The admission of a tenant that has a credit limit."""
    found = book.credit.admissions.get(tenant_id)
    return found if found is not None and found.limit_micros is not None else None


def is_held(book: Memory, tenant_id: TenantId) -> bool:
    """Whether what a tenant asks for is held first."""
    return bool(book.credit.stopping.count(tenant_id)) or limit_of(book, tenant_id) is not None


def take_hold(tx: Transaction, lease: Lease) -> None:
    """Hold what a lease may cost, or refuse it: it is asked for, or changes.

    Raises:
        Refused: `credit_exhausted` or `budget_exhausted`, with every number.
    """
    if not is_held(tx.book, lease.tenant_id):
        return
    hold = hold_for(tx, lease)
    refuse_beyond_limit(tx, hold)
    refuse_beyond_budget(tx, hold)
    tx.book.credit.holds.put(hold)
    tell_if_low(tx, lease.tenant_id)
    tell_held(tx, lease.tenant_id)


def renew_hold(tx: Transaction, lease: Lease) -> Refused | None:
    """Hold another stretch for work that runs or is about to; what was held is let go.

    Returns:
        None where that is done, or nothing had to be held; else the refusal: nothing changed.
    """
    if _held(tx, lease.id) is None:
        return None
    hold = hold_for(tx, lease)
    if lease.ends_at_ms is None:
        hold = replace(hold, until_ms=tx.now_ms + hold_length_ms(lease.notice_s))
    try:
        refuse_beyond_limit(tx, hold)
        refuse_beyond_budget(tx, hold, running=True)
    except Refused as refused:
        return refused
    tx.book.credit.holds.put(hold)
    tell_if_low(tx, lease.tenant_id)
    tell_held(tx, lease.tenant_id)
    return None


def change_hold(tx: Transaction, lease: Lease) -> None:
    """A lease is made larger, smaller, longer or shorter: it holds what is left of it.

    Raises:
        Refused: as `take_hold`, where it would hold more.
    """
    known = _held(tx, lease.id)
    if known is None:
        return
    hold = replace(hold_for(tx, lease), until_ms=known.until_ms)
    if hold.micros > known.micros:
        refuse_beyond_limit(tx, hold)
        refuse_beyond_budget(tx, hold)
    tx.book.credit.holds.put(hold)
    tell_held(tx, lease.tenant_id)


def let_go(tx: Transaction, lease_id: LeaseId) -> None:
    """A lease is over: nothing is held for it any more."""
    hold = _held(tx, lease_id)
    if hold is not None:
        tx.book.credit.holds.put(replace(hold, released=True, accelerator_ms=0))


def hold_all(tx: Transaction, tenant_id: TenantId) -> None:
    """A limit or a budget came, changed or went: hold for what lives, or let it all go.

    Open-ended work that runs is held for as if its notice were all that is left: so the turn
    meters it and holds for it anew at once, and announces its end where that is refused.
    """
    wanted = is_held(tx.book, tenant_id)
    for lease in tx.book.leases_by_tenant.get(tenant_id):
        known = _held(tx, lease.id)
        if not wanted:
            let_go(tx, lease.id)
        elif lease.state is LeaseState.ACTIVE and lease.ends_at_ms is None:
            until_ms = tx.now_ms + lease.notice_s * MS_PER_S
            tx.book.credit.holds.put(replace(hold_for(tx, lease), until_ms=until_ms))
            tx.book.agenda.touch(lease.id)
        elif known is None and lease.state not in FINAL:
            tx.book.credit.holds.put(hold_for(tx, lease))
            tx.book.agenda.touch(lease.id)
    tell_held(tx, tenant_id)


def _held(tx: Transaction, lease_id: LeaseId) -> CreditHold | None:
    """What is held for a lease; one that was let go stays in memory until its commit."""
    hold = tx.book.credit.holds.get(lease_id)
    return None if hold is None or hold.released else hold


def hold_for(tx: Transaction, lease: Lease) -> CreditHold:
    """What a lease may cost from now on: its estimate, or a stretch at the highest price."""
    start_ms = max(lease.start_ms, tx.now_ms)
    if lease.ends_at_ms is None:
        length_ms = hold_length_ms(lease.notice_s)
    elif lease.flexible and lease.scheduled_start_ms is None:
        length_ms = (lease.duration_s or 0) * MS_PER_S
    else:
        length_ms = max(lease.ends_at_ms - start_ms, 0)
    most = max(choice.accelerators for choice in lease.choices)
    window = (start_ms, min(start_ms + max(length_ms, 1), LATEST_MS))
    ways = [replace(lease, kind=c.kind, accelerators=1) for c in lease.choices]
    prices = [estimate_of(tx.book, way, window, site) for way in ways for site in _sites(tx, way)]
    highest = max((price for price in prices if price is not None), default=0)
    return CreditHold(
        lease.id,
        lease.tenant_id,
        lease.project,
        lease.kind,
        lease.lease_class,
        currency_at(tx.book, lease.tenant_id, start_ms),
        -(-highest // (window[1] - window[0])),
        most * length_ms,
        *window,
    )


def exposure_of(tx: Transaction, tenant_id: TenantId, new: CreditHold | None = None) -> Exposure:
    """What a tenant owes and may come to owe; with `new` instead of what its lease holds now."""
    book = tx.book
    admission = book.credit.admissions.get(tenant_id)
    currency = currency_at(book, tenant_id, tx.now_ms) if admission is None else admission.currency
    unit = ledger.currency(currency)

    def balance(account: ledger.Account) -> int:
        held = book.money.balances.get((account, unit))
        return 0 if held is None else held.amount

    held = book.credit.held.of((tenant_id, currency))
    if new is not None:
        known = book.credit.holds.get(new.lease_id)
        held += new.micros - (0 if known is None or known.released else known.micros)
    blocks = [b for b in book.contracts.credit_of.get(tenant_id) if b.currency == currency]
    paid = used = 0
    if blocks:
        dues = book.pending.of(tenant_id, currency, tx.now_ms, new)
        paid, used = covered(blocks, dues, tax_ppm_of(tx, tenant_id))
    drafted, asked = _drafted(book, tenant_id, currency)
    return Exposure(
        tenant_id,
        currency,
        balance(ledger.receivable(tenant_id)) + balance(ledger.customer_credit(tenant_id)) + asked,
        balance(ledger.unbilled(tenant_id)) - drafted,
        held,
        paid,
        max(sum(b.left_micros for b in blocks if b.contains(tx.now_ms, tx.now_ms + 1)) - used, 0),
        sum(b.granted_micros for b in blocks),
        tax_ppm_of(tx, tenant_id),
        None if admission is None else admission.limit_micros,
    )


def _drafted(book: Memory, tenant_id: TenantId, currency: str) -> tuple[int, int]:
    """What of `unbilled` is in drafts that wait, and what those ask, taxes and all."""
    mine = [d for d in book.closing.waiting.each(tenant_id) if d.currency == currency]
    return sum(d.unbilled_micros for d in mine), sum(d.total_micros for d in mine)


def refuse_beyond_limit(tx: Transaction, hold: CreditHold) -> None:
    """Let a hold pass that the tenant's credit limit leaves room for.

    Raises:
        Refused: `credit_exhausted`.
    """
    if limit_of(tx.book, hold.tenant_id) is None:
        return
    then = exposure_of(tx, hold.tenant_id, hold)
    if then.left_micros is None or then.left_micros >= 0:
        return
    now = exposure_of(tx, hold.tenant_id)
    slug, currency = tx.book.tenants[hold.tenant_id].slug, then.currency
    wanted = with_tax(hold.micros, then.tax_ppm)
    raise Refused(
        "credit_exhausted",
        f"{slug} owes or holds {minor_up(now.owed_micros, currency)} of its limit of "
        f"{minor_up(then.limit_micros or 0, currency)} {currency}, and this may cost "
        f"{minor_up(wanted, currency)} more",
        "pay, top up, end something, or ask sales for a higher limit",
        {
            "currency": currency,
            "limit": money(then.limit_micros or 0),
            "owed": money(now.owed_micros),
            "receivable": money(now.receivable_micros),
            "unbilled": money(now.unbilled_micros),
            "held": money(now.held_micros),
            "covered": money(now.covered_micros),
            "tax_percent": format_percent(then.tax_ppm),
            "asked": money(wanted),
            "missing": money(-then.left_micros),
        },
    )


def after_usage(tx: Transaction, event: UsageEvent, postings: Sequence[ledger.Posting]) -> None:
    """Usage was booked: it is owed, and held for no more; budgets count it."""
    credit = tx.book.credit
    hold = credit.holds.get(event.lease_id)
    if hold is not None and event.measure is Measure.DELIVERED and not hold.released:
        credit.holds.put(hold.used(event.accelerator_ms))
    if credit.budgets_of.count(event.tenant_id):
        account = ledger.unbilled(event.tenant_id)
        mine = [posting for posting in postings if posting.account == account]
        count_spending(tx, event, ledger.sums_by_unit(mine))


def tell_if_low(tx: Transaction, tenant_id: TenantId) -> None:
    """Tell a customer once that little of its credit is left; again when it was more between."""
    admission = limit_of(tx.book, tenant_id)
    if admission is None:
        return
    exposure = exposure_of(tx, tenant_id)
    if exposure.is_low is (admission.low_at_ms is not None):
        return
    low_at_ms = tx.now_ms if exposure.is_low else None
    tx.book.credit.admissions.put(replace(admission, low_at_ms=low_at_ms))
    if exposure.is_low:
        tx.emit(
            "credit.low", tenant_id, tenant_id, currency=exposure.currency,
            limit_micros=exposure.limit_micros, owed_micros=exposure.owed_micros,
            left_micros=exposure.left_micros, prepaid_micros=exposure.prepaid_micros,
        )  # fmt: skip


def tax_ppm_of(tx: Transaction, tenant_id: TenantId) -> int:
    """The tax that a tenant's usage of today bears; 0 where no rule says."""
    book = tx.book
    admission = book.credit.admissions.get(tenant_id)
    if admission is None:
        return 0
    entity = book.credit.entities[admission.entity_id]
    key = (tenant_id, local_day_ms(tx.now_ms, entity.zone))
    if key not in book.credit.taxes_kept:
        try:
            tax = tax_for(book.credit.tax_rules, entity, admission, tx.now_ms)
        except Refused:
            tax = None
        book.credit.taxes_kept[key] = 0 if tax is None else tax.rate_ppm
    return book.credit.taxes_kept[key]


def _sites(tx: Transaction, lease: Lease) -> set[str]:
    """Where a lease might cost something of its own."""
    terms = terms_at(tx, lease.tenant_id, max(lease.start_ms, tx.now_ms))
    rates = tx.book.money.rates_of(terms.rate_card_id, item_of_lease(lease))
    return {"", *(r.site for r in rates), *(o.site for o in terms.overrides if o.site)}
