"""The app: the table of routes behind the guard, problems for every no, headers for safety.

From outside in: `Outermost`, the fast door (`fast.py`), FastAPI.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import comptoir
from comptoir.api import problems
from comptoir.api.door import MOST_BYTES, PERMISSION, Door, Limits
from comptoir.api.fast import FastDoor
from comptoir.api.guard import GuardedRoute
from comptoir.api.openapi import describe
from comptoir.api.route import Route
from comptoir.api.routes import ROUTES
from comptoir.desk.engine_port import Engine
from comptoir.desk.notice_port import Sender
from comptoir.desk.plan_port import Planner
from comptoir.desk.queue import DeskQueue
from comptoir.store.views.reading import Views

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]


def create_app(
    queue: DeskQueue,
    views: Views,
    engines: Mapping[str, Engine],
    sender: Sender,
    *,
    planner: Planner | None = None,
    version: str = comptoir.__version__,
    limits: Limits | None = None,
    spool_directory: str | None = None,
) -> "Outermost":
    """The HTTP API over one trading post.

    Args:
        queue: Takes the writes; it must have been started.
        views: Answers the reads.
        engines: By name; they keep the files and the logs.
        sender: Says where notices may be sent, and the secrets of webhooks.
        planner: Plans rebalances beside the desk; None: nobody does.
        version: What `/v1/status` says.
        limits: What one request may cost.
        spool_directory: Where uploads wait until they are unpacked.
    """
    app = bare_app(version)
    app.state.door = door = Door(
        queue,
        views,
        engines,
        sender,
        version,
        limits=limits or Limits(),
        spool_directory=spool_directory,
        planner=planner,
    )
    return Outermost(FastDoor(app, door, ROUTES), door.feed.close)


def bare_app(version: str = comptoir.__version__) -> FastAPI:
    """The routes without a trading post behind them: enough to describe them."""
    app = FastAPI(
        title="Comptoir",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for route in ROUTES:
        _add(app, route)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    problems.install(app)
    return app


def _add(app: FastAPI, route: Route) -> None:
    name = route.handler.__name__
    summary, _, details = (route.handler.__doc__ or "").partition("\n")
    extra: dict[str, Any] = {PERMISSION: route.declared}
    if route.most_bytes is not None:
        extra[MOST_BYTES] = route.most_bytes
    app.router.add_api_route(
        route.path,
        route.handler,
        methods=[route.method],
        response_model=route.answer,
        status_code=route.status,
        name=name,
        operation_id=name,
        summary=summary.rstrip("."),
        description=" ".join(details.split()) or summary,
        tags=[route.path.split("/")[2] if route.path.startswith("/v1/") else "health"],
        openapi_extra=extra,
        route_class_override=GuardedRoute,
    )


class Outermost:
    """Puts the safety headers on every answer, and makes a problem of every bug."""

    def __init__(self, app: ASGIApp, end_streams: Callable[[], None] = lambda: None) -> None:
        self._app = app
        self.end_streams = end_streams
        """For a server that stops: who follows is told, and the stop need not wait for them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = ended = False

        async def send_safely(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            else:
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except ClientDisconnect:
            return  # it went before it had said all: nobody is there to answer, and nothing broke
        except Exception as error:
            problems.log.error(
                "%s %s failed: %s", scope["method"], scope["path"], error, exc_info=error
            )
            if not started:
                await problems.internal_error()(scope, receive, send_safely)
            elif not ended:
                raise
