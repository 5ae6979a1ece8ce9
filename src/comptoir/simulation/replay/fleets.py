"""The fleet of a replay: as its file declares it, there from the first day to the last.

A past trace is laid over it, so the dates of supply are left out; selling windows stay. With
slices every accelerator is so many of them, and its price and cost are shared out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from comptoir.fleet.files import MOST_ACCELERATORS_A_NODE, FileLease, FleetFile
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.card_files import CardFile, CardRate
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier
from comptoir.units.errors import Invalid
from comptoir.units.values import replace

FREE_CARD = CardFile("no prices", "replay", "USD", ())


@dataclass(frozen=True, slots=True)
class FleetNode:
    """One node as the references see it."""

    name: str
    kind: str
    accelerators: int
    place: str
    """Its site and cluster: a gang stands in one."""


@dataclass(frozen=True, slots=True)
class ReplayedFleet:
    """A fleet for a replay. Accelerators are slices where there are slices."""

    file: FleetFile
    slices: int
    nodes: tuple[FleetNode, ...]
    node_sizes: Mapping[str, int]
    """The largest node of each kind, in the order of the file."""
    cost_nanos_per_hour: int
    """Of all of it together."""

    @property
    def accelerators(self) -> int:
        """All of them, in slices."""
        return sum(node.accelerators for node in self.nodes)

    def most(self, kind: str) -> int:
        """The accelerators of a kind (empty: of any one kind) in the cluster with most of them."""
        totals: dict[tuple[str, str], int] = {}
        for node in self.nodes:
            if not kind or node.kind == kind:
                key = node.kind, node.place
                totals[key] = totals.get(key, 0) + node.accelerators
        return max(totals.values())


def replayed_fleet(file: FleetFile, slices: int) -> ReplayedFleet:
    """A fleet file made ready.

    Raises:
        Invalid: `too_many_slices`, `two_currencies`.
    """
    currencies = sorted({lease.currency for lease in file.leases})
    if len(currencies) > 1:
        raise Invalid(
            "two_currencies",
            f"{file.name} counts costs in {' and '.join(currencies)}",
            "state all costs of a fleet that is replayed in one currency",
        )
    leases = tuple(_made_ready(file.name, lease, slices) for lease in file.leases)
    nodes = tuple(
        FleetNode(node.name, lease.kind, node.accelerators, f"{node.site}/{node.cluster}")
        for lease in leases
        for node in lease.expand()
    )
    sizes: dict[str, int] = {}
    for node in nodes:
        sizes[node.kind] = max(sizes.get(node.kind, 0), node.accelerators)
    cost = sum(lease.cost_nanos * lease.accelerators for lease in file.leases)
    return ReplayedFleet(replace(file, leases=leases), slices, nodes, sizes, cost)


def _made_ready(name: str, lease: FileLease, slices: int) -> FileLease:
    most = max(block.accelerators_per_node for block in lease.blocks) * slices
    if most > MOST_ACCELERATORS_A_NODE:
        raise Invalid(
            "too_many_slices",
            f"{name}: a node of {lease.name} would have {most:,} slices, the most are "
            f"{MOST_ACCELERATORS_A_NODE:,}",
            "divide accelerators into fewer",
        )
    blocks = tuple(
        replace(
            block, accelerators_per_node=block.accelerators_per_node * slices, engine="",
            gated=False,
        )
        for block in lease.blocks
    )  # fmt: skip
    cost = lease.cost_nanos // slices
    return replace(lease, blocks=blocks, starts_at_ms=None, ends_at_ms=None, cost_nanos=cost)


def replayed_card(card: CardFile | None, fleet: ReplayedFleet) -> CardFile:
    """A card made ready: the last price of each line from the first day on, for delivered time.

    In a replay a job runs whenever its lease does, so every measure is delivered time. A class
    that the card does not price costs internal teams nothing, and is refused to customers; with no
    card at all nothing costs anything.
    """
    last: dict[tuple[object, ...], CardRate] = {}
    for rate in () if card is None else card.rates:
        if rate.sku is not Sku.ACCELERATOR:
            continue
        line = rate.kind, rate.lease_class, rate.site, rate.term
        before = last.get(line)
        if before is None or (rate.effective_from_ms or 0) >= (before.effective_from_ms or 0):
            last[line] = rate
    priced = {(rate.kind, rate.lease_class) for rate in last.values()}
    rates = [_sliced(rate, fleet.slices) for rate in last.values()]
    for kind in fleet.node_sizes:
        for lease_class in LeaseClass if card is None else (LeaseClass.INTERNAL,):
            if (kind, lease_class) not in priced:
                rates.append(_free(kind, lease_class))
    return replace(card or FREE_CARD, rates=tuple(rates))


def _sliced(rate: CardRate, slices: int) -> CardRate:
    tiers = tuple(
        Tier(tier.from_accelerator_ms * slices, tier.price_nanos // slices) for tier in rate.tiers
    )
    return replace(
        rate, price_nanos=rate.price_nanos // slices, tiers=tiers, effective_from_ms=None,
        measure=Measure.DELIVERED,
    )  # fmt: skip


def _free(kind: str, lease_class: LeaseClass) -> CardRate:
    return CardRate(
        0, kind, lease_class, 0, Measure.DELIVERED, None, "", LeaseTerm.HOUR, Sku.ACCELERATOR, (),
        0, 0,
    )  # fmt: skip
