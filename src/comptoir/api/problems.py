"""Every no as an RFC 9457 problem: one table from class to status, a few codes of their own."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

from comptoir.api.encoding import dump
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import (
    ComptoirError,
    Conflict,
    Forbidden,
    Invalid,
    InvariantBroken,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger("comptoir.api")

PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[ComptoirError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Refused: 409,
    Unavailable: 503,
}
"""A refusal is a 409: the same request may be granted in another state of the book."""

STATUS_OF_CODE: dict[str, int] = {
    "internal_error": 500,
    "queue_full": 429,
    "too_many_streams": 429,
    "malformed_json": 400,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "upload_too_large": 413,
    "not_json": 415,
}
"""Codes whose status HTTP has a better word for than their class."""

_TITLES: dict[int, str] = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not in this state",
    413: "Too large",
    415: "Not JSON",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Not now",
}
_OWN_TITLES: dict[type[ComptoirError], str] = {Refused: "Refused"}


def status_of(error: ComptoirError) -> int:
    """The HTTP status of an error."""
    return STATUS_OF_CODE.get(error.code) or STATUS[type(error)]


def encode_problem(error: ComptoirError) -> tuple[int, bytes]:
    """An error on the wire: (status, body)."""
    status = status_of(error)
    return status, dump(
        {
            "type": f"/problems/{error.code}",
            "title": _OWN_TITLES.get(type(error), _TITLES[status]),
            "status": status,
            "detail": error.message,
            "code": error.code,
            "next": error.next,
            "facts": error.facts,
        }
    )


def problem_response(error: ComptoirError, headers: Mapping[str, str] | None = None) -> Response:
    """An error as a response, with the headers that HTTP asks for."""
    status, body = encode_problem(error)
    said = dict(headers or {})
    if isinstance(error, Unauthenticated):
        said["WWW-Authenticate"] = 'Bearer realm="comptoir"'
    if isinstance(error, Unavailable):
        said["Retry-After"] = str(error.retry_after_s)
    return Response(body, status, said, media_type=PROBLEM_JSON)


def internal_error() -> Response:
    """What a caller hears of a bug: nothing of its insides."""
    body = {
        "type": "/problems/internal_error",
        "title": _TITLES[500],
        "status": 500,
        "detail": "the server met an error of its own; it is in the server's log",
        "code": "internal_error",
        "next": "tell the operator",
        "facts": {},
    }
    return Response(dump(body), 500, media_type=PROBLEM_JSON)


def invalid_request(errors: Sequence[Any]) -> ComptoirError:
    """A validation failure in our words: the first field that is wrong, and how many more."""
    first = errors[0]
    kind, context = str(first["type"]), first.get("ctx") or {}
    if kind == "json_invalid":
        return Invalid("malformed_json", f"the body is not JSON: {context.get('error', '')}")
    place = [str(part) for part in first["loc"]]
    source, field = place[0], ".".join(place[1:])
    facts = {"field": field, "in": source, "problems": len(errors)}
    if source == "path":
        return not_found(f"{field} {str(first.get('input'))[:64]!r}")
    if "next" in context and "message" in context:
        return Invalid(kind, f"{field}: {context['message']}", context["next"], facts)
    if not field:
        said = "the body must be a JSON object" if kind != "missing" else "a body is needed"
        return Invalid("invalid_request", said, "see openapi/openapi.json", facts)
    words = {
        "missing": "is missing",
        "extra_forbidden": "is not a field of this request",
    }.get(kind) or f"is wrong: {_lower(str(first['msg']))}"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Invalid(
        "invalid_request", f"{field[:100]} {words}{more}", "correct it and ask again", facts
    )


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _from_framework(error: HTTPException) -> ComptoirError:
    match error.status_code:
        case 404:
            return NotFound("not_found", "there is nothing at this path", "see /openapi.json")
        case 405:
            return Invalid("method_not_allowed", "this path does not take that method")
        case _:
            return Invalid("malformed_json", "the body cannot be read as JSON")


def _methods_at(app: FastAPI, scope: Scope) -> list[str]:
    at = [r for r in app.routes if isinstance(r, Route) and r.matches(scope)[0] is not Match.NONE]
    return sorted({method for route in at for method in route.methods or ()})


def answer_to(error: ComptoirError | InvariantBroken, method: str, path: str) -> Response:
    """What a handler raised, as its caller hears it."""
    if isinstance(error, ComptoirError):
        return problem_response(error)
    log.critical("%s %s broke an invariant", method, path, exc_info=error)
    return internal_error()


def install(app: FastAPI) -> None:
    """Make problems of everything that the routes raise."""

    @app.exception_handler(ComptoirError)
    @app.exception_handler(InvariantBroken)
    async def _ours(request: Request, error: ComptoirError | InvariantBroken) -> Response:
        return answer_to(error, request.method, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        return problem_response(invalid_request(error.errors()))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the framework knows of the first route at a path only
            headers["Allow"] = ", ".join(_methods_at(app, request.scope))
        return problem_response(_from_framework(error), headers)

    @app.exception_handler(Exception)
    async def _bug(_request: Request, _error: Exception) -> Response:
        return internal_error()  # the framework raises it again, and `Outermost` logs it
