"""While an entity moves in, what would see half of it waits: an opening is brought in slices."""

from comptoir.desk.transaction import Transaction
from comptoir.units.errors import Unavailable


def refuse_while_bringing(tx: Transaction) -> None:
    """Let what reads or moves money pass once everything is brought; that takes seconds.

    Raises:
        Unavailable: `opening_under_way`.
    """
    for opening in tx.book.openings.bringing.each(True):
        raise Unavailable(
            "opening_under_way",
            f"{opening.name} is being brought: {opening.done_items:,} of "
            f"{opening.total_items:,} items so far",
            "try again in a moment",
            {"opening": opening.id, "done": opening.done_items, "items": opening.total_items},
            retry_after_s=1,
        )
