"""The client's way to notices: read, or followed for as long as one likes.

A connection that is lost, or a stream that the server ends because it stops or because it was
not read fast enough, is taken up again after the last notice that came: nothing is missed and
nothing comes twice. Neighbours: `transport` is the wire; docs/notices.md says what comes.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from comptoir.client.problems import error_of
from comptoir.client.records import Notice
from comptoir.client.transport import Transport, path_of
from comptoir.units.errors import ComptoirError, Unavailable

FOLLOW_AGAIN = frozenset({"stopping", "too_slow"})
_SHORTEST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_MOST_LINE_BYTES = 1 << 20


@dataclass(slots=True)
class _Place:
    """How far a reader is."""

    after: str | None


class Feed:
    """Notices of what happens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(
        self,
        types: Sequence[str] = ("*",),
        *,
        tenant: str | None = None,
        subject: str | None = None,
        after: str | None = None,
        last: int | None = None,
    ) -> Iterator[Notice]:
        """The notices after one (`nt_0` is the start), or so many of the newest; oldest first.

        Types are `lease.active`, `lease.*` or `*`.
        """
        wanted = {"type": [*types], "tenant": tenant, "subject": subject}
        return self._stream(_Place(after), {**wanted, "last": last, "follow": False})

    def follow(
        self,
        types: Sequence[str] = ("*",),
        *,
        tenant: str | None = None,
        subject: str | None = None,
        after: str | None = None,
        last: int | None = None,
        lost_for_s: float = 120.0,
        lost: Callable[[Unavailable], None] = lambda _: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> Iterator[Notice]:
        """What happens from now on (or after a notice that you have), for as long as you ask.

        Args:
            types: `lease.active`, `lease.*` or `*`.
            tenant: Whose; a house user's choice.
            subject: Only what happens to this.
            after: The id of the last notice that you have; `nt_0` is the start.
            last: Begin with so many of the newest.
            lost_for_s: How long the server may be away before this gives up.
            lost: Told each time that the server does not answer.
            pause: How to wait.

        Raises:
            Unavailable: the server has been away for too long.
        """
        place = _Place(after)
        wanted = {"type": [*types], "tenant": tenant, "subject": subject, "follow": True}
        lost_since, pause_s = None, _SHORTEST_PAUSE_S
        while True:
            begins = last if place.after is None else None
            try:
                for notice in self._stream(place, {**wanted, "last": begins}):
                    lost_since, pause_s = None, _SHORTEST_PAUSE_S
                    yield notice
                continue
            except Unavailable as error:
                now = time.monotonic()
                lost_since = now if lost_since is None else lost_since
                if error.code not in FOLLOW_AGAIN and now - lost_since > lost_for_s:
                    raise
                lost(error)
                pause(max(pause_s, min(float(error.retry_after_s), _LONGEST_PAUSE_S)))
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _stream(self, place: _Place, query: dict[str, Any]) -> Iterator[Notice]:
        """One connection, to its end; `place` moves on with each notice."""
        given = {**query, "after": place.after}
        with self._transport.stream(path_of("feed"), **given) as response:
            for kind, id, data in _events(response.stream(65_536)):
                if kind == "end":
                    raise self._ended(json.loads(data))
                if data:
                    notice = cast(Notice, json.loads(data))
                    place.after = notice["id"]
                    yield notice
                elif id:
                    place.after = id

    def _ended(self, problem: dict[str, Any]) -> ComptoirError:
        headers = {"content-type": "application/problem+json"}
        status = int(problem.get("status") or 503)
        return error_of(status, headers, json.dumps(problem).encode(), self._transport.url)


def _events(pieces: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    """Server-sent events as (event, id, data); comments are left out.

    Source: HTML Living Standard, server-sent events.

    Raises:
        Unavailable: `connection_lost`: what comes is no such stream.
    """
    rest, kind, id, data = b"", "message", "", list[str]()
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > _MOST_LINE_BYTES:
            raise Unavailable("connection_lost", "the feed sent a line without end", "try again")
        for line in lines:
            text = line.removesuffix(b"\r").decode()
            if not text:
                yield kind, id, "\n".join(data)
                kind, data = "message", []
                continue
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "id":
                id = value
            elif name == "data":
                data.append(value)
