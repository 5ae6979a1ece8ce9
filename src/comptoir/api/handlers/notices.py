"""Notices: the feed of what happens."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Header, Query, Response

from comptoir.api.door import Ask, Asking
from comptoir.api.feed import FeedResponse, Stream
from comptoir.api.words import Word
from comptoir.desk.notices import notice_id, notice_seq, types_matching
from comptoir.desk.ports import Event
from comptoir.store.views import lists
from comptoir.units.errors import Conflict, Unavailable

MOST_LAST = 500

NoticeId = Annotated[
    str | None,
    Query(max_length=64, description="Begin after this notice: `nt_184`. `nt_0` is the start."),
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=64,
        description="The same, as browsers send it when they connect again.",
    ),
]
Types = Annotated[
    list[str],
    Query(max_length=64, description="`lease.active`, `lease.*` or `*`; repeat for several."),
]
Last = Annotated[
    int | None,
    Query(
        ge=0,
        le=MOST_LAST,
        description="Begin with so many of the newest notices, of those after `after`.",
    ),
]


async def follow_feed(
    ask: Ask,
    type: Types = ["*"],  # noqa: B006  (FastAPI copies it)
    tenant: Word = None,
    subject: Word = None,
    after: NoticeId = None,
    last: Last = None,
    follow: Annotated[bool, Query(description="Go on with what is yet to come.")] = True,
    last_event_id: LastEventId = None,
) -> Response:
    """Notices as server-sent events, from now on, or after the one that you have.

    `data` is a notice (openapi/notices.schema.json), `id` its id. A comment comes when
    nothing else has for 15 s. `event: end` says why a stream ends: a problem with its code.
    """
    types = types_matching(type)
    stream = Stream(frozenset(types), ask.of_tenant(tenant), subject, ask.house, 0)
    _refuse_too_many(ask, stream.tenant_id)

    async def read(after_seq: int, most: int) -> list[Event]:
        wanted = types, stream.tenant_id, subject
        return await ask.read(lists.told_events, *wanted, after_seq, most)

    async def pieces() -> AsyncGenerator[bytes]:
        feed = ask.door.feed
        with feed.joined(stream):
            check = lambda: ask.door.desk.authenticate(ask.secret)  # noqa: E731
            async for piece in feed.pieces(stream, read, check, follow):
                yield piece

    # A reader that comes back goes on where it was, whatever its address says.
    wanted = (last_event_id, None) if last_event_id else (after, last)
    stream.position = await _begin(ask, stream, types, *wanted)
    return FeedResponse(stream, pieces(), {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _begin(
    ask: Asking, stream: Stream, types: tuple[str, ...], after: str | None, last: int | None
) -> int:
    """The number of the event after which a stream begins.

    Raises:
        Conflict: `notice_ahead`: what the reader has did not happen in this book.
    """
    newest_seq = await ask.read(lists.last_event_seq)
    if after is not None:
        if notice_seq(after) > newest_seq:
            raise Conflict(
                "notice_ahead",
                f"{after} has not happened here: the newest event is {notice_id(newest_seq)}",
                "the book may have been restored from a backup: begin anew, with nt_0 or from now",
            )
        if last is None:
            return notice_seq(after)
    least_seq = 0 if after is None else notice_seq(after)
    if last:
        wanted = types, stream.tenant_id, stream.subject
        newest = await ask.read(lists.last_told_events, *wanted, last)
        if newest:
            return max(newest[0].seq - 1, least_seq)
    return newest_seq


def _refuse_too_many(ask: Asking, tenant_id: str | None) -> None:
    """Bound the streams, and leave room for other tenants."""
    feed, limits = ask.door.feed, ask.door.limits
    mine = feed.count(tenant_id)
    if len(feed) < limits.feeds and mine < limits.feeds_a_tenant:
        return
    raise Unavailable(
        "too_many_streams",
        f"{len(feed):,} streams of the feed are open, {mine:,} of them yours; there may be "
        f"{limits.feeds:,}, and {limits.feeds_a_tenant:,} of one tenant",
        "end some, or try again",
        retry_after_s=5,
    )
