"""Commitments: money or accelerator time that one side has promised to take.

Prepaid: paid by its invoice schedule, and drawn as credit over its access schedule; what is left
of a step when it ends expires, or part of it rolls over. Postpaid: nothing is paid ahead; what
was not spent in a step by its end is owed as a true-up. Both are the same whether we sell or
buy. Invariant: the two schedules sum to the same amount.

A quantity is money at a price that is fixed for it: accelerator-hours times price, exactly. So
everything after the file counts micros, and a quantity is told in hours again when it is shown.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.sales.credit_blocks import (
    EVERYTHING,
    BlockState,
    Covers,
    CreditBlock,
    CreditSource,
)
from comptoir.units.errors import Invalid
from comptoir.units.ids import CommitmentId, ContractId, CreditBlockId, TenantId
from comptoir.units.money import MICROS_PER_UNIT, NANOS_PER_UNIT, format_minor
from comptoir.units.time import format_instant

NANOS_PER_MICRO = NANOS_PER_UNIT // MICROS_PER_UNIT


class CommitmentType(StrEnum):
    """Whether it is paid before it is used, or made up for after."""

    PREPAID = "prepaid"
    POSTPAID = "postpaid"


class CommitmentUnit(StrEnum):
    """What was promised: money, or accelerator-hours at a fixed price."""

    SPEND = "spend"
    QUANTITY = "quantity"


@dataclass(frozen=True, slots=True)
class AccessStep:
    """What may be drawn, or must be spent, in [`from_ms`, `until_ms`)."""

    from_ms: int
    until_ms: int
    micros: int


@dataclass(frozen=True, slots=True)
class Instalment:
    """What is invoiced at an instant."""

    at_ms: int
    micros: int


@dataclass(frozen=True, slots=True)
class Commitment:
    """A promise of a contract, known by its name in every version.

    `price_nanos` is a quantity's price per accelerator-hour. With a `tranche` it lives only
    once that is accepted. `rollover_ppm` of what expires lives on for `rollover_s`.
    """

    name: str
    type: CommitmentType
    unit: CommitmentUnit
    access: tuple[AccessStep, ...]
    invoices: tuple[Instalment, ...]
    covers: Covers = EVERYTHING
    priority: int = 100
    rollover_ppm: int = 0
    rollover_s: int = 0
    price_nanos: int | None = None
    tranche: str = ""

    @property
    def micros(self) -> int:
        """All of it."""
        return sum(step.micros for step in self.access)

    @property
    def from_ms(self) -> int:
        """When its first step begins."""
        return min(step.from_ms for step in self.access)

    @property
    def until_ms(self) -> int:
        """When its last step ends."""
        return max(step.until_ms for step in self.access)

    def accelerator_hours(self, micros: int) -> int | None:
        """Whole accelerator-hours that an amount of a quantity is; None of a spend."""
        if not self.price_nanos:
            return None
        return micros * NANOS_PER_MICRO // self.price_nanos


def commitment_id(contract_id: ContractId, name: str) -> CommitmentId:
    """The id of a commitment: its contract's and its name, so that versions share it."""
    return CommitmentId(f"{contract_id}/{name}")


def check_schedules(commitment: Commitment, currency: str) -> Commitment:
    """The commitment itself if its schedules are sound.

    Raises:
        Invalid: `schedules_do_not_sum`; `bad_schedule`: steps that overlap or end before they
            begin, or a quantity that is no whole number of micros.
    """
    invoiced = sum(one.micros for one in commitment.invoices)
    if invoiced != commitment.micros:
        more = "more" if invoiced > commitment.micros else "less"
        given, owed = format_minor(commitment.micros, currency), format_minor(invoiced, currency)
        apart = format_minor(abs(invoiced - commitment.micros), currency)
        raise Invalid(
            "schedules_do_not_sum",
            f"{commitment.name}: access sums to {given} {currency}, invoices to {owed}, "
            f"{apart} {more}",
            "mend either schedule",
            {"access": given, "invoices": owed, "difference": apart, "currency": currency},
        )
    before = None
    for step in commitment.access:
        if step.until_ms <= step.from_ms or (before is not None and step.from_ms < before):
            raise Invalid(
                "bad_schedule",
                f"{commitment.name}: the step from {format_instant(step.from_ms)} to "
                f"{format_instant(step.until_ms)} ends too early or overlaps the one before",
                "write the steps in order of time, each after the one before",
            )
        before = step.until_ms
    return commitment


def block_of(
    block_id: CreditBlockId,
    tenant_id: TenantId,
    contract_id: ContractId,
    commitment: Commitment,
    step: AccessStep,
    currency: str,
    now_ms: int,
) -> CreditBlock:
    """The credit block that a step of a prepaid commitment is."""
    return CreditBlock(
        id=block_id,
        tenant_id=tenant_id,
        contract_id=contract_id,
        commitment_id=commitment_id(contract_id, commitment.name),
        source=CreditSource.COMMITMENT,
        currency=currency,
        granted_micros=step.micros,
        drawn_micros=0,
        expired_micros=0,
        from_ms=step.from_ms,
        until_ms=step.until_ms,
        priority=commitment.priority,
        covers=commitment.covers,
        conditions=(),
        state=BlockState.OPEN,
        created_at_ms=now_ms,
        rollover_ppm=commitment.rollover_ppm,
        rollover_s=commitment.rollover_s,
    )


@dataclass(frozen=True, slots=True)
class InstalmentDue:
    """An instalment of a commitment whose date has come, with a key that is its own for ever."""

    key: str
    commitment_id: CommitmentId
    commitment: str
    at_ms: int
    micros: int


def instalments_due(
    contract_id: ContractId, commitments: Iterable[Commitment], from_ms: int, until_ms: int
) -> list[InstalmentDue]:
    """The prepaid instalments that are to be invoiced in [`from_ms`, `until_ms`), by date.

    A period's close calls it with the commitments of the version in force at the period's end
    (`contracts.commitments_alive` leaves out those whose tranche was not accepted) and puts a
    line on the invoice for each: Dr receivable Cr deferred_revenue. `key` tells an instalment
    from every other, so that none is invoiced twice.

    Args:
        contract_id: Whose they are.
        commitments: Of one version.
        from_ms: The start of the period; of the first period, 0.
        until_ms: Its end.
    """
    due = [
        InstalmentDue(
            f"{contract_id}/{commitment.name}/{instalment.at_ms}/{at}",
            commitment_id(contract_id, commitment.name),
            commitment.name,
            instalment.at_ms,
            instalment.micros,
        )
        for commitment in commitments
        if commitment.type is CommitmentType.PREPAID
        for at, instalment in _numbered(commitment)
        if from_ms <= instalment.at_ms < until_ms
    ]
    return sorted(due, key=lambda one: (one.at_ms, one.key))


def _numbered(commitment: Commitment) -> list[tuple[int, Instalment]]:
    """Instalments with their number among those of one date: a version may tell them otherwise."""
    seen: Counter[int] = Counter()
    found = []
    for instalment in sorted(commitment.invoices, key=lambda one: (one.at_ms, one.micros)):
        found.append((seen[instalment.at_ms], instalment))
        seen[instalment.at_ms] += 1
    return found
