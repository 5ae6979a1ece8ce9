"""Exports of a book as text: what `store` reads in one snapshot, `documents` writes.

Used by the routes, and by the command line on a data directory without a server.
"""

from collections.abc import Iterator

from comptoir.documents.journal import journal_text
from comptoir.store.views.journal import journal
from comptoir.store.views.reading import Views
from comptoir.units.time import format_instant


def journal_of(views: Views, now_ms: int, daily: bool | None = None) -> Iterator[str]:
    """A book's ledger as a Beancount journal, a piece at a time.

    Args:
        now_ms: When it is made, for its heading.
        daily: Each day's sums instead of each entry; None: where there are very many.
    """
    with journal(views, daily) as found:
        told = "the sums of each day" if found.daily else "each entry"
        about = (
            f"Comptoir's ledger at {format_instant(now_ms)}: {found.count:,} entries, {told}",
            "a debit is positive; check it: bean-check FILE",
        )
        yield from journal_text(found.accounts, found.entries, found.first_ms, about)
