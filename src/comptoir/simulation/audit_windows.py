"""The audit of windows: flexible starts, alternatives, series, holds, and warnings of ends."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

READ = {
    "scheduled": ("starts_at_ms", "ends_at_ms", "kind", "accelerators", "reason"),
    "held": ("starts_at_ms", "ends_at_ms"),
    "cancelled": ("reason",),
    "ending": ("ends_at_ms",),
}
"""What is read of an event, by its word: there may be very many."""
SHAPES = ("node", "rack", "pod", "cluster", "site")


def window_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of what was promised over which window."""
    leases = {row["id"]: row for row in rows.execute("SELECT * FROM lease")}
    events: dict[str, list[tuple[int, str, dict]]] = defaultdict(list)  # type: ignore[type-arg]
    for row in rows.execute("SELECT * FROM event WHERE type LIKE 'lease.%' ORDER BY seq"):
        word = row["type"].removeprefix("lease.")
        said = json.loads(row["data"]) if word in READ else {}
        read = {name: said[name] for name in READ.get(word, ()) if name in said}
        events[row["subject"]].append((row["at_ms"], word, read))
    for lease in leases.values():
        history = events[lease["id"]]
        yield from _starts(lease, history)
        yield from _ways(lease, history)
        yield from _holds(lease, history)
        yield from _warnings(lease, history)
    yield from _series(leases, events)


def _starts(lease: sqlite3.Row, history: list) -> Iterator[str]:  # type: ignore[type-arg]
    """Nobody is handed over before the start; a flexible start lies in its window, whole."""
    promised = lease["starts_at_ms"]
    started = False
    extended = any(word == "extended" for _, word, _ in history)
    for at, word, data in history:
        flexible = lease["latest_start_ms"] is not None and not started
        if word in ("scheduled", "held") and flexible:
            promised = data["starts_at_ms"]
            if not lease["starts_at_ms"] <= promised <= lease["latest_start_ms"]:
                yield f"{lease['id']} was promised {promised}, outside its starts"
            lasts = data["ends_at_ms"] - promised
            if not extended and lasts != lease["duration_s"] * 1000:
                yield f"{lease['id']} was promised {lasts} ms"
        if word == "active":
            started = True
            if at < promised:
                yield f"{lease['id']} was handed over {promised - at} ms before its start"


def _ways(lease: sqlite3.Row, history: list) -> Iterator[str]:  # type: ignore[type-arg]
    """It is met in one of the ways that were asked for, whole."""
    ways = [(w["kind"], w["accelerators"], w["shape"]) for w in json.loads(lease["alternatives"])]
    mine = (lease["kind"], lease["accelerators"], lease["shape"])
    if ways and mine not in ways:
        yield f"{lease['id']} is {mine}, which was not asked for"
    shrunk = any(word == "shrunk" for _, word, _ in history)
    sizes = {way[:2] for way in ways}
    for _, word, data in history:
        if word == "scheduled" and ways and not shrunk:
            size = (data["kind"], data["accelerators"])
            if size not in sizes:
                yield f"{lease['id']} was promised {size}, which was not asked for"


def _holds(lease: sqlite3.Row, history: list) -> Iterator[str]:  # type: ignore[type-arg]
    """A hold lasts no longer than it was made for, and only a soft one gives way."""
    held = False
    for at, word, data in history:
        if word == "held":
            held = True
        elif word in ("scheduled", "cancelled") and held:
            held = False
            reason = data.get("reason", "")
            if reason == "hold_gave_way" and lease["hold_firm"]:
                yield f"{lease['id']} was held firmly and gave way"
            if reason == "hold_expired" and at < min(
                lease["hold_until_ms"], lease["ends_at_ms"] or at
            ):
                yield f"{lease['id']} expired before its time"


def _warnings(lease: sqlite3.Row, history: list) -> Iterator[str]:  # type: ignore[type-arg]
    """A holder is warned of an end once, before it."""
    warned: list[int] = []
    for at, word, data in history:
        if word != "ending":
            continue
        if at >= data["ends_at_ms"]:
            yield f"{lease['id']} was warned of its end after it"
        if warned[-1:] == [data["ends_at_ms"]]:
            yield f"{lease['id']} was warned of the same end again"
        warned.append(data["ends_at_ms"])


def _series(leases: dict, events: dict) -> Iterator[str]:  # type: ignore[type-arg]
    """The windows of a series were promised together or not at all, and do not overlap."""
    found: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for lease in leases.values():
        if lease["series"] is not None:
            found[lease["series"]].append(lease)
    for series, occurrences in found.items():
        if len({lease["requested_at_ms"] for lease in occurrences}) > 1:
            yield f"{series} was not requested at once"
        for lease in occurrences:
            words = [word for at, word, _ in events[lease["id"]] if at == lease["requested_at_ms"]]
            if words[:2] != ["requested", "scheduled"]:
                yield f"{lease['id']} of {series} was not promised with the others: {words}"
