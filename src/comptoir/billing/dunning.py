"""Dunning: when an unpaid invoice is asked for again, and for how much of it.

A dispute pauses what it disputes and nothing else. Invariant: a step is taken once, in order,
none is passed over, and never for an amount that is not overdue or that is disputed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from comptoir.units.errors import Invalid
from comptoir.units.ids import DisputeId, InvoiceId, TenantId, UserId
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros

MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class DunningStep:
    """One asking: so many days after the invoice was due."""

    name: str
    after_days: int


STEPS = (DunningStep("reminder", 3), DunningStep("second", 14), DunningStep("final", 30))
"""What is done unless finance says otherwise."""


class DisputeState(StrEnum):
    """An upheld dispute is credited; a rejected one is asked for again."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A line of an invoice, or a part of one, that its customer says it does not owe.

    `micros` are of the line, `gross_micros` with the taxes that the invoice asks on it.
    """

    id: DisputeId
    invoice_id: InvoiceId
    tenant_id: TenantId
    line: int
    micros: int
    gross_micros: int
    reason: str
    opened_by: UserId
    opened_at_ms: int
    state: DisputeState = DisputeState.OPEN
    resolved_by: UserId | None = None
    resolved_at_ms: int | None = None
    resolution: str = ""


def with_taxes(micros: int, net_micros: int, taxes_micros: int, currency: str) -> int:
    """What an amount of an invoice is with its share of the taxes, rounded to the minor unit."""
    if not net_micros:
        return micros
    share = micros * taxes_micros * NUMERATOR_PER_MICRO // net_micros
    return micros + round_to_minor_micros(share, currency)


def answered(disputes: Sequence[Dispute], credited: Mapping[int, int]) -> list[Dispute]:
    """Open disputes after a credit note: what it credits of a line answers what is disputed of it.

    Args:
        disputes: The open ones of one invoice, oldest first.
        credited: Line -> micros that the note credits of it.

    Returns:
        Those that the note changes: smaller, or with nothing left where it answers all.
    """
    left = dict(credited)
    changed = []
    for dispute in disputes:
        gone = min(max(left.get(dispute.line, 0), 0), dispute.micros)
        if gone:
            left[dispute.line] -= gone
            rest = dispute.micros - gone
            gross = dispute.gross_micros * rest // dispute.micros
            changed.append(replace(dispute, micros=rest, gross_micros=gross))
    return changed


def check_steps(steps: Sequence[DunningStep]) -> tuple[DunningStep, ...]:
    """Steps that can be taken: named, and each later than the one before.

    Raises:
        Invalid: `bad_dunning_steps`.
    """
    days = [step.after_days for step in steps]
    names = {step.name for step in steps}
    if not steps or days[0] < 0 or sorted(set(days)) != days or len(names) != len(steps):
        raise Invalid(
            "bad_dunning_steps",
            "each step has a name of its own and comes later than the one before; given: "
            + (", ".join(f"{step.name} after {step.after_days} days" for step in steps) or "none"),
            "for example reminder=3 second=14 final=30",
        )
    return tuple(steps)


def dunnable_micros(open_micros: int, disputed_micros: int) -> int:
    """What of an open amount may be asked for again."""
    return max(open_micros - disputed_micros, 0)


def step_due(
    steps: Sequence[DunningStep],
    taken: int,
    last_at_ms: int | None,
    due_at_ms: int,
    dunnable: int,
    now_ms: int,
) -> int | None:
    """The number of the step to take now (1, 2 ...), or None.

    Args:
        steps: In order.
        taken: How many have been taken.
        last_at_ms: When the last of them was, or when they began anew; None: none was.
        due_at_ms: When the invoice was to be paid.
        dunnable: Micros that may be asked for.
        now_ms: Now.
    """
    if dunnable <= 0:
        return None
    at_ms = next_step_at_ms(steps, taken, last_at_ms, due_at_ms)
    return taken + 1 if at_ms is not None and at_ms <= now_ms else None


def next_step_at_ms(
    steps: Sequence[DunningStep], taken: int, last_at_ms: int | None, due_at_ms: int
) -> int | None:
    """When the step after those taken is due; None after the last.

    Steps are taken one after the other, as far apart as they are meant to be: whoever was not
    asked before, because it slept or was disputed, is not asked for the last time first.
    """
    if taken >= len(steps):
        return None
    at_ms = due_at_ms + steps[taken].after_days * MS_PER_DAY
    if last_at_ms is None:
        return at_ms
    apart = steps[taken].after_days - (steps[taken - 1].after_days if taken else 0)
    return max(at_ms, last_at_ms + apart * MS_PER_DAY)
