"""The calendar of one pool: a year of five minutes, 97 % full, 100,000 reservations.

Each back end answers the same questions: when do k accelerators become free for so long?
Medians are of processor time, as those of `placement.py` are; p50 and p99 by the wall clock.
"""

import random
import time

from comptoir.cli.bench.figures import Figure, Findings, figure, percentile
from comptoir.placement.calendar import BUCKET_MS, BUCKETS, Calendar, Search, fastest_search
from comptoir.placement.compiled import can_compile
from comptoir.placement.runs import first_run_in_chunks
from comptoir.units.time import MS_PER_HOUR

RESERVATIONS = 100_000
NODES = 3_072
ACCELERATORS = 8
FULL_PER_MILLE = 970
QUERIES = 2_000
RUNS = 5
NOW_MS = 1_790_000_000_000
_MEAN_HOURS = 56
_GOALS_US = {"numpy": 400, "compiled": 10}

Question = tuple[int, int, int]
Held = tuple[int, int, int]


def measure(nodes: int = NODES, reservations: int = RESERVATIONS) -> Findings:
    """Microseconds a question, for numpy and where it is installed for the compiled search."""
    searches: dict[str, Search] = {"numpy": first_run_in_chunks}
    if can_compile():
        searches["compiled"] = fastest_search()
    capacity = nodes * ACCELERATORS
    held = drawn_reservations(random.Random(7), capacity, reservations)
    figures: list[Figure] = []
    numbers: dict[str, float] = {}
    for name, search in searches.items():
        calendar = _filled(held, capacity, search)
        found, figures_of = _measured(name, calendar, len(held))
        figures += figures_of
        numbers |= found
    fastest = "compiled" if "compiled" in searches else "numpy"
    numbers["queries_per_s"] = numbers[f"{fastest}_queries_per_s"]
    numbers["reservations"] = len(held)
    figures.append(_changes(held, capacity, searches[fastest]))
    return Findings(figures, numbers)


def _measured(
    name: str, calendar: Calendar, reservations: int
) -> tuple[dict[str, float], list[Figure]]:
    questions = _questions(random.Random(11), calendar.capacity)
    each: list[float] = []
    runs = []
    for _ in range(RUNS):
        started = time.thread_time()
        for accelerators, duration_ms, from_ms in questions:
            calendar.earliest(accelerators, duration_ms, from_ms)
        runs.append(1e6 * (time.thread_time() - started) / len(questions))
    for accelerators, duration_ms, from_ms in questions:
        began = time.perf_counter()
        calendar.earliest(accelerators, duration_ms, from_ms)
        each.append(1e6 * (time.perf_counter() - began))
    each.sort()
    p50, p99 = percentile(each, 500), percentile(each, 990)
    full = sum(calendar.free_through(t, t + BUCKET_MS) for t in _instants()) / len(_instants())
    whole = figure(
        f"calendar question, {name}, {1 - full / calendar.capacity:.0%} full, "
        f"{reservations:,} reservations",
        "us",
        runs,
        _GOALS_US[name],
        True,
        f"p50 {p50:.1f} us, p99 {p99:.1f} us",
    )
    numbers = {f"{name}_us": whole.median, f"{name}_queries_per_s": 1e6 / whole.median}
    return numbers, [whole]


def _instants() -> range:
    return range(NOW_MS, NOW_MS + BUCKETS * BUCKET_MS, 97 * BUCKET_MS)


def _questions(rng: random.Random, capacity: int) -> list[Question]:
    """Gangs of all sizes, hours to days, asked for from now to nine months ahead.

    The largest is a twenty-fourth of the fleet: what is as hard to find in any.
    """
    year_ms = BUCKETS * BUCKET_MS
    return [
        (
            max(1, rng.choice((1, 8, 64, 256, 512, 1_024)) * capacity // (NODES * ACCELERATORS)),
            rng.randint(1, 96) * MS_PER_HOUR,
            NOW_MS + rng.randrange(3 * year_ms // 4),
        )
        for _ in range(QUERIES)
    ]


def drawn_reservations(rng: random.Random, capacity: int, count: int) -> list[Held]:
    """Windows that fit beside each other: each begins at the first place found for it.

    Sizes are drawn so that the asked number of windows fills the year, shorter ones in a small
    fleet; when a window finds no place any more, a smaller and shorter one takes its turn. Fewer
    are found where not even five minutes of one accelerator are left.
    """
    calendar = Calendar(NOW_MS, capacity)
    year_ms = BUCKETS * BUCKET_MS
    left = capacity * year_ms * FULL_PER_MILLE // 1_000
    found: list[Held] = []
    while len(found) < count:
        mean_ms = max(left // (count - len(found)), 1)
        hours = max(min(_MEAN_HOURS, mean_ms // MS_PER_HOUR), 1)
        lasts_ms = min(1 + int(rng.expovariate(1 / hours)), 28 * 24) * MS_PER_HOUR
        accelerators = rng.randint(1, 2 * max(mean_ms // (hours * MS_PER_HOUR), 1))
        start_ms = None
        while start_ms is None and (lasts_ms > BUCKET_MS or accelerators > 1):
            asked_ms = NOW_MS + rng.randrange(year_ms - lasts_ms)
            start_ms = calendar.earliest(accelerators, lasts_ms, asked_ms)
            if start_ms is None or start_ms + lasts_ms > NOW_MS + year_ms:
                start_ms = calendar.earliest(accelerators, lasts_ms, NOW_MS)
            if start_ms is None:
                lasts_ms, accelerators = max(lasts_ms // 2, BUCKET_MS), accelerators * 3 // 4 or 1
        if start_ms is None:
            break
        calendar.hold(start_ms, start_ms + lasts_ms, accelerators)
        found.append((start_ms, start_ms + lasts_ms, accelerators))
        left -= accelerators * lasts_ms
    return found


def _filled(held: list[Held], capacity: int, search: Search) -> Calendar:
    calendar = Calendar(NOW_MS, capacity, search=search)
    for start_ms, end_ms, accelerators in held:
        calendar.hold(start_ms, end_ms, accelerators)
    calendar.roll(NOW_MS)
    return calendar


def _changes(held: list[Held], capacity: int, search: Search) -> Figure:
    """A promise made and taken back, each written down."""
    calendar, runs = _filled(held, capacity, search), []
    for _ in range(RUNS):
        started = time.perf_counter()
        for start_ms, end_ms, accelerators in held[:QUERIES]:
            calendar.hold(start_ms, end_ms, -accelerators)
            calendar.roll(NOW_MS)
            calendar.hold(start_ms, end_ms, accelerators)
            calendar.roll(NOW_MS)
        runs.append(1e6 * (time.perf_counter() - started) / (2 * min(QUERIES, len(held))))
    return figure("calendar change, both layers", "us", runs)
