"""SLA credits at the close: what a contract owes for broken guarantees, without a claim.

A month is judged by what was delivered, what it was charged and what was broken while the
contract's terms were in force, whatever was invoiced in between; terms that change within a
month each have their own part of it. The credit is a block of its own, drawn by the invoice of
the same month before anything else; what is left of it serves the next. Its conditions are the
explanation, and `credit.sla` tells it to the customer with every number.

What was billed between a failure and the report of it is given back whole, with or without a
contract: `credit.billed_while_down`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from comptoir.billing.accruals import Accrual
from comptoir.billing.periods import Period
from comptoir.billing.sla_credits import Outage, SlaCredit, explained, sla_credit
from comptoir.desk.money_memory import tier_key
from comptoir.desk.operations.money.degraded_time import held_degraded
from comptoir.desk.operations.money.taking_given_back import voided_now, within
from comptoir.desk.terms import currency_at, estimate_of, item_of_lease, price_of, segment_of
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach, guaranteed
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.metering.usage import Measure
from comptoir.pricing.tiers import spread
from comptoir.sales.contracts import Contract, spans
from comptoir.sales.credit_blocks import EVERYTHING, BlockState, CreditBlock, CreditSource
from comptoir.sales.sla_terms import SlaTerms, SlaUnit
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import (
    BreachId,
    ContractId,
    ContractVersionId,
    CreditBlockId,
    LeaseId,
    NodeId,
)
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.time import format_instant
from comptoir.units.values import replace

PRIORITY = 0
"""It is drawn before what the customer has paid for."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The part of a month in which the same terms were in force, by one version or several."""

    from_ms: int
    until_ms: int
    terms: SlaTerms
    versions: tuple[ContractVersionId, ...]


def credit_breaches(tx: Transaction, tenant: Tenant, period: Period) -> None:
    """Work out and grant what is owed to a tenant for the broken guarantees of a period."""
    _give_back_billed(tx, tenant, period)
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        for stretch in _stretches(tx, contract, period):
            outages = list(_outages(tx, _broken(tx, tenant, stretch), stretch.terms))
            if stretch.terms.degraded_counts:
                outages += _degraded(tx, tenant, stretch)
            if not outages:
                continue
            credit = sla_credit(
                stretch.terms,
                outages,
                (stretch.from_ms, stretch.until_ms),
                _delivered_ms(tx, tenant, stretch),
                _charged_micros(tx, tenant, contract, period, stretch),
                contract.currency,
            )
            if credit.micros > 0:
                _grant(tx, contract, period, credit, stretch.terms)


def _stretches(tx: Transaction, contract: Contract, period: Period) -> list[_Stretch]:
    """When in a period a contract guaranteed what, in order of time."""
    found: list[_Stretch] = []
    acts = tx.book.contracts.acts_of.get(contract.id)
    for since, until, version in spans(tx.book.contracts.versions_of.get(contract.id), acts):
        start, end = max(since, period.starts_at_ms), min(until, period.ends_at_ms)
        if start >= end or version.body.sla is None:
            continue
        last = found[-1] if found else None
        if last is not None and (last.until_ms, last.terms) == (start, version.body.sla):
            versions = (*last.versions, version.id)
            found[-1] = _Stretch(last.from_ms, end, last.terms, versions)
        else:
            found.append(_Stretch(start, end, version.body.sla, (version.id,)))
    return found


def _broken(tx: Transaction, tenant: Tenant, stretch: _Stretch) -> list[tuple[Breach, int]]:
    """Broken guarantees of a tenant that reach into a stretch, each with its end so far."""
    found = []
    for breach in _breaches(tx, tenant, stretch.from_ms, stretch.until_ms):
        until = breach.until(tx.now_ms) if breach.open else breach.broken_until_ms or 0
        if breach.dead_from_ms < stretch.until_ms and until > stretch.from_ms:
            found.append((breach, until))
    return found


def _breaches(tx: Transaction, tenant: Tenant, from_ms: int, until_ms: int) -> list[Breach]:
    """Those of a tenant that may reach into a time, in order."""
    rows = {row.id: row for row in tx.store.find_breaches(tenant.id, from_ms, until_ms)}
    rows |= {b.id: b for b in tx.book.breaches if b.tenant_id == tenant.id}
    return sorted(rows.values(), key=lambda b: (b.broken_from_ms, b.id))


