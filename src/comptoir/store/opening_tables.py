"""The tables of openings: what was brought from other systems; `tables.py` takes them in."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, Text

from comptoir.billing.opening import (
    Brings,
    BroughtItem,
    Opening,
    OpeningState,
    OpeningText,
    Total,
)
from comptoir.desk.opening_memory import BroughtContract
from comptoir.store.nested import Nested
from comptoir.store.schema import Mapped, _id, _int, _json, _ms, _text, _word, metadata

opening = Table(
    "opening",
    metadata,
    _id(),
    _text("entity_id"),
    _text("name"),
    _text("source"),
    _ms("cut_over_ms"),
    _word("state", OpeningState),
    _text("sha256"),
    _json("files"),
    Column("totals", Nested(tuple[Total, ...]), nullable=False),
    _int("total_items"),
    _int("done_items"),
    _text("proposed_by"),
    _ms("proposed_at_ms"),
    _text("approved_by", null=True),
    _ms("approved_at_ms", null=True),
    _ms("brought_at_ms", null=True),
    CheckConstraint("approved_by <> proposed_by", name="opening_not_approved_by_proposer"),
    CheckConstraint(
        "done_items >= 0 AND done_items <= total_items", name="opening_brings_its_items"
    ),
    Index("opening_by_proposal", "proposed_at_ms", "id"),
)
opening_text = Table(
    "opening_text",
    metadata,
    _id("opening_id"),
    _id("name"),
    Column("text", Text, nullable=False),
)
brought_item = Table(
    "brought_item",
    metadata,
    _id("opening_id"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _word("brings", Brings),
    _text("subject"),
    _text("currency"),
    _ms("micros"),
    _text("file"),
    _int("line"),
    _ms("due_at_ms", null=True),
)
brought_contract = Table(
    "brought_contract", metadata, _id("contract_id"), _text("opening_id"), _ms("cut_over_ms")
)

OPENINGS: dict[str, Mapped] = {
    "opening": Mapped(opening, Opening, {}),
    "opening_text": Mapped(opening_text, OpeningText, {}),
    "brought_item": Mapped(brought_item, BroughtItem, {}),
    "brought_contract": Mapped(brought_contract, BroughtContract, {}),
}
