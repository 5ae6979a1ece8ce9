"""The door itself: what the routes share, and how a caller's words reach desk and views.

`Asking` is what a handler works with; `guard.py` makes one of each request that may pass.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response

from comptoir.api.encoding import dump, encode
from comptoir.api.feed import Feed
from comptoir.api.pages import PageCache, WrittenRows, ask_for, write_page
from comptoir.api.problems import PROBLEM_JSON, encode_problem
from comptoir.desk.desk import Call, Desk, Idempotency
from comptoir.desk.engine_port import Engine
from comptoir.desk.notice_port import Sender
from comptoir.desk.plan_port import Planner
from comptoir.desk.queue import DeskQueue
from comptoir.store.views.reading import Ask as PageAsk
from comptoir.store.views.reading import Page, Views
from comptoir.tenants.parties import Actor, Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import ComptoirError, Invalid
from comptoir.units.ids import TenantId

T = TypeVar("T")
Says = Callable[[Any], dict[str, Any]]

JSON = "application/json"
PERMISSION = "x-comptoir-permission"
MOST_BYTES = "x-comptoir-most-bytes"
PUBLIC = "public"
READ_THREADS = 4
_SAFE_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    body_bytes: int = 1 << 20
    upload_bytes: int = 256 << 20
    streams: int = 256
    """Logs followed at the same time."""
    feeds: int = 512
    """Streams of the feed at the same time."""
    feeds_a_tenant: int = 64
    feed_waiting: int = 2_000
    """Notices that may wait to be read in one stream of the feed."""


@dataclass(slots=True)
class Door:
    """What the routes of one app share."""

    queue: DeskQueue
    views: Views
    engines: Mapping[str, Engine]
    sender: Sender
    version: str
    limits: Limits = field(default_factory=Limits)
    spool_directory: str | None = None
    """Where uploads wait; None is the system's directory for temporary files."""
    planner: Planner | None = None
    readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READ_THREADS, "views")
    )
    workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, "files"))
    """Threads for engines' files and logs, so that slow disks do not hold up reads."""
    streams: int = 0
    pages: PageCache = field(default_factory=PageCache)
    rows: WrittenRows = field(default_factory=WrittenRows)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = Feed(self.limits.feed_waiting)
        self.desk.listen(self.feed.hear)

    @property
    def desk(self) -> Desk:
        """The one writer; the door reads parties from its memory and never writes."""
        return self.queue.desk


@dataclass(frozen=True, slots=True)
class Wire:
    """How a door puts a value, or a no, on the wire: (status, body)."""

    says: Says
    status: int

    def __call__(self, said: Any) -> tuple[int, bytes]:
        """A value, or a `ComptoirError`."""
        if isinstance(said, ComptoirError):
            return encode_problem(said)
        return self.status, dump(self.says(said))


