"""Charges made again from usage, rates and terms, and compared with what was booked, bit by bit.

A charge is a function of its usage under its rate and contract version, so it must come out the
same. Rates and versions that were approved after the usage arrived were not known then: where
all that is known now gives another answer, what was known then has to give it. Where usage was
cut for another reason than a price (a credit block began) the cut itself is taken as it was.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import groupby

from comptoir.metering.usage import UsageEvent
from comptoir.pricing.charges import (
    Charge,
    ChargeRow,
    PricedPiece,
    price_amount,
    price_usage,
)
from comptoir.pricing.rates import Item, Rate
from comptoir.pricing.segments import Segment, segment_at
from comptoir.pricing.steps import LeaseEnd, top_up
from comptoir.pricing.terms import Agreed
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import LeaseId, RateCardId, TenantId
from comptoir.units.values import replace

Facts = tuple[object, ...]
_TOLD = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A usage event, or a lease (`usage_seq` 0), whose charges are not what they should be."""

    usage_seq: int
    lease_id: LeaseId
    booked: tuple[Facts, ...]
    expected: tuple[Facts, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it; the first differences are told."""

    usage: int
    charges: int
    numerator: int
    different: int
    differences: tuple[Difference, ...]


class Replay:
    """Prices usage again in the order in which it was booked.

    Args:
        agreed_of: What is agreed with a tenant, as known now.
        rates: Every approved rate.
        end_of: How a lease ended that was added to; None: it was not.
        edges_of: Where credit of a tenant has ever begun or ended: usage is cut there.
    """

    def __init__(
        self,
        agreed_of: Callable[[TenantId], Agreed],
        rates: Iterable[Rate],
        end_of: Callable[[LeaseId], LeaseEnd | None],
        edges_of: Callable[[TenantId], Set[int]],
    ) -> None:
        self._agreed_of, self._end_of, self._edges_of = agreed_of, end_of, edges_of
        self._rates = {rate.id: rate for rate in rates}
        self._lines: dict[tuple[RateCardId, Item], list[Rate]] = {}
        self._agreed: dict[TenantId, Agreed] = {}
        self._segments: dict[tuple[TenantId, Item], Segment] = {}
        self._used: Counter[tuple[str, str, int, str]] = Counter()
        self._seen: dict[LeaseId, UsageEvent] = {}
        self._billed: Counter[LeaseId] = Counter()
        self._added: Counter[LeaseId] = Counter()
        self._counts: Counter[str] = Counter()
        self._told: list[Difference] = []

    def run(self, usage: Iterable[UsageEvent], charges: Iterable[Charge]) -> Replayed:
        """Compare all charges with what their usage should be charged; both in order of `seq`."""
        groups = groupby(charges, key=_group)
        following = next(groups, None)
        for event in usage:
            while following is not None and following[0][0] == 0:
                self._top_up(list(following[1]))
                following = next(groups, None)
            booked: list[Charge] = []
            if following is not None and following[0][0] == event.seq:
                booked = list(following[1])
                following = next(groups, None)
            self._usage(event, booked)
        while following is not None:
            left = list(following[1])
            if following[0][0] == 0:
                self._top_up(left)
            else:
                self._differ(following[0][0], left, [])
            following = next(groups, None)
        counts = self._counts
        return Replayed(
            counts["usage"], counts["charges"], counts["numerator"], counts["different"],
            tuple(self._told),
        )  # fmt: skip

    def _usage(self, event: UsageEvent, booked: Sequence[Charge]) -> None:
        ends = {charge.ends_at_ms for charge in booked}
        # Up to the first edge of credit there may be so little that no charge came of it.
        ends |= self._edges_of(event.tenant_id)
        cuts = [charge.starts_at_ms for charge in booked if charge.starts_at_ms in ends]
        self._seen[event.lease_id] = event
        said = [_said(charge) for charge in booked]
        pieces = self._priced(event, cuts, self._segment_now)
        expected = [_expected(piece, event) for piece in pieces]
        if expected != said:
            then = self._priced(event, cuts, self._as_known(event.received_at_ms, booked))
            if [_expected(piece, event) for piece in then] == said:
                pieces, expected = then, said
        self._counts["usage"] += 1
        self._take(event.tenant_id, pieces, booked)
        self._billed[event.lease_id] += sum(charge.accelerator_ms for charge in booked)
        if expected != said:
            self._differ(event.seq, booked, expected)

    def _priced(
        self,
        event: UsageEvent,
        cuts: Sequence[int],
        at: Callable[[TenantId, Item, int], Segment],
    ) -> list[PricedPiece]:
        """The pieces of an event, none without a rate; what they use of tiers is not kept yet."""
        used: Counter[tuple[str, str, int, str]] = Counter()

        def before(segment: Segment) -> int:
            key = _tiers(event.tenant_id, segment)
            return self._used[key] + used[key]

        pieces = []
        try:
            for piece in price_usage(event, at, before, cuts):
                used[_tiers(event.tenant_id, piece.segment)] += piece.accelerator_ms
                pieces.append(piece)
        except InvariantBroken:
            return []
        return pieces

    def _top_up(self, booked: Sequence[Charge]) -> None:
        """One booking of what minimum and granularity added to a lease, a charge for each tier."""
        lease_id, rate = booked[0].lease_id, self._rates.get(booked[0].rate_id)
        seen, end = self._seen.get(lease_id), self._end_of(lease_id)
        if seen is None or end is None or rate is None:
            self._differ(0, booked, [])
            return
        item = Item(seen.kind, seen.lease_class, end.site, seen.term)
        segment = self._segment_now(seen.tenant_id, item, end.ends_at_ms - 1)
        due = top_up(rate, end.accelerators, self._billed[lease_id])
        more = due - self._added[lease_id]
        if segment.priced is None or segment.priced.rate is not rate or not more:
            self._differ(0, booked, [])
            return
        used = self._used[_tiers(seen.tenant_id, segment)]
        pieces = price_amount(segment, end.ends_at_ms - 1, end.ends_at_ms, more, lambda _: used)
        expected = [(*_facts(piece, rate.measure), end.site, seen.term) for piece in pieces]
        self._added[lease_id] = due
        self._take(seen.tenant_id, pieces, booked)
        if expected != [_said(charge) for charge in booked]:
            self._differ(0, booked, expected)

    def _take(
        self, tenant_id: TenantId, pieces: Iterable[PricedPiece], booked: Sequence[Charge]
    ) -> None:
        for piece in pieces:
            if piece.segment.tiered:
                self._used[_tiers(tenant_id, piece.segment)] += piece.accelerator_ms
        self._counts["charges"] += len(booked)
        self._counts["numerator"] += sum(charge.numerator for charge in booked)

    def _differ(self, usage_seq: int, booked: Sequence[Charge], expected: Sequence[Facts]) -> None:
        self._counts["different"] += 1
        if len(self._told) < _TOLD:
            lease_id = booked[0].lease_id if booked else LeaseId("")
            said = tuple(_said(charge) for charge in booked)
            self._told.append(Difference(usage_seq, lease_id, said, tuple(expected)))

    def _segment_now(self, tenant_id: TenantId, item: Item, instant_ms: int) -> Segment:
        found = self._segments.get((tenant_id, item))
        if found is None or not found.starts_at_ms <= instant_ms < found.ends_at_ms:
            found = segment_at(item, self._agreed_with(tenant_id), self._line, instant_ms)
            self._segments[tenant_id, item] = found
        return found

    def _agreed_with(self, tenant_id: TenantId) -> Agreed:
        if tenant_id not in self._agreed:
            self._agreed[tenant_id] = replace(self._agreed_of(tenant_id), cuts=())
        return self._agreed[tenant_id]

    def _line(self, card: RateCardId, item: Item) -> list[Rate]:
        if (card, item) not in self._lines:
            self._lines[card, item] = [
                rate
                for rate in self._rates.values()
                if (rate.rate_card_id, rate.kind, rate.lease_class)
                == (card, item.kind, item.lease_class)
            ]
        return self._lines[card, item]

    def _as_known(
        self, known_ms: int, booked: Sequence[Charge]
    ) -> Callable[[TenantId, Item, int], Segment]:
        """Segments as they were known at an instant; in the instant itself, as was booked."""
        rate_ids = {charge.rate_id for charge in booked}
        versions = {charge.contract_version_id for charge in booked}

        def known(rate: Rate) -> bool:
            at = rate.approved_at_ms or 0
            return at < known_ms or (at == known_ms and rate.id in rate_ids)

        def segment(tenant_id: TenantId, item: Item, instant_ms: int) -> Segment:
            agreed = self._agreed_with(tenant_id)
            terms = tuple(
                one
                for one in agreed.terms
                if one.known_from_ms < known_ms
                or (one.known_from_ms == known_ms and one.contract_version_id in versions)
            )
            return segment_at(
                item,
                replace(agreed, terms=terms),
                lambda card, item: filter(known, self._line(card, item)),
                instant_ms,
            )

        return segment


def _group(charge: Charge) -> tuple[int, str]:
    """Charges that were booked together: of one usage event, or of one lease's end."""
    if charge.row is ChargeRow.TOP_UP:
        return 0, charge.lease_id
    return charge.usage_seq, ""


def _tiers(tenant_id: TenantId, segment: Segment) -> tuple[str, str, int, str]:
    assert segment.priced is not None
    return tenant_id, segment.priced.rate.id, segment.period_ms, segment.word


def _said(charge: Charge) -> Facts:
    return (
        charge.starts_at_ms, charge.ends_at_ms, charge.accelerator_ms, charge.rate_id,
        charge.contract_version_id, charge.price_nanos, charge.numerator,
        charge.list_price_nanos, charge.list_numerator, charge.measure, charge.sku,
        charge.site, charge.term,
    )  # fmt: skip


def _expected(piece: PricedPiece, event: UsageEvent) -> Facts:
    return (*_facts(piece, event.measure), event.site, event.term)


def _facts(piece: PricedPiece, measure: object) -> Facts:
    return (
        piece.starts_at_ms, piece.ends_at_ms, piece.accelerator_ms, piece.rate.id,
        piece.contract_version_id, piece.price_nanos, piece.numerator, piece.list_price_nanos,
        piece.list_numerator, measure, piece.rate.sku,
    )  # fmt: skip
