"""The guard: who asks, may they, and how much of their words is read.

It authenticates, checks the route's permission and bounds the body before anything of the
body is parsed. Both doors have it: FastAPI's route (`GuardedRoute`) and the fast door.
"""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from comptoir.api.door import JSON, MOST_BYTES, PERMISSION, PUBLIC, Asking, Door, too_large
from comptoir.desk.desk import Idempotency, digest
from comptoir.tenants.permissions import Permission, require
from comptoir.units.errors import Invalid, Unauthenticated, invariant

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Guard:
    """The guard of one route. It writes nothing, and may be asked twice."""

    permission: Permission
    reads_body: bool
    most_bytes: int | None = None

    async def admit(self, door: Door, scope: Scope, receive: Receive) -> tuple[Asking, bytes]:
        """What the handler works with, and the body; empty if the route reads none.

        Raises:
            Unauthenticated, Forbidden: nothing of the body has been read.
            Invalid: `body_too_large`, `not_json` or `bad_idempotency_key`.
        """
        secret = _bearer(scope)
        actor = door.desk.authenticate(secret)
        require(actor, self.permission)
        body = b""
        if self.reads_body:
            most = self.most_bytes or door.limits.body_bytes
            body = await _read_body(scope, receive, most)
        idempotency = None if scope["method"] == "GET" else _idempotency(scope, body)
        return Asking(door, actor, secret, idempotency), body


class GuardedRoute(APIRoute):
    """FastAPI's route behind the guard."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the guard."""
        handle = super().get_route_handler()
        declared = (self.openapi_extra or {}).get(PERMISSION)
        invariant(declared is not None, f"{self.path} declares no permission")
        if declared == PUBLIC:
            return handle
        most_bytes = (self.openapi_extra or {}).get(MOST_BYTES)
        guard = Guard(Permission(str(declared)), self.body_field is not None, most_bytes)

        async def guarded(request: Request) -> Response:
            door: Door = request.app.state.door
            request.state.asking, body = await guard.admit(door, request.scope, request.receive)
            if guard.reads_body:
                request._body = body  # FastAPI then reads this and no more of the stream
            return await handle(request)

        return guarded


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of a name (in lower case), if there is one."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def _bearer(scope: Scope) -> str:
    """The API key of a request.

    Raises:
        Unauthenticated: `key_missing`.
    """
    scheme, _, secret = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(
            "key_missing", "this needs an API key", "send Authorization: Bearer ck_..."
        )
    return secret.strip()


async def _read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """The whole body, if it is JSON and not too large.

    Raises:
        Invalid: `body_too_large` or `not_json`.
    """
    announced = header(scope, b"content-length") or ""
    if announced.isdecimal() and int(announced[:20]) > most_bytes:
        raise too_large("body_too_large", most_bytes)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most_bytes:
            raise too_large("body_too_large", most_bytes)
        chunks.append(chunk)
        more = message.get("more_body", False)
    kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if size and kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        said = f"the body is {kind[:100]!r}" if kind else "the body comes without a Content-Type"
        raise Invalid("not_json", said, f"send it as {JSON}")
    return b"".join(chunks)


def _idempotency(scope: Scope, body: bytes) -> Idempotency | None:
    key = header(scope, b"idempotency-key")
    if key is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise bad_idempotency_key()
    asked = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    return Idempotency(key, digest(scope["method"].encode(), asked, query, body))


def bad_idempotency_key() -> Invalid:
    """A key that cannot be one."""
    return Invalid(
        "bad_idempotency_key",
        "an idempotency key is 1 to 255 printable ASCII characters without spaces",
        "use a UUID",
    )
