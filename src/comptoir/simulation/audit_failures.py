"""The audit of failures: nothing sold or billed on a lost node, and every broken promise recorded.

For each guaranteed lease and each instant, what was delivered and what is recorded as broken
are together all of its accelerators, or none: every accelerator-millisecond once.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence

from comptoir.simulation.machines import Fate, Trouble

NODE_EDGES = {
    "": {"in_service", "checking"},
    "in_service": {"draining", "maintenance", "unknown", "failed", "checking"},
    "draining": {"in_service", "maintenance", "unknown", "failed", "checking"},
    "maintenance": {"in_service", "draining", "failed", "checking"},
    "unknown": {"in_service", "draining", "failed", "checking"},
    "failed": {"in_service", "checking"},
    "checking": {"in_service", "draining", "maintenance", "unknown", "failed"},
}
STATES = frozenset(NODE_EDGES) - {""}
SOLD_IN = {"in_service", "draining"}
GUARANTEED = {"internal", "reserved", "on_demand"}


def failure_problems(
    rows: sqlite3.Connection, troubles: Sequence[Trouble], now_ms: int
) -> Iterator[str]:
    """Every broken rule about nodes that fail and what they owe."""
    events = rows.execute("SELECT * FROM event ORDER BY seq").fetchall()
    nodes = {row["id"]: row for row in rows.execute("SELECT * FROM node")}
    yield from _states(events, nodes)
    yield from _closed_rows(rows)
    yield from _adds_up(rows, now_ms)
    yield from _unbilled(rows, events, troubles)
    yield from _fenced(rows, events)
    yield from _gated(rows, events, nodes)


def _states(events: list[sqlite3.Row], nodes: dict[str, sqlite3.Row]) -> Iterator[str]:
    """Nodes move along the edges, and nothing is handed over on one that is not sold."""
    state: dict[str, str] = {}
    for event in events:
        group, _, word = event["type"].partition(".")
        if group == "node" and word in STATES:
            node_id = event["subject"]
            before = state.get(node_id) or _first_state(nodes[node_id])
            if word != before and word not in NODE_EDGES[before]:
                yield f"{node_id} went from {before} to {word}"
            state[node_id] = word
        elif event["type"] in ("lease.active", "lease.node_replaced", "lease.moved"):
            data = json.loads(event["data"])
            for node_id in data.get("nodes") or [data.get("node")]:
                now = state.get(node_id) or _first_state(nodes[node_id])
                if now not in SOLD_IN:
                    yield f"{event['subject']} was given {node_id}, which is {now}"
    for node_id, word in state.items():
        if nodes[node_id]["state"] not in (word, "retired", "draining"):
            yield f"{node_id} is {nodes[node_id]['state']}, its history ends with {word}"


def _gated(
    rows: sqlite3.Connection, events: list[sqlite3.Row], nodes: dict[str, sqlite3.Row]
) -> Iterator[str]:
    """Nobody is given a gated node that another tenant has left, before its checks have passed."""
    passed: dict[str, list[int]] = defaultdict(list)
    for event in events:
        well = event["type"] in ("node.in_service", "node.draining")
        if well and json.loads(event["data"])["because"] == "its checks passed":
            passed[event["subject"]].append(event["at_ms"])
    given: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in rows.execute(
        "SELECT * FROM allocation WHERE delivered_from_ms IS NOT NULL ORDER BY delivered_from_ms"
    ):
        if nodes[row["node_id"]]["gated"]:
            given[row["node_id"]].append(row)
    for node_id, parts in given.items():
        for number, part in enumerate(parts):
            at = part["delivered_from_ms"]
            before = [p for p in parts[:number] if p["fenced_at_ms"] != p["delivered_from_ms"]]
            if any(p["fenced_at_ms"] is None or p["fenced_at_ms"] > at for p in before):
                continue  # it is shared, or one tenant's
            left = max((p["fenced_at_ms"] for p in before), default=0)
            last = [p for p in before if p["fenced_at_ms"] == left]
            if any(p["tenant_id"] == part["tenant_id"] for p in last) or not last:
                continue
            if not any(left <= instant <= at for instant in passed[node_id]):
                yield f"{part['lease_id']} was given {node_id}, unchecked since another had it"


def _first_state(node: sqlite3.Row) -> str:
    return "checking" if node["gated"] else "in_service"


def _closed_rows(rows: sqlite3.Connection) -> Iterator[str]:
    """A row that is closed says what its own instants say; open ones belong to live leases."""
    for row in rows.execute("SELECT b.*, l.state FROM breach b JOIN lease l ON l.id = b.lease_id"):
        end = row["broken_until_ms"]
        if row["lease_class"] not in GUARANTEED:
            yield f"{row['id']}: {row['lease_class']} was never guaranteed"
        if not 0 < row["accelerators"] <= row["gang_accelerators"]:
            yield f"{row['id']} has {row['accelerators']} of {row['gang_accelerators']}"
        if end is None:
            if row["state"] in ("ended", "cancelled", "refused", "broken"):
                yield f"{row['id']} is open and {row['lease_id']} is {row['state']}"
            continue
        if row["accelerator_ms"] != (end - row["broken_from_ms"]) * row["accelerators"]:
            yield f"{row['id']} says {row['accelerator_ms']}, its instants say otherwise"
        if row["promised_until_ms"] is not None and end > max(
            row["promised_until_ms"], row["broken_from_ms"]
        ):
            yield f"{row['id']} reaches past the promise"


def _adds_up(rows: sqlite3.Connection, now_ms: int) -> Iterator[str]:
    """Delivered and broken accelerators of a guaranteed lease are all or none, at any instant.

    What stood on supply that has ended is owed no more, while the rest has its notice.
    """
    withdrawn: dict[tuple[str, int], int] = defaultdict(int)
    supply_end = dict(rows.execute("SELECT id, ends_at_ms FROM inbound_lease"))
    changes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    leases = {
        row["id"]: row
        for row in rows.execute("SELECT * FROM lease")
        if row["lease_class"] in GUARANTEED
    }
    for a in rows.execute("SELECT * FROM allocation WHERE delivered_from_ms IS NOT NULL"):
        if a["lease_id"] in leases:
            size = len(json.loads(a["accelerators"]))
            until = a["delivered_until_ms"]
            if until is None:
                until = max(now_ms if a["ends_at_ms"] is None else min(now_ms, a["ends_at_ms"]),
                            a["delivered_from_ms"])  # fmt: skip
            changes[a["lease_id"]][a["delivered_from_ms"]] += size
            changes[a["lease_id"]][until] -= size
            if until == supply_end[a["inbound_lease_id"]]:
                withdrawn[a["lease_id"], until] += size
    for b in rows.execute("SELECT * FROM breach"):
        until = b["broken_until_ms"]
        if until is None:
            ends = [now_ms] if b["promised_until_ms"] is None else [now_ms, b["promised_until_ms"]]
            until = max(min(ends), b["broken_from_ms"])
        changes[b["lease_id"]][b["broken_from_ms"]] += b["accelerators"]
        changes[b["lease_id"]][until] -= b["accelerators"]
    sizes = _sizes(rows)
    for lease_id, moves in changes.items():
        held, owed_no_more = 0, 0
        instants = sorted(moves)
        for at, following in zip(instants, [*instants[1:], None], strict=True):
            held += moves[at]
            said = [size for since, size in sizes[lease_id] if since <= at]
            wants = said[-1] if said else sizes[lease_id][0][1]
            gone = withdrawn[lease_id, at]
            owed_no_more = gone + (0 if held in (0, wants) else owed_no_more)
            if held not in (0, wants, wants - owed_no_more) and following is not None:
                yield (
                    f"{lease_id} has {held} of {wants} delivered or broken from {at} to {following}"
                )
                break


def _sizes(rows: sqlite3.Connection) -> dict[str, list[tuple[int, int]]]:
    """How many accelerators a lease has, from which instant on: it may shrink.

    What its holder gave up before anything was delivered was never owed: it is as if asked so.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    delivered: set[str] = set()
    query = "SELECT * FROM event WHERE type IN ('lease.scheduled', 'lease.active', 'lease.shrunk')"
    for event in rows.execute(f"{query} ORDER BY seq"):
        data = json.loads(event["data"])
        size = data.get("accelerators_left", data["accelerators"])
        if event["type"] == "lease.active":
            delivered.add(event["subject"])
        if event["type"] == "lease.shrunk" and event["subject"] not in delivered:
            found[event["subject"]] = [(at_ms, size) for at_ms, _ in found[event["subject"]]]
        found[event["subject"]].append((event["at_ms"], size))
    return found


