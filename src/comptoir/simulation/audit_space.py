"""The audit of accelerators and states: nothing sold twice, gangs whole, edges allowed."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

ENDLESS = 1 << 62
SHARED = {"cpu-core"}
"""The kinds whose nodes tenants share; of every other kind a node is one tenant's at a time."""
PLACE = {
    "site": ("site",),
    "cluster": ("site", "cluster"),
    "pod": ("site", "cluster", "pod"),
    "rack": ("site", "cluster", "pod", "rack"),
    "node": ("site", "cluster", "pod", "rack", "name"),
}
STATE_EDGES = {
    "": {"waiting"},
    "waiting": {"scheduled", "held", "cancelled", "refused", "ended", "broken"},
    "held": {"scheduled", "cancelled"},
    "scheduled": {"active", "waiting", "cancelled", "broken"},
    "active": {"reclaiming", "waiting"},
    "reclaiming": {"waiting", "ended"},
}
STANDING = ("held", "scheduled", "active", "reclaiming")
NO_STATE = (
    "extended", "reclaim_planned", "reclaim_dropped", "ending", "shrunk", "node_lost",
    "node_replaced", "node_rejected", "maintenance_announced", "delivery_accepted", "restated",
    "moved",
)  # fmt: skip
"""Events of a lease that leave its state as it was."""
MAY_BE_SHORT = {"window_end", "selling_window_end", "node_lost"}
"""The reasons whose instant everybody knew, or nobody."""


def space_problems(rows: sqlite3.Connection, windows_of_the_workload: bool = True) -> Iterator[str]:
    """Every broken rule of space, time and state.

    Of selling windows only those of the simulator's workload are known here.
    """
    leases = {row["id"]: row for row in rows.execute("SELECT * FROM lease")}
    nodes = {row["id"]: row for row in rows.execute("SELECT * FROM node")}
    allocations = [dict(row) for row in rows.execute("SELECT * FROM allocation")]
    for allocation in allocations:
        allocation["slots"] = [
            (allocation["node_id"], index) for index in json.loads(allocation["accelerators"])
        ]
    histories = _histories(rows)
    yield from _sold_twice(allocations)
    yield from _strangers_on_a_node(allocations, nodes)
    yield from _gangs(allocations, leases, nodes)
    yield from _supply(rows, allocations, nodes)
    yield from _planned_work(allocations, nodes)
    yield from _conditions(rows, allocations, leases, windows_of_the_workload)
    yield from _edges(histories, leases)
    lost = lost_allocations(rows)
    yield from _notices(histories, leases)
    yield from _delivered_ends(rows, allocations, lost)
    yield from _jobs(rows, leases, lost)


def _sold_twice(allocations: list[dict]) -> Iterator[str]:  # type: ignore[type-arg]
    """Neither handed over nor promised to two at once, accelerator by accelerator."""
    held: dict[tuple[str, int], list[tuple[int, int, str]]] = defaultdict(list)
    promised: dict[tuple[str, int], list[tuple[int, int, str]]] = defaultdict(list)
    for a in allocations:
        for slot in a["slots"]:
            if a["delivered_from_ms"] is not None:
                end = ENDLESS if a["fenced_at_ms"] is None else a["fenced_at_ms"]
                held[slot].append((a["delivered_from_ms"], end, a["id"]))
            if a["fenced_at_ms"] is None:
                end = ENDLESS if a["ends_at_ms"] is None else a["ends_at_ms"]
                promised[slot].append((a["starts_at_ms"], end, a["id"]))
    for what, table in (("handed over", held), ("promised", promised)):
        for slot, intervals in table.items():
            for (_, end, one), (start, _, other) in pairwise(sorted(intervals)):
                if start < end:
                    yield f"{slot} is {what} to {one} and {other} at once"


