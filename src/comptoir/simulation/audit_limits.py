"""The audit of limits: nobody comes to borrow, or to be lent, more than limits say.

Asked after each whole turn, from plain rows, and in its own words: no code of what it audits. A
limit that was set below what stood there, or passed because supply was lost, is passed by no
more; who has been told to go, or whose time is over, is not counted. A site at which teams are
entitled is looked at by itself, too. Limits on what leaves a group are not looked at.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from comptoir.simulation.audit_space import ENDLESS

Row = sqlite3.Row


@dataclass(slots=True)
class LimitWatch:
    """How far limits were passed at the last look, by kind and in whose name."""

    _over: dict[str, dict[str, int]] = field(default_factory=dict)
    _terms: dict[str, object] = field(default_factory=dict)
    _going: dict[str, set[str]] = field(default_factory=dict)

    def look(self, rows: sqlite3.Connection, now_ms: int) -> Iterator[str]:
        """What passes a limit by more than at the last look, though nothing else has changed."""
        given: dict[str, list[Row]] = defaultdict(list)
        for row in rows.execute("SELECT * FROM entitlement"):
            if row["starts_at_ms"] <= now_ms < (row["ends_at_ms"] or ENDLESS):
                given[row["kind"]].append(row)
        for kind in sorted(set(self._over) | set(given)):
            standing = _standing(rows, kind)
            terms = _terms(rows, kind, given[kind])
            over = _passed(given[kind], _supplied(rows, kind, now_ms), standing, now_ms)
            stays = {a["lease_id"] for a in standing if a["reclaimed_for"] is None}
            same = self._terms.get(kind) == terms and not stays & self._going.get(kind, set())
            known = self._over.get(kind, {})
            if same:
                for name, amount in over.items():
                    if amount > max(known.get(name, 0), 0):
                        was = known.get(name, 0)
                        yield f"{kind}: {name} is passed by {amount} at {now_ms}, was by {was}"
            self._over[kind], self._terms[kind] = over, terms
            self._going[kind] = {a["lease_id"] for a in standing if a["reclaimed_for"] is not None}


def _standing(rows: sqlite3.Connection, kind: str) -> list[Row]:
    return list(
        rows.execute(
            "SELECT a.*, l.lease_class, l.reclaimed_for, n.site FROM allocation a"
            " JOIN lease l ON l.id = a.lease_id JOIN node n ON n.id = a.node_id"
            " WHERE n.kind = ? AND a.fenced_at_ms IS NULL AND a.delivered_until_ms IS NULL",
            (kind,),
        )
    )


def _terms(rows: sqlite3.Connection, kind: str, given: list[Row]) -> object:
    """What may pass a limit without anybody's being let in: other terms, other supply, losses."""
    nodes = rows.execute(
        "SELECT n.id, n.state, n.spare, i.state FROM node n"
        " JOIN inbound_lease i ON i.id = n.inbound_lease_id WHERE n.kind = ? ORDER BY n.id",
        (kind,),
    )
    lost = rows.execute(
        "SELECT id, lost FROM lease WHERE kind = ? AND lost <> '[]' ORDER BY id", (kind,)
    )
    return [tuple(row) for row in (*given, *nodes, *lost)]


def _supplied(rows: sqlite3.Connection, kind: str, now_ms: int) -> dict[str, int]:
    found = rows.execute(
        "SELECT n.site, sum(n.accelerators) FROM node n"
        " JOIN inbound_lease i ON i.id = n.inbound_lease_id"
        " WHERE n.kind = ? AND n.state = 'in_service' AND NOT n.spare AND i.state = 'active'"
        " AND i.starts_at_ms <= ? AND coalesce(i.ends_at_ms, ?) > ? GROUP BY n.site",
        (kind, now_ms, ENDLESS, now_ms),
    )
    return {site: int(count) for site, count in found}


