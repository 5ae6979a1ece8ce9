"""Openings, their files, and what became of their items."""

from sqlalchemy import or_, select

from comptoir.billing.opening import BroughtItem, Opening, OpeningText
from comptoir.store import tables as t
from comptoir.store.views.reading import Ask, Page, Views
from comptoir.units.errors import invariant

MOST_FILES = 10_000


def openings(views: Views, ask: Ask, entity: str | None = None) -> Page[Opening]:
    """Openings, last proposed first; of an entity by its id or slug."""
    c, e = t.opening.c, t.legal_entity.c
    named = None
    if entity is not None:
        named = c.entity_id.in_(select(e.id).where(or_(e.id == entity, e.slug == entity)))
    return views.page("opening", ask, named, keys=("proposed_at_ms", "id"))


def opening(views: Views, id: str) -> Opening | None:
    """An opening by its id."""
    found: Opening | None = views.find("opening", t.opening.c.id == id)
    return found


def texts(views: Views, opening: Opening) -> dict[str, str]:
    """The files of an opening as they were proposed, in their order."""
    c = t.opening_text.c
    found: list[OpeningText] = views.all(
        "opening_text", c.opening_id == opening.id, order=(c.name,), most=MOST_FILES
    )
    by_name = {one.name: one.text for one in found}
    invariant(set(by_name) == set(opening.files), f"{opening.id} has other files than it had")
    return {name: by_name[name] for name in opening.files}


def items(views: Views, ask: Ask, opening_id: str) -> Page[BroughtItem]:
    """What became of an opening's items, in their order."""
    c = t.brought_item.c
    return views.page(
        "brought_item", ask, c.opening_id == opening_id, keys=("number",), newest_first=False
    )
