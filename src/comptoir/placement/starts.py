"""Feasible starts: from when on could a gang stand, and where?

A pool's calendar says when so many are free there, a place's profile when they are free in
one rack or pod: both by counts. Whether they are free on nodes that fit together, for this
tenant, is the planner's to say, so each candidate is planned; where the plan fails the next
instant at which something is given back is tried. The number of tries is bounded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from comptoir.leases.lease import LeaseRequest, Shape
from comptoir.placement.calendar import BUCKET_MS
from comptoir.placement.calendars import Calendars
from comptoir.placement.plan import Plan
from comptoir.placement.pools import Pool
from comptoir.placement.snapshot import Snapshot, promised_until
from comptoir.placement.windows import endings, next_ending
from comptoir.units.recurrence import next_opening
from comptoir.units.time import Window
from comptoir.units.values import replace

MOST_TRIES = 24
MOST_PROFILES = 512
"""Of more places of a shape than that no profiles are made: the planner alone says."""
_MOST_STEPS = 64
_MOST_EXACT = 4

PlanAt = Callable[[LeaseRequest], Plan | None]


@dataclass(frozen=True, slots=True)
class Start:
    """A start that was found, with its plan."""

    at_ms: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Search:
    """Where starts are looked for.

    Args:
        snapshot: The book.
        calendars: Its calendars.
        now_ms: The instant.
        plan_at: Plans a request over its window, or None.
        give_up: Whether to look no further; None: only when there have been enough tries.
    """

    snapshot: Snapshot
    calendars: Calendars
    now_ms: int
    plan_at: PlanAt
    give_up: Callable[[], bool] | None = None

    def starts(
        self, request: LeaseRequest, latest_ms: int, tries: int = MOST_TRIES
    ) -> Iterator[Start]:
        """Starts from the request's on, the earliest first; each lasts as long as its window.

        A start is given once; who wants another one asks on.
        """
        reclaims = request.strength > 0
        at_ms: int | None = request.window.start_ms
        for _ in range(tries):
            if self.give_up is not None and self.give_up():
                return
            at_ms = self._candidate(request, at_ms, latest_ms, reclaims)
            if at_ms is None:
                return
            start = self._planned(request, at_ms, latest_ms)
            if start is not None:
                yield self._sooner(request, start)
            at_ms = self._next_ending(self.snapshot.pools_of(request.kind), at_ms)
            if at_ms is None or at_ms > latest_ms:
                return

    def _planned(self, request: LeaseRequest, at_ms: int, latest_ms: int) -> Start | None:
        """The start that is planned at a candidate: there, or after the notice it takes."""
        plan = self.plan_at(_moved(request, at_ms))
        if plan is None or plan.starts_at_ms == at_ms:
            return None if plan is None else Start(at_ms, plan)
        at_ms = plan.starts_at_ms
        if at_ms > latest_ms:
            return None
        later = self.plan_at(_moved(request, at_ms))  # the whole window begins after it
        if later is None or later.starts_at_ms != at_ms:
            return None
        return Start(at_ms, later)

    def _sooner(self, request: LeaseRequest, start: Start) -> Start:
        """The calendar rounds outwards: the exact instant may lie within the bucket before."""
        earliest_ms = max(start.at_ms - BUCKET_MS, request.window.start_ms)
        exact = {
            at_ms
            for pool in self.snapshot.pools_of(request.kind)
            for at_ms in endings(pool, earliest_ms, start.at_ms)
        }
        for at_ms in sorted(exact)[:_MOST_EXACT]:
            plan = self.plan_at(_moved(request, at_ms))
            if plan is not None and plan.starts_at_ms == at_ms:
                return Start(at_ms, plan)
        return start

    def _candidate(
        self, request: LeaseRequest, from_ms: int | None, latest_ms: int, reclaims: bool
    ) -> int | None:
        """The earliest instant at which the counts would allow it."""
        if from_ms is None:
            return None
        found = [
            at_ms
            for pool in self.snapshot.pools_of(request.kind)
            if (at_ms := self._in_pool(pool, request, from_ms, latest_ms, reclaims)) is not None
        ]
        if request.shape is Shape.SITE:
            at_ms = self._in_site(request, from_ms, min(found, default=latest_ms + 1), reclaims)
            found += [] if at_ms is None else [at_ms]
        return min(found, default=None)

    def _in_pool(
        self, pool: Pool, request: LeaseRequest, from_ms: int, latest_ms: int, reclaims: bool
    ) -> int | None:
        """As above, in one pool: within its supply and when that may be sold."""
        lasts_ms = _lasts_ms(request)
        at_ms = max(from_ms, pool.key.starts_at_ms)
        if pool.key.ends_at_ms is not None:
            latest_ms = min(latest_ms, pool.key.ends_at_ms - (lasts_ms or 1))
        calendar = self.calendars.of(pool, self.now_ms)
        for _ in range(_MOST_STEPS):
            found_ms = calendar.earliest(request.accelerators, lasts_ms, at_ms, latest_ms, reclaims)
            if found_ms is None:
                return None
            at_ms = found_ms
            in_place_ms = self._in_place(pool, request, at_ms, latest_ms, reclaims)
            if in_place_ms is None:
                return None
            if in_place_ms > at_ms:
                at_ms = in_place_ms
                continue
            moved = _moved(request, at_ms)
            if promised_until(pool.key, moved, moved.window)[0]:
                return at_ms
            opening = next_opening(pool.key.conditions.selling_windows, at_ms + 1)
            if opening is None:
                return None
            at_ms = opening.start_ms
        return None

    def _in_place(
        self, pool: Pool, request: LeaseRequest, from_ms: int, latest_ms: int, reclaims: bool
    ) -> int | None:
        """The earliest instant at which one place of the shape has enough, by its profile."""
        if request.shape not in (Shape.RACK, Shape.POD):
            return from_ms
        places = self.calendars.places(pool, request.shape, self.now_ms)
        if len(places) > MOST_PROFILES:
            return from_ms
        best: int | None = None
        for place, node_ids in places.items():
            size = sum(self.snapshot.nodes[node_id].accelerators for node_id in node_ids)
            if size < request.accelerators:
                continue
            profile = self.calendars.profile(pool, place, node_ids, reclaims, self.now_ms)
            at_ms = profile.earliest(
                size - request.accelerators, _lasts_ms(request), from_ms, latest_ms
            )
            if at_ms == from_ms:
                return at_ms
            if at_ms is not None and (best is None or at_ms < best):
                best = at_ms
        return best

    def _in_site(
        self, request: LeaseRequest, from_ms: int, before_ms: int, reclaims: bool
    ) -> int | None:
        """The earliest instant, before another one, at which the pools of a site together do."""
        sites: dict[str, list[Pool]] = {}
        for pool in self.snapshot.pools_of(request.kind):
            sites.setdefault(pool.key.site, []).append(pool)
        found: list[int] = []
        for pools in sites.values():
            if len(pools) < 2:
                continue
            at_ms: int | None = from_ms
            for _ in range(_MOST_STEPS):
                if at_ms is None or at_ms >= before_ms:
                    break
                if self._free_in(pools, _moved(request, at_ms), reclaims) >= request.accelerators:
                    found.append(at_ms)
                    break
                at_ms = self._next_ending(pools, at_ms)
        return min(found, default=None)

    def _free_in(self, pools: list[Pool], request: LeaseRequest, reclaims: bool) -> int:
        window = request.window
        return sum(
            self.calendars.of(pool, self.now_ms).free_through(
                window.start_ms, window.end_ms, reclaims
            )
            for pool in pools
            if promised_until(pool.key, request, window)[0]
        )

    def _next_ending(self, pools: list[Pool], after_ms: int) -> int | None:
        """The next instant at which something ends, or supply begins.

        What is over and not yet fenced stands until just after now.
        """
        found = [at_ms for pool in pools if (at_ms := next_ending(pool, after_ms)) is not None]
        found += [p.key.starts_at_ms for p in pools if p.key.starts_at_ms > after_ms]
        if after_ms <= self.now_ms and any(endings(p, -1, self.now_ms + 1) for p in pools):
            return self.now_ms + 1
        return min(found, default=None)


def _lasts_ms(request: LeaseRequest) -> int | None:
    window = request.window
    return None if window.end_ms is None else window.end_ms - window.start_ms


def _moved(request: LeaseRequest, at_ms: int) -> LeaseRequest:
    """The same request, from another instant on."""
    lasts_ms = _lasts_ms(request)
    return replace(request, window=Window(at_ms, None if lasts_ms is None else at_ms + lasts_ms))
