"""The parameters that routes share: ids in paths, filters and pages in queries."""

from typing import Annotated

from fastapi import Depends, Path, Query

from comptoir.api.door import Paging

_WORD = "^[A-Za-z0-9._-]+$"
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

Id = Annotated[str, Path(min_length=1, max_length=64, pattern=_WORD)]
"""An id in a path. A word that can be no id is answered like an unknown one: 404."""

InvoiceWord = Annotated[str, Path(min_length=1, max_length=64, pattern=_PRINTABLE)]
"""An invoice by its id or its number: another system's may have strokes and spaces in it."""

Word = Annotated[str | None, Query(min_length=1, max_length=64, pattern=_WORD)]
"""A filter: an id, a slug, a kind."""

NumberWord = Annotated[str | None, Query(min_length=1, max_length=64, pattern=_PRINTABLE)]
"""A filter: an invoice, as `InvoiceWord`."""

InstantWord = Annotated[str | None, Query(min_length=1, max_length=64)]
"""An instant with a zone, RFC 3339."""

AccountWord = Annotated[
    str | None, Query(min_length=1, max_length=100, pattern="^[A-Za-z0-9._:-]+$")
]
"""A filter: a ledger account, such as unbilled:tn_8QMC."""


async def _paging(
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=1_024, description="`next_cursor` of the page before.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Pages = Annotated[Paging, Depends(_paging)]
"""What a list declares to be paged."""
