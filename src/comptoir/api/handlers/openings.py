"""Openings: proposed, approved, withdrawn; brought by the server itself; shown with their items."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode
from comptoir.api.shapes import openings as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.billing.opening import Opening, OpeningFile
from comptoir.billing.opening_file import read_opening
from comptoir.desk import opening_requests as requests
from comptoir.store.views import openings as views
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Invalid
from comptoir.units.ids import OpeningId


async def propose_opening(ask: Ask, body: shapes.OpeningBody) -> Response:
    """Propose what an entity brings from another system, or say all that is wrong with it."""
    texts = {file.name: file.text for file in body.files}
    if len(texts) != len(body.files):
        raise Invalid("opening_twice", "two files have one name", "send each file once")
    file = await ask.work(_read, ask, texts)
    request = requests.ProposeOpening(file, body.dry_run)
    return await ask.do("propose_opening", request, _proposed, 201)


async def approve_opening(ask: Ask, opening: Id) -> Response:
    """Bring a proposed opening; the server goes on by itself. Nobody approves their own."""
    found = await _found(ask, opening)
    texts = await ask.read(views.texts, found)
    file = await ask.work(_read, ask, texts)
    return await ask.do("approve_opening", requests.ApproveOpening(found.id, file), _shown)


async def withdraw_opening(ask: Ask, opening: Id) -> Response:
    """Take a proposed opening back; another may be proposed then."""
    return await ask.do("withdraw_opening", requests.OpeningRef(OpeningId(opening)), _shown)


async def list_openings(ask: Ask, pages: Pages, entity: Word = None) -> Response:
    """Openings, last proposed first; of an entity by its id or slug."""
    return await ask.page("openings", pages, views.openings, _shown, entity=entity)


async def get_opening(ask: Ask, opening: Id) -> Response:
    """One opening, and how far it is."""
    return said(_shown(await _found(ask, opening)))


async def list_brought_items(ask: Ask, pages: Pages, opening: Id) -> Response:
    """What became of each item of an opening, in the order in which they were brought."""
    found = await _found(ask, opening)
    return await ask.page("brought-items", pages, views.items, opening_id=found.id)


async def _found(ask: Asking, opening: str) -> Opening:
    found = await ask.read(views.opening, opening)
    if found is None:
        raise not_found(f"opening {opening[:64]}")
    return found


def _read(ask: Asking, texts: dict[str, str]) -> OpeningFile:
    return read_opening(texts, ask.door.desk.book.credit.entity_by_slug.first)


def _proposed(made: requests.ProposedOpening) -> dict[str, Any]:
    return {**_shown(made.opening), "dry_run": made.dry_run, "repeated": made.repeated}


def _shown(opening: Opening) -> dict[str, Any]:
    shown = encode(opening, house=True)
    shown["totals"] = [encode(total, house=True) for total in opening.totals]
    return shown
