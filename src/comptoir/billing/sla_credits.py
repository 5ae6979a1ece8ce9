"""SLA credits: from broken guarantees and a contract's own terms to an amount, with the reason.

Nobody has to claim. The contract says what counts as one unit, how much of it must be healthy,
what is forgiven, and what a month's availability is worth; `leases/breaches.py` has what was
not delivered. Invariant: every accelerator-millisecond counted as down is named with the unit
and the breaches that brought it down, and no month is credited beyond its cap.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comptoir.leases.breaches import BreachCause
from comptoir.sales.sla_terms import SlaTerms, SlaUnit
from comptoir.units.ids import BreachId, LeaseId, NodeId
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.time import MS_PER_S, format_instant

PPM = 1_000_000
MOST_SAID = 20


@dataclass(frozen=True, slots=True)
class Outage:
    """One broken guarantee, with the sizes of what it stood in.

    `from_ms` and `until_ms` are the whole of it; the month clips it. What it was billed for,
    because the failure was known late, ends at `billed_until_ms`. `rack_accelerators` are the
    lease's in that rack, `gang_accelerators` all of the lease's. Without a `cause` the
    accelerators were delivered, and degraded.
    """

    breach_id: BreachId
    lease_id: LeaseId
    node_id: NodeId
    rack: str
    cause: BreachCause | None
    accelerators: int
    rack_accelerators: int
    gang_accelerators: int
    from_ms: int
    until_ms: int
    billed_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Down:
    """A unit that was down, over a time: what counts, and for which breaches."""

    unit: str
    accelerators: int
    from_ms: int
    until_ms: int
    breaches: tuple[BreachId, ...]

    @property
    def accelerator_ms(self) -> int:
        """What counts as undelivered."""
        return self.accelerators * (self.until_ms - self.from_ms)


@dataclass(frozen=True, slots=True)
class SlaCredit:
    """What a month's availability was, what it is worth, and why.

    `window` is the part of the month in which the terms were in force. `promised_ms` and
    `down_ms` are accelerator-milliseconds by the contract's unit, `broken_ms` those that were
    really not delivered.
    """

    window: tuple[int, int]
    promised_ms: int
    broken_ms: int
    down_ms: int
    available_ppm: int
    credit_ppm: int
    charges_micros: int
    micros: int
    downs: tuple[Down, ...]


def sla_credit(
    terms: SlaTerms,
    outages: Iterable[Outage],
    month: tuple[int, int],
    delivered_ms: int,
    charges_micros: int,
    currency: str,
) -> SlaCredit:
    """What a month is credited under an SLA.

    Args:
        terms: The contract's.
        outages: Of its guaranteed leases, those that reach into the month, whole: whether one
            was made good in time does not depend on where a month ends.
        month: [start, end) in milliseconds: the month, or what of it the terms were in force.
        delivered_ms: Accelerator-milliseconds that were delivered, or billed as such, in it.
        charges_micros: What it is charged.
        currency: Of the charges; the credit is whole minor units.
    """
    counted = _counted(terms, outages)
    downs = _downs(terms, counted, month)
    broken = sum(
        one.accelerators
        * max(min(one.until_ms, month[1]) - max(one.from_ms, one.billed_until_ms, month[0]), 0)
        for one in counted
        if one.cause is not None
    )
    promised = delivered_ms + broken
    down = min(sum(one.accelerator_ms for one in downs), promised)
    available = PPM if not promised else (promised - down) * PPM // promised
    share = terms.credit_ppm(available)
    exact = charges_micros * share * NUMERATOR_PER_MICRO // PPM
    micros = round_to_minor_micros(exact, currency)
    return SlaCredit(month, promised, broken, down, available, share, charges_micros, micros, downs)


def _counted(terms: SlaTerms, outages: Iterable[Outage]) -> list[Outage]:
    """Those that are neither excluded nor made good in time by one of the spares agreed on.

    While as many nodes of a lease as there are spares are out and made good in time, a further
    one counts from its first instant.
    """
    found = []
    made_good: dict[LeaseId, list[int]] = defaultdict(list)
    for outage in sorted(outages, key=lambda one: (one.from_ms, one.breach_id)):
        if outage.cause in terms.exclusions:
            continue
        ends = made_good[outage.lease_id]
        out = sum(until_ms > outage.from_ms for until_ms in ends)
        in_time = outage.until_ms - outage.from_ms <= terms.replace_within_s * MS_PER_S
        if in_time and (not terms.spares or out < terms.spares):
            ends.append(outage.until_ms)
        else:
            found.append(outage)
    return found


def _unit(terms: SlaTerms, outage: Outage) -> tuple[str, int]:
    """The unit that an outage is in, and how many accelerators it has."""
    match terms.unit:
        case SlaUnit.ACCELERATOR:
            return f"{outage.accelerators} accelerators of {outage.node_id}", outage.accelerators
        case SlaUnit.NODE:
            return f"node {outage.node_id} of {outage.lease_id}", outage.accelerators
        case SlaUnit.RACK:
            return f"rack {outage.rack} of {outage.lease_id}", outage.rack_accelerators
        case SlaUnit.GANG:
            return f"all of {outage.lease_id}", outage.gang_accelerators


def _downs(terms: SlaTerms, outages: Sequence[Outage], month: tuple[int, int]) -> tuple[Down, ...]:
    """Units whose healthy part was below the minimum, and while it was."""
    by_unit: dict[tuple[str, str], list[Outage]] = defaultdict(list)
    sizes: dict[tuple[str, str], int] = {}
    for outage in outages:
        name, size = _unit(terms, outage)
        alone = outage.breach_id + outage.lease_id if terms.unit is SlaUnit.ACCELERATOR else ""
        by_unit[name, alone].append(outage)
        sizes[name, alone] = max(size, sizes.get((name, alone), 0))
    found = []
    for key in sorted(by_unit):
        found += _down_times(key[0], sizes[key], by_unit[key], terms.healthy_minimum_ppm, month)
    return tuple(found)


def _down_times(
    unit: str, size: int, outages: Sequence[Outage], minimum_ppm: int, month: tuple[int, int]
) -> list[Down]:
    edges = sorted(
        {month[0], month[1]}
        | {
            edge
            for outage in outages
            for edge in (outage.from_ms, outage.until_ms)
            if month[0] < edge < month[1]
        }
    )
    downs: list[Down] = []
    for low, high in pairwise(edges):
        here = [o for o in outages if o.from_ms <= low and high <= o.until_ms]
        broken = sum(outage.accelerators for outage in here)
        healthy_ppm = max(size - broken, 0) * PPM // size
        if not broken or (healthy_ppm >= minimum_ppm and broken < size):
            continue
        names = tuple(sorted({outage.breach_id for outage in here}))
        last = downs[-1] if downs else None
        if last is not None and (last.until_ms, last.breaches) == (low, names):
            downs[-1] = Down(unit, size, last.from_ms, high, names)
        else:
            downs.append(Down(unit, size, low, high, names))
    return downs


def explained(credit: SlaCredit, terms: SlaTerms) -> tuple[str, ...]:
    """The credit in words that a customer and an auditor can follow with a calculator."""
    since, until = map(format_instant, credit.window)
    lines = [
        f"from {since} to {until} {credit.down_ms:,} of {credit.promised_ms:,} accelerator-ms "
        f"were down by {terms.unit}, so {_percent(credit.available_ppm)} were available",
        f"the contract credits {_percent(credit.credit_ppm)} of the month's charges for that",
    ]
    for down in credit.downs[:MOST_SAID]:
        lines.append(
            f"{down.unit}: {down.accelerators:,} accelerators from {format_instant(down.from_ms)} "
            f"to {format_instant(down.until_ms)}, {down.accelerator_ms:,} accelerator-ms "
            f"({', '.join(down.breaches)})"
        )
    if len(credit.downs) > MOST_SAID:
        lines.append(f"and {len(credit.downs) - MOST_SAID:,} more")
    return tuple(lines)


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d} %"
