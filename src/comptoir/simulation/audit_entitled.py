"""The audit of entitlements: shares within their group's, claims in order, nobody kept waiting.

It shares no code with what it audits: plain SQL, and its own words of who gives way to whom.
`entitled_waits` is asked after each whole turn: a team that asks for no more than it is
entitled to does not wait while accelerators stand there for it, free or to be taken back.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from comptoir.simulation.audit_recalls import clauses_of
from comptoir.simulation.audit_space import ENDLESS, SHARED

STANDING = ("scheduled", "held", "active", "reclaiming")


def entitled_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule that the rows and the events show."""
    yield from _shares(rows)
    yield from _claims_in_order(rows)


def _shares(rows: sqlite3.Connection) -> Iterator[str]:
    """At no instant do a group's members have more than the group."""
    given = [dict(row) for row in rows.execute("SELECT * FROM entitlement")]
    instants = sorted({row["starts_at_ms"] for row in given})
    for at in instants:
        now = [r for r in given if r["starts_at_ms"] <= at < (r["ends_at_ms"] or ENDLESS)]
        for kind in {row["kind"] for row in now}:
            for group in {row["parent"] for row in now if row["kind"] == kind} - {""}:
                has = sum(
                    r["accelerators"] for r in now
                    if r["kind"] == kind and r["tenant_id"] is None and r["group"] == group
                )  # fmt: skip
                wants = sum(
                    r["accelerators"] for r in now if r["kind"] == kind and r["parent"] == group
                )
                if wants > has:
                    yield f"members of {group} have {wants} x {kind} at {at}, the group {has}"


def _claims_in_order(rows: sqlite3.Connection) -> Iterator[str]:
    """Who is taken back may be, by that claimant, and has run as long as it was promised."""
    leases = {row["id"]: row for row in rows.execute("SELECT * FROM lease")}
    marks: dict[str, dict[str, bool]] = defaultdict(dict)
    active: dict[str, int] = {}
    planned: dict[str, list[tuple[str, dict[str, bool]]]] = defaultdict(list)
    for event in rows.execute("SELECT * FROM event WHERE type LIKE 'lease.%' ORDER BY seq"):
        lease_id, data = event["subject"], json.loads(event["data"])
        match event["type"].removeprefix("lease."):
            case "scheduled" | "held" | "restated" if "lent" in data:
                marks[lease_id] = {word: data[word] for word in ("lent", "borrowed")}
                for victim, mark in planned.pop(lease_id, ()):
                    yield from _gives_way(leases[victim], mark, leases[lease_id], marks[lease_id])
            case "active":
                active[lease_id] = event["at_ms"]
            case "waiting" | "ended":
                active.pop(lease_id, None)
            case "reclaim_planned" if lease_id in active:  # who fills a gap knew it before
                planned[data["reclaimed_for"]].append((lease_id, marks[lease_id]))
                least_ms = leases[lease_id]["minimum_runtime_s"] * 1_000
                if data["until_ms"] < active[lease_id] + least_ms:
                    yield f"{lease_id} was to run {least_ms} ms, and is taken back before"
    for claimant, victims in planned.items():  # for a lease that replaces what it lost
        for victim, mark in victims:
            yield from _gives_way(leases[victim], mark, leases[claimant], marks[claimant])


def _gives_way(
    victim: sqlite3.Row,
    mark: dict[str, bool],
    claimant: sqlite3.Row,
    claim: dict[str, bool],
) -> Iterator[str]:
    if victim["lease_class"] == "spot":
        if claimant["lease_class"] == "spot":
            yield f"{victim['id']} gave way to {claimant['id']}: both are spot"
        return
    entitled = claimant["lease_class"] == "internal" and not claim.get("borrowed")
    may = mark.get("lent") or mark.get("borrowed") or victim["recall"]  # how often: audit_recalls
    if not (entitled and may):
        yield (
            f"{victim['id']} ({victim['lease_class']}, {mark}) gave way to {claimant['id']} "
            f"({claimant['lease_class']}, {claim})"
        )


def entitled_waits(rows: sqlite3.Connection, now_ms: int) -> Iterator[str]:
    """The first of each kind that waits with a right to so much, though it stands there."""
    waiting: dict[str, sqlite3.Row] = {}
    tied: set[str] = set()
    for row in rows.execute(
        "SELECT * FROM lease WHERE state = 'waiting' AND lease_class = 'internal' AND NOT borrowed"
        " ORDER BY requested_at_ms, id"
    ):
        known = waiting.setdefault(row["kind"], row)
        if known is not row and known["requested_at_ms"] == row["requested_at_ms"]:
            tied.add(row["kind"])  # which of the two is first, their texts do not say
    for lease in (row for kind, row in waiting.items() if kind not in tied):
        simple = (
            lease["shape"] in ("site", "node") and lease["ends_at_ms"] is None
            and lease["starts_at_ms"] <= now_ms and lease["latest_start_ms"] is None
            and not lease["residency"] and json.loads(lease["alternatives"]) == []
        )  # fmt: skip
        if not simple or not _has_right(rows, lease, now_ms):
            continue
        until_ms = _right_ends(rows, lease, now_ms)
        for where, there in _could_stand(rows, lease, now_ms, until_ms).items():
            if there >= lease["accelerators"]:
                yield (
                    f"{lease['id']} waits for {lease['accelerators']} x {lease['kind']} that its "
                    f"team is entitled to, and {there} stand on {where}, free or to be taken back"
                )


