"""The tables of sales: credit blocks and what was drawn of them.

`tables.py` takes them in, and says which are append-only.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table

from comptoir.sales.credit_blocks import BlockState, Covers, CreditBlock, CreditSource
from comptoir.sales.drawdown import Drawdown
from comptoir.store.nested import Nested
from comptoir.store.schema import Mapped, _id, _int, _json, _ms, _text, _word, metadata

credit_block = Table(
    "credit_block",
    metadata,
    _id(),
    _text("tenant_id"),
    _text("contract_id", null=True),
    _text("commitment_id", null=True),
    _word("source", CreditSource),
    _text("currency"),
    _ms("granted_micros"),
    _ms("drawn_micros"),
    _ms("expired_micros"),
    _ms("from_ms"),
    _ms("until_ms", null=True),
    _int("priority"),
    Column("covers", Nested(Covers), nullable=False),
    _json("conditions"),
    _word("state", BlockState),
    _ms("created_at_ms"),
    CheckConstraint("granted_micros > 0", name="credit_block_grants"),
    CheckConstraint(
        "drawn_micros >= 0 AND drawn_micros <= granted_micros", name="credit_block_not_overdrawn"
    ),
    CheckConstraint(
        "expired_micros >= 0 AND expired_micros <= granted_micros", name="credit_block_expiry"
    ),
    Index("credit_block_by_tenant", "tenant_id", "created_at_ms", "id"),
    Index("credit_block_by_creation", "created_at_ms", "id"),
)
drawdown = Table(
    "drawdown",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("block_id"),
    _text("tenant_id"),
    _text("subject"),
    _text("currency"),
    _ms("micros"),
    _ms("from_ms"),
    _ms("until_ms"),
    _ms("booked_at_ms"),
    _text("invoice_id", null=True),
    CheckConstraint("micros <> 0", name="drawdown_not_zero"),
    Index("drawdown_by_block", "block_id", "seq"),
    Index("drawdown_by_tenant", "tenant_id", "seq"),
    Index("drawdown_by_subject", "subject"),
)

SALES: dict[str, Mapped] = {
    "credit_block": Mapped(credit_block, CreditBlock, {}),
    "drawdown": Mapped(drawdown, Drawdown, {}),
}
