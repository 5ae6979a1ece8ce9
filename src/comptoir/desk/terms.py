"""What is agreed with a tenant about prices, and the segments that follow from it.

Without a contract it is the tenant's card; with one, what its version in force at the time of
service says. Kept until a rate or what is agreed changes: much
usage of one lease falls into one segment. Neighbours: `metered.py` prices by it.
"""

from comptoir.desk.entities import entity_of
from comptoir.desk.memory import Memory
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease
from comptoir.pricing.estimates import estimate
from comptoir.pricing.rates import Item
from comptoir.pricing.segments import Segment, segment_at
from comptoir.pricing.terms import Agreed, Priced, Terms, without_contract
from comptoir.sales.contract_terms import agreed_terms
from comptoir.sales.drawdown import edges
from comptoir.units.ids import TenantId
from comptoir.units.time import LATEST_MS

MOST_SEGMENTS = 50_000
"""Segments that are kept, at most: about 20 MB."""


def agreed_with(book: Memory, tenant_id: TenantId) -> Agreed:
    """All that was ever agreed with a tenant about prices: its card, its contracts, its credit.

    Usage is also cut where the tenant's credit begins or ends, and the steps of its postpaid
    commitments, so that every charge lies wholly in a block's window, or a step, or out of it.
    """
    card_id, zone = book.tenants[tenant_id].rate_card_id, entity_of(book, tenant_id).zone
    contracts = book.contracts.sold_to.get(tenant_id)
    blocks = book.contracts.credit_of.get(tenant_id)
    steps = book.contracts.steps_of.each(tenant_id)
    if not contracts and not blocks:
        return without_contract(card_id, zone)
    said = [
        (book.contracts.versions_of.get(one.id), book.contracts.acts_of.get(one.id))
        for one in contracts
    ]
    cuts = {*edges(blocks, 0, LATEST_MS)}
    cuts |= {at for step in steps for at in (step.from_ms, step.until_ms)}
    return Agreed(agreed_terms(said, card_id), tuple(sorted(cuts)), zone)


def terms_at(tx: Transaction, tenant_id: TenantId, instant_ms: int) -> Terms:
    """The terms in force for a tenant at an instant."""
    return agreed_with(tx.book, tenant_id).at(instant_ms)


def segment_of(book: Memory, tenant_id: TenantId, item: Item, instant_ms: int) -> Segment:
    """The segment of a tenant's item that holds an instant."""
    kept = book.money.segments
    key = tenant_id, item.kind, item.lease_class, item.site, item.term
    found = kept.get(key)
    if found is None or not found.starts_at_ms <= instant_ms < found.ends_at_ms:
        if len(kept) >= MOST_SEGMENTS:
            kept.clear()
        found = segment_at(item, agreed_with(book, tenant_id), book.money.rates_of, instant_ms)
        kept[key] = found
    return found


def price_of(book: Memory, lease: Lease, instant_ms: int, site: str = "") -> Priced | None:
    """What an accelerator-hour of a lease costs at an instant; None: no rate prices it."""
    return segment_of(book, lease.tenant_id, item_of_lease(lease, site), instant_ms).priced


def estimate_of(book: Memory, lease: Lease, window: tuple[int, int], site: str = "") -> int | None:
    """The exact price of a lease over a window at one site; None: no rate at its start."""
    agreed, item = agreed_with(book, lease.tenant_id), item_of_lease(lease, site)
    return estimate(item, agreed, book.money.rates_of, lease.accelerators, window)


def currency_at(book: Memory, tenant_id: TenantId, instant_ms: int) -> str:
    """In which currency a tenant pays for what is used at an instant."""
    card_id = agreed_with(book, tenant_id).at(instant_ms).rate_card_id
    return book.money.rate_cards[card_id].currency


def item_of_lease(lease: Lease, site: str = "") -> Item:
    """What a lease is priced as where it stands; without a site, as it is anywhere."""
    return Item(lease.kind, lease.lease_class, site, lease.term)