def _unbilled(
    rows: sqlite3.Connection, events: list[sqlite3.Row], troubles: Sequence[Trouble]
) -> Iterator[str]:
    """What was delivered on a machine that was dead is billed only if nobody knew when it was."""
    usage: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in rows.execute(
        "SELECT u.*, a.node_id FROM usage u JOIN allocation a"
        " ON u.event_id LIKE a.id || ':%' WHERE u.source = 'desk' AND u.measure = 'delivered'"
    ):
        usage[row["node_id"]].append(row)
    for trouble in troubles:
        known = _known(events, trouble)
        if known is None:
            continue
        seq, since = known
        for row in usage[trouble.node_id]:
            starts, ends = max(row["starts_at_ms"], since), min(row["ends_at_ms"], trouble.until_ms)
            if starts < ends and row["received_at_ms"] > seq:
                yield (
                    f"usage {row['seq']} bills {ends - starts} ms on {trouble.node_id}, known to "
                    f"be {trouble.fate.value} since {since}"
                )


def _known(events: list[sqlite3.Row], trouble: Trouble) -> tuple[int, int] | None:
    """When the book learned of a trouble that it could not take back, and since when it was so."""
    for event in events:
        if event["at_ms"] < trouble.from_ms or event["subject"] != trouble.node_id:
            continue
        if event["type"] == "node.failed":
            failed = json.loads(event["data"])["failed_at_ms"]
            dead = trouble.fate is Fate.DEAD or trouble.until_ms > trouble.fences_at_ms
            return (event["at_ms"], max(failed, trouble.from_ms)) if dead else None
        if event["type"] in ("node.in_service", "node.maintenance", "node.checking"):
            return None
    return None


def _fenced(rows: sqlite3.Connection, events: list[sqlite3.Row]) -> Iterator[str]:
    """What was lost was delivered up to the loss, and is fenced no earlier than it was lost."""
    lost = {
        (event["subject"], json.loads(event["data"])["node"])
        for event in events
        if event["type"] == "lease.node_lost"
    }
    lost |= {
        (event["subject"], node)
        for event in events
        if event["type"] == "lease.moved"
        for node in json.loads(event["data"])["left"]
    }
    for a in rows.execute(
        "SELECT * FROM allocation WHERE delivered_until_ms IS NOT NULL AND fenced_at_ms IS NULL"
    ):
        if (a["lease_id"], a["node_id"]) not in lost:
            yield f"{a['id']} is undelivered, not fenced, and was never lost"
