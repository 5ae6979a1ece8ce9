"""The audit of memory: what the desk holds is what a fresh desk would read from its store."""

from collections.abc import Iterator
from typing import Any

from comptoir.desk.desk import Desk
from comptoir.desk.memory import Memory


def memory_problems(desk: Desk) -> Iterator[str]:
    """Every difference between the running book and the stored one."""
    if desk.broken:
        yield f"the desk stopped: {desk.broken}"
        return
    running, fresh = desk.book, Memory()
    fresh.load(desk.store.load())
    if running.version != fresh.version:
        yield f"memory is at version {running.version}, the store at {fresh.version}"
    if running.counter < fresh.counter:
        yield f"memory would give an id again: {running.counter} < {fresh.counter}"
    for name in ("event", "usage", "charge", "entry"):
        if running.last_seq.get(name, 0) != fresh.last_seq.get(name, 0):
            yield f"{name} is at {running.last_seq.get(name)}, the store at {fresh.last_seq[name]}"
    for mine, theirs in zip(running.all_tables, fresh.all_tables, strict=True):
        for key in {*mine.rows, *theirs.rows}:
            one, other = mine.get(key), theirs.get(key)
            if one != other:
                yield f"{mine.name} {key}: memory has {one}, the store {other}"
    yield from _snapshot_problems(running, fresh)


def _snapshot_problems(running: Memory, fresh: Memory) -> Iterator[str]:
    """The snapshot fed change by change is the snapshot built at once."""
    for name in (
        "nodes", "leases", "inbound", "allocations_of", "_standing", "_untouched", "_by_free",
        "_partial", "_places", "_place_free",
    ):  # fmt: skip
        one = _plain(getattr(running.snapshot, name))
        other = _plain(getattr(fresh.snapshot, name))
        if one != other:
            yield f"snapshot.{name}: fed {one}, built {other}"


def _plain(value: Any) -> Any:
    """Without empty groups, which mean the same as none."""
    if isinstance(value, dict):
        plain = {key: _plain(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item not in ({}, set(), 0)}
    return value
