"""The kernel against a plain model: whatever happens to a fleet, both say the same of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from comptoir.leases.lease import LeaseClass
from comptoir.placement import kernel as k
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK
from comptoir.placement.pools import Pool
from comptoir.units.ids import NodeId, TenantId
from tests.placement.fleets import LEVELS, Model, key_of, make_allocation, make_lease, make_node

TENANTS = ("t1", "t2", "t3")


def since_s(allocation: Any) -> int:
    """Since when it would lose work, as the kernel counts: seconds since 2020."""
    return allocation.starts_at_ms // 1_000 - 1_577_836_800


class Fleet(RuleBasedStateMachine):
    """A pool and its model, through nodes that come, close and go, and gangs that stand and end."""

    backend: Backend = PLAIN
    leases = Bundle("leases")

    @initialize(
        kind=st.sampled_from(["h100-sxm", "cpu-core"]),
        sizes=st.lists(st.integers(1, 9), min_size=1, max_size=14),
        even=st.booleans(),
    )
    def build(self, kind: str, sizes: list[int], even: bool) -> None:
        self.pool = Pool(key_of(kind), self.backend)
        self.model = Model(kind == "cpu-core")
        self.kind, self.made, self.given = kind, 0, 0
        for size in sizes:
            self.add(8 if even else size)

    def add(self, size: int) -> None:
        node = make_node(self.made, self.kind, size, self.made // 5, self.made // 2)
        self.made += 1
        self.pool.add_node(node, True)
        self.model.nodes[node.id] = node

    @rule(size=st.sampled_from([1, 4, 8, 8, 70]))
    def a_node_comes(self, size: int) -> None:
        self.add(size)

    @rule(data=st.data())
    def a_node_closes_or_opens(self, data: st.DataObject) -> None:
        node_id = data.draw(st.sampled_from(sorted(self.model.nodes)))
        self.model.closed ^= {node_id}
        self.pool.set_open(self.pool.handles[node_id], node_id not in self.model.closed)

    @rule(data=st.data())
    def an_empty_node_goes(self, data: st.DataObject) -> None:
        empty = sorted(n for n in self.model.nodes if not self.model.standing[n])
        if len(self.model.nodes) > 1 and empty:
            node = self.model.nodes.pop(data.draw(st.sampled_from(empty)))
            self.model.closed.discard(node.id)
            self.pool.remove_node(node)

    @rule(
        target=leases,
        wanted=st.one_of(st.integers(1, 9), st.integers(1, 90)),
        level=st.sampled_from(LEVELS),
        tenant=st.sampled_from(TENANTS),
        spot=st.booleans(),
    )
    def a_gang_is_placed(self, wanted: int, level: int, tenant: str, spot: bool) -> Any:
        found = self.pool.find(level, wanted, self.pool.owner_of(TenantId(tenant)))
        assert bool(found) == self.model.fits(level, wanted, tenant)
        if not found:
            return []
        self.check_found(found, wanted, level, tenant)
        lease_class = LeaseClass.SPOT if spot else LeaseClass.ON_DEMAND
        lease = make_lease(self.given, tenant, lease_class, wanted, 1_000_000 + 1_000 * self.given)
        held = []
        for node_id, count in found:
            self.given += 1
            indexes = self.pool.untouched(node_id, count)
            allocation = make_allocation(self.given, lease, node_id, indexes)
            self.pool.hold(allocation, lease)
            self.model.standing[node_id][allocation.id] = allocation
            held.append((allocation, lease))
        return held

    def check_found(
        self, found: list[tuple[NodeId, int]], wanted: int, level: int, tenant: str
    ) -> None:
        """What was found is the tenant's to have, whole, in one place, and in the tightest."""
        model = self.model
        nodes = [model.nodes[node_id] for node_id, _ in found]
        assert sum(count for _, count in found) == wanted
        assert len(set(nodes)) == len(found)
        assert all(1 <= n <= model.usable(model.nodes[id], tenant) for id, n in found)
        places = {model.place(node, level) for node in nodes}
        assert len(places) == 1
        if level == ON_NODE:
            self.check_tightest_node(nodes[0], wanted, tenant)
        elif level != ON_CLUSTER:
            self.check_tightest_place(places.pop(), level, wanted, tenant)

    def check_tightest_node(self, node: Any, wanted: int, tenant: str) -> None:
        """A node in use before a wholly free one, and of those in use the tightest."""
        model = self.model
        in_use = [
            model.free(other)
            for other in model.nodes.values()
            if model.usable(other, tenant) >= wanted and (model.shared or model.standing[other.id])
        ]
        if in_use:
            assert model.free(node) == min(in_use)
        else:
            broken = [
                model.room(at)
                for at in model.places(ON_RACK).values()
                if any(not model.standing[n.id] and model.usable(n, tenant) >= wanted for n in at)
                and not self.is_whole(at)
            ]
            rack = model.places(ON_RACK)[model.place(node, ON_RACK)]
            assert model.room(rack) == min(broken) if broken else self.is_whole(rack)

    def check_tightest_place(
        self, place: tuple[str, ...], level: int, wanted: int, tenant: str
    ) -> None:
        """The tightest place by room; a wholly free rack last; parts in use only if they must."""
        model, at = self.model, self.model.places(level)
        rooms = {name: room for name in at if (room := model.room(at[name])) >= wanted}
        in_use = [room for name, room in rooms.items() if not self.is_whole(at[name])]
        if not rooms:
            totals = {name: sum(model.usable(n, tenant) for n in at[name]) for name in at}
            assert totals[place] == min(total for total in totals.values() if total >= wanted)
        elif level == ON_POD:
            assert rooms[place] == min(rooms.values())
        elif in_use:
            assert rooms[place] == min(in_use)
        else:
            pods = defaultdict(int)
            for name, nodes in at.items():
                pods[name[0]] += self.is_whole(nodes)
            assert pods[place[0]] == min(pods[name[0]] for name in rooms)

    def is_whole(self, nodes: list[Any]) -> bool:
        opened = [node for node in nodes if node.id not in self.model.closed]
        return self.model.room(nodes) == sum(node.accelerators for node in opened) > 0

    @rule(held=consumes(leases), whole=st.booleans())
    def a_gang_ends(self, held: list[Any], whole: bool) -> None:
        for allocation, _ in held if whole else reversed(held):
            standing = self.model.standing[allocation.node_id]
            del standing[allocation.id]
            self.pool.free(allocation, standing.values())

    @rule(held=leases, promised=st.booleans())
    def a_gang_is_given_a_window_or_loses_it(self, held: list[Any], promised: bool) -> None:
        for allocation, _ in held:
            if allocation.id in self.pool.holdings:
                ends = allocation.starts_at_ms + 10 if promised else None
                changed = make_allocation(0, _, allocation.node_id, [])
                object.__setattr__(changed, "id", allocation.id)
                object.__setattr__(changed, "ends_at_ms", ends)
                self.pool.set_window(changed)

    @invariant()
    def every_count_is_the_sum_of_what_hangs_below(self) -> None:
        if not hasattr(self, "pool"):
            return
        pool, model = self.pool, self.model
        contents: Any = pool.contents()
        for node in model.nodes.values():
            free, size, taken, _, doubled = contents["nodes"][node.id]
            assert (free, abs(size), doubled) == (model.free(node), node.accelerators, 0)
            assert (size > 0) == (node.id not in model.closed)
            assert taken.bit_count() == node.accelerators - free
        for level, counted in ((ON_RACK, contents["racks"]), (ON_POD, contents["pods"])):
            for place, nodes in model.places(level).items():
                name = place if level == ON_RACK else place[0]
                got = counted.get(name, [0] * 12)
                opened = [node for node in nodes if node.id not in model.closed]
                weak = [
                    a
                    for node in opened
                    for a in model.standing[node.id].values()
                    if self.rank_of(a) < k.GUARANTEED
                ]
                assert got[0] == model.room(nodes)
                assert got[1] == sum(model.free(node) for node in opened)
                assert got[2] == sum(node.accelerators for node in opened)
                assert got[4] == sum(len(a.accelerators) for a in weak)
                assert got[8] == sum(len(a.accelerators) * since_s(a) for a in weak)
        assert pool.tables.pool[k.ALL_ROOM] == model.room(list(model.nodes.values()))

    def rank_of(self, allocation: Any) -> int:
        of = self.pool.tables.held[self.pool.holdings[allocation.id] + k.OF]
        return self.pool.tables.pool[of + k.L_RANK]

    @invariant()
    def the_whole_pool_is_found_and_no_more(self) -> None:
        if not hasattr(self, "pool"):
            return
        for tenant in TENANTS:
            most = sum(self.model.usable(node, tenant) for node in self.model.nodes.values())
            owner = self.pool.owner_of(TenantId(tenant))
            assert self.pool.room_for(owner) == most
            assert self.pool.find(ON_CLUSTER, most + 1, owner) == []
            if most:
                assert sum(n for _, n in self.pool.find(ON_CLUSTER, most, owner)) == most


