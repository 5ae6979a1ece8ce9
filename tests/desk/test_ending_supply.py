"""What stands on supply that ends is counted up to that end, and no further."""

from typing import Any

import pytest

from comptoir.desk.requests import DeclareSupply, EndSupply, NewNode
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.simulation.audit_memory import memory_problems
from comptoir.tenants.parties import TenantKind
from tests.builders import HOUR_MS
from tests.desk.test_lending import Shop

ON_DEMAND, INTERNAL = LeaseClass.ON_DEMAND, LeaseClass.INTERNAL


@pytest.fixture
def shop(tmp_path: Any) -> Shop:
    """A team is entitled to eight cores; eight are supplied for good, eight for 100 hours."""
    made = Shop(tmp_path)
    made.price_all()
    made.a, made.acme = made.tenant("aa", TenantKind.TEAM), made.tenant("acme")
    made.supply(8, engine="")
    nodes = (NewNode("brief", 8, 1 << 30, ""),)
    ends = made.clock.instant_ms + 100 * HOUR_MS
    request = DeclareSupply("brief", "cpu-core", nodes, ends_at_ms=ends)
    made.desk.call("declare_supply", request, made.operator)
    made.entitle(made.a, 8)
    return made


def test_an_open_ended_lease_on_supply_that_ends_is_sold_for_good_until_then(shop: Shop) -> None:
    """On the other node it would stand, in 100 hours, on what the team is entitled to."""
    lent, sold = (shop.lease(shop.acme, ON_DEMAND, 8) for _ in range(2))
    assert on_brief(shop, sold)
    assert shop.stands(sold, lent) == ["active", "active lent"]
    shop.pass_s(2_000)
    mine = shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(2_000)
    assert shop.stands(sold, lent, mine) == ["active", "waiting", "active"]


def test_where_all_supply_ends_a_lease_without_an_end_is_judged_up_to_that_end(
    tmp_path: Any,
) -> None:
    shop = Shop(tmp_path)
    shop.price_all()
    team, acme = shop.tenant("aa", TenantKind.TEAM), shop.tenant("acme")
    ends = shop.clock.instant_ms + 100 * HOUR_MS
    shop.supply(8, 8, engine="", ends_at_ms=ends)
    shop.entitle(team, 8, ends_at_ms=ends)
    patient = shop.lease(acme, ON_DEMAND, 8, notice_s=7_200)  # too long a notice to be lent to
    more = shop.lease(acme, ON_DEMAND, 4)
    assert shop.stands(patient, more) == ["active", "active lent"]
    assert not shop.now(patient).reclaimable
    shop.pass_s(2_000)
    mine = shop.lease(team, INTERNAL, 8)
    assert mine.state is LeaseState.SCHEDULED
    assert list(memory_problems(shop.desk)) == []


def test_what_is_lent_becomes_sold_for_good_when_its_supply_is_given_an_end(shop: Shop) -> None:
    """Until then eight others are there for the team; in 100 hours there would be none."""
    lent = shop.lease(shop.acme, ON_DEMAND, 8)
    assert shop.stands(lent) == ["active lent"]
    [part] = shop.desk.book.allocations_of(lent.id)
    inbound = shop.desk.book.nodes[part.node_id].inbound_lease_id
    ends = shop.clock.instant_ms + 50 * HOUR_MS
    shop.desk.call("end_supply", EndSupply(inbound, ends), shop.operator)
    assert shop.stands(lent) == ["active"]
    assert not shop.now(lent).reclaimable


def on_brief(shop: Shop, lease: Lease) -> bool:
    """Whether a lease stands on the node whose supply ends."""
    [part] = shop.desk.book.allocations_of(lease.id)
    return shop.desk.book.nodes[part.node_id].name == "brief"
