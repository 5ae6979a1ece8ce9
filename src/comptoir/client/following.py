"""Following a job from its queue to its end, across reclaims, restarts and lost connections.

The server is asked what is new; nothing is missed and nothing is said twice, because the
place in the log is kept here. Neighbours: `work` asks, `running` starts what is followed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from comptoir.client.records import JobDetail, LeaseDetail
from comptoir.client.work import Jobs, Leases
from comptoir.units.errors import Unavailable

FINAL_JOB_STATES = frozenset({"succeeded", "failed", "cancelled"})
FINAL_LEASE_STATES = frozenset({"ended", "refused", "cancelled", "broken"})
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_LOST_FOR_S = 120.0


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the job's output."""

    data: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The job or its lease is in another state, or another attempt began."""

    job: JobDetail
    lease: LeaseDetail


@dataclass(frozen=True, slots=True)
class Cut:
    """The log of an attempt reached its cap: what it writes from here on is dropped."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The server does not answer; it is asked again."""

    error: Unavailable


@dataclass(slots=True)
class Place:
    """Where following has got to: give it again to go on there."""

    attempt: int = 1
    offset: int = 0
    cut: int = 0
    """The last attempt of which it was told that its log was cut."""


Step = Said | Moved | Cut | Lost


def follow(
    jobs: Jobs,
    leases: Leases,
    job_id: str,
    place: Place | None = None,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Step]:
    """What the job writes and how it and its lease move, until the job is over.

    The last thing is always a `Moved` with the job in a final state. `place` is kept up to
    date, so that following can be left and taken up again.

    Raises:
        Unavailable: the server has not answered for two minutes.
    """
    at = place or Place()
    seen, quiet_s = None, _SHORTEST_PAUSE_S
    lost_since: float | None = None
    while True:
        try:
            job = jobs.get(job_id)
            lease = leases.get(job["lease_id"])
            moved = (job["state"], lease["state"], job["attempts"], lease["kill_at"])
            said = False
            if moved != seen and job["state"] not in FINAL_JOB_STATES:
                seen, quiet_s = moved, _SHORTEST_PAUSE_S
                yield Moved(job, lease)
            while job["attempts"] >= at.attempt:
                page = jobs.log(job_id, at.attempt, at.offset)
                at.offset = page.next_offset
                if page.data:
                    said = True
                    yield Said(page.data, at.attempt)
                elif page.truncated and at.cut < at.attempt:
                    at.cut = at.attempt
                    yield Cut(at.attempt)
                elif job["attempts"] > at.attempt:
                    at.attempt, at.offset = at.attempt + 1, 0
                else:
                    break
            lost_since = None
        except Unavailable as error:
            lost_since = time.monotonic() if lost_since is None else lost_since
            if time.monotonic() - lost_since > _LOST_FOR_S:
                raise
            yield Lost(error)
            pause(_LONGEST_PAUSE_S)
            continue
        if job["state"] in FINAL_JOB_STATES and not said:
            yield Moved(job, lease)
            return
        quiet_s = _SHORTEST_PAUSE_S if said else min(quiet_s * 1.5, _LONGEST_PAUSE_S)
        pause(quiet_s)
