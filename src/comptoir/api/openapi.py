"""The OpenAPI document, made from the routes and the shapes; `openapi/` keeps it.

`python -m comptoir.api.openapi` writes `openapi/openapi.json`; a test holds the two
together, so a change of the API is a change that a reviewer sees.
"""

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from comptoir.api.shapes.common import Problem

_DESCRIPTION = (
    "A compute cloud is a book of leases. Instants are RFC 3339 in UTC; money, prices and "
    "64-bit quantities are strings; lists are paged by cursor; every write takes an "
    "Idempotency-Key; every no is an RFC 9457 problem with a stable code (docs/errors.md)."
)
_PROBLEM = {"$ref": "#/components/responses/Problem"}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request gets the same answer, once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_AS_BYTES = {
    "/logs": "text/plain",
    "/files/{path}": "application/octet-stream",
    "/pdf": "application/pdf",
    "/xml": "application/xml",
    "/exports/journal": "text/plain",
}
"""How the path of an operation ends that gives bytes, and what they are."""
_BYTES = {"schema": {"type": "string", "format": "binary"}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the app; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _describe(app)
    return app.openapi_schema


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["responses"] = {
        "Problem": {
            "description": "A problem (RFC 9457).",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    }
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: ck_..."}
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _finish(path, method, operation)
    return document


def _finish(path: str, method: str, operation: dict[str, Any]) -> None:
    """What FastAPI cannot know of an operation: problems, keys, bytes."""
    responses = operation["responses"]
    responses.pop("422", None)
    responses["4XX"] = responses["5XX"] = _PROBLEM
    if path == "/healthz":
        responses["503"] = responses["200"]
        return
    operation["security"] = [{"key": []}]
    if path == "/v1/feed":
        responses["200"]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    for ending, kind in _AS_BYTES.items():
        if path.endswith(ending):
            responses["200"]["content"] = {kind: _BYTES}
    if path.endswith("/files") and method == "put":
        operation["requestBody"] = {"required": True, "content": {"application/gzip": _BYTES}}
    elif method != "get":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY)


def render(document: dict[str, Any]) -> str:
    """The document as it is kept: stable, readable, one change a line."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(path: str = "openapi/openapi.json") -> int:
    """Write the document."""
    from comptoir.api.app import bare_app

    Path(path).write_text(render(bare_app().openapi()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
