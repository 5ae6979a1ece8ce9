"""The live rows of contracts in memory: credit blocks that may still be drawn.

A part of the book (`book.contracts`), with the same journal. A block that is spent or has
expired is evicted after the commit that ended it. The names of the tables are the store's.
"""

from typing import Any

from comptoir.desk.tables import Index, Journal, Table
from comptoir.sales.credit_blocks import BlockState, CreditBlock
from comptoir.units.ids import CreditBlockId, TenantId


class ContractBook:
    """The tables of contracts and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.credit_blocks = Table[CreditBlockId, CreditBlock](
            "credit_block", lambda r: r.id, journal
        )
        self.tables: tuple[Table[Any, Any], ...] = (self.credit_blocks,)
        self.credit_of = Index[TenantId, CreditBlock](
            self.credit_blocks, lambda b: b.tenant_id if b.state is BlockState.OPEN else None
        )

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has used up."""
        for block in rows.get("credit_block", ()):
            assert isinstance(block, CreditBlock)
            if block.state is not BlockState.OPEN:
                self.credit_blocks.evict(block.id)
