"""Answers of the server into values, and its problems into our errors.

RFC 9457 problem details carry our stable `code`, the sentence, what to do `next`, and
the numbers as `facts`. The HTTP status picks the class. Neighbours: `transport`.
"""

import json
from collections.abc import Mapping
from typing import Any

from comptoir.units.errors import (
    ComptoirError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)

CLASS_BY_STATUS: dict[int, type[ComptoirError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    411: Invalid,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
}
IN_FLIGHT = "in_flight"
KEY_MISSING = "key_missing"
REFUSED_TITLE = "Refused"
"""What tells a refusal from a conflict: both are a 409."""


def error_of(status: int, headers: Mapping[str, str], body: bytes, url: str) -> ComptoirError:
    """The error that an answer with a status of 300 or more stands for."""
    problem = _problem(headers, body)
    if problem is None:
        return _not_comptoir(status, headers, url)
    chosen = CLASS_BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)
    if chosen is Conflict and problem.get("title") == REFUSED_TITLE:
        chosen = Refused
    code, message = str(problem["code"]), str(problem.get("detail") or problem.get("title") or "")
    next_step, facts = str(problem.get("next") or ""), problem.get("facts")
    if code == KEY_MISSING:  # the server speaks of a header; here a key is remembered
        next_step = f"`comptoir login {url}`, or put a key in COMPTOIR_API_KEY"
    facts = facts if isinstance(facts, dict) else {}
    if chosen is Unavailable:
        return Unavailable(code, message, next_step, facts, _retry_after_s(headers))
    return chosen(code, message, next_step, facts)


def parse_json(headers: Mapping[str, str], body: bytes, url: str) -> Any:
    """The JSON of a good answer.

    Raises:
        Unavailable: `not_comptoir`, when something else answers at this address.
    """
    try:
        return json.loads(body)
    except ValueError:
        raise _not_comptoir(200, headers, url) from None


def _problem(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    if "json" not in headers.get("content-type", ""):
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "code" in problem else None


def _not_comptoir(status: int, headers: Mapping[str, str], url: str) -> Unavailable:
    kind = headers.get("content-type", "no content type").partition(";")[0]
    said = f"{url} answered {status} with {kind}, which is not how Comptoir answers"
    facts = {"status": status}
    if status >= 500:
        return Unavailable(
            "bad_gateway",
            said,
            "something between here and there failed: try again, or ask who runs it",
            facts,
            _retry_after_s(headers),
        )
    return Unavailable("not_comptoir", said, "check the URL", facts, 0)


def _retry_after_s(headers: Mapping[str, str]) -> int:
    """Whole seconds; dates and nonsense count as none. Bounded, whoever sent it."""
    text = headers.get("retry-after", "")
    return min(int(text), 600) if text.isascii() and text.isdigit() else 0
