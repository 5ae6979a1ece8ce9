"""What a tranche that is accepted late leaves of the commitments that wait for it.

A step that is over by then falls away, and so does what was to be paid ahead for it. A postpaid
step that runs begins at the acceptance, at its share of time: what is used before does not count
towards it. A prepaid one is paid and granted whole, to be drawn until it ends. Both directions
are the same. Neighbours: `tranches` says when one was accepted, `contracts` what binds.
"""

from dataclasses import replace

from comptoir.sales.commitments import AccessStep, Commitment, CommitmentType, Instalment


def begin(commitment: Commitment, accepted_ms: int) -> Commitment | None:
    """A commitment as it binds from the acceptance of its tranche on; None: all of it was over."""
    kept = [begin_step(commitment.type, step, accepted_ms) for step in commitment.access]
    access = tuple(step for step in kept if step is not None)
    if access == commitment.access:
        return commitment
    if not access:
        return None
    gone = commitment.micros - sum(step.micros for step in access)
    return replace(commitment, access=access, invoices=_less(commitment.invoices, gone))


def begin_step(type: CommitmentType, step: AccessStep, accepted_ms: int) -> AccessStep | None:
    """A step as its tranche's acceptance leaves it: whole, at its share of time, or not at all."""
    if accepted_ms >= step.until_ms:
        return None
    if accepted_ms <= step.from_ms or type is CommitmentType.PREPAID:
        return step
    share = step.micros * (step.until_ms - accepted_ms) // (step.until_ms - step.from_ms)
    return AccessStep(accepted_ms, step.until_ms, share)


def _less(invoices: tuple[Instalment, ...], micros: int) -> tuple[Instalment, ...]:
    """Instalments without so much of them, taken off the first to come."""
    found = []
    for one in sorted(invoices, key=lambda each: (each.at_ms, each.micros)):
        taken = min(micros, one.micros)
        micros -= taken
        if taken < one.micros:
            found.append(Instalment(one.at_ms, one.micros - taken))
    return tuple(found)