class CompiledFleet(Fleet):
    """The same, compiled."""

    backend = PLAIN  # set when the test runs: importing Numba takes a while


def test_the_kernel_says_what_a_plain_model_says() -> None:
    run_state_machine_as_test(
        Fleet, settings=settings(max_examples=120, stateful_step_count=30, deadline=None)
    )


def test_the_compiled_kernel_says_what_a_plain_model_says() -> None:
    CompiledFleet.backend = compiled()
    run_state_machine_as_test(
        CompiledFleet, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )


@pytest.mark.parametrize("bit", range(k.BITS))
def test_the_lowest_bit_of_a_word_is_found_by_its_rest(bit: int) -> None:
    assert k.LOWEST[(1 << bit) % 67] == bit


@pytest.mark.parametrize("at", [0, 1, 61, 62, 63, 123, 124, 200])
def test_the_first_bit_at_or_after_is_found_across_words(at: int) -> None:
    bitmap = [0] * 4
    for bit in (3, 61, 62, 124, 185, 247):
        bitmap[bit // k.BITS] |= 1 << (bit % k.BITS)
    expected = next(bit for bit in (3, 61, 62, 124, 185, 247) if bit >= at)
    assert k.first_from(bitmap, 0, 4, at) == expected
    assert k.first_from(bitmap, 0, 4, 248) == -1
