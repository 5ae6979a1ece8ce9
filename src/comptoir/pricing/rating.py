"""Rating much usage at once: exact sums at each price, then the price of each sum.

Usage within one segment has one price, or one set of tiers; so its accelerator-milliseconds are
added up first and priced once, which is the same to the last digit as pricing row by row. What
is over a segment's edge is cut there, by the rule of `charges.py`. Rows may come in any order.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.pricing.rates import Item
from comptoir.pricing.segments import Segment, segment_at
from comptoir.pricing.terms import Agreed, RatesOf
from comptoir.pricing.tiers import Tier, total
from comptoir.units.errors import invariant
from comptoir.units.ids import ContractVersionId, RateId, TenantId
from comptoir.units.values import quick

UsageRow = tuple[str, str, str, str, str, str, int, int, int]
"""Tenant, kind, class, site, term, measure; starts at, ends at, accelerator-milliseconds."""
UsageKey = tuple[str, ...]
"""The first six of a row: what its price may depend on beside time."""


@quick
@dataclass(frozen=True, slots=True)
class Rated:
    """What a tenant owes at equal prices of one rate under one contract version in a period."""

    tenant_id: TenantId
    rate_id: RateId
    contract_version_id: ContractVersionId
    period_ms: int
    word: str
    accelerator_ms: int
    numerator: int
    list_numerator: int


class _Cell:
    """The sum of what lies within one segment for one key; `billed`: its rate bills the measure."""

    __slots__ = ("accelerator_ms", "billed", "ends_at_ms", "segment", "starts_at_ms")

    def __init__(self, segment: Segment, measure: str) -> None:
        self.segment = segment
        self.starts_at_ms = segment.starts_at_ms
        self.ends_at_ms = segment.ends_at_ms
        self.accelerator_ms = 0
        self.billed = segment.priced is not None and segment.priced.rate.measure == measure


class Rating:
    """Usage being rated, under what is agreed with each tenant and the approved rates.

    Tenants with whom the same is agreed share their segments: `agreed_of` should give them the
    same value.
    """

    def __init__(self, agreed_of: Callable[[TenantId], Agreed], rates_of: RatesOf) -> None:
        self._agreed_of, self._rates_of = agreed_of, rates_of
        self._agreed: dict[str, Agreed] = {}
        self._segments: dict[tuple[int, *tuple[str, ...]], list[Segment]] = {}
        self._latest: dict[UsageKey, _Cell] = {}
        self._cells: dict[UsageKey, list[_Cell]] = {}
        self.rows = 0

    def add(self, rows: Iterable[UsageRow]) -> None:
        """Count rows of usage."""
        latest = self._latest
        count = 0
        for row in rows:
            cell = latest.get(row[:6])
            if cell is not None and cell.starts_at_ms <= row[6] and row[7] <= cell.ends_at_ms:
                cell.accelerator_ms += row[8]
            else:
                self._cut(row)
            count += 1
        self.rows += count

    def add_sum(self, key: UsageKey, instant_ms: int, accelerator_ms: int) -> None:
        """Count what somebody else has added up, all of it in the segment of `instant_ms`."""
        self._cell(key, instant_ms).accelerator_ms += accelerator_ms

    def _cut(self, row: UsageRow) -> None:
        """A row that is not wholly in its key's latest segment."""
        key, start, end, whole = row[:6], row[6], row[7], row[8]
        invariant(start < end, f"usage from {start} to {end}")
        at, given = start, 0
        while at < end:
            cell = self._cell(key, at)
            to = min(cell.ends_at_ms, end)
            share = whole * (to - start) // (end - start) - given
            cell.accelerator_ms += share
            given += share
            at = to

    def _cell(self, key: UsageKey, instant_ms: int) -> _Cell:
        cells = self._cells.setdefault(key, [])
        for cell in cells:
            if cell.starts_at_ms <= instant_ms < cell.ends_at_ms:
                break
        else:
            cell = _Cell(self._segment(key, instant_ms), key[5])
            cells.append(cell)
        self._latest[key] = cell
        return cell

    def _segment(self, key: UsageKey, instant_ms: int) -> Segment:
        """The segment of a key that holds an instant: worked out once for all who agreed alike."""
        tenant, kind, lease_class, site, term, _ = key
        agreed = self._agreed.get(tenant)
        if agreed is None:
            agreed = self._agreed[tenant] = self._agreed_of(TenantId(tenant))
        known = self._segments.setdefault((id(agreed), kind, lease_class, site, term), [])
        for segment in known:
            if segment.starts_at_ms <= instant_ms < segment.ends_at_ms:
                return segment
        item = Item(kind, LeaseClass(lease_class), site, LeaseTerm(term))
        segment = segment_at(item, agreed, self._rates_of, instant_ms)
        no_rate = f"no rate priced {kind} {lease_class} at {instant_ms}"
        invariant(segment.priced is not None, no_rate)
        known.append(segment)
        return segment

    def rated(self) -> list[Rated]:
        """Everything that was counted, priced; in order of tenant, rate and period."""
        sums: dict[tuple[str, str, str, int, str], tuple[Segment, int]] = {}
        for key, cells in self._cells.items():
            for cell in cells:
                priced = cell.segment.priced
                if not cell.billed or not cell.accelerator_ms or priced is None:
                    continue
                place = (
                    key[0], priced.rate.id, priced.contract_version_id, cell.segment.period_ms,
                    cell.segment.word,
                )  # fmt: skip
                before = sums.get(place, (cell.segment, 0))[1]
                sums[place] = cell.segment, before + cell.accelerator_ms
        return price_sums(sums)


def price_sums(
    sums: dict[tuple[str, str, str, int, str], tuple[Segment, int]],
) -> list[Rated]:
    """The prices of sums; equal words in a period climb the same tiers, whatever the version."""
    climbed: dict[tuple[str, str, int, str], int] = {}
    found = []
    for place in sorted(sums):
        tenant, rate_id, version, period, word = place
        segment, amount = sums[place]
        tiers = tenant, rate_id, period, word
        before = climbed.get(tiers, 0)
        climbed[tiers] = before + amount
        owed, listed = amount * segment.prices[0], amount * segment.list_prices[0]
        if segment.tiered:
            owed = _between(segment, segment.prices, before, amount)
            listed = _between(segment, segment.list_prices, before, amount)
        found.append(
            Rated(
                TenantId(tenant), RateId(rate_id), ContractVersionId(version), period, word,
                amount, owed, listed,
            )
        )  # fmt: skip
    return found


def _between(segment: Segment, prices: tuple[int, ...], before: int, amount: int) -> int:
    """T(before + amount) - T(before)."""
    tiers = [Tier(*pair) for pair in zip(segment.bounds, prices, strict=True)]
    return total(tiers, before + amount) - total(tiers, before)