def _passed(
    given: list[Row], supplied: dict[str, int], standing: list[Row], now_ms: int
) -> dict[str, int]:
    """By how much each limit is passed at worst, now or when something promised begins."""
    worst: dict[str, int] = {}
    ahead = [a["starts_at_ms"] for a in standing if a["starts_at_ms"] > now_ms]
    until = min((r["ends_at_ms"] or ENDLESS for r in given), default=ENDLESS)
    for at in sorted({now_ms, *(start for start in ahead if start < until)}):
        there = [a for a in standing if _is_there(a, at, now_ms)]
        found = _passed_at(given, sum(supplied.values()), there)
        for site in {row["site"] for row in given} - {""}:
            found |= _passed_at_site(given, supplied.get(site, 0), there, site)
        for name, over in found.items():
            worst[name] = max(worst.get(name, over), over)
    return worst


def _is_there(row: Row, at: int, now_ms: int) -> bool:
    if row["reclaimed_for"] is not None:
        return False
    if row["delivered_from_ms"] is not None and at <= now_ms:
        return bool(now_ms < (row["ends_at_ms"] or ENDLESS))  # one whose time is over is told to go
    return bool(row["starts_at_ms"] <= at < (row["ends_at_ms"] or ENDLESS))


def _passed_at(given: list[Row], supplied: int, there: list[Row]) -> dict[str, int]:
    teams = {row["tenant_id"] for row in given} - {None}
    used: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    outside = 0
    for row in there:
        count = len(json.loads(row["accelerators"]))
        if row["lease_class"] == "internal":
            used[row["tenant_id"]][row["site"]] += count
        else:
            outside += count
    over: dict[str, int] = {}
    could = most = max(supplied - sum(r["accelerators"] for r in given if not r["parent"]), 0)
    for team in sorted(teams | set(used)):
        mine = [row for row in given if row["tenant_id"] == team]
        has, uses = sum(row["accelerators"] for row in mine), sum(used[team].values())
        own = _own(mine, used[team])
        outside += uses - own
        most += has - own
        could += _at_most(has - own, mine, "lend_limit")
        if mine and (limit := _limit(mine, "borrow_limit")) is not None:
            over[f"the borrow limit of {team}"] = uses - has - limit
    for group in sorted({row["group"] for row in given if row["tenant_id"] is None}):
        mine = [row for row in given if row["tenant_id"] is None and row["group"] == group]
        inside = sum(row["accelerators"] for row in given if row["parent"] == group)
        has = sum(row["accelerators"] for row in mine)
        most += has - inside
        could += _at_most(has - inside, mine, "lend_limit")
    if could < most:  # somebody keeps something idle
        over["what is lent"] = outside - could
    return over


def _passed_at_site(given: list[Row], supplied: int, there: list[Row], site: str) -> dict[str, int]:
    """What is used at a site by whom nobody entitled there has let in, nor could have."""
    used: dict[str, int] = defaultdict(int)
    for row in there:
        if row["site"] == site:
            who = row["tenant_id"] if row["lease_class"] == "internal" else ""
            used[who] += len(json.loads(row["accelerators"]))
    bound = most = could = own = 0
    for holder in sorted({row["tenant_id"] or row["group"] for row in given}):
        mine = [row for row in given if holder in (row["tenant_id"], row["group"])]
        has = sum(row["accelerators"] for row in mine if row["site"] == site)
        shared_out = sum(row["accelerators"] for row in given if row["parent"] == holder)
        has = max(has - shared_out, 0)
        bound += has
        own += min(has, used[holder])
        most += has - min(has, used[holder])
        could += _at_most(has - min(has, used[holder]), mine, "lend_limit")
    others = sum(used.values()) - own
    return (
        {f"what is lent at {site}": others - could - max(supplied - bound, 0)}
        if could < most
        else {}
    )


def _own(mine: list[Row], used: Mapping[str, int]) -> int:
    at_sites = rest = 0
    for site, count in used.items():
        there = sum(row["accelerators"] for row in mine if row["site"] == site)
        at_sites += min(count, there)
        rest += max(count - there, 0)
    return at_sites + min(rest, int(sum(row["accelerators"] for row in mine if not row["site"])))


def _limit(mine: list[Row], word: str) -> int | None:
    limits = [row[word] for row in mine]
    return None if None in limits else sum(limits)


def _at_most(idle: int, mine: list[Row], word: str) -> int:
    limit = _limit(mine, word)
    return max(idle if limit is None else min(idle, limit), 0)
