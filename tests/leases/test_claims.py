"""Who may take back whom is an order: nobody is taken back by whom it could take back."""

from dataclasses import replace
from itertools import product

import pytest

from comptoir.leases.claims import Claim, Tier, claim_of, free_at_ms, may_reclaim, tier_of
from comptoir.leases.lease import (
    Lease,
    LeaseClass,
    LeaseState,
    OnReclaim,
    Shape,
    request_of,
)
from comptoir.placement.pools import rank_of
from comptoir.tenants.parties import Tenant, TenantKind, TenantState
from comptoir.units.ids import LeaseId, RateCardId, TenantId, UserId

TEAM = Tenant(
    TenantId("tn_1"), "team", "Team", TenantKind.TEAM, TenantState.ACTIVE, RateCardId("rc_1"), 0
)
INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


def lease(lease_class: LeaseClass, **fields: object) -> Lease:
    made = Lease(
        LeaseId("ls_1"), TEAM.id, UserId("us_1"), "", lease_class, "cpu-core", 4, Shape.SITE, 0,
        None, 30, OnReclaim.WAIT, 0, LeaseState.ACTIVE, 1_000,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


EVERY = {
    "own": lease(INTERNAL),
    "borrowed": lease(INTERNAL, borrowed=True),
    "sold window": lease(RESERVED),
    "recallable window": lease(RESERVED, recall=True),
    "on demand": lease(ON_DEMAND),
    "lent": lease(ON_DEMAND, lent=True),
    "spot": lease(SPOT),
}
GIVES_WAY_TO = {
    "spot": {"own", "borrowed", "sold window", "recallable window", "on demand", "lent"},
    "lent": {"own"},
    "borrowed": {"own"},
    "recallable window": {"own"},
}


def takes(one: str, other: str) -> bool:
    """Whether a lease like `one`, asked for, may take back one like `other`."""
    claim = claim_of(EVERY[one].lease_class, EVERY[one].borrowed)
    return may_reclaim(claim, EVERY[other])


@pytest.mark.parametrize(("one", "other"), list(product(EVERY, EVERY)))
def test_who_gives_way_to_whom(one: str, other: str) -> None:
    assert takes(one, other) is (one in GIVES_WAY_TO.get(other, set()))


@pytest.mark.parametrize(("one", "other"), list(product(EVERY, EVERY)))
def test_placement_takes_exactly_whom_the_order_lets_it(one: str, other: str) -> None:
    request = request_of(EVERY[one], TEAM, 0)
    assert (rank_of(EVERY[other]) < request.strength) is takes(one, other)


def test_taking_back_never_goes_round() -> None:
    for one, other in product(EVERY, EVERY):
        if takes(one, other):
            weaker, stronger = EVERY[other], EVERY[one]
            assert claim_of(weaker.lease_class, weaker.borrowed) < claim_of(
                stronger.lease_class, stronger.borrowed
            )


def test_claims_are_a_total_order_with_an_entitled_team_first() -> None:
    assert sorted(Claim) == list(Claim)
    assert max(Claim) is Claim.ENTITLED
    assert claim_of(INTERNAL, borrowed=True) < claim_of(ON_DEMAND, borrowed=False)


def test_spot_goes_before_what_is_lent_and_that_before_what_is_recalled() -> None:
    tiers = {name: tier_of(EVERY[name]) for name in GIVES_WAY_TO}
    assert tiers == {
        "spot": Tier.SPOT, "lent": Tier.LENT, "borrowed": Tier.LENT,
        "recallable window": Tier.RECALL,
    }  # fmt: skip


def test_a_lease_is_gone_after_its_notice_and_its_minimum_runtime() -> None:
    fresh = lease(ON_DEMAND, lent=True, minimum_runtime_s=900)
    assert free_at_ms(fresh, 1_000) == 901_000
    assert free_at_ms(fresh, 880_000) == 910_000
    assert free_at_ms(lease(SPOT), 1_000) == 31_000