def _has_right(rows: sqlite3.Connection, lease: sqlite3.Row, now_ms: int) -> bool:
    """Whether a team has so much left of its own, of all that it uses or is promised.

    Entitlements at one site are left out.
    """
    in_force = [
        row
        for row in rows.execute("SELECT * FROM entitlement WHERE kind = ?", (lease["kind"],))
        if row["starts_at_ms"] <= now_ms < (row["ends_at_ms"] or ENDLESS)
    ]
    if not in_force:
        return False
    mine = [row for row in in_force if row["tenant_id"] == lease["tenant_id"]]
    has = sum(row["accelerators"] for row in mine if not row["site"])
    used = rows.execute(
        "SELECT coalesce(sum(accelerators), 0) FROM lease WHERE kind = ? AND tenant_id = ?"
        f" AND state IN {STANDING}",
        (lease["kind"], lease["tenant_id"]),
    ).fetchone()[0]
    return bool(used + lease["accelerators"] <= has)


def _right_ends(rows: sqlite3.Connection, lease: sqlite3.Row, now_ms: int) -> int:
    """When the first of a team's entitlements of a kind ends that are in force."""
    ends = rows.execute(
        "SELECT min(coalesce(ends_at_ms, ?)) FROM entitlement WHERE kind = ? AND tenant_id = ?"
        " AND starts_at_ms <= ? AND coalesce(ends_at_ms, ?) > ?",
        (ENDLESS, lease["kind"], lease["tenant_id"], now_ms, ENDLESS, now_ms),
    ).fetchone()[0]
    return int(ENDLESS if ends is None else ends)


def _could_stand(
    rows: sqlite3.Connection, lease: sqlite3.Row, now_ms: int, until_ms: int
) -> dict[str, int]:
    """By site or node, accelerators that are free for good, or held by what must give way to it.

    What may not be taken back before `until_ms`, when the right itself is over, need not; nor
    need what a contract allows to be recalled so many times a year alone.
    """
    bounded = {
        tenant_id
        for (tenant_id,) in rows.execute("SELECT id FROM tenant").fetchall()
        if clauses_of(rows, tenant_id, now_ms)
    }
    standing: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in rows.execute(
        "SELECT a.node_id, a.accelerators AS slots, a.tenant_id AS holder,"
        " a.delivered_until_ms IS NOT NULL AS lost_part, l.*, max(coalesce(a.delivered_from_ms, 0)"
        " + 1000 * l.minimum_runtime_s, ? + 1000 * l.notice_s) AS back_at_ms"
        " FROM allocation a JOIN lease l ON l.id = a.lease_id WHERE a.fenced_at_ms IS NULL",
        (now_ms,),
    ):
        standing[row["node_id"]].append(row)
    found: dict[str, int] = defaultdict(int)
    for node in rows.execute(
        "SELECT n.* FROM node n JOIN inbound_lease i ON i.id = n.inbound_lease_id"
        " WHERE n.kind = ? AND n.state = 'in_service' AND i.state = 'active' AND i.grant = ''"
        " AND NOT n.spare AND n.maintenance_from_ms IS NULL"
        " AND i.starts_at_ms <= ? AND i.ends_at_ms IS NULL",
        (lease["kind"], now_ms),
    ):
        if node["id"] in json.loads(lease["rejected"]):
            continue  # it was sent back, and does not come again
        blocked: set[int] = set()
        strangers = False
        for other in standing[node["id"]]:
            gives_way = other["state"] == "active" and not other["lost_part"] and (
                other["lease_class"] == "spot" or other["lent"] or other["borrowed"]
                or (other["recall"] and other["holder"] not in bounded)
            ) and other["back_at_ms"] < until_ms  # fmt: skip
            if not gives_way:
                blocked.update(json.loads(other["slots"]))
                strangers |= other["holder"] != lease["tenant_id"]
        if not (strangers and node["kind"] not in SHARED):
            where = node["site"] if lease["shape"] == "site" else node["name"]
            found[where] += node["accelerators"] - len(blocked)
    return found
