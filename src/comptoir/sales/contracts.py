"""Contracts: one model for what we sell and for what we buy, in numbered immutable versions.

A version says everything anew: prices, ramps, commitments, tranches, options, SLA. It is
proposed by one person and approved by another, takes effect at its date, and then stands until
a newer one takes effect, the contract ends, or an exit does. Invariants: an approved version is
never edited; no version changes what has begun, been used or been invoiced before it takes
effect; at most one sold contract of a tenant is in force at an instant.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.sales.commitments import Commitment
from comptoir.sales.late_starts import begin
from comptoir.sales.sla_terms import SlaTerms
from comptoir.sales.tranches import (
    ActType,
    ContractAct,
    ExitRight,
    Expansion,
    MoveClause,
    RecallClause,
    Tranche,
    standing,
)
from comptoir.units.ids import (
    ContractId,
    ContractVersionId,
    LegalEntityId,
    TenantId,
    UserId,
)
from comptoir.units.time import format_instant
from comptoir.units.values import Term


class Direction(Term):
    """Whether the house sells under it, or buys."""

    SOLD = "sold"
    BOUGHT = "bought"


class VersionState(Term):
    """A proposed version binds nobody until somebody else approves it."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class ContractState(Term):
    """Where a contract stands at an instant."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    """Approved, and not yet in force."""
    IN_FORCE = "in_force"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class AgreedPrice:
    """Another price than the rate card's, or a factor on it, over a window; None fits anything.

    Exactly one of `price_nanos` and `factor_ppm` is set.
    """

    kind: str | None
    lease_class: LeaseClass | None
    site: str | None
    term: LeaseTerm | None
    from_ms: int
    until_ms: int
    price_nanos: int | None
    factor_ppm: int | None


@dataclass(frozen=True, slots=True)
class ContractBody:
    """All that a version says. A ramp's phases are prices, one after the other."""

    prices: tuple[AgreedPrice, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    tranches: tuple[Tranche, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    exit: ExitRight | None = None
    recall: RecallClause | None = None
    sla: SlaTerms | None = None
    inbound: tuple[str, ...] = ()
    payment_days: int | None = None
    """After how many days what is asked under it is due; None: as the legal entity has it."""
    move: MoveClause | None = None

    def tranche(self, name: str) -> Tranche | None:
        """A tranche by its name."""
        return next((one for one in self.tranches if one.name == name), None)

    def commitment(self, name: str) -> Commitment | None:
        """A commitment by its name."""
        return next((one for one in self.commitments if one.name == name), None)


@dataclass(frozen=True, slots=True)
class ContractFile:
    """A contract file, read: with whom, when, and what; its dates began in `zone`."""

    number: str
    direction: Direction
    party: str
    entity: str
    currency: str
    effective_from_ms: int
    until_ms: int
    body: ContractBody
    text: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Contract:
    """What stays the same over all versions. A bought one has a partner, a sold one a tenant."""

    id: ContractId
    number: str
    direction: Direction
    tenant_id: TenantId | None
    partner: str
    entity_id: LegalEntityId
    currency: str
    created_by: UserId
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class ContractVersion:
    """One numbered version; `text` is the file that was proposed, word for word."""

    id: ContractVersionId
    contract_id: ContractId
    number: int
    effective_from_ms: int
    until_ms: int
    state: VersionState
    proposed_by: UserId
    proposed_at_ms: int
    approved_by: UserId | None
    approved_at_ms: int | None
    text_sha256: str
    text: str
    body: ContractBody


def prices_of(body: ContractBody) -> list[AgreedPrice]:
    """Every price of a version; of two that name as much, the later one wins.

    A quantity is promised at a price, so while it runs its usage has that price.
    """
    found = list(body.prices)
    for commitment in body.commitments:
        if commitment.price_nanos is None:
            continue
        covers = commitment.covers
        found += [
            AgreedPrice(
                kind, lease_class, site, None, commitment.from_ms, commitment.until_ms,
                commitment.price_nanos, None,
            )
            for kind in covers.kinds or (None,)
            for lease_class in covers.lease_classes or (None,)
            for site in covers.sites or (None,)
        ]  # fmt: skip
    return found


def in_force(
    versions: Iterable[ContractVersion], acts: Iterable[ContractAct], instant_ms: int
) -> ContractVersion | None:
    """The version of a contract that is in force at an instant: the newest that has begun."""
    begun = [
        version
        for version in versions
        if version.state is VersionState.APPROVED and version.effective_from_ms <= instant_ms
    ]
    newest = max(begun, key=lambda version: version.number, default=None)
    if newest is None or instant_ms >= end_of(newest, acts):
        return None
    return newest


def end_of(version: ContractVersion, acts: Iterable[ContractAct]) -> int:
    """When a contract ends under a version: its date, or sooner by notice."""
    exits = [act.effective_at_ms for act in acts if act.type is ActType.EXIT]
    return min([version.until_ms, *exits])


def spans(
    versions: Iterable[ContractVersion], acts: Sequence[ContractAct]
) -> list[tuple[int, int, ContractVersion]]:
    """When each approved version is in force, in order of time: (from, until, version).

    A newer version that takes effect before an older one leaves it no time at all.
    """
    approved = sorted(
        (version for version in versions if version.state is VersionState.APPROVED),
        key=lambda version: version.number,
    )
    found: list[tuple[int, int, ContractVersion]] = []
    for version in approved:
        start, end = version.effective_from_ms, end_of(version, acts)
        kept = [(since, min(until, start), older) for since, until, older in found if since < start]
        found = [*kept, (start, end, version)] if start < end else kept
    return found


def state_of(
    versions: Sequence[ContractVersion], acts: Sequence[ContractAct], instant_ms: int
) -> ContractState:
    """Where a contract stands at an instant."""
    found = spans(versions, acts)
    if not found:
        approved = any(version.state is VersionState.APPROVED for version in versions)
        return ContractState.ENDED if approved else ContractState.PROPOSED
    if instant_ms >= found[-1][1]:
        return ContractState.ENDED
    if instant_ms < found[0][0]:
        return ContractState.AGREED
    return ContractState.IN_FORCE


def commitments_alive(
    body: ContractBody, acts: Sequence[ContractAct], instant_ms: int
) -> list[Commitment]:
    """The commitments of a version that bind at an instant: those of no tranche, and those
    whose tranche is accepted by then, with what is left of them where that was late."""
    accepted = accepted_at(body, acts, instant_ms)
    found = []
    for one in body.commitments:
        binds: Commitment | None = one
        if one.tranche:
            at_ms = accepted.get(one.tranche)
            binds = None if at_ms is None else begin(one, at_ms)
        if binds is not None:
            found.append(binds)
    return found


def accepted_at(body: ContractBody, acts: Sequence[ContractAct], instant_ms: int) -> dict[str, int]:
    """The tranches of a version that are accepted by an instant, each with when."""
    found = {}
    for tranche in body.tranches:
        at_ms = standing(tranche, acts, instant_ms).accepted_at_ms
        if at_ms is not None:
            found[tranche.name] = at_ms
    return found


def past_changes(old: ContractBody | None, new: ContractBody, from_ms: int) -> list[str]:
    """What begins before a version takes effect, `from_ms`, and was not said so before.

    Prices are not looked at: a version prices nothing before it takes effect. A first version
    (`old` is None) has no past to keep; an instalment of it may be due before it begins.

    Returns:
        One sentence a difference, with its date; empty where the past stays as it was.
    """
    said: list[str] = []
    for mine in old.commitments if old else ():
        said += _changed(mine, new.commitment(mine.name), from_ms)
    for theirs in new.commitments:
        said += _added(old.commitment(theirs.name) if old else None, theirs, from_ms, old is None)
    kept = new.tranches
    said += [
        f"tranche {one.name}, due {format_instant(one.delivery_at_ms)}"
        for one in (old.tranches if old else ())
        if one.delivery_at_ms < from_ms and one not in kept
    ]
    known = {one.name for one in old.tranches} if old else set()
    options = {one.name for one in old.expansions} if old else set()
    said += [
        f"a new expansion {one.name}, to be exercised by {format_instant(one.exercise_by_ms)}"
        for one in new.expansions
        if one.exercise_by_ms <= from_ms and one.name not in options
    ]
    said += [
        f"a new tranche {one.name}, due {format_instant(one.delivery_at_ms)}"
        for one in new.tranches
        if one.delivery_at_ms < from_ms and one.name not in known
    ]
    return said


def _changed(mine: Commitment, other: Commitment | None, from_ms: int) -> list[str]:
    """What of a commitment had begun, and is gone or reads otherwise."""
    steps = other.access if other else ()
    said = [
        f"{mine.name}: the step that began {format_instant(step.from_ms)}"
        for step in mine.access
        if step.from_ms < from_ms and step not in steps
    ]
    gone = Counter(mine.invoices) - Counter(other.invoices if other else ())
    said += [
        f"{mine.name}: the instalment of {format_instant(one.at_ms)}"
        for one in gone.elements()
        if one.at_ms < from_ms
    ]
    if mine.from_ms < from_ms and other is not None and _kept(mine) != _kept(other):
        said.append(f"{mine.name}: what it is for, since {format_instant(mine.from_ms)}")
    return said


def _added(before: Commitment | None, theirs: Commitment, from_ms: int, first: bool) -> list[str]:
    """What of a commitment would begin in the past."""
    known = before.access if before else ()
    said = [
        f"{theirs.name}: a new step from {format_instant(step.from_ms)}"
        for step in theirs.access
        if step.from_ms < from_ms and step not in known
    ]
    if not first:
        new = Counter(theirs.invoices) - Counter(before.invoices if before else ())
        said += [
            f"{theirs.name}: a new instalment of {format_instant(one.at_ms)}"
            for one in new.elements()
            if one.at_ms < from_ms
        ]
    return said


def _kept(commitment: Commitment) -> tuple[object, ...]:
    """What of a commitment stays once it has begun."""
    return (
        commitment.type,
        commitment.unit,
        commitment.covers,
        commitment.price_nanos,
        commitment.tranche,
    )