def _strangers_on_a_node(allocations: list[dict], nodes: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """Outside customers get whole nodes: never two tenants on one at a time."""
    held: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for a in allocations:
        if nodes[a["node_id"]]["kind"] not in SHARED and a["delivered_from_ms"] is not None:
            end = ENDLESS if a["fenced_at_ms"] is None else a["fenced_at_ms"]
            held[a["node_id"]].append((a["delivered_from_ms"], end, a["tenant_id"]))
    for node_id, intervals in held.items():
        lasts: dict[str, int] = {}  # by tenant, until when it was there at the latest
        for start, end, tenant in sorted(intervals):
            for other, until in lasts.items():
                if tenant != other and start < until:
                    yield f"{node_id} held {tenant} and {other} at once"
            lasts[tenant] = max(lasts.get(tenant, 0), end)


def _gangs(allocations: list[dict], leases: dict, nodes: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """A gang is whole or absent, and stands in one place of its shape."""
    standing: dict[str, list[dict]] = defaultdict(list)  # type: ignore[type-arg]
    for a in allocations:
        if a["fenced_at_ms"] is None and a["delivered_until_ms"] is None:
            standing[a["lease_id"]].append(a)
    for lease in leases.values():
        parts = standing[lease["id"]]
        lost = json.loads(lease["lost"])
        if lost and lease["state"] != "active" and lease["state"] != "reclaiming":
            yield f"{lease['id']} is {lease['state']} and has lost {lost}"
        has = sum(len(a["slots"]) for a in parts) + sum(lost)
        wants = lease["accelerators"] if lease["state"] in STANDING else 0
        if has != wants:
            yield f"{lease['id']} is {lease['state']} with {has} accelerators, not {wants}"
        delivered = {a["delivered_from_ms"] is not None for a in parts}
        if parts and delivered != {lease["state"] not in ("held", "scheduled")}:
            yield f"{lease['id']} is {lease['state']} and handed over in part"
        places = {tuple(nodes[a["node_id"]][part] for part in PLACE[lease["shape"]]) for a in parts}
        if len(places) > 1:
            yield f"{lease['id']} spans {len(places)} {lease['shape']}s"


def _supply(rows: sqlite3.Connection, allocations: list[dict], nodes: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """Nothing is promised outside its inbound lease."""
    inbound = {row["id"]: row for row in rows.execute("SELECT * FROM inbound_lease")}
    for a in allocations:
        supply = inbound[nodes[a["node_id"]]["inbound_lease_id"]]
        if supply["id"] != a["inbound_lease_id"]:
            yield f"{a['id']} is booked on {a['inbound_lease_id']}, its node is of {supply['id']}"
        if a["fenced_at_ms"] is None and supply["ends_at_ms"] is not None:
            end = ENDLESS if a["ends_at_ms"] is None else a["ends_at_ms"]
            if end > supply["ends_at_ms"]:
                yield f"{a['id']} is promised past the end of {supply['id']}"
        if a["delivered_from_ms"] is not None and a["delivered_from_ms"] < supply["starts_at_ms"]:
            yield f"{a['id']} was handed over before {supply['id']} began"
        if a["fenced_at_ms"] is None and supply["state"] == "ended":
            yield f"{a['id']} stands on {supply['id']}, which has ended"


def _planned_work(allocations: list[dict], nodes: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """Nothing is promised into planned work; what was handed over before may still stand there."""
    for a in allocations:
        node = nodes[a["node_id"]]
        begins, over = node["maintenance_from_ms"], node["maintenance_until_ms"]
        promised = a["fenced_at_ms"] is None and a["delivered_from_ms"] is None
        if not promised or begins is None:
            continue
        end = ENDLESS if a["ends_at_ms"] is None else a["ends_at_ms"]
        if begins < end and a["starts_at_ms"] < (ENDLESS if over is None else over):
            yield f"{a['id']} is promised into the planned work on {node['id']}"


def _conditions(
    rows: sqlite3.Connection,
    allocations: list[dict],  # type: ignore[type-arg]
    leases: dict,  # type: ignore[type-arg]
    windows_of_the_workload: bool,
) -> Iterator[str]:
    """Nobody stands where a condition of the supply keeps it out, or past a selling window."""
    inbound = {row["id"]: row for row in rows.execute("SELECT * FROM inbound_lease")}
    tenants = {row["id"]: row for row in rows.execute("SELECT * FROM tenant")}
    for a in allocations:
        supply, lease = inbound[a["inbound_lease_id"]], leases[a["lease_id"]]
        where = f"{a['id']} of {lease['id']} on {supply['id']}"
        if supply["grant"] and supply["grant"] not in tenants[lease["tenant_id"]]["grants"]:
            yield f"{where}, without the grant {supply['grant']}"
        if lease["residency"] and not supply["residency"].startswith("FR"):
            yield f"{where}, which is in {supply['residency'] or 'no stated place'}"
        if lease["lease_class"] == "internal":
            continue
        if supply["sold_to"] != "everybody":
            yield f"{where}, which is not sold"
        windows = windows_of_the_workload and json.loads(supply["selling_windows"])
        if windows and a["delivered_from_ms"] is not None:
            yield from _past_window(a, where)


def _past_window(a: dict, where: str) -> Iterator[str]:  # type: ignore[type-arg]
    """The workload's windows: the first 25 minutes of every hour."""
    opened_ms = a["delivered_from_ms"] // 3_600_000 * 3_600_000
    closes_ms = opened_ms + 25 * 60_000
    if a["delivered_from_ms"] >= closes_ms:
        yield f"{where}, handed over while it may not be sold"
    ends = [a["delivered_until_ms"], a["ends_at_ms"]]
    if any(end is not None and end > closes_ms for end in ends):
        yield f"{where}, past the end of the selling window"


def _histories(rows: sqlite3.Connection) -> dict[str, list[tuple[int, str, dict]]]:  # type: ignore[type-arg]
    """Per lease: (instant, state, what a reclaim said), from the event table alone."""
    found: dict[str, list[tuple[int, str, dict]]] = defaultdict(list)  # type: ignore[type-arg]
    for row in rows.execute("SELECT * FROM event WHERE type LIKE 'lease.%' ORDER BY seq"):
        state = row["type"].removeprefix("lease.")
        state = "waiting" if state == "requested" else state
        if state not in NO_STATE:
            said = json.loads(row["data"]) if state == "reclaiming" else {}
            found[row["subject"]].append((row["at_ms"], state, said))
    return found


def _edges(histories: dict, leases: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """States move along the allowed edges only, and end where the row says."""
    for lease_id, lease in leases.items():
        state = ""
        for _, following, _ in histories[lease_id]:
            if following not in STATE_EDGES.get(state, set()):
                yield f"{lease_id} went from {state or 'nothing'} to {following}"
            state = following
        if state != lease["state"]:
            yield f"{lease_id} is {lease['state']}, its history ends with {state}"


def lost_allocations(rows: sqlite3.Connection) -> set[str]:
    """The allocations that a node took with it: what the events say was lost, and until when."""
    found = set()
    query = (
        "SELECT id FROM allocation WHERE lease_id = ? AND node_id = ? AND delivered_until_ms = ?"
    )
    for event in rows.execute("SELECT * FROM event WHERE type = 'lease.node_lost'"):
        data = json.loads(event["data"])
        given = event["subject"], data["node"], data["undelivered_from_ms"]
        found |= {row["id"] for row in rows.execute(query, given)}
    for event in rows.execute("SELECT * FROM event WHERE type = 'lease.moved'"):
        for node in json.loads(event["data"])["left"]:
            given = event["subject"], node, event["at_ms"]
            found |= {row["id"] for row in rows.execute(query, given)}
    return found


def _notices(histories: dict, leases: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """Who is taken back had its notice, and gave way to a claim; `audit_entitled` says to whose."""
    for lease_id, history in histories.items():
        lease = leases[lease_id]
        for at, state, data in history:
            if state != "reclaiming":
                continue
            claimant = data["reclaimed_for"]
            if data["reason"] == "stronger_request" and not _claims(histories[claimant], at):
                yield f"{lease_id} was taken back for {claimant}, which had no claim any more"
            notice = data["kill_at_ms"] - at
            due = lease["notice_s"] * 1000
            if data["reason"] == "tenant_suspended":
                due = min(due, 60_000)  # who is suspended gets a minute at most
            if data["reason"] not in MAY_BE_SHORT and notice < due:
                yield f"{lease_id} had {notice} ms notice ({data['reason']})"


def _delivered_ends(rows: sqlite3.Connection, allocations: list[dict], lost: set) -> Iterator[str]:  # type: ignore[type-arg]
    """Billing ends with the notice, or with what was given back early."""
    handed_over: dict[str, list[int]] = defaultdict(list)
    kills: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows.execute("SELECT * FROM event WHERE type LIKE 'lease.%' ORDER BY seq"):
        lease_id, at = row["subject"], row["at_ms"]
        if row["type"] == "lease.active":
            handed_over[lease_id] = [at]
        elif row["type"] in ("lease.node_replaced", "lease.moved"):
            handed_over[lease_id].append(at)
        elif row["type"] == "lease.shrunk":  # what is left of a part begins anew
            kills[lease_id] += [(start, at) for start in handed_over[lease_id]]
            handed_over[lease_id].append(at)
        elif row["type"] == "lease.reclaiming":
            kill_at = json.loads(row["data"])["kill_at_ms"]
            kills[lease_id] += [(start, kill_at) for start in handed_over[lease_id]]
    for a in allocations:
        if a["delivered_until_ms"] is None or a["id"] in lost:
            continue  # audit_failures holds those
        if not a["delivered_from_ms"] <= a["delivered_until_ms"] <= a["fenced_at_ms"]:
            yield f"{a['id']} was delivered until {a['delivered_until_ms']}, outside its time"
        ends = [kill for at, kill in kills[a["lease_id"]] if at == a["delivered_from_ms"]]
        promised = ENDLESS if a["ends_at_ms"] is None else a["ends_at_ms"]
        if not ends or a["delivered_until_ms"] > min(max(ends), promised):
            yield f"{a['id']} was delivered past its notice"


def _claims(history: list, at_ms: int) -> bool:  # type: ignore[type-arg]
    """Whether a lease was promised its place at an instant."""
    before = [state for at, state, _ in history if at < at_ms][-1:]
    then = [state for at, state, _ in history if at == at_ms]
    return bool({"scheduled", "held"} & {*before, *then})


def _jobs(rows: sqlite3.Connection, leases: dict, lost: set) -> Iterator[str]:  # type: ignore[type-arg]
    """One attempt at a time a lease, numbered without a gap; final leases keep no live job.

    On a node that was lost an attempt may outlive its lease until it is fenced.
    """
    outliving: set[str] = set()
    attempts: dict[str, list[sqlite3.Row]] = defaultdict(list)
    live: dict[str, int] = defaultdict(int)
    for row in rows.execute("SELECT * FROM attempt ORDER BY job_id, number"):
        attempts[row["job_id"]].append(row)
        runs = row["state"] in ("starting", "running")
        live[row["lease_id"]] += runs and row["allocation_id"] not in lost
        outliving.add(row["job_id"] if runs and row["allocation_id"] in lost else "")
    for lease_id, count in live.items():
        if count > 1:
            yield f"{lease_id} has {count} attempts at once"
        if count and leases[lease_id]["state"] not in ("active", "reclaiming"):
            yield f"{lease_id} is {leases[lease_id]['state']} and runs an attempt"
    for job in rows.execute("SELECT * FROM job"):
        mine = attempts[job["id"]]
        if [row["number"] for row in mine] != list(range(1, job["attempts"] + 1)):
            yield f"{job['id']} has attempts {[row['number'] for row in mine]}"
        running = [row for row in mine if row["state"] in ("starting", "running")]
        if (job["state"] == "running") != bool(running):
            yield f"{job['id']} is {job['state']} with {len(running)} live attempts"
        final = leases[job["lease_id"]]["state"] in ("ended", "refused", "cancelled", "broken")
        if final and job["state"] in ("queued", "running") and job["id"] not in outliving:
            yield f"{job['id']} is {job['state']} on {job['lease_id']}, which is over"
