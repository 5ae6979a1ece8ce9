"""What is entitled at one site is lent, limited and credited there, and comes back there."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.billing.lending import draw_up_lending
from comptoir.desk.requests import (
    DeclareSupply,
    ExplainEntitlements,
    LeaseRef,
    NewNode,
    SetEntitlement,
)
from comptoir.fleet.conditions import Conditions
from comptoir.leases.claims import Ground, ground_of
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.store.views import Views, lending
from comptoir.tenants.parties import TenantKind
from comptoir.units.time import Window
from tests.desk.test_lending import Shop

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


def open_shop(directory: Any) -> Shop:
    """Sixteen cores at `paris`, sixteen at `lyon`."""
    made = Shop(directory)
    made.price_all()
    for site in ("paris", "lyon"):
        nodes = tuple(NewNode(f"{site}-{n}", 8, 1 << 30, "", site=site) for n in range(2))
        made.desk.call("declare_supply", DeclareSupply(site, "cpu-core", nodes), made.operator)
    made.a, made.b = (made.tenant(slug, TenantKind.TEAM) for slug in ("aa", "bb"))
    made.acme = made.tenant("acme")
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def site_of(shop: Shop, lease: Lease) -> str:
    (site,) = {
        shop.desk.book.nodes[a.node_id].site for a in shop.desk.book.allocations_of(lease.id)
    }
    return site


def used_at(shop: Shop, site: str) -> int:
    return sum(
        len(a.accelerators)
        for a in shop.desk.book.allocations
        if a.fenced_at_ms is None and shop.desk.book.nodes[a.node_id].site == site
    )


def test_a_lend_limit_at_a_site_keeps_idle_accelerators_free_there(shop: Shop) -> None:
    shop.entitle(shop.a, 16, site="paris", lend_limit=8)
    leases = [shop.lease(shop.acme, SPOT, 8) for _ in range(4)]
    shop.turn()
    states = [shop.now(lease).state for lease in leases]
    assert sorted(states) == ["active", "active", "active", "waiting"]
    assert (used_at(shop, "paris"), used_at(shop, "lyon")) == (8, 16)
    said = shop.desk.call("explain_lease", LeaseRef(leases[3].id), shop.operator).sentence
    assert said == "teams keep 8 idle cpu-core for themselves; 0 more may be used by others"
    (share,) = shop.desk.call("explain_entitlements", ExplainEntitlements(), shop.operator)
    assert (share.idle, share.lent, share.may_lend) == (16, 8, 0)
    mine = shop.lease(shop.a, INTERNAL, 8)
    assert (mine.scheduled_start_ms, site_of(shop, mine)) == (shop.clock.instant_ms, "paris")


def test_why_names_the_limit_at_the_only_site_that_its_residency_allows(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.price_all()
    for site, country in (("paris", "FR"), ("cork", "IE")):
        nodes = tuple(NewNode(f"{site}-{n}", 8, 1 << 30, "", site=site) for n in range(2))
        where = Conditions(residency=country)
        request = DeclareSupply(site, "cpu-core", nodes, conditions=where)
        shop.desk.call("declare_supply", request, shop.operator)
    team, acme = shop.tenant("aa", TenantKind.TEAM), shop.tenant("acme")
    shop.entitle(team, 16, site="cork", lend_limit=8)
    lent, kept = (shop.lease(acme, SPOT, 8, residency="IE") for _ in range(2))
    assert shop.stands(lent, kept) == ["active", "waiting"]
    said = shop.desk.call("explain_lease", LeaseRef(kept.id), shop.operator).sentence
    assert said == (
        "teams keep 8 idle cpu-core at cork for themselves; 0 more may be used by others"
    )


def test_another_team_does_not_pass_it_above_its_own(shop: Shop) -> None:
    shop.entitle(shop.a, 16, site="paris", lend_limit=8)
    shop.lease(shop.acme, ON_DEMAND, 16)
    lent, kept = (shop.lease(shop.b, INTERNAL, 8) for _ in range(2))
    assert shop.stands(lent, kept) == ["active borrowed", "waiting"]
    assert site_of(shop, lent) == "paris"


def test_the_lender_earns_at_the_site_at_which_it_lends(shop: Shop) -> None:
    start = shop.clock.instant_ms
    shop.entitle(shop.a, 16, site="paris")
    shop.lease(shop.acme, ON_DEMAND, 16)  # at lyon, on what is nobody's
    shop.lease(shop.acme, SPOT, 8)
    shop.turn()
    for _ in range(60):
        shop.pass_s(60)
    window = Window(start, shop.clock.instant_ms)
    views = Views(shop.store.engine)
    own, currency = lending.own_prices(views, shop.a, "cpu-core")
    facts = lending.facts(views, "cpu-core", window)
    said = draw_up_lending(shop.a.id, facts, window, own, currency)
    assert (said.lent_accelerator_ms, said.idle_accelerator_ms) == (8 * 3_600_000, 8 * 3_600_000)
    assert [line.lease_class for line in said.lines] == [SPOT]


def test_what_is_sold_for_good_stands_where_nobody_is_entitled(shop: Shop) -> None:
    shop.entitle(shop.a, 16, site="paris")
    sold = [shop.lease(shop.acme, ON_DEMAND, 8) for _ in range(3)]
    assert [lease.lent for lease in sold] == [False, False, True]
    assert [site_of(shop, lease) for lease in sold] == ["lyon", "lyon", "paris"]


def test_what_a_team_has_anywhere_is_not_its_own_where_others_could_not_have_theirs_back(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 16, site="paris")
    shop.entitle(shop.b, 16)
    first, second, third = (shop.lease(shop.b, INTERNAL, 8) for _ in range(3))
    assert [site_of(shop, lease) for lease in (first, second, third)] == ["lyon", "lyon", "paris"]
    assert shop.stands(first, second, third) == ["active", "active", "active borrowed"]
    shop.end(first)
    shop.pass_s(60)
    assert shop.stands(third) == ["active borrowed"]  # it is not moved, so `a` may need it
    shop.pass_s(1_000)
    mine = shop.lease(shop.a, INTERNAL, 16)
    shop.pass_s(60)
    assert shop.stands(mine, third)[0] == "active"


asked = st.tuples(
    st.sampled_from(("a", "b", "acme")),
    st.sampled_from((RESERVED, ON_DEMAND, SPOT)),
    st.sampled_from((1, 2, 4, 6, 8)),
)
steps = st.lists(
    st.one_of(asked, asked, asked, st.integers(0, 9), st.sampled_from((60, 1_200))),
    min_size=3,
    max_size=12,
)
rows = st.tuples(
    st.sampled_from(("paris", "lyon", "")), st.sampled_from((4, 8, 12)),
    st.sampled_from((None, 0, 2, 4)),
)  # fmt: skip


def _take(shop: Shop, leases: list[Lease], step: Any) -> None:
    if isinstance(step, tuple):
        who, lease_class, accelerators = step
        tenant = {"a": shop.a, "b": shop.b, "acme": shop.acme}[who]
        words = {} if lease_class is not RESERVED else {
            "ends_at_ms": shop.clock.instant_ms + 7_200_000, "recall": True
        }  # fmt: skip
        if who != "acme":
            lease_class, words = INTERNAL, {}
        leases.append(shop.lease(tenant, lease_class, accelerators, notice_s=60, **words))
    elif step < 10:
        live = [x for x in map(shop.now, leases) if x.state is LeaseState.ACTIVE]
        if live:
            shop.desk.call("end_lease", LeaseRef(live[step % len(live)].id), shop.operator)
    else:
        shop.pass_s(step)
    shop.turn()


def _standing(shop: Shop, site: str) -> Iterator[tuple[Lease, int]]:
    for allocation in shop.desk.book.allocations:
        lease = shop.desk.book.leases[allocation.lease_id]
        node = shop.desk.book.nodes[allocation.node_id]
        if allocation.fenced_at_ms is None and node.site == site and not lease.reclaimed_for:
            yield lease, len(allocation.accelerators)


@settings(max_examples=60, deadline=None)
@given(rows, rows, steps)
def test_at_each_site_limits_hold_and_what_is_entitled_there_could_be_had_back(
    first: tuple[str, int, int | None], second: tuple[str, int, int | None], taken: list[Any]
) -> None:
    with TemporaryDirectory() as directory:
        shop = open_shop(Path(directory))
        given_to = {}
        for team, (site, size, lend_limit) in ((shop.a, first), (shop.b, second)):
            if site and sum(n for place, n, _ in given_to.values() if place == site) + size > 16:
                continue
            given_to[team.id] = (site, size, lend_limit)
            request = SetEntitlement("cpu-core", size, team.id, site=site, lend_limit=lend_limit)
            shop.desk.call("set_entitlement", request, shop.operator)
        leases: list[Lease] = []
        for step in taken:
            _take(shop, leases, step)
            for site in ("paris", "lyon"):
                _check_site(shop, site, given_to)


def _check_site(shop: Shop, site: str, given_to: dict[Any, tuple[str, int, int | None]]) -> None:
    standing = list(_standing(shop, site))
    there = {team: row for team, row in given_to.items() if row[0] == site}
    entitled = sum(size for _, size, _ in there.values())
    for_good = own_there = idle = could = 0
    for team, (_, size, lend_limit) in there.items():
        used = sum(n for lease, n in standing if lease.tenant_id == team)
        own_there += min(used, size)
        idle += size - min(used, size)
        left = size - min(used, size)
        could += left if lend_limit is None else min(left, lend_limit)
    for lease, n in standing:
        if ground_of(lease) is Ground.SOLD:
            for_good += n
    for team in given_to:
        own = sum(n for x, n in standing if x.tenant_id == team and ground_of(x) is Ground.OWN)
        for_good += max(own - (there[team][1] if team in there else 0), 0)
    assert for_good + entitled <= 16
    others = sum(n for _, n in standing) - own_there
    if could < idle:
        assert others <= could + 16 - entitled


def test_the_book_by_site_is_the_same_after_a_restart(shop: Shop) -> None:
    shop.entitle(shop.a, 16, site="paris", lend_limit=8)
    for _ in range(3):
        shop.lease(shop.acme, SPOT, 8)
    shop.turn()
    before = shop.desk.book.headroom.contents("cpu-core")
    shop.desk.reload()
    assert shop.desk.book.headroom.contents("cpu-core") == before
    assert shop.lease(shop.acme, SPOT, 8).state is LeaseState.WAITING
