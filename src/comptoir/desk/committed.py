"""What counts towards postpaid commitments: steps as contracts promise them, charge by charge.

A step is kept from the approval of its version on, so no usage lies in it before it is counted;
late usage is counted in the step in which it was used, whenever it comes. Neighbours:
`charging.py` makes the charges, `operations/money/agreed_lines.py` asks what is short.
"""

from comptoir.desk.contracts import newest_approved
from comptoir.desk.transaction import Transaction
from comptoir.metering.usage import UsageEvent
from comptoir.pricing.charges import PricedPiece
from comptoir.sales.committed_steps import as_promised, counted, steps_promised
from comptoir.sales.contracts import Contract
from comptoir.units.errors import invariant
from comptoir.units.values import replace

MOST_KEPT = 50_000
"""Segments of which is known in which steps they lie, at most."""


def keep_steps(tx: Transaction, contract: Contract) -> None:
    """Keep the steps that the newest version promises, as an exit leaves them."""
    version, book = newest_approved(tx.book, contract), tx.book.contracts
    if version is None:
        return
    acts = book.acts_of.get(contract.id)
    wanted = {one.key: one for one in steps_promised(contract, version, acts, tx.now_ms)}
    for known in book.steps_under.get(contract.id):
        if known.key not in wanted and not known.settled and not known.released:
            book.steps.put(replace(known, released=True))
    for key, promised in wanted.items():
        before = book.steps.get(key)
        after = promised if before is None else as_promised(before, promised)
        if after != before and not (before and before.settled):
            book.steps.put(after)


def count_towards_steps(
    tx: Transaction, event: UsageEvent, piece: PricedPiece, currency: str
) -> None:
    """Count a charge in the steps that it lies in and that cover it."""
    segment = piece.segment
    key = event.tenant_id, event.kind, event.lease_class, event.site, segment.starts_at_ms
    kept = tx.book.contracts.steps_kept
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        found = kept[key] = tuple(
            step.key
            for step in tx.book.contracts.steps_of.each(event.tenant_id)
            if step.touches(segment.starts_at_ms, segment.ends_at_ms)
            and step.covers.holds(event.kind, event.lease_class, event.site)
        )
    for step_key in found:
        step = tx.book.contracts.steps[step_key]
        invariant(
            step.holds(piece.starts_at_ms, piece.ends_at_ms),
            f"a charge from {piece.starts_at_ms} to {piece.ends_at_ms} straddles step {step.key}",
        )
        if step.currency == currency:
            tx.book.contracts.steps.put(counted(step, piece.numerator))
