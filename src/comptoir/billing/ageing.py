"""Receivables by age: what is not due yet, and what is late by how much."""

from collections.abc import Iterable
from dataclasses import dataclass

from comptoir.units.ids import TenantId

MS_PER_DAY = 86_400_000
BOUNDS_DAYS = (0, 30, 60, 90)
NAMES = ("not_due", "1_30", "31_60", "61_90", "over_90")


@dataclass(frozen=True, slots=True)
class OpenAmount:
    """What one invoice still asks."""

    tenant_id: TenantId
    currency: str
    open_micros: int
    disputed_micros: int
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class Aged:
    """A tenant's open amounts of one currency by age; `buckets` as `NAMES` has them."""

    tenant_id: TenantId
    currency: str
    buckets: tuple[int, ...]
    disputed_micros: int

    @property
    def total_micros(self) -> int:
        """All that is open."""
        return sum(self.buckets)


def days_late(due_at_ms: int, now_ms: int) -> int:
    """Begun days after the due instant; zero or less before it."""
    return -(-(now_ms - due_at_ms) // MS_PER_DAY)


def age(open_amounts: Iterable[OpenAmount], now_ms: int) -> list[Aged]:
    """Each tenant's open amounts by age, in order of tenant and currency."""
    found: dict[tuple[TenantId, str], list[int]] = {}
    disputed: dict[tuple[TenantId, str], int] = {}
    for amount in open_amounts:
        key = (amount.tenant_id, amount.currency)
        late = days_late(amount.due_at_ms, now_ms)
        place = sum(late > bound for bound in BOUNDS_DAYS)
        found.setdefault(key, [0] * len(NAMES))[place] += amount.open_micros
        disputed[key] = disputed.get(key, 0) + amount.disputed_micros
    return [Aged(*key, tuple(found[key]), disputed[key]) for key in sorted(found)]
