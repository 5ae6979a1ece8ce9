"""openapi/openapi.json is what the code says, and no request that it allows crashes the server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from comptoir.api.app import bare_app
from comptoir.api.openapi import render
from comptoir.api.routes import ROUTES
from tests.api.world import World, open_world

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
EXAMPLES = int(os.environ.get("COMPTOIR_FUZZ_EXAMPLES", "12"))
"""Requests an operation; more of them look longer."""


def test_the_committed_document_is_what_the_code_says() -> None:
    kept = DOCUMENT.read_text(encoding="utf-8")
    assert kept == render(bare_app().openapi()), "run python -m comptoir.api.openapi"


def test_every_route_is_described_with_its_permission_and_its_problems() -> None:
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for route in ROUTES:
        path = route.path.replace(":path}", "}")
        operation = document["paths"][path][route.method.lower()]
        assert operation["x-comptoir-permission"] == route.declared
        assert "4XX" in operation["responses"]
        assert operation["summary"]


@schemathesis.serializer("application/gzip")
def _as_it_is(_context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode()


schema = schemathesis.openapi.from_path(DOCUMENT)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("fuzzed")) as world:
        yield world


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_nothing_that_the_document_allows_crashes_the_server(case: Any, fuzzed: World) -> None:
    # Headers that break HTTP itself are answered by the server below the app, in plain text.
    known = {"idempotency-key", "content-type"}
    for name in [name for name in case.headers or {} if name.lower() not in known]:
        del case.headers[name]
    if case.path.endswith("/logs"):
        case.query.pop("follow", None)  # a stream of a job that never ends
    if case.path == "/v1/feed":
        case.query["follow"] = "false"
    case.call_and_validate(
        base_url=fuzzed.url,
        headers={"Authorization": f"Bearer {fuzzed.operator.secret}"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
    assert not fuzzed.desk.broken
