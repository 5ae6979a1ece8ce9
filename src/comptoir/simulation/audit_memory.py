"""The audit of memory: what the desk holds is what a fresh desk would read from its store."""

from collections.abc import Iterator

from comptoir.desk.desk import Desk
from comptoir.desk.memory import Memory
from comptoir.placement.calendar import BUCKET_MS


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
    for name in ("event", "usage", "charge", "entry", "node_check", "drawdown"):
        if running.last_seq.get(name, 0) != fresh.last_seq.get(name, 0):
            yield f"{name} is at {running.last_seq.get(name)}, the store at {fresh.last_seq[name]}"
    for mine, theirs in zip(running.all_tables, fresh.all_tables, strict=True):
        for key in {*mine.rows, *theirs.rows}:
            one, other = mine.get(key), theirs.get(key)
            if one != other:
                yield f"{mine.name} {key}: memory has {one}, the store {other}"
    yield from _snapshot_problems(running, fresh)
    yield from _calendar_problems(running, fresh)
    yield from _headroom_problems(running, fresh)
    if running.waiting.lines() != fresh.waiting.lines():
        yield f"who waits: fed {running.waiting.lines()}, built {fresh.waiting.lines()}"


def _headroom_problems(running: Memory, fresh: Memory) -> Iterator[str]:
    """What entitled kinds hold, counted change by change, is what is counted at once."""
    for kind in {*running.headroom.kinds(), *fresh.headroom.kinds()}:
        one, other = running.headroom.contents(kind), fresh.headroom.contents(kind)
        for name in {*one, *other}:
            if one.get(name) != other.get(name):
                yield f"headroom of {kind}, {name}: fed {one.get(name)}, built {other.get(name)}"


def _snapshot_problems(running: Memory, fresh: Memory) -> Iterator[str]:
    """The snapshot fed change by change is the snapshot built at once."""
    now_ms = max(running.snapshot.now_ms, fresh.snapshot.now_ms)
    for snapshot in (running.snapshot, fresh.snapshot):
        snapshot.advance(now_ms)
    one, other = running.snapshot.contents(), fresh.snapshot.contents()
    for name, fed in one.items():
        built = other[name]
        for key in {*fed, *built}:
            if fed.get(key) != built.get(key):
                yield f"snapshot.{name} {key}: fed {fed.get(key)}, built {built.get(key)}"


def _calendar_problems(running: Memory, fresh: Memory) -> Iterator[str]:
    """The calendars fed change by change are the calendars made at once."""
    now_ms = running.snapshot.now_ms
    for key, pool in running.snapshot.pools.items():
        mine = running.calendars.of(pool, now_ms)
        theirs = fresh.calendars.of(fresh.snapshot.pools[key], now_ms)
        if mine.capacity != theirs.capacity:
            yield f"calendar {pool.key.kind}: capacity {mine.capacity}, built {theirs.capacity}"
        for start_ms, end_ms in _looked_at(now_ms):
            for reclaims in (False, True):
                fed = mine.free_through(start_ms, end_ms, reclaims)
                built = theirs.free_through(start_ms, end_ms, reclaims)
                if fed != built:
                    yield (
                        f"calendar {pool.key.kind} from {start_ms}: "
                        f"{fed} free as fed, {built} as built"
                    )


def _looked_at(now_ms: int) -> list[tuple[int, int | None]]:
    """The next hours bucket by bucket, then ever longer, then for ever."""
    steps = [n * BUCKET_MS for n in range(40)] + [3_600_000 * 2**n for n in range(13)]
    return [(now_ms + step, now_ms + step + BUCKET_MS) for step in steps] + [(now_ms, None)]
