"""The fast door: busy routes straight from the socket to their handler.

Three quarters of the time of a small write went to the framework around its handler. Here a
request meets the same guard, the same words and the same handler, and nothing else. This door
says yes only: what does not bind at once (a word that is no id, a query that is not plain, a
body that its shape refuses) is handed on, whole, to FastAPI's route, which says no. So there
is one place that words a refusal of form, and the OpenAPI document knows nothing of this.
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import params
from pydantic import BaseModel, TypeAdapter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comptoir.api.door import JSON, Asking, Door, give_asking
from comptoir.api.guard import Guard, header
from comptoir.api.problems import answer_to
from comptoir.api.route import Route
from comptoir.units.errors import ComptoirError, InvariantBroken, invariant

Given = Mapping[str, list[str]]
"""The plain words of a path and its query, by name."""

_PLAIN_QUERY = re.compile(r"[A-Za-z0-9._=&-]*")
_MISSING = inspect.Parameter.empty


class _NotPlain(Exception):
    """The request does not bind here; FastAPI's route has the word."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A parameter that comes from the path or the query."""

    name: str
    judge: TypeAdapter[Any]
    many: bool
    default: Any

    def bind(self, given: Given) -> Any:
        said = given.get(self.name)
        if said is None:
            if self.default is _MISSING:
                raise _NotPlain
            return self.default
        return self.judge.validate_python(said if self.many else said[-1])


@dataclass(frozen=True, slots=True)
class _Words:
    """A parameter that is made of words by a function."""

    make: Callable[..., Awaitable[Any]]
    words: tuple[_Word, ...]

    async def bind(self, given: Given) -> Any:
        return await self.make(**{word.name: word.bind(given) for word in self.words})


class _Busy:
    """One busy route: how its handler's parameters are bound. Made once."""

    def __init__(self, route: Route) -> None:
        invariant(route.permission is not None, f"{route.path} is busy and public")
        assert route.permission is not None
        self._handler = route.handler
        self._words: list[_Word] = []
        self._made: list[tuple[str, _Words]] = []
        self._asking = self._body_name = ""
        self._body: type[BaseModel] | None = None
        for parameter in inspect.signature(route.handler).parameters.values():
            self._sort(parameter)
        self.guard = Guard(route.permission, self._body is not None)

    def _sort(self, parameter: inspect.Parameter) -> None:
        """Where a parameter's value comes from."""
        name, annotation = parameter.name, parameter.annotation
        depends = [m for m in _metadata(annotation) if isinstance(m, params.Depends)]
        if depends and depends[0].dependency is give_asking:
            self._asking = name
        elif depends:
            make = depends[0].dependency
            assert make is not None
            words = inspect.signature(make).parameters.values()
            self._made.append((name, _Words(make, tuple(map(_word, words)))))
        elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            self._body_name, self._body = name, annotation
        else:
            self._words.append(_word(parameter))

    async def answer(self, asking: Asking, scope: Scope, path: Given, body: bytes) -> Response:
        """The handler's answer.

        Raises:
            _NotPlain: nothing was asked of the handler.
        """
        bound: dict[str, Any] = {self._asking: asking}
        try:
            given = {**path, **_query(scope)} if self._words or self._made else path
            for word in self._words:
                bound[word.name] = word.bind(given)
            for name, words in self._made:
                bound[name] = await words.bind(given)
            if self._body is not None:
                bound[self._body_name] = self._body.model_validate(_read(scope, body))
        except (ValueError, RecursionError):
            raise _NotPlain from None
        response: Response = await self._handler(**bound)
        return response


class FastDoor:
    """Stands in front of the app and takes what is asked of busy routes."""

    def __init__(self, app: ASGIApp, door: Door, routes: Iterable[Route]) -> None:
        self._app = app
        self._door = door
        self._exact: dict[tuple[str, str], _Busy] = {}
        self._around: dict[tuple[str, str, str], tuple[str, _Busy]] = {}
        for route in routes:
            if not route.busy:
                continue
            before, brace, rest = route.path.partition("{")
            name, _, after = rest.partition("}")
            invariant("{" not in after, f"{route.path}: one word in the path of a busy route")
            if brace:
                self._around[route.method, before, after] = name, _Busy(route)
            else:
                self._exact[route.method, route.path] = _Busy(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        busy, path = found
        body = b""
        try:
            asking, body = await busy.guard.admit(self._door, scope, receive)
            response = await busy.answer(asking, scope, path, body)
        except _NotPlain:
            again = _again(body, receive) if busy.guard.reads_body else receive
            await self._app(scope, again, send)
            return
        except (ComptoirError, InvariantBroken) as error:
            response = answer_to(error, scope["method"], scope["path"])
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Busy, Given] | None:
        """The busy route of a request, and the words of its path."""
        method, path = scope["method"], scope["path"]
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        # /v1/leases/ls_8QMC/end: at most one word, between the third slash and the next.
        at = path.find("/", 4) + 1
        end = path.find("/", at)
        end = len(path) if end < 0 else end
        around = self._around.get((method, path[:at], path[end:]))
        if around is None or at == end:
            return None
        return around[1], {around[0]: [path[at:end]]}


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _word(parameter: inspect.Parameter) -> _Word:
    judge = TypeAdapter[Any](parameter.annotation)
    many = judge.json_schema().get("type") == "array"
    return _Word(parameter.name, judge, many, parameter.default)


def _query(scope: Scope) -> Given:
    """The words of a query that needs no decoding.

    Raises:
        _NotPlain: it does, or a name stands without a value.
    """
    text = scope.get("query_string", b"").decode("latin-1")
    found: dict[str, list[str]] = {}
    if not text:
        return found
    if not _PLAIN_QUERY.fullmatch(text):
        raise _NotPlain
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if not value or "=" in value:
            raise _NotPlain
        found.setdefault(name, []).append(value)
    return found


def _read(scope: Scope, body: bytes) -> Any:
    """The body as FastAPI would read it.

    Raises:
        _NotPlain: FastAPI would not read it as JSON.
    """
    if not body or header(scope, b"content-type") != JSON:
        raise _NotPlain
    return json.loads(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The messages of a request whose body has been read."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
