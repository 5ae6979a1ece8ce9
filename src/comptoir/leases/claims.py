"""Claims: **who may be taken back, and by whom**. A total order, so that reclaim never loops.

A lease may be taken back only by a strictly stronger claim, and besides that:

- spot gives way to every stronger claim;
- what stands on a team's idle entitlement (`lent`), what a team uses above its own
  (`borrowed`) and a sold window with a `recall` clause give way to an *entitled* team alone,
  which takes spot first, then lent and borrowed, then what it may recall;
- nothing else ever gives way.

The fields of the lease decide, nothing else does. Neighbours: `headroom.py` says what a
lease would stand on; `placement` picks the victims among those that may be.
"""

from enum import IntEnum

from comptoir.leases.lease import Lease, LeaseClass
from comptoir.units.time import MS_PER_S
from comptoir.units.values import Term


class Ground(Term):
    """On whose capacity a lease stands."""

    OWN = "own"
    BORROWED = "borrowed"
    SOLD = "sold"
    LENT = "lent"
    RECALL = "recall"
    SPOT = "spot"


def ground_of(lease: Lease) -> Ground:
    """On what a lease stands, as its fields say."""
    match lease.lease_class:
        case LeaseClass.INTERNAL:
            return Ground.BORROWED if lease.borrowed else Ground.OWN
        case LeaseClass.RESERVED:
            return Ground.RECALL if lease.recallable else Ground.SOLD
        case LeaseClass.ON_DEMAND:
            return Ground.LENT if lease.lent else Ground.SOLD
        case LeaseClass.SPOT:
            return Ground.SPOT


class Claim(IntEnum):
    """Weakest first. `ENTITLED` is a team within its own entitlement."""

    SPOT = 0
    BORROWED = 1
    ON_DEMAND = 2
    RESERVED = 3
    ENTITLED = 4


class Tier(IntEnum):
    """In which order an entitled team takes back: a later one only if the ones before fail."""

    SPOT = 0
    LENT = 1
    RECALL = 2


def claim_of(lease_class: LeaseClass, borrowed: bool) -> Claim:
    """How strong the claim of a lease, standing or asked for, is."""
    match lease_class:
        case LeaseClass.INTERNAL:
            return Claim.BORROWED if borrowed else Claim.ENTITLED
        case LeaseClass.RESERVED:
            return Claim.RESERVED
        case LeaseClass.ON_DEMAND:
            return Claim.ON_DEMAND
        case LeaseClass.SPOT:
            return Claim.SPOT


def tier_of(victim: Lease) -> Tier:
    """In which turn a reclaimable lease is taken back."""
    if victim.lease_class is LeaseClass.SPOT:
        return Tier.SPOT
    return Tier.RECALL if victim.recallable else Tier.LENT


EARLIER = ("", "spot", "spot and what is lent or borrowed")
"""By how many tiers were tried in vain, what they are called."""


def gives_way_as(victim: Lease) -> str:
    """Why a lease is among those that may be taken back."""
    if victim.lease_class is LeaseClass.SPOT:
        return "spot"
    if victim.recallable:
        return f"{victim.lease_class} with a recall clause"
    if victim.lent:
        return f"{victim.lease_class}, on what teams lend"
    return f"{victim.lease_class}, above what its team is entitled to"


def may_reclaim(claim: Claim, victim: Lease) -> bool:
    """Whether a claim may take a lease back."""
    if not victim.reclaimable or claim <= claim_of(victim.lease_class, victim.borrowed):
        return False
    return claim is Claim.ENTITLED or tier_of(victim) is Tier.SPOT


def free_at_ms(victim: Lease, now_ms: int) -> int:
    """When an active lease could be gone: its notice is whole, its minimum runtime is run."""
    return max(now_ms + victim.notice_s * MS_PER_S, victim.reclaimable_from_ms)