@dataclass(frozen=True, slots=True)
class Asking:
    """One authenticated request."""

    door: Door
    actor: Actor
    secret: str
    idempotency: Idempotency | None

    @property
    def house(self) -> bool:
        """Whether the actor belongs to the house, and so sees every tenant's things."""
        return self.actor.tenant_id is None

    def encode(self, value: Any) -> dict[str, Any]:
        """A domain value as this actor may see it."""
        return encode(value, self.house)

    async def read(self, query: Callable[..., T], *given: Any, **named: Any) -> T:
        """Run a view in a reading thread."""
        views = self.door.views
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.door.readers, lambda: query(views, *given, **named))

    async def work(self, call: Callable[..., T], *given: Any) -> T:
        """Run something slow that is not a view: an engine, a disk."""
        return await asyncio.get_running_loop().run_in_executor(self.door.workers, call, *given)

    async def do(
        self,
        operation: str,
        request: Any,
        says: Says | None = None,
        status: int = 200,
        once: Says | None = None,
    ) -> Response:
        """Ask the desk, and say its answer; a repeated question gets the same words again.

        `once`: what is said this time instead, and is not kept: it has a secret in it.
        """
        wire = Wire(says or self.encode, status)
        call = Call(operation, request, self.actor, self.idempotency, wire)
        outcome = await self.door.queue.ask(call)
        if outcome.stored is not None:
            kept = outcome.stored
            kind = PROBLEM_JSON if kept.status >= 400 else JSON
            return Response(
                kept.body, kept.status, {"Idempotent-Replayed": "true"}, media_type=kind
            )
        code, body = wire(outcome.unwrap())
        if once is not None:
            body = dump(once(outcome.value))
        return Response(body, code, media_type=JSON)

    async def value(self, operation: str, request: Any) -> Any:
        """Ask the desk and give its value: for questions that only its memory can answer."""
        return (await self.door.queue.ask(Call(operation, request, self.actor))).unwrap()

    async def page(
        self,
        name: str,
        asked: "Paging",
        query: Callable[..., Page[Any]],
        says: Says | None = None,
        writes: Callable[[Any], bytes] | None = None,
        kept: bool = False,
        **filters: Any,
    ) -> Response:
        """A page of a list; `name` binds its cursors to the list.

        An item is said by `says`, or written by `writes`. `kept`: the page depends on nothing
        but its filters and the committed book, so the same bytes serve until the next commit.
        """
        desk, pages = self.door.desk, self.door.pages
        version = -1 if desk.broken or not kept else desk.book.version
        key = (name, self.actor.tenant_id, asked, tuple(filters.values()))
        if version >= 0 and (known := pages.get(version, key)) is not None:
            return Response(known, media_type=JSON)
        ask: PageAsk = ask_for(name, asked.limit, asked.cursor)
        saying = says or self.encode
        views = self.door.views

        def read() -> bytes:
            page = query(views, ask, **filters)
            write = writes or (lambda item: dump(saying(item)))
            return write_page(name, map(write, page.items), page.next_key)

        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self.door.readers, read)
        if version >= 0:
            pages.put(version, key, body)
        return Response(body, media_type=JSON)

    async def one(self, table: str, id: str, what: str, query: Callable[..., Any]) -> Any:
        """One value by its id, if this actor may know of it.

        Raises:
            NotFound: there is none, or it is another tenant's: the two look the same.
        """
        found = await self.read(query, table, id) if _SAFE_WORD.fullmatch(id) else None
        if found is None or not self.sees(getattr(found, "tenant_id", None)):
            raise not_found(f"{what} {id[:64]}")
        return found

    def sees(self, tenant_id: str | None) -> bool:
        """Whether things of this tenant (None: of the house) may be shown."""
        return self.house or tenant_id == self.actor.tenant_id

    def tenant(self, named: str) -> Tenant:
        """A tenant by id or slug, if this actor may know of it.

        Raises:
            NotFound: there is none, or it is another.
        """
        book = self.door.desk.book
        found = book.tenants.get(TenantId(named)) or book.tenant_by_slug.first(named)
        if found is None or not self.sees(found.id):
            raise not_found(f"tenant {named[:64]}")
        return found

    def of_tenant(self, named: str | None) -> TenantId | None:
        """The tenant to which a list is narrowed: one's own, or the one the house names."""
        return self.actor.tenant_id if named is None else self.tenant(named).id


@dataclass(frozen=True, slots=True)
class Paging:
    """Which piece of a list."""

    limit: int
    cursor: str | None


def said(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that was made here."""
    return Response(dump(body), status, dict(headers or {}), media_type=JSON)


def too_large(code: str, most_bytes: int) -> Invalid:
    """A body over its limit."""
    return Invalid(
        code,
        f"the body is larger than {most_bytes:,} bytes",
        "send less at once",
        {"most_bytes": most_bytes},
    )


async def give_asking(request: Request) -> Asking:
    """The `Asking` that the guard made."""
    asking: Asking = request.state.asking
    return asking


Ask = Annotated[Asking, Depends(give_asking)]
"""What a handler declares to be given its `Asking`."""
