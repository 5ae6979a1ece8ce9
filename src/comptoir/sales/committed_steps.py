"""Steps of sold postpaid commitments: what was promised in each, what was used, what was asked.

A step counts the exact price of the usage that lies in it, charge by charge as it is booked; usage
is cut at its edges when it is priced, so every charge lies wholly in it or out of it. What is short
at its end is asked once, as a true-up; usage that turns up later is taken off what was asked. An
early exit ends the step that runs, at its share of time, and releases those after it.
Neighbours: `commitments` (what the contract says), the desk's `committed.py` (who counts).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from comptoir.sales.commitments import AccessStep, CommitmentType, commitment_id
from comptoir.sales.contracts import Contract, ContractVersion, accepted_at
from comptoir.sales.credit_blocks import Covers
from comptoir.sales.exits import cut_step
from comptoir.sales.late_starts import begin_step
from comptoir.sales.tranches import ContractAct, exit_at
from comptoir.units.ids import ContractId, TenantId
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.values import quick, replace


@quick
@dataclass(frozen=True, slots=True)
class CommittedStep:
    """What a tenant promised to spend in [`from_ms`, `until_ms`), and what counts towards it.

    `numerator` is the exact price of its usage before credit is drawn (see `units.money`);
    `asked_micros` what true-ups ask for it, less what late usage took back. One that is
    `released` was dropped before it began, or lies after an exit.
    """

    key: str
    contract_id: ContractId
    tenant_id: TenantId
    commitment: str
    currency: str
    covers: Covers
    from_ms: int
    until_ms: int
    committed_micros: int
    numerator: int = 0
    asked_micros: int = 0
    settled: bool = False
    released: bool = False

    def holds(self, starts_at_ms: int, ends_at_ms: int) -> bool:
        """Whether usage over [`starts_at_ms`, `ends_at_ms`) lies wholly in it."""
        return self.from_ms <= starts_at_ms and ends_at_ms <= self.until_ms

    def touches(self, starts_at_ms: int, ends_at_ms: int) -> bool:
        """Whether some of that time lies in it."""
        return starts_at_ms < self.until_ms and self.from_ms < ends_at_ms


def steps_promised(
    contract: Contract, version: ContractVersion, acts: Sequence[ContractAct], now_ms: int
) -> list[CommittedStep]:
    """The steps that a version of a sold contract promises: those of a tranche once that is
    accepted, from then on; ended by an exit if there is one."""
    if contract.tenant_id is None:
        return []
    ends_ms = exit_at(acts)
    accepted = accepted_at(version.body, acts, now_ms)
    return [
        CommittedStep(
            step_key(contract.id, one.name, step), contract.id, contract.tenant_id, one.name,
            contract.currency, one.covers, kept.from_ms, kept.until_ms, kept.micros,
        )
        for one in version.body.commitments
        if one.type is CommitmentType.POSTPAID and (not one.tranche or one.tranche in accepted)
        for step in one.access
        if (begun := begin_step(one.type, step, accepted.get(one.tranche, 0))) is not None
        and (kept := cut_step(begun, ends_ms)) is not None
    ]  # fmt: skip


def step_key(contract_id: ContractId, name: str, step: AccessStep) -> str:
    """The key of a step, its own for ever: by when it begins in the file, whenever it does."""
    return f"{commitment_id(contract_id, name)}/{step.from_ms}"


def as_promised(known: CommittedStep, promised: CommittedStep) -> CommittedStep:
    """A step that is kept count of, with what a newer version, an acceptance or an exit says
    of it; what was counted before it begins now does not count."""
    return replace(
        promised,
        numerator=known.numerator if promised.from_ms == known.from_ms else 0,
        asked_micros=known.asked_micros,
        settled=known.settled,
    )


def counted(step: CommittedStep, numerator: int) -> CommittedStep:
    """The step after a charge of it; a charge that is taken back is negative."""
    return replace(step, numerator=step.numerator + numerator)


def shortfall(step: CommittedStep) -> int:
    """Micros that were committed and not spent, in whole minor units, rounded once."""
    short = step.committed_micros * NUMERATOR_PER_MICRO - step.numerator
    return round_to_minor_micros(max(short, 0), step.currency)


def settle(step: CommittedStep, binds: bool) -> CommittedStep:
    """The step at its end, with its shortfall asked: nothing, where it did not bind."""
    return replace(step, settled=True, asked_micros=shortfall(step) if binds else 0)


def take_back_late(step: CommittedStep) -> CommittedStep:
    """A settled step whose true-up is what it would be, had late usage come in time."""
    return replace(step, asked_micros=min(step.asked_micros, shortfall(step)))
