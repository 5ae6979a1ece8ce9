"""Jobs: submitted, listed, cancelled, and their logs read and followed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from comptoir.api.door import Ask, Asking, said
from comptoir.api.handlers.leases import lease_named
from comptoir.api.shapes import leases as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.desk.engine_port import LogPage
from comptoir.leases.jobs import FINAL_JOB_STATES, Attempt, Job, JobState
from comptoir.store.views import lists
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import ComptoirError, Unavailable
from comptoir.units.ids import JobId, LeaseId

LOG_PIECE_BYTES = 256 << 10
LOG_BYTES = 1 << 20
POLL_S = 0.2
TEXT = "text/plain; charset=utf-8"
MOST_OFFSET = 2**53

States = Annotated[list[JobState], Query(description="Repeat for several.")]


async def submit_job(ask: Ask, body: shapes.JobBody) -> Response:
    """Put a command on a lease; it starts when the lease is active and its turn has come."""
    request = requests.SubmitJob(
        LeaseId(body.lease_id),
        tuple(body.command),
        body.name,
        tuple(sorted(body.environment.items())),
        body.runtime,
        body.release_lease,
    )
    return await ask.do("submit_job", request, status=201)


async def list_jobs(
    ask: Ask,
    pages: Pages,
    state: States = [],  # noqa: B006  (FastAPI copies it)
    tenant: Word = None,
    lease: Word = None,
) -> Response:
    """Jobs, newest first."""
    return await ask.page(
        "jobs",
        pages,
        lists.jobs,
        kept=True,
        tenant_id=ask.of_tenant(tenant),
        states=tuple(state),
        lease_id=await lease_named(ask, lease),
    )


async def get_job(ask: Ask, job: Id) -> Response:
    """One job with its attempts."""
    found = await _one_job(ask, job)
    attempts = await ask.read(lists.attempts, found.id)
    return said({**ask.encode(found), "attempt_list": [ask.encode(a) for a in attempts]})


async def cancel_job(ask: Ask, job: Id) -> Response:
    """Take a job off its lease: at once if queued, with the lease's notice if it runs."""
    return await ask.do("cancel_job", requests.JobRef(JobId(job)))


async def get_logs(
    ask: Ask,
    job: Id,
    attempt: Annotated[
        int | None,
        Query(ge=1, le=1_000_000, description="Which attempt; the last one if left out."),
    ] = None,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET, description="Skip so many bytes.")] = 0,
    follow: Annotated[
        bool, Query(description="Stream until the job is over, later attempts included.")
    ] = False,
) -> Response:
    """A job's output as bytes, up to 1 MiB from `offset`; X-Next-Offset says where to go on.

    With `follow` the answer is a stream: it waits for what is yet to come, goes on to the
    next attempt if none was named, and ends when the job is over.
    """
    found = await _one_job(ask, job)
    attempts = await ask.read(lists.attempts, found.id)
    if attempt is not None and not follow and attempt not in [a.number for a in attempts]:
        raise not_found(f"attempt {attempt} of {found.id}")
    if follow:
        return _stream(ask, found, attempt, offset)
    chosen = next((a for a in reversed(attempts) if attempt in (None, a.number)), None)
    page = LogPage(b"", 0) if chosen is None else await _read(ask, chosen, offset, LOG_BYTES)
    headers = {
        "X-Next-Offset": str(page.next_offset),
        "X-Attempt": str(chosen.number if chosen else 0),
        "X-Log-Truncated": "true" if page.truncated else "false",
        "X-Job-State": found.state,
    }
    return Response(page.data, headers=headers, media_type=TEXT)


def _stream(ask: Asking, job: Job, attempt: int | None, offset: int) -> Response:
    door = ask.door
    if door.streams >= door.limits.streams:
        raise Unavailable(
            "too_many_streams",
            f"{door.streams} logs are followed, the most there may be",
            "read the log without follow, or try again",
            retry_after_s=5,
        )
    return StreamingResponse(
        _follow(ask, job, attempt, offset),
        media_type=TEXT,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _follow(ask: Asking, job: Job, attempt: int | None, offset: int) -> AsyncIterator[bytes]:
    """What there is and what comes, while the job lives and the key is good."""
    ask.door.streams += 1
    try:
        current: int | None = attempt
        while True:
            now = await ask.read(lists.find, "job", job.id) or job
            attempts: list[Attempt] = await ask.read(lists.attempts, job.id)
            chosen = _chosen(attempts, current)
            if chosen is not None:
                if current is None:
                    current = chosen.number
                async for piece in _drain(ask, chosen, offset):
                    offset += len(piece)
                    yield piece
            is_last = not attempts or current in (None, attempts[-1].number)
            if chosen is not None and chosen.over:
                if attempt is not None:
                    return
                if not is_last:
                    current, offset = (current or 0) + 1, 0
                    continue
            if now.state in FINAL_JOB_STATES and is_last:
                return
            await asyncio.sleep(POLL_S)
            ask.door.desk.authenticate(ask.secret)
    except ComptoirError:
        return
    finally:
        ask.door.streams -= 1


def _chosen(attempts: list[Attempt], number: int | None) -> Attempt | None:
    """The attempt of a number; without one, the last."""
    return next((a for a in reversed(attempts) if number in (None, a.number)), None)


async def _drain(ask: Asking, attempt: Attempt, offset: int) -> AsyncIterator[bytes]:
    while True:
        page = await _read(ask, attempt, offset, LOG_PIECE_BYTES)
        if not page.data:
            return
        offset = page.next_offset
        yield page.data


async def _read(ask: Asking, attempt: Attempt, offset: int, limit: int) -> LogPage:
    engine = ask.door.engines.get(attempt.engine)
    if engine is None:
        raise Unavailable(
            "engine_missing", f"the engine {attempt.engine!r} is not connected", "ask the operator"
        )
    return await ask.work(engine.read_log, attempt.lease_id, attempt.id, offset, limit)


async def _one_job(ask: Asking, id: str) -> Job:
    found = await ask.one("job", id, "job", lists.find)
    assert isinstance(found, Job)
    return found
