"""Entries and postings, and the check that makes them a ledger."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

from comptoir.units.errors import invariant
from comptoir.units.ids import InboundLeaseId, LegalEntityId, TenantId
from comptoir.units.money import LEDGER_LIMIT
from comptoir.units.values import quick

Account = NewType("Account", str)
Unit = NewType("Unit", str)

ROUNDING = Account("rounding")
LENDER_CREDIT = Account("lender_credit")
"""What of its income the house passes on to the teams whose idle entitlement earned it."""
BROKERAGE = Account("brokerage")
"""Through which an amount goes from one currency to another: its two legs are in two units."""
BREAKAGE = Account("breakage")
"""Income from what was paid for and never used: expired credit, true-ups."""
GRANTS = Account("grants")
"""What the house gave away as grants, as far as it was used."""
SLA_CREDIT = Account("sla_credit")
"""What broken guarantees cost."""
RECALL_FEES = Account("recall_fees")
"""What it cost to take sold leases back for the house's own use."""
PRIOR_REVENUE = Account("prior_revenue")
"""Income that another system had counted, and that was taken back since."""
CAPACITY = "capacity"


def accelerator_ms(kind: str) -> Unit:
    """The unit of use: accelerator-milliseconds of one kind."""
    return Unit(f"accelerator_ms:{kind}")


def currency(code: str) -> Unit:
    """The unit of money: micros of one currency."""
    return Unit(code)


def capacity(inbound_lease_id: InboundLeaseId) -> Account:
    """Where delivered accelerator time comes from: one inbound lease."""
    return Account(f"{CAPACITY}:{inbound_lease_id}")


def usage(tenant_id: TenantId) -> Account:
    """Where delivered accelerator time goes: one tenant."""
    return Account(f"usage:{tenant_id}")


def unbilled(tenant_id: TenantId) -> Account:
    """Earned from a tenant and not yet invoiced (accrued)."""
    return Account(f"unbilled:{tenant_id}")


def receivable(tenant_id: TenantId) -> Account:
    """Invoiced to a customer and not yet paid."""
    return Account(f"receivable:{tenant_id}")


def deferred_revenue(tenant_id: TenantId) -> Account:
    """Invoiced to a customer ahead of its use: prepaid, and not drawn yet."""
    return Account(f"deferred_revenue:{tenant_id}")


def tax_payable(entity_id: LegalEntityId) -> Account:
    """Taxes that an entity has asked for and owes to the state."""
    return Account(f"tax_payable:{entity_id}")


def revaluation(entity_id: LegalEntityId) -> Account:
    """What an entity's receivables in other currencies are worth more since they were issued."""
    return Account(f"revaluation:{entity_id}")


def fx_gain_loss(entity_id: LegalEntityId) -> Account:
    """Gains (negative) and losses of an entity because rates of exchange moved."""
    return Account(f"fx_gain_loss:{entity_id}")


def internal_transfer(tenant_id: TenantId) -> Account:
    """Charged back to an internal team."""
    return Account(f"internal_transfer:{tenant_id}")


def prepaid_capacity(contract_id: str) -> Account:
    """Paid or owed ahead to a partner under a contract, and not yet used (an asset)."""
    return Account(f"prepaid_capacity:{contract_id}")


def supplier_payable(partner: str) -> Account:
    """Owed to a partner for capacity."""
    return Account(f"supplier_payable:{partner}")


def cost_of_capacity(source: str) -> Account:
    """What rented capacity has cost: of an inbound lease, or of a contract as a whole."""
    return Account(f"cost_of_capacity:{source}")


def revenue(lease_class: str) -> Account:
    """Income from outbound leases of a class."""
    return Account(f"revenue:{lease_class}")


def cash(entity_id: LegalEntityId) -> Account:
    """On a legal entity's bank account."""
    return Account(f"cash:{entity_id}")


def customer_credit(tenant_id: TenantId) -> Account:
    """Paid by a customer and owed to it: it pays nothing yet."""
    return Account(f"customer_credit:{tenant_id}")


def unidentified_receipts(entity_id: LegalEntityId) -> Account:
    """Came in on an account of ours, and nobody knows yet for what."""
    return Account(f"unidentified_receipts:{entity_id}")


def bank_fees(entity_id: LegalEntityId) -> Account:
    """What banks have taken from a legal entity for their services."""
    return Account(f"bank_fees:{entity_id}")


def opening_balance(entity_id: LegalEntityId) -> Account:
    """Against which everything was posted that an entity brought from another system (equity)."""
    return Account(f"opening_balance:{entity_id}")


@quick
@dataclass(frozen=True, slots=True)
class Posting:
    """One leg: a debit is positive, a credit negative; integer of `unit`."""

    account: Account
    unit: Unit
    amount: int


@quick
@dataclass(frozen=True, slots=True)
class Entry:
    """A balanced set of postings, written once.

    `effective_at_ms` is when it counts, `booked_at_ms` when it was written; `key`
    is unique for ever, so that a repeated write cannot count twice.
    """

    seq: int
    key: str
    kind: str
    description: str
    effective_at_ms: int
    booked_at_ms: int
    postings: tuple[Posting, ...]


def check_entry(entry: Entry) -> Entry:
    """The entry itself if it may be written.

    Raises:
        InvariantBroken: a unit does not sum to zero, an amount does not fit 64 bits,
            or there is nothing in it.
    """
    invariant(bool(entry.postings), f"entry {entry.key} has no postings")
    for unit, total in sums_by_unit(entry.postings).items():
        invariant(total == 0, f"entry {entry.key}: {unit} sums to {total}, not zero")
    for posting in entry.postings:
        invariant(
            abs(posting.amount) <= LEDGER_LIMIT,
            f"entry {entry.key}: {posting.amount} {posting.unit} does not fit the ledger",
        )
    return entry


def sums_by_unit(postings: Iterable[Posting]) -> dict[Unit, int]:
    """Total per unit; all zero in a sound ledger."""
    totals: dict[Unit, int] = defaultdict(int)
    for posting in postings:
        totals[posting.unit] += posting.amount
    return dict(totals)


def transfer(debit: Account, credit: Account, unit: Unit, amount: int) -> tuple[Posting, ...]:
    """The two legs that move `amount`; none when the amount is zero."""
    if amount == 0:
        return ()
    return (Posting(debit, unit, amount), Posting(credit, unit, -amount))
