"""The tables of sales: contracts and their versions, what was done, credit and its drawdown.

`tables.py` takes them in, and says which are append-only.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, UniqueConstraint

from comptoir.desk.contract_memory import SupplyMark
from comptoir.sales.committed_steps import CommittedStep
from comptoir.sales.contracts import (
    Contract,
    ContractBody,
    ContractVersion,
    Direction,
    VersionState,
)
from comptoir.sales.credit_blocks import BlockState, Covers, CreditBlock, CreditSource
from comptoir.sales.drawdown import Drawdown
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.store.nested import Nested
from comptoir.store.schema import (
    Exact,
    Mapped,
    _flag,
    _id,
    _int,
    _json,
    _ms,
    _text,
    _word,
    metadata,
)

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
    _ms("lapsed_micros"),
    _int("rollover_ppm"),
    _ms("rollover_s"),
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
    Index("drawdown_by_invoice", "invoice_id"),
)

contract = Table(
    "contract",
    metadata,
    _id(),
    _text("number"),
    _word("direction", Direction),
    _text("tenant_id", null=True),
    _text("partner"),
    _text("entity_id"),
    _text("currency"),
    _text("created_by"),
    _ms("created_at_ms"),
    UniqueConstraint("number"),
    CheckConstraint("direction <> 'sold' OR tenant_id IS NOT NULL", name="contract_has_its_party"),
    Index("contract_by_creation", "created_at_ms", "id"),
    Index("contract_by_tenant", "tenant_id", "created_at_ms", "id"),
)
contract_version = Table(
    "contract_version",
    metadata,
    _id(),
    _text("contract_id"),
    _int("number"),
    _ms("effective_from_ms"),
    _ms("until_ms"),
    _word("state", VersionState),
    _text("proposed_by"),
    _ms("proposed_at_ms"),
    _text("approved_by", null=True),
    _ms("approved_at_ms", null=True),
    _text("text_sha256"),
    _text("text"),
    Column("body", Nested(ContractBody), nullable=False),
    UniqueConstraint("contract_id", "number"),
    CheckConstraint("approved_by <> proposed_by", name="contract_not_approved_by_proposer"),
)
contract_act = Table(
    "contract_act",
    metadata,
    _id(),
    _text("contract_id"),
    _word("type", ActType),
    _text("subject"),
    _ms("effective_at_ms"),
    _ms("noted_at_ms"),
    _text("noted_by"),
    _text("note"),
    Index("contract_act_by_contract", "contract_id", "noted_at_ms", "id"),
)
supply_mark = Table(
    "supply_mark",
    metadata,
    _id("contract_id"),
    _id("inbound_lease_id"),
    _ms("posted_until_ms"),
    Column("numerator", Exact, nullable=False),
    _ms("posted_micros"),
)

committed_step = Table(
    "committed_step",
    metadata,
    _id("key"),
    _text("contract_id"),
    _text("tenant_id"),
    _text("commitment"),
    _text("currency"),
    Column("covers", Nested(Covers), nullable=False),
    _ms("from_ms"),
    _ms("until_ms"),
    _ms("committed_micros"),
    Column("numerator", Exact, nullable=False),
    _ms("asked_micros"),
    _flag("settled"),
    _flag("released"),
)

SALES: dict[str, Mapped] = {
    "credit_block": Mapped(credit_block, CreditBlock, {}),
    "contract": Mapped(contract, Contract, {}),
    "contract_version": Mapped(contract_version, ContractVersion, {}),
    "contract_act": Mapped(contract_act, ContractAct, {}),
    "supply_mark": Mapped(supply_mark, SupplyMark, {}),
    "committed_step": Mapped(committed_step, CommittedStep, {}),
    "drawdown": Mapped(drawdown, Drawdown, {}),
}
