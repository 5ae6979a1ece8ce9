"""Warming: every kernel that the desk calls is called once, and held to the plain one's answer.

Numba compiles a function, or reads it from its cache, when it is first called with arguments of
some types. What is warm is neither compiled nor read while somebody waits for a plan. Run as a
module (`python -m comptoir.placement.warming`) it fills the cache and ends.
Neighbours: `backend.py`, whose functions these are; `desk/kernel_threads.py` says when.
"""

from collections.abc import Iterator
from typing import Any

from comptoir.fleet.conditions import OPEN
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Shape
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.calendar import fastest_search
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK
from comptoir.placement.kernel_reclaim import ENDLESS
from comptoir.placement.pools import Pool, PoolKey
from comptoir.units.errors import invariant
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId, UserId
from comptoir.units.values import replace

_NOW_MS = 1_790_000_000_000
_LEVELS = (ON_NODE, ON_RACK, ON_POD, ON_CLUSTER)
_NODES, _SIZE = 6, 8


def warmed() -> Backend:
    """The compiled kernels, ready to be called, and the calendar's search beside them.

    Raises:
        ImportError: the extra `comptoir[fast]` is not installed.
        InvariantBroken: they do not answer as the plain ones do.
    """
    backend = compiled()
    prove(backend)
    fastest_search()
    return backend


def prove(backend: Backend) -> None:
    """Hold a back end to the plain one: a small fleet must be served alike.

    Raises:
        InvariantBroken: at the first answer that differs.
    """
    for number, (one, other) in enumerate(zip(served(PLAIN), served(backend), strict=True)):
        invariant(one == other, f"{backend.name} kernels, answer {number}: {other}, not {one}")


def served(backend: Backend) -> Iterator[Any]:
    """Every answer of a small fleet, through all that the desk asks of a pool."""
    pool = Pool(PoolKey("h100-sxm", "site", "a", 0, None, OPEN), backend)
    for number in range(_NODES):
        pool.add_node(_node(number), True)
    spot, lease = _lease(1, LeaseClass.SPOT), _lease(2, LeaseClass.ON_DEMAND)
    first, second = _held(spot, 0, 2), _held(lease, 1, _SIZE)
    pool.hold(first, spot)
    pool.hold(second, lease)
    passes = replace(second, ends_at_ms=_NOW_MS + 60_000)
    pool.set_window(passes)
    yield from _searched(pool)
    yield from _reclaimed(pool)
    pool.set_window(second)
    pool.change_lease(replace(spot, state_since_ms=_NOW_MS - 60_000))
    yield pool.contents()
    pool.set_open(pool.handles[first.node_id], False)
    pool.free(first, ())
    pool.free(second, ())
    yield pool.contents()


def _searched(pool: Pool) -> Iterator[Any]:
    owner = pool.owner_of(TenantId("t1"))
    for level in _LEVELS:
        for wanted in (1, _SIZE + 3, 3 * _SIZE + 1):
            yield pool.find(level, wanted, owner)


def _reclaimed(pool: Pool) -> Iterator[Any]:
    rank, wanted = 3, 2 * _SIZE
    claim = (pool.owner_of(TenantId("t9")), rank, _NOW_MS, ENDLESS, _NOW_MS)
    pods = [pod for _, pod in pool.promising_pods(wanted, rank, _NOW_MS)]
    yield pods
    racks = [rack for _, rack in pool.promising_places(ON_RACK, pods, wanted, rank, _NOW_MS)]
    yield racks
    yield pool.youngest_racks(wanted, rank, _NOW_MS)
    for rack in racks:
        yield pool.nodes_of_rack(rack, _SIZE, rank, _NOW_MS)
    for pod in pods:
        yield pool.weak_leases(ON_POD, pod, rank)
        free, records = pool.gather(ON_POD, pod, claim)
        yield free, records
    numbered = [0, 0, 5, 0, 1, 8, 8, 0, 0, 16, 3, 1, 2, 16, 5, 1]
    listed = pool.backend.listed
    yield list(pool.backend.cover(listed(numbered), listed([40, 60, 20]), 9))


def _node(number: int) -> Node:
    return Node(
        NodeId(f"nd_{number}"), f"n{number}", InboundLeaseId("il"), "h100-sxm", _SIZE, 0, "",
        "site", "a", f"p{number // 4}", f"r{number // 2}", NodeState.IN_SERVICE,
    )  # fmt: skip


def _lease(number: int, lease_class: LeaseClass) -> Lease:
    return Lease(
        LeaseId(f"ls_{number}"), TenantId(f"t{number}"), UserId("u"), "", lease_class, "h100-sxm",
        _SIZE, Shape.SITE, _NOW_MS, None, 0, OnReclaim.WAIT, _NOW_MS, LeaseState.ACTIVE, _NOW_MS,
    )  # fmt: skip


def _held(lease: Lease, node: int, size: int) -> Allocation:
    return Allocation(
        AllocationId(f"al_{lease.id}"), lease.id, lease.tenant_id, NodeId(f"nd_{node}"),
        InboundLeaseId("il"), tuple(range(size)), _NOW_MS, None, _NOW_MS,
    )  # fmt: skip


if __name__ == "__main__":
    warmed()
