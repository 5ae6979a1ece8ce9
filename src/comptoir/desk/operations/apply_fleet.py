"""A fleet file applied: all of its inbound leases in one act, or none.

An inbound lease is known by its name. One that the book has already, as the file says it, is
left as it is, so that a file can be applied again; one that differs is a conflict, because
people and promises rest on what was declared. What the book has and the file does not say is
not touched.
"""

from collections.abc import Iterator

from comptoir.desk.operations.supply import declare_supply
from comptoir.desk.requests import (
    AppliedFabric,
    AppliedLease,
    ApplyFleet,
    DeclareSupply,
    FleetApplied,
)
from comptoir.desk.transaction import Transaction
from comptoir.fleet.files import FileLease, FleetFile
from comptoir.fleet.nodes import NewNode, Node
from comptoir.leases.inbound import InboundLease
from comptoir.units.errors import Conflict
from comptoir.units.money import format_price
from comptoir.units.time import format_instant

MOST_REASONS = 20


def apply_fleet(tx: Transaction, request: ApplyFleet) -> FleetApplied:
    """Declare what is new in a file; a dry run only says what that is.

    Raises:
        Conflict: `fleet_conflicts`: the book says otherwise; every reason is given.
        Invalid: as `declare_supply`.
    """
    file = request.file
    conflicts = list(_conflicts(tx, file))
    if conflicts:
        more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
        raise Conflict(
            "fleet_conflicts",
            f"{file.name}: {conflicts[0]}{more}",
            "mend the file, or end that inbound lease first: `comptoir supply end`",
            {"reasons": conflicts[:MOST_REASONS]},
        )
    leases = tuple(_apply(tx, lease, request.dry_run) for lease in file.leases)
    new = [lease for lease in leases if lease.action == "declare"]
    applied = FleetApplied(
        request.dry_run,
        leases,
        tuple(_set_fabrics(tx, file, request.dry_run)),
        sum(lease.nodes for lease in new),
        sum(lease.accelerators for lease in new),
    )
    if not request.dry_run and (new or any(c.action != "unchanged" for c in applied.clusters)):
        tx.emit(
            "fleet.applied", file.name, None, inbound_leases=len(new), nodes=applied.nodes,
            accelerators=applied.accelerators,
        )  # fmt: skip
    return applied


def _apply(tx: Transaction, lease: FileLease, dry_run: bool) -> AppliedLease:
    known = tx.book.inbound_by_name.first(lease.name)
    counts = (lease.node_count, lease.accelerators)
    if known is not None:
        return AppliedLease(lease.name, lease.kind, "unchanged", known.id, *counts)
    if dry_run:
        return AppliedLease(lease.name, lease.kind, "declare", None, *counts)
    declared = declare_supply(
        tx,
        DeclareSupply(
            lease.name, lease.kind, tuple(lease.expand()), lease.partner, lease.starts_at_ms,
            lease.ends_at_ms, lease.cost_nanos, lease.currency, lease.conditions,
        ),
    )  # fmt: skip
    return AppliedLease(lease.name, lease.kind, "declare", declared.id, *counts)


def _set_fabrics(tx: Transaction, file: FleetFile, dry_run: bool) -> Iterator[AppliedFabric]:
    """Facts about a cluster may be corrected: nothing was promised on them."""
    for fabric in file.fabrics:
        known = tx.book.fabrics.get((fabric.site, fabric.cluster))
        action = "unchanged" if known == fabric else "set" if known is None else "change"
        if action != "unchanged" and not dry_run:
            tx.book.fabrics.put(fabric)
        yield AppliedFabric(fabric.site, fabric.cluster, action)


def _conflicts(tx: Transaction, file: FleetFile) -> Iterator[str]:
    if nothing := file.fabrics_of_nothing():
        there = {(node.site, node.cluster) for node in tx.book.nodes}
        for fabric in nothing:
            if (fabric.site, fabric.cluster) not in there:
                place = f"{fabric.site}/{fabric.cluster}"
                yield f"no node stands in the cluster {place}, in the file or in the book"
    for lease in file.leases:
        known = tx.book.inbound_by_name.get(lease.name)
        if len(known) > 1:
            yield f"the book has {len(known)} active inbound leases called {lease.name!r}"
        elif known:
            for difference in (
                *_differences(known[0], lease),
                *_node_differences(tx, known[0], lease),
            ):
                yield f"inbound lease {lease.name!r} ({known[0].id}): {difference}"
        else:
            for node in lease.expand():
                if tx.book.nodes_by_name.first(node.name) is not None:
                    yield f"node {node.name!r} of {lease.name!r} is in another inbound lease"


def _differences(known: InboundLease, lease: FileLease) -> Iterator[str]:
    """Facts that differ, in words. A file that states no start says nothing of it."""
    starts_at_ms = known.starts_at_ms if lease.starts_at_ms is None else lease.starts_at_ms
    for field, ours, files in (
        ("kind", known.kind, lease.kind),
        ("partner", known.partner, lease.partner),
        ("starts", format_instant(known.starts_at_ms), format_instant(starts_at_ms)),
        ("ends", _end(known.ends_at_ms), _end(lease.ends_at_ms)),
        ("cost", format_price(known.cost_nanos), format_price(lease.cost_nanos)),
        ("currency", known.currency, lease.currency),
        ("its conditions", known.conditions, lease.conditions),
    ):
        if ours != files:
            yield (
                f"{field} is {files} in the file and {ours} in the book"
                if isinstance(files, str)
                else f"{field} differ"
            )


def _end(ends_at_ms: int | None) -> str:
    return "open" if ends_at_ms is None else format_instant(ends_at_ms)


def _node_differences(tx: Transaction, known: InboundLease, lease: FileLease) -> Iterator[str]:
    held = {node.name: node for node in tx.book.nodes_by_inbound.get(known.id)}
    more, other = [], []
    for new in lease.expand():
        node = held.pop(new.name, None)
        if node is None:
            more.append(new.name)
        elif _as_new(node, new) != new:
            other.append(new.name)
    for names, what in (
        (more, "in the file and not in the book"),
        (list(held), "in the book and not in the file"),
        (other, "other in the file than in the book"),
    ):
        if names:
            first = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            yield f"{len(names):,} nodes are {what}: {first}"


def _as_new(node: Node, new: NewNode) -> NewNode:
    """A node as a file would say it. Spares are an operator's to change, and no conflict."""
    return NewNode(
        node.name, node.accelerators, node.memory_bytes, node.engine, node.site, node.cluster,
        node.pod, node.rack, node.cpus, new.spare, None if new.gated is None else node.gated,
        node.fence_after_s, node.accept_within_s,
    )  # fmt: skip
