"""What an early exit does to a contract's commitments, and what it costs.

A step that has not begun is released. The postpaid step that runs ends with the contract, at its
share of time; the prepaid one is paid for and drawn to its end. What was paid ahead for released
steps is given back. The fee is the contract's own, with its share of what is released.
Neighbours: `contracts` and `commitments`, which say what was agreed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from comptoir.sales.commitments import AccessStep, Commitment, CommitmentType, commitment_id
from comptoir.sales.contracts import Contract, ContractVersion, commitments_alive, in_force
from comptoir.sales.credit_blocks import PPM
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros


@dataclass(frozen=True, slots=True)
class ExitFee:
    """A part of what an exit costs: whole minor units. All have one key, the exit's for ever.

    `commitment` names what the share is of, `left_micros` how much of that was released; both
    are empty for the fee itself.
    """

    key: str
    at_ms: int
    micros: int
    commitment: str = ""
    left_micros: int = 0
    rest_ppm: int = 0


def exit_fees_due(
    contract: Contract,
    versions: Iterable[ContractVersion],
    acts: Sequence[ContractAct],
    until_ms: int,
) -> list[ExitFee]:
    """What an exit costs that has taken effect by an instant, part by part.

    It is the fee of the version under which the notice was given, and its share of what each of
    that version's commitments is released of, rounded once. Who closes a period puts a line on
    the invoice for each: Dr receivable Cr breakage. The key tells that they were asked.
    """
    for act in acts:
        if act.type is not ActType.EXIT or act.effective_at_ms > until_ms:
            continue
        before = [one for one in acts if one.type is not ActType.EXIT]
        version = in_force(versions, before, act.noted_at_ms)
        right = None if version is None else version.body.exit
        if version is None or right is None:
            continue
        alive = commitments_alive(version.body, before, act.effective_at_ms - 1)
        key, at_ms = f"{contract.id}/exit", act.effective_at_ms
        fees = [ExitFee(key, at_ms, right.fee_micros)]
        for one in alive:
            left = left_after_exit(one, at_ms)
            micros = _share_of(left, right.rest_ppm, contract.currency)
            fees.append(ExitFee(key, at_ms, micros, one.name, left, right.rest_ppm))
        return [fee for fee in fees if fee.micros]
    return []


def _share_of(micros: int, share_ppm: int, currency: str) -> int:
    """A share of an amount, rounded once to the currency's minor unit."""
    return round_to_minor_micros(micros * share_ppm * (NUMERATOR_PER_MICRO // PPM), currency)


def cut_step(step: AccessStep, ends_ms: int | None) -> AccessStep | None:
    """A step as an exit leaves it: whole, at its share of time, or not at all."""
    if ends_ms is None or step.until_ms <= ends_ms:
        return step
    if ends_ms <= step.from_ms:
        return None
    share = step.micros * (ends_ms - step.from_ms) // (step.until_ms - step.from_ms)
    return AccessStep(step.from_ms, ends_ms, share)


def kept_of(commitment: Commitment, ends_ms: int) -> Commitment | None:
    """A commitment as an exit leaves it, with what is asked of it before; None: all is released."""
    if commitment.type is CommitmentType.PREPAID:
        steps = [step for step in commitment.access if step.from_ms < ends_ms]
    else:
        cut = (cut_step(step, ends_ms) for step in commitment.access)
        steps = [step for step in cut if step is not None]
    due = tuple(one for one in commitment.invoices if one.at_ms < ends_ms)
    return replace(commitment, access=tuple(steps), invoices=due) if steps else None


def left_after_exit(commitment: Commitment, ends_ms: int) -> int:
    """Micros of a commitment that an exit releases.

    Of a prepaid one that is every step that has not begun: the one that runs was paid for and is
    drawn to its end.
    """
    if commitment.type is CommitmentType.PREPAID:
        return sum(step.micros for step in commitment.access if ends_ms <= step.from_ms)
    kept = (cut_step(step, ends_ms) for step in commitment.access)
    return commitment.micros - sum(step.micros for step in kept if step is not None)


def exit_settlements(
    contract: Contract, commitments: Iterable[Commitment], ends_ms: int
) -> list[tuple[str, str, int]]:
    """What is left to settle of prepaid commitments when an exit ends them.

    Steps that have begun are kept and paid for; what was asked before the exit for others is
    given back, and what was not asked of the kept ones is asked.

    Returns:
        (key that is its own for ever, commitment, micros), negative where it is given back.
    """
    found = []
    for one in commitments:
        if one.type is CommitmentType.PREPAID:
            kept = one.micros - left_after_exit(one, ends_ms)
            asked = sum(due.micros for due in one.invoices if due.at_ms < ends_ms)
            micros = _share_of(kept - asked, PPM, contract.currency)  # hours may cost less
            found.append((f"{commitment_id(contract.id, one.name)}/exit", one.name, micros))
    return found