def _give_back_billed(tx: Transaction, tenant: Tenant, period: Period) -> None:
    """What was billed after failures that became known in a period, at what it cost."""
    for breach in _breaches(tx, tenant, period.starts_at_ms, period.ends_at_ms):
        known = period.starts_at_ms <= breach.broken_from_ms < period.ends_at_ms
        window = (breach.dead_from_ms, breach.broken_from_ms)
        lease = tx.book.leases.get(breach.lease_id) or tx.store.find("lease", (breach.lease_id,))
        if not known or not breach.billed_accelerator_ms or not isinstance(lease, Lease):
            continue
        node = node_of(tx, breach.node_id)
        part = replace(lease, kind=breach.kind, accelerators=breach.accelerators)
        site = "" if node is None else node.site
        priced = price_of(tx.book, part, window[0], site)
        if priced is None or priced.rate.measure is not Measure.DELIVERED:
            continue  # time that nothing was measured in was not billed
        currency = currency_at(tx.book, tenant.id, window[0])
        cost = _saved(tx, part, window[0], site, breach.billed_accelerator_ms)
        if cost is None:
            cost = estimate_of(tx.book, part, window, site) or 0
        lasted_ms = window[1] - window[0]
        asked_ms = lasted_ms - within(_voided(tx, breach), window)
        micros = round_to_minor_micros(cost * asked_ms // lasted_ms, currency)
        if micros <= 0:
            continue
        words = (
            f"{breach.accelerators:,} accelerators of {breach.node_id} were dead from "
            f"{format_instant(window[0])} to {format_instant(window[1])} and billed: "
            f"{breach.billed_accelerator_ms:,} accelerator-ms ({breach.id})",
        )
        block = _put(tx, tenant, None, currency, micros, period, words)
        tx.emit(
            "credit.billed_while_down", block.id, tenant.id, period=period.name,
            micros=str(micros), currency=currency, breach=breach.id,
            billed_accelerator_ms=breach.billed_accelerator_ms, because=list(words),
        )  # fmt: skip


def _voided(tx: Transaction, breach: Breach) -> list[tuple[int, int]]:
    """When the lease of a breach was billed by invoices that are void: they give all of it back."""
    spans = [*tx.store.find_voided(breach.lease_id)]
    spans += [
        (one.first_at_ms, one.last_at_ms)
        for one in voided_now(tx)
        if (one.lease_id, one.measure) == (breach.lease_id, Measure.DELIVERED)
    ]
    return spans


def _saved(tx: Transaction, lease: Lease, at_ms: int, site: str, billed_ms: int) -> int | None:
    """What the month would have cost less without so much, exactly; None: its price has no tiers.

    Totals do not depend on the order of use, so it is the last that was used.
    """
    segment = segment_of(tx.book, lease.tenant_id, item_of_lease(lease, site), at_ms)
    if not segment.tiered:
        return None
    used = tx.book.money.tier_uses.get(tier_key(lease.tenant_id, segment))
    rest = max((used.accelerator_ms if used else 0) - billed_ms, 0)
    return sum(
        part * segment.prices[tier] for tier, part in spread(segment.bounds, rest, billed_ms)
    )


def _outages(
    tx: Transaction, broken: list[tuple[Breach, int]], terms: SlaTerms
) -> Iterator[Outage]:
    stood: dict[LeaseId, list[Allocation]] = {}
    for breach, until_ms in broken:
        rack, beside = breach.node_id, 0
        if terms.unit is SlaUnit.RACK:
            if breach.lease_id not in stood:
                stood[breach.lease_id] = handed_over(tx, breach.lease_id)
            where = breach.node_id, breach.broken_from_ms
            rack, beside = _rack(tx, *where, stood[breach.lease_id])
        yield Outage(
            breach.id, breach.lease_id, breach.node_id, rack, breach.cause, breach.accelerators,
            breach.accelerators + beside, breach.gang_accelerators, breach.dead_from_ms,
            until_ms, breach.broken_from_ms,
        )  # fmt: skip


def _degraded(tx: Transaction, tenant: Tenant, stretch: _Stretch) -> Iterator[Outage]:
    """What was delivered on nodes while their checks said that they were degraded."""
    for held, (since_ms, until_ms) in held_degraded(tx, tenant, stretch.from_ms, stretch.until_ms):
        lease = tx.book.leases.get(held.lease_id) or tx.store.find("lease", (held.lease_id,))
        assert isinstance(lease, Lease)
        if not guaranteed(lease):
            continue
        rack, beside, count = held.node_id, 0, len(held.accelerators)
        if stretch.terms.unit is SlaUnit.RACK:
            rack, beside = _rack(tx, held.node_id, since_ms, handed_over(tx, lease.id))
        name = BreachId(f"{held.node_id} degraded")
        yield Outage(
            name, lease.id, held.node_id, rack, None, count, count + beside, lease.accelerators,
            since_ms, until_ms,
        )  # fmt: skip


def _rack(
    tx: Transaction, node_id: NodeId, at_ms: int, stood: list[Allocation]
) -> tuple[NodeId, int]:
    """The rack of a node, named by a node of it, and what else of its lease was delivered in it
    at an instant."""
    node = node_of(tx, node_id)
    beside, first = 0, node_id
    for one in stood:
        since, until = one.delivered_from_ms or 0, one.delivered_until_ms
        other = node_of(tx, one.node_id)
        if node is None or other is None or _place(other) != _place(node):
            continue
        first = min(first, one.node_id)
        if one.node_id != node_id and since <= at_ms and (until is None or until >= at_ms):
            beside += len(one.accelerators)
    return first, beside


def _place(node: Node) -> tuple[str, ...]:
    return node.site, node.cluster, node.pod, node.rack


def node_of(tx: Transaction, node_id: NodeId) -> Node | None:
    """A node, also one that has left."""
    found = tx.book.nodes.get(node_id) or tx.store.find("node", (node_id,))
    assert found is None or isinstance(found, Node)
    return found


def handed_over(tx: Transaction, lease_id: LeaseId) -> list[Allocation]:
    """Every allocation of a lease that was delivered, whatever became of it."""
    rows = {one.id: one for one in tx.store.find_allocations(lease_id)}
    rows |= {one.id: one for one in tx.book.allocations_of(lease_id)}
    return [one for one in rows.values() if one.delivered_from_ms is not None]


def _delivered_ms(tx: Transaction, tenant: Tenant, stretch: _Stretch) -> int:
    """Accelerator-milliseconds that guaranteed leases were delivered, whatever their rate bills."""
    total = tx.store.find_delivered(tenant.id, stretch.from_ms, stretch.until_ms)
    for lease in tx.book.leases_by_tenant.each(tenant.id):
        if not guaranteed(lease):
            continue
        for one in tx.book.allocations_of(lease.id):
            if one.delivered_from_ms is not None:
                since = max(one.delivered_from_ms, stretch.from_ms)
                held_ms = one.billable_until(stretch.until_ms) - since
                total += max(held_ms, 0) * len(one.accelerators)
    return total


def _charged_micros(
    tx: Transaction, tenant: Tenant, contract: Contract, period: Period, stretch: _Stretch
) -> int:
    """What guaranteed leases were charged under the contract for what they used then, to the
    minor unit: in whatever invoice it stands, and before credit is drawn."""
    window = stretch.from_ms, stretch.until_ms
    total = tx.store.find_charged(tenant.id, stretch.versions, *window)
    signed = [(one, 1) for one in _unsettled(tx, tenant, period)]
    signed += [(one, -1) for one in voided_now(tx) if one.tenant_id == tenant.id]
    for accrual, sign in signed:
        if (
            accrual.contract_version_id in stretch.versions
            and accrual.lease_class is not LeaseClass.SPOT
            and window[0] <= accrual.first_at_ms < window[1]
        ):
            total += sign * accrual.posted_micros
    return round_to_minor_micros(total * NUMERATOR_PER_MICRO, contract.currency)


def _unsettled(tx: Transaction, tenant: Tenant, period: Period) -> Iterator[Accrual]:
    """Accruals that are not billed, or not before this commit."""
    yield from tx.book.money.open_accruals_by_tenant.each(tenant.id)
    for draft in tx.book.closing.drafts_of.get((tenant.id, period.id)):
        yield from tx.book.closing.billed.each(draft.id)
    for invoice in tx.book.journal.appended_since((0, 0), "invoice"):
        yield from tx.book.closing.billed.each(invoice.id)


def _grant(
    tx: Transaction, contract: Contract, period: Period, credit: SlaCredit, terms: SlaTerms
) -> None:
    assert contract.tenant_id is not None, "only what is sold guarantees anything"
    words = explained(credit, terms)
    tenant = tx.book.tenants[contract.tenant_id]
    block = _put(tx, tenant, contract.id, contract.currency, credit.micros, period, words)
    tx.emit(
        "credit.sla",
        block.id,
        contract.tenant_id,
        period=period.name,
        contract=contract.id,
        micros=str(credit.micros),
        currency=contract.currency,
        promised_accelerator_ms=credit.promised_ms,
        broken_accelerator_ms=credit.broken_ms,
        down_accelerator_ms=credit.down_ms,
        breaches=sorted({id for down in credit.downs for id in down.breaches}),
        because=list(words),
    )


def _put(
    tx: Transaction,
    tenant: Tenant,
    contract_id: ContractId | None,
    currency: str,
    micros: int,
    period: Period,
    words: tuple[str, ...],
) -> CreditBlock:
    return tx.book.contracts.credit_blocks.put(
        CreditBlock(
            CreditBlockId(tx.new_id("cb")), tenant.id, contract_id, None,
            CreditSource.SLA_CREDIT, currency, micros, 0, 0, period.starts_at_ms, None, PRIORITY,
            EVERYTHING, words, BlockState.OPEN, tx.now_ms,
        )
    )  # fmt: skip
