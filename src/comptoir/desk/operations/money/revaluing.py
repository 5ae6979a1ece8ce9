"""Revaluation: what is still asked in another currency is worth what the day's rate says.

An invoice keeps the rate of the day on which it was issued. Each close posts the difference that
its open amount has made since, and takes back what earlier closes posted for what is paid now.
Nothing is guessed: a close that would need a rate that is not known is refused before it begins.
What is issued after the end of a period has no part in its close.
"""

from comptoir.billing.fx import conversion_at
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.money import NANOS_PER_UNIT
from comptoir.units.values import replace


def rate_nanos_at(tx: Transaction, entity: LegalEntity, currency: str, instant_ms: int) -> int:
    """What one unit of a currency is worth in an entity's; 0: it is its own.

    Raises:
        Refused: `no_fx_rate`.
    """
    if currency == entity.currency:
        return 0
    found = conversion_at(tx.book.credit.fx_rates, currency, entity.currency, instant_ms)
    return found.convert(NANOS_PER_UNIT)


def known_rate_nanos_at(
    tx: Transaction, entity: LegalEntity, currency: str, instant_ms: int
) -> int:
    """As `rate_nanos_at`, and 0 where nobody knows."""
    try:
        return rate_nanos_at(tx, entity, currency, instant_ms)
    except Refused:
        return 0


def check_rates(tx: Transaction, entity: LegalEntity, ends_at_ms: int) -> None:
    """Whether all that an entity's close has to revalue can be.

    Raises:
        Refused: `no_fx_rate`.
    """
    asked_in = {
        status.currency
        for status in tx.book.closing.statuses
        if status.entity_id == entity.id and status.open_micros and status.issued_at_ms < ends_at_ms
    }
    for currency in sorted(asked_in):
        conversion_at(tx.book.credit.fx_rates, currency, entity.currency, ends_at_ms - 1)


def revalue(
    tx: Transaction, entity: LegalEntity, tenant: Tenant, at_ms: int, effective_at_ms: int
) -> None:
    """Post what a tenant's open invoices in other currencies are worth more, or less."""
    for status in tx.book.closing.foreign_invoices.get(tenant.id):
        rate = known_rate_nanos_at(tx, entity, status.currency, at_ms)
        if status.entity_id != entity.id or not (rate or not status.open_micros):
            continue
        if status.issued_at_ms > at_ms:
            continue
        worth = status.open_micros * (rate - status.rate_nanos) // NANOS_PER_UNIT
        moved = worth - status.revalued_micros
        if not moved:
            continue
        tx.book.closing.statuses.put(replace(status, revalued_micros=worth))
        tx.post(
            f"revaluation:{status.invoice_id}:{at_ms}", "revaluation",
            f"{status.number} at {at_ms}", effective_at_ms,
            ledger.transfer(
                ledger.revaluation(entity.id), ledger.fx_gain_loss(entity.id),
                ledger.currency(entity.currency), moved,
            ),
        )  # fmt: skip
