"""The load of a large fleet, drawn from a seed: how it is built, and what is asked of it.

Racks of 16 nodes, pods of 24 racks, eight accelerators a node, forty tenants of unequal size.
Of the requests 45 % are for one accelerator, 12 % for gangs above 16 (up to 4,096), which hold
most of the fleet; four classes, of which spot may be reclaimed.
"""

import random
from array import array
from dataclasses import dataclass

from comptoir.fleet.conditions import OPEN
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.placement import kernel_replay as replay
from comptoir.placement.backend import Backend
from comptoir.placement.kernel import GUARANTEED, Ints
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK
from comptoir.placement.pools import Pool, PoolKey
from comptoir.units.ids import InboundLeaseId, NodeId, TenantId

NODES_A_RACK, RACKS_A_POD, ACCELERATORS = 16, 24, 8
TENANTS = 40
GANGS = (24, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)
GANG_WEIGHTS = (200, 200, 250, 150, 100, 60, 25, 10, 5)
FIRST_DRAW = 12_345
SPOT, ON_DEMAND, RESERVED, INTERNAL = 0, 1, 2, 3
CLASSES, CLASS_WEIGHTS = (INTERNAL, RESERVED, ON_DEMAND, SPOT), (20, 20, 25, 35)


@dataclass(frozen=True, slots=True)
class Load:
    """A fleet and its requests, as the kernel's closed loop takes them (`kernel_replay.py`)."""

    pool: Pool
    state: Ints
    requests: Ints
    live: Ints

    def run(self, steps: int) -> int:
        """So many steps; returns the hash of all that was done."""
        return self.pool.backend.run(
            *self.pool.tables.memory, self.state, self.requests, self.live, steps
        )

    def step(self) -> int:
        """One step; returns what it was."""
        return self.pool.backend.step(
            *self.pool.tables.memory, self.state, self.requests, self.live
        )

    def fill(self) -> None:
        """Place until the target is reached."""
        while not self.state[replay.RELEASED]:
            self.run(100)


def build(
    nodes: int, occupancy_percent: int, backend: Backend, seed: int = 1, spare_percent: int = 0
) -> Load:
    """An empty fleet, and requests for it.

    Args:
        spare_percent: Room for more leases than 95 % of a large fleet holds, in % of nodes.
    """
    pool = Pool(PoolKey("h100-sxm", "bench", "a", 0, None, OPEN), backend)
    for number in range(nodes):
        rack = number // NODES_A_RACK
        pool.add_node(
            Node(
                NodeId(f"nd_{number}"), f"n{number}", InboundLeaseId("il"), "h100-sxm",
                ACCELERATORS, 0, "", "bench", "a", f"p{rack // RACKS_A_POD}", f"r{rack}",
                NodeState.IN_SERVICE,
            ),
            True,
        )  # fmt: skip
    for tenant in range(TENANTS):
        pool.number_owner(TenantId(f"tn_{tenant}"))
    holdings = nodes * (113 + spare_percent) // 100 + 8_192
    leases = nodes * (34 + spare_percent) // 100 + 4_096
    pool.tables.more_holdings(holdings)
    pool.tables.more_leases(leases)
    pool.tables.room_for_answer(min(nodes, GANGS[-1]) + 2)
    state = array("q", bytes(8 * replay.STATE_SIZE))
    state[replay.DRAW] = FIRST_DRAW
    state[replay.TARGET] = nodes * ACCELERATORS * occupancy_percent // 100
    state[replay.ROWS] = holdings
    live = array("q", bytes(8 * leases))
    requests = draw_requests(random.Random(seed), 200_000, nodes)
    view = backend.view
    return Load(pool, view(state), view(requests), view(live))


def draw_requests(rng: random.Random, count: int, nodes: int) -> "array[int]":
    """Rows of requests, each in the narrowest level that an ordinary user would ask for."""
    rows = array("q")
    for _ in range(count):
        size = draw_size(rng, nodes)
        if size <= ACCELERATORS:
            level = ON_NODE
        elif size <= ACCELERATORS * NODES_A_RACK:
            level = rng.choice((ON_RACK, ON_POD))
        else:
            level = ON_POD if size <= ACCELERATORS * NODES_A_RACK * RACKS_A_POD else ON_CLUSTER
        lease_class = rng.choices(CLASSES, CLASS_WEIGHTS)[0]
        owner = 1 + min(TENANTS - 1, int(rng.expovariate(0.1)))
        strength = 0 if lease_class == SPOT else 1
        rows.extend([size, level, owner, strength, 0 if lease_class == SPOT else GUARANTEED])
    return rows


def draw_size(rng: random.Random, nodes: int) -> int:
    """How many accelerators a request is for."""
    share = rng.random()
    if share < 0.45:
        return 1
    if share < 0.65:
        return rng.choice((2, 4, 8))
    if share < 0.88:
        return rng.choice((8, 12, 16, 16))
    return min(rng.choices(GANGS, GANG_WEIGHTS)[0], 2 * nodes)


def bytes_of(load: Load) -> tuple[int, int]:
    """What the flat tables take, and beside them what the ids of their nodes take."""
    pool = load.pool
    ids = pool.ids.__sizeof__() + pool.taken.__sizeof__() + pool.handles.__sizeof__()
    return pool.tables.bytes_used, ids + 32 * len(pool.ids)
