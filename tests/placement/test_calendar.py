"""The calendar against a model that counts, bucket by bucket, whatever was promised.

Windows are random, and those of recurring requests, over the nights on which clocks change;
promises are taken back; time moves on, past the point at which the table slides.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.placement.calendar import BUCKET_MS, Calendar
from comptoir.placement.compiled import can_compile, compiled
from comptoir.placement.profile import Profile
from comptoir.placement.runs import first_run, first_run_in_chunks
from comptoir.units.recurrence import Recurrence

SEARCHES = [first_run, first_run_in_chunks, *([compiled(first_run)] if can_compile() else [])]
BUCKETS = 48
SPRING_MS = int(datetime(2027, 3, 26, tzinfo=UTC).timestamp()) * 1_000
AUTUMN_MS = int(datetime(2026, 10, 23, tzinfo=UTC).timestamp()) * 1_000
CAPACITY = 10


@dataclass
class Model:
    """Every promise in a list, and everything worked out from it."""

    now_ms: int
    buckets: int = BUCKETS
    held: list[tuple[int, int | None, int, int | None]] = field(default_factory=list)

    @property
    def horizon_ms(self) -> int:
        return (self.now_ms // BUCKET_MS + self.buckets) * BUCKET_MS

    def in_bucket(self, bucket: int, reclaims: bool) -> int:
        """Held in some part of a bucket, of what the layer has."""
        return sum(
            count
            for start, end, count, notice in self.held
            if (notice is None or not reclaims)
            and start < (bucket + 1) * BUCKET_MS
            and (end is None or end > bucket * BUCKET_MS)
        )

    def free(self, start_ms: int, end_ms: int | None, reclaims: bool, far: int) -> int:
        """Free through a window, bucket by bucket; `far` is the last bucket looked at."""
        last = far if end_ms is None else -(-end_ms // BUCKET_MS)
        buckets = range(start_ms // BUCKET_MS, min(last, far))
        return CAPACITY - max((self.in_bucket(b, reclaims) for b in buckets), default=0)

    def earliest(
        self, count: int, duration_ms: int | None, from_ms: int, latest_ms: int, reclaims: bool
    ) -> int | None:
        """Try every start."""
        far = self.horizon_ms // BUCKET_MS + self.buckets // 8 + 1
        starts = [from_ms]
        starts += [b * BUCKET_MS for b in range(from_ms // BUCKET_MS + 1, far)]
        for start in starts:
            if start > latest_ms:
                return None
            end = None if duration_ms is None else start + duration_ms
            if self.free(start, end, reclaims, far) >= count:
                return start
        return None


def calendar(search: object, now_ms: int, buckets: int = BUCKETS) -> Calendar:
    return Calendar(now_ms, CAPACITY, buckets, search)  # type: ignore[arg-type]


recurring = st.builds(
    Recurrence,
    st.sampled_from([(0, 1, 2, 3, 4), (5, 6), (6,), tuple(range(7))]),
    st.integers(0, 1_439),
    st.integers(1, 1_440),
    st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
seeds = st.integers(0, 2**32)


def span(rng: random.Random, longest: int) -> int | None:
    """No end, whole buckets, or anything."""
    longest_ms = longest * BUCKET_MS
    whole = rng.randint(1, longest) * BUCKET_MS
    return rng.choice((None, whole, whole, rng.randint(1, longest_ms), rng.randint(1, longest_ms)))


def crook(rng: random.Random) -> int:
    return rng.choice((0, 0, rng.randrange(BUCKET_MS)))


def step(rng: random.Random) -> tuple[str, object]:
    """One thing that happens: mostly promises, so that it is crowded."""
    what = rng.choices(("hold", "take back", "pass"), (12, 3, 2))[0]
    if what == "take back":
        return what, rng.randrange(99)
    if what == "pass":
        return what, rng.choice((1, 3, 12, 80, 700)) * BUCKET_MS + crook(rng)
    offset = rng.randint(-4, 45) * BUCKET_MS + crook(rng)
    length = span(rng, rng.choice((3, 12, 60)))
    return what, (offset, length, rng.randint(1, 6), rng.random() < 0.6)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEARCHES), st.sampled_from([SPRING_MS, AUTUMN_MS]), recurring, seeds)
def test_the_calendar_says_what_counting_says(
    search: object, start_ms: int, rule: Recurrence, seed: int
) -> None:
    rng = random.Random(seed)
    model, subject = Model(start_ms + 17), calendar(search, start_ms + 17)
    history = [step(rng) for _ in range(rng.randint(1, 40))]
    if rng.random() < 0.5:
        history.insert(rng.randrange(len(history)), ("series", (rule, rng.randint(1, 4))))
    for what, given_ in history:
        live(model, subject, what, given_)
    for _ in range(8):
        from_ms = model.now_ms + rng.randint(0, 25) * BUCKET_MS + rng.choice((-17, 0, crook(rng)))
        window = rng.choice((None, rng.randint(0, 30 * BUCKET_MS)))
        count, lasts = rng.randint(1, CAPACITY + 1), span(rng, rng.choice((2, 8, 30)))
        compare(model, subject, count, lasts, max(from_ms, model.now_ms), window, seed % 2 == 0)


def live(model: Model, subject: Calendar, what: str, given_: object) -> None:
    match what, given_:
        case "hold", (offset, length, count, firm):
            start = model.now_ms // BUCKET_MS * BUCKET_MS + offset
            end = None if length is None else start + length
            hold(model, subject, start, end, count, firm)
        case "series", (rule, count):
            for window in rule.occurrences(model.now_ms, model.now_ms + 4 * 86_400_000):
                hold(model, subject, window.start_ms, window.end_ms, count, True)
        case "take back", int(number) if model.held:
            start, end, count, notice = model.held.pop(number % len(model.held))
            subject.hold(start, end, -count, notice)
        case "pass", int(by):
            model.now_ms += by
            subject.roll(model.now_ms)


def hold(
    model: Model, subject: Calendar, start: int, end: int | None, count: int, firm: bool
) -> None:
    model.held.append((start, end, count, None if firm else 0))
    subject.hold(start, end, count, None if firm else 0)


def compare(
    model: Model, subject: Calendar, count: int, duration: int | None, from_ms: int,
    window: int | None, reclaims: bool,
) -> None:  # fmt: skip
    latest = None if window is None else from_ms + window
    said = subject.earliest(count, duration, from_ms, latest, reclaims)
    far = model.horizon_ms // BUCKET_MS
    expected = model.earliest(
        count, duration, from_ms, model.horizon_ms if latest is None else latest, reclaims
    )
    if said is not None:
        end = None if duration is None else said + duration
        assert model.free(said, end, reclaims, far) >= count
        assert not subject.impossible(count, said, end, reclaims)
    if duration is not None and expected is not None:
        # Past the horizon the calendar may know more than the model looks at.
        assert said == expected or expected + duration > model.horizon_ms
    end = None if duration is None else from_ms + duration
    very_far = far + 2 * BUCKETS
    assert subject.free_through(from_ms, end, reclaims) <= max(
        model.free(from_ms, end, reclaims, far), 0
    )
    assert subject.free_through(from_ms, end, reclaims) >= model.free(
        from_ms, end, reclaims, very_far
    )
    if subject.impossible(count, from_ms, end, reclaims):
        assert exactly_free(model, from_ms, end, reclaims) < count


def exactly_free(model: Model, start_ms: int, end_ms: int | None, reclaims: bool) -> int:
    """Free at every instant of a window: looked at wherever something begins, and at its start."""
    held = [x for x in model.held if x[3] is None or not reclaims]
    instants = {start_ms} | {x[0] for x in held if x[0] > start_ms}
    levels = [
        sum(x[2] for x in held if x[0] <= at and (x[1] is None or x[1] > at))
        for at in instants
        if end_ms is None or at < end_ms
    ]
    return CAPACITY - max(levels)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_start_within_a_bucket_needs_no_rounding(search: object) -> None:
    now = SPRING_MS + 100_000
    subject = calendar(search, now)
    assert subject.earliest(CAPACITY, 2 * BUCKET_MS, now) == now
    subject.hold(now + 2 * BUCKET_MS, None, 1)
    late = subject.earliest(CAPACITY, 2 * BUCKET_MS, now)
    assert late is None  # rounded outwards, the promise begins with its bucket
    assert subject.earliest(CAPACITY, BUCKET_MS, now) == now


def test_a_count_says_no_only_where_no_instant_would_do() -> None:
    now = SPRING_MS
    subject = calendar(None, now)
    subject.hold(now, now + 100_000, 6)
    subject.hold(now + 200_000, now + BUCKET_MS, 6)
    assert subject.earliest(4, BUCKET_MS, now) == now + BUCKET_MS  # rounded outwards: 12 held
    assert not subject.impossible(4, now, now + BUCKET_MS)  # but never 12 at once
    for second in (10, 110, 210):
        subject.hold(now + second * 1_000, now + second * 1_000 + 50_000, 3)
    assert not subject.impossible(1, now, now + BUCKET_MS)
    subject.hold(now, now + BUCKET_MS, 1)
    assert not subject.impossible(9, now, now + BUCKET_MS)
    assert subject.impossible(10, now, now + BUCKET_MS)


def test_what_is_reclaimable_stands_in_the_way_until_its_notice_is_over() -> None:
    now = SPRING_MS
    subject = calendar(None, now)
    subject.hold(now, None, 4, notice_ms=600_000)
    subject.hold(now, None, 3, notice_ms=120_000)
    ask = (5, 3_600_000, now)
    assert subject.earliest(3, 3_600_000, now, reclaims=True) == now
    assert subject.earliest(*ask, reclaims=True) == now + 120_000
    assert subject.earliest(7, 3_600_000, now, reclaims=True) == now + 600_000
    assert subject.earliest(*ask) is None  # who may not reclaim waits for their end
    subject.roll(now + 300_000)
    assert subject.earliest(*ask, reclaims=True) == now + 420_000  # the notice rolls with time


@pytest.mark.parametrize("seed", range(20))
def test_many_windows_at_once_are_the_same_windows(seed: int) -> None:
    rng = random.Random(seed)
    now = SPRING_MS + rng.randrange(BUCKET_MS)
    one, together = calendar(None, now), calendar(None, now)
    for _ in range(600):
        start = now + rng.randint(-20, 70) * BUCKET_MS + crook(rng)
        length, count = span(rng, 40), rng.randint(1, 4)
        end = None if length is None else start + length
        notice = rng.choice((None, 60_000))
        for subject in (one, together):
            subject.hold(start, end, count, notice)
        one.roll(now)
    together.roll(now)
    for layer in ("_firm", "_all"):
        mine, theirs = getattr(one, layer), getattr(together, layer)
        assert (mine.held == theirs.held).all()
        assert (mine.edges == theirs.edges).all()
        assert mine.endless == theirs.endless


def test_what_is_open_ended_fills_the_calendar_wherever_its_horizon_moves() -> None:
    subject = calendar(None, SPRING_MS)
    subject.hold(SPRING_MS, None, 6)
    subject.hold(SPRING_MS + 5 * BUCKET_MS, None, 3)
    for later in (0, 30, 70, 400, 4_000):
        now = SPRING_MS + later * BUCKET_MS
        subject.roll(now)
        assert subject.earliest(1, BUCKET_MS, now + 10 * BUCKET_MS) == now + 10 * BUCKET_MS
        assert subject.earliest(2, BUCKET_MS, now + 10 * BUCKET_MS) is None
    subject.hold(SPRING_MS + 5 * BUCKET_MS, None, -3)
    assert subject.earliest(4, None, now) == now


held = st.lists(
    st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(1, 30)), st.integers(1, 5)),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(held, st.integers(-3, 12), st.one_of(st.none(), st.integers(1, 40)), st.integers(0, 70))
def test_a_profile_says_what_counting_says(
    made: list[tuple[int, int | None, int]], most: int, duration: int | None, from_ms: int
) -> None:
    windows = [(start, None if span is None else start + span, n) for start, span, n in made]
    profile = Profile(windows)

    def level(at: int) -> int:
        return sum(n for start, end, n in windows if start <= at and (end is None or at < end))

    far = 200

    def good(start: int) -> bool:
        end = far if duration is None else start + duration
        return all(level(at) <= most for at in range(start, end))

    expected = next((start for start in range(from_ms, far - 50) if good(start)), None)
    assert profile.earliest(most, duration, from_ms) == (expected if most >= 0 else None)
    end = far if duration is None else from_ms + duration
    assert profile.most(from_ms, None if duration is None else end) == max(
        level(at) for at in range(from_ms, end)
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=300),
    st.integers(0, 40),
    st.integers(1, 60),
    st.integers(0, 5),
    st.integers(0, 300),
)
def test_every_search_finds_the_same_run(
    counts: list[int], first: int, width: int, most: int, last: int
) -> None:
    held = np.array(counts, np.int32).repeat(40)
    last = min(last * 30, held.size - width)
    width = min(width * 7, held.size)
    last = min(last, held.size - width)
    found = {search(held, first, last, width, most) for search in SEARCHES}
    assert len(found) == 1
    (start,) = found
    assert start == next(
        (b for b in range(first, last + 1) if (held[b : b + width] <= most).all()), -1
    )
