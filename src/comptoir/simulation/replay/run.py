"""A replay from end to end: a trace over a fleet under one or several policies.

`comptoir` is the real desk. `unsold` is the same desk with the internal jobs alone, which tells
what selling cost them. `fifo` and `easy` are the references of `references.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from comptoir.leases.lease import LeaseClass
from comptoir.pricing.card_files import CardFile
from comptoir.simulation.replay.arena import Arena
from comptoir.simulation.replay.breakdowns import MS_PER_DAY, Breakdowns
from comptoir.simulation.replay.fleets import ReplayedFleet, replayed_card
from comptoir.simulation.replay.lives import Conditions, Lives
from comptoir.simulation.replay.mixing import Overlay, Work, Workload, shares, workload
from comptoir.simulation.replay.player import Player
from comptoir.simulation.replay.references import Ground, Reference
from comptoir.simulation.replay.tally import Tally
from comptoir.simulation.replay.trace import Trace
from comptoir.units.errors import Invalid, Refused, invariant
from comptoir.units.ids import RateCardId, TenantId

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
COMPTOIR, UNSOLD, FIFO, EASY = "comptoir", "unsold", "fifo", "easy"
POLICIES = (COMPTOIR, UNSOLD, FIFO, EASY)
GRAINS = 360
"""Into so many parts the span of the submissions is divided for what is drawn over time."""
_LEAST_GRAIN_MS = 60_000

Told = Callable[[str, int, int], object]
"""Told a policy's name, and how many of its jobs are over, of how many."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed, on what, how. `strict`: a gang that cannot fit stops it at once."""

    trace: Trace
    fleet: ReplayedFleet
    overlay: Overlay
    conditions: Conditions
    card: CardFile | None
    policies: tuple[str, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Money:
    """What the ledger says at the end: micros and booked accelerator-milliseconds by class."""

    currency: str
    revenue: dict[str, int]
    booked_ms: dict[str, int]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one policy. The references have no money."""

    policy: str
    tally: Tally
    money: Money | None


def parse_policies(text: str) -> tuple[str, ...]:
    """Policies by name, comma between them.

    Raises:
        Invalid: `unknown_policy`.
    """
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in names:
        if name not in POLICIES:
            raise Invalid(
                "unknown_policy",
                f"{name[:40]!r} is not a policy of a replay",
                f"use some of {', '.join(POLICIES)}",
            )
    return names


def replay(wanted: Replay, told: Told) -> tuple[Workload, list[Played]]:
    """Play every policy.

    Raises:
        Refused: `gang_too_large`, if strict.
    """
    if wanted.strict:
        _refuse_too_large(wanted)
    asked = workload(wanted.trace, wanted.overlay, wanted.fleet.node_sizes)
    if not asked.works:
        raise Invalid("nothing_submitted", "no job falls into the span", "give more --days")
    return asked, [_played(wanted, asked, policy, told) for policy in wanted.policies]


def _refuse_too_large(wanted: Replay) -> None:
    fleet = wanted.fleet
    for job in wanted.trace.jobs:
        kind = job.accelerator_type if job.accelerator_type in fleet.node_sizes else ""
        most = fleet.most(kind) / fleet.slices
        if job.accelerators > most:
            raise Refused(
                "gang_too_large",
                f"{wanted.trace.name}:{job.line}: accelerators: job {job.id} asks for "
                f"{float(job.accelerators):,g} at once, the largest cluster has {most:,g}",
                "leave --strict out to count such jobs as rejected",
                {"line": job.line, "field": "accelerators"},
            )


def _played(wanted: Replay, asked: Workload, policy: str, told: Told) -> Played:
    grain_ms = max(asked.until_ms // GRAINS, _LEAST_GRAIN_MS)
    tally = Tally(grain_ms, wanted.fleet.slices)
    nodes = wanted.fleet.nodes
    breakdowns = Breakdowns(
        [node.name for node in nodes],
        [node.accelerators for node in nodes],
        wanted.conditions,
        wanted.fleet.slices,
    )
    lives = Lives(tally, wanted.conditions)
    horizon = _horizon_ms(wanted, asked)

    def progress(over: int, whole: int) -> None:
        told(policy, over, whole)

    if policy in (FIFO, EASY):
        reference = Reference(Ground(nodes), tally, lives, breakdowns, policy == EASY, horizon)
        reference.play(asked.works, progress)
        return Played(policy, tally, None)
    if policy == UNSOLD:
        asked = asked.only(LeaseClass.INTERNAL)
    with Arena(START_MS, wanted.overlay.seed) as arena:
        card = replayed_card(wanted.card, wanted.fleet)
        card_id = arena.supply(wanted.fleet.file, card)
        tenants = _tenants(arena, wanted.fleet, asked, card_id)
        node_ids = [arena.desk.book.nodes_by_name.first(node.name) for node in nodes]
        player = Player(
            arena.desk, arena.clock, tally, lives, breakdowns,
            [node.id for node in node_ids if node is not None], wanted.fleet.node_sizes,
            lambda work: tenants[work.tenant, work.lease_class is LeaseClass.INTERNAL],
            START_MS, horizon,
        )  # fmt: skip
        player.play(asked.works, progress)
        problems = arena.problems()
        invariant(not problems, f"the auditor: {len(problems)} problems, {problems[:3]}")
        money = Money(card.currency, arena.revenue(), arena.booked_ms())
    return Played(policy, tally, money)


def _horizon_ms(wanted: Replay, asked: Workload) -> int:
    """A span that was asked for ends then; else it is the time in which any queue has drained."""
    if wanted.overlay.days is not None:
        return asked.until_ms
    longest = max(work.duration_ms for work in asked.works)
    drained = 8 * asked.asked_ms * wanted.fleet.slices // wanted.fleet.accelerators
    return asked.works[-1].submit_ms + 3 * longest + drained + 30 * MS_PER_DAY


def _tenants(
    arena: Arena, fleet: ReplayedFleet, asked: Workload, card: RateCardId
) -> dict[tuple[str, bool], TenantId]:
    """Everybody who asks. Teams have the fleet as their own, by what they ask of it.

    What is reserved has its share beside them: it could be sold on nothing that is theirs.
    """
    names = sorted({_holder(work) for work in asked.works})
    made = {
        (name, internal): arena.tenant(
            f"{'team' if internal else 'customer'}-{number}", name, internal, card
        )
        for number, (name, internal) in enumerate(names, 1)
    }
    internal_shares = shares(asked.works, LeaseClass.INTERNAL)
    reserved_shares = shares(asked.works, LeaseClass.RESERVED)
    whole = sum(internal_shares.values()) + sum(reserved_shares.values())
    for kind in fleet.node_sizes:
        there = sum(node.accelerators for node in fleet.nodes if node.kind == kind)
        for name, part in sorted(internal_shares.items()):
            if there * part // whole:
                arena.entitle(made[name, True], kind, there * part // whole)
    return {key: tenant.id for key, tenant in made.items()}


def _holder(work: Work) -> tuple[str, bool]:
    return work.tenant, work.lease_class is LeaseClass.INTERNAL
