"""Batches: leases requested, leases ended, usage recorded, many in one body and in one commit.

Each item is a call of its own to the desk, under its own key, and gets the answer that its single
form would have got. Neighbours: `shapes/batches.py` judges items, `DeskQueue.ask_together` keeps
them together.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Response

from comptoir.api.door import JSON, Ask, Asking, Wire
from comptoir.api.handlers.leases import wanted
from comptoir.api.handlers.money import reported
from comptoir.api.problems import encode_problem
from comptoir.api.shapes import batches as shapes
from comptoir.desk.desk import Call, Idempotency, Outcome, digest
from comptoir.desk.requests import LeaseRef
from comptoir.units.ids import LeaseId

_KEY = "idempotency_key"
_RESULT = b'{"status":%d,"replayed":%s,"result":%s,"problem":null}'
_PROBLEM = b'{"status":%d,"replayed":%s,"result":null,"problem":%s}'


async def request_leases(ask: Ask, body: shapes.LeaseBatch) -> Response:
    """Request accelerators many times: each item is answered by itself, all in one commit.

    An item without a key of its own has the header's, followed by its place: KEY/0, KEY/1.
    """
    return await _each(ask, "request_lease", body.items, wanted, 201)


async def end_leases(ask: Ask, body: shapes.EndBatch) -> Response:
    """End leases early: each item is answered by itself, all in one commit.

    An item without a key of its own has the header's, followed by its place: KEY/0, KEY/1.
    """
    return await _each(ask, "end_lease", body.items, _named, 200)


async def record_usage_reports(ask: Ask, body: shapes.UsageBatch) -> Response:
    """Record many reports of usage: each item is answered by itself, all in one commit.

    An item without a key of its own has the header's, followed by its place: KEY/0, KEY/1.
    """
    return await _each(ask, "record_usage", body.items, reported, 200)


def _named(item: Any) -> LeaseRef:
    return LeaseRef(LeaseId(item.lease_id))


async def _each(
    ask: Asking, operation: str, items: Sequence[Any], request: Callable[[Any], Any], status: int
) -> Response:
    """Ask the desk for each item; what their forms refuse never comes to it."""
    wire = Wire(ask.encode, status)
    calls = [
        Call(operation, request(item), ask.actor, _idempotency(ask, operation, item, place), wire)
        for place, item in enumerate(items)
        if not isinstance(item, shapes.Broken)
    ]
    outcomes = iter(await ask.door.queue.ask_together(calls) if calls else ())
    answers = [
        _problem(*encode_problem(item.no))
        if isinstance(item, shapes.Broken)
        else _answer(wire, next(outcomes))
        for item in items
    ]
    return Response(b'{"items":[%s]}' % b",".join(answers), media_type=JSON)


def _idempotency(ask: Asking, operation: str, item: Any, place: int) -> Idempotency | None:
    """The key of an item, and the digest of what it asks: unset words and their order are none."""
    key = item.idempotency_key
    if key is None and ask.idempotency is not None:
        key = f"{ask.idempotency.key}/{place}"
    if key is None:
        return None
    said = item.model_dump_json(exclude={_KEY}, exclude_defaults=True, warnings=False)
    return Idempotency(key, digest(operation.encode(), said.encode()))


def _answer(wire: Wire, outcome: Outcome) -> bytes:
    kept = outcome.stored
    if kept is None:
        status, body = wire(outcome.error or outcome.value)
    else:
        status, body = kept.status, kept.body
    if status >= 400:
        return _problem(status, body, kept is not None)
    return _RESULT % (status, _flag(kept is not None), body)


def _problem(status: int, body: bytes, replayed: bool = False) -> bytes:
    return _PROBLEM % (status, _flag(replayed), body)


def _flag(value: bool) -> bytes:
    return b"true" if value else b"false"
