"""The feed: committed notices to many readers at once, as server-sent events.

The desk tells this hub of the events of each commit once they are durable; the hub hands them
to the streams of its event loop. No stream asks the database while it is up to date: it reads
there what came before it, and goes over to what it is told. A stream that is not read fast
enough is ended, with a reason; its reader comes back with the id of the last notice it has.

Invariant: a stream says each notice that it should once, in the order of their ids, and none
before it is durable. Neighbours: `desk/notices.py` words them, `handlers/notices.py` asks.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field

from fastapi import Response
from starlette.types import Receive, Scope, Send

from comptoir.api.encoding import dump
from comptoir.api.problems import encode_problem
from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.desk.notices import notice_id, notice_of
from comptoir.desk.ports import Event
from comptoir.units.errors import ComptoirError, Unavailable

log = logging.getLogger("comptoir.feed")

HEARTBEAT_S = 15.0
WRITE_WITHIN_S = 30.0
CHECK_EVERY_S = 1.0
PAGE = 500
MOST_WAITING = 2_000
MOST_PIECE_BYTES = 64 << 10
MOST_KEPT_WORDS = 4_096

Read = Callable[[int, int], Awaitable[list[Event]]]
"""The stored events of a stream after a number, at most so many."""


@dataclass(eq=False, slots=True)
class Stream:
    """One reader: what it wants, how far it is, and what waits for it."""

    types: frozenset[str]
    tenant_id: str | None
    """Whose notices; None is everybody's and the house's own."""
    subject: str | None
    house: bool
    position: int
    """The number of the last event that it has said."""
    passed: int = 0
    """The number of the last event that it was told of, wanted or not."""
    behind: bool = True
    """Whether it still reads the store; meanwhile it is told nothing."""
    cut: bool = False
    waiting: deque[Event] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, event: Event) -> bool:
        """Whether this event is one for this stream."""
        return (
            event.type in self.types
            and self.tenant_id in (None, event.tenant_id)
            and self.subject in (None, event.subject)
        )

    @property
    def reached(self) -> int:
        """Up to which number it has nothing more to say."""
        return self.position if self.waiting or self.behind else max(self.position, self.passed)

    def fall_behind(self) -> None:
        """It may have missed something: let it read the store from where it is."""
        self.position, self.behind = self.reached, True


class Feed:
    """The hub of one server. `hear` is for the desk's thread, the rest for the event loop."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._streams: set[Stream] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard = 0
        self._words: dict[tuple[int, bool], bytes] = {}
        self._closed = False

    def hear(self, events: Sequence[Event]) -> None:
        """Take the events of a commit; see `Desk.listen`."""
        loop = self._loop
        if loop is None or not self._streams:
            return
        told = [event for event in events if event.type in NOTICE_TYPES]
        first, last = (events[0].seq, events[-1].seq) if events else (0, 0)
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody reads any more
            loop.call_soon_threadsafe(self._take, first, last, told)

    def close(self) -> None:
        """End every stream: the server is stopping."""
        self._closed = True
        for stream in self._streams:
            stream.wake.set()

    def count(self, tenant_id: str | None) -> int:
        """How many streams a tenant (None: the house) has."""
        return sum(1 for stream in self._streams if stream.tenant_id == tenant_id)

    def __len__(self) -> int:
        return len(self._streams)

    @contextlib.contextmanager
    def joined(self, stream: Stream) -> Iterator[None]:
        """Have a stream told of what is committed, while it lasts."""
        self._loop = asyncio.get_running_loop()
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    def _take(self, first: int, last: int, told: Sequence[Event]) -> None:
        """Hand the events of one commit to those who want them."""
        missed = first != self._heard + 1  # of a commit that was only known later, or at start
        self._heard = last or self._heard
        for stream in self._streams:
            if stream.behind:
                continue
            if missed and first != stream.reached + 1:
                stream.fall_behind()
            else:
                self._give(stream, last, told)
            if stream.waiting or stream.behind or stream.cut:
                stream.wake.set()

    def _give(self, stream: Stream, last: int, told: Sequence[Event]) -> None:
        stream.passed = last
        if len(stream.waiting) > self._most_waiting:  # what came before has not been read yet
            stream.waiting.clear()
            stream.cut = True
        elif not stream.cut:
            stream.waiting.extend(event for event in told if stream.wants(event))

    # What a stream says.

    async def pieces(
        self, stream: Stream, read: Read, check: Callable[[], object], follow: bool
    ) -> AsyncIterator[bytes]:
        """The stream as bytes, to its end. It must have joined.

        Args:
            stream: Where it begins is its `position`.
            read: Reads the store for it.
            check: Raises when its reader may read no longer.
            follow: Whether it goes on with what is yet to come.
        """
        yield b"id: %s\nretry: 1000\n\n" % notice_id(stream.position).encode()
        checked_at = asyncio.get_running_loop().time()
        try:
            while True:
                stream.wake.clear()
                async for piece in self._old(stream, read):
                    yield piece
                while stream.waiting and not stream.behind:
                    yield self._new(stream)
                self._refuse(stream)
                if not follow and not stream.behind:
                    return
                now = asyncio.get_running_loop().time()
                if now >= checked_at + CHECK_EVERY_S:
                    checked_at = now
                    check()
                if stream.wake.is_set() or await _set_within(stream.wake, HEARTBEAT_S):
                    yield b""  # perhaps it was woken because its reader has gone
                else:
                    yield b"id: %s\n: still here\n\n" % notice_id(stream.reached).encode()
        except ComptoirError as error:
            yield b"event: end\ndata: %s\n\n" % encode_problem(error)[1]

    async def _old(self, stream: Stream, read: Read) -> AsyncIterator[bytes]:
        """What the store has after the stream's position, until that is all."""
        while stream.behind and not self._closed:
            events = await read(stream.position, PAGE)
            heard = 0
            if len(events) < PAGE:  # nearly there: from here on it is told, and reads the rest
                stream.waiting.clear()
                stream.behind, heard = False, self._heard
                more = await read(events[-1].seq if events else stream.position, PAGE)
                stream.behind |= len(more) == PAGE  # it may have missed something meanwhile
                events += more
            for start in range(0, len(events), 50):
                yield self._say(stream, events[start : start + 50])
            if not stream.behind:
                stream.passed = max(stream.passed, heard)  # durable before it read the rest

    def _new(self, stream: Stream) -> bytes:
        """Some of what waits."""
        said: list[Event] = []
        while stream.waiting and len(said) < 50:
            event = stream.waiting.popleft()
            if event.seq > stream.position:
                said.append(event)
        return self._say(stream, said)

    def _say(self, stream: Stream, events: Sequence[Event]) -> bytes:
        if events:
            stream.position = events[-1].seq
        return b"".join(self._word(event, stream.house) for event in events)

    def _word(self, event: Event, house: bool) -> bytes:
        """One notice as it goes over the wire; many streams share the words."""
        key = (event.seq, house)
        if key not in self._words:
            if len(self._words) >= MOST_KEPT_WORDS:
                self._words.clear()
            notice = notice_of(event, house)
            said = b""
            if notice is not None:
                said = b"id: %s\ndata: %s\n\n" % (notice.id.encode(), dump(notice.document()))
            self._words[key] = said
        return self._words[key]

    def _refuse(self, stream: Stream) -> None:
        if self._closed:
            raise Unavailable("stopping", "the server is stopping", "follow again soon", None, 2)
        if stream.cut:
            raise Unavailable(
                "too_slow",
                f"more than {self._most_waiting:,} notices wait to be read",
                f"follow again after {notice_id(stream.position)}, and read faster",
            )


async def _set_within(wake: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await wake.wait()
    except TimeoutError:
        return False


class FeedResponse(Response):
    """An answer that goes on until its stream or its reader ends."""

    media_type = "text/event-stream"

    def __init__(
        self, stream: Stream, pieces: AsyncGenerator[bytes], headers: Mapping[str, str]
    ) -> None:
        super().__init__(headers=dict(headers))
        del self.headers["content-length"]
        self._stream = stream
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pieces as they come; a reader that takes none for a while is left."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        gone = asyncio.ensure_future(self._until_gone(receive))
        try:
            async with contextlib.aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    if gone.done():
                        return
                    if piece:
                        async with asyncio.timeout(WRITE_WITHIN_S):
                            await send(
                                {"type": "http.response.body", "body": piece, "more_body": True}
                            )
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.info("a reader of the feed took nothing for %d s and is left", WRITE_WITHIN_S)
        finally:
            gone.cancel()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.wake.set()
