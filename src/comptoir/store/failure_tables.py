"""The tables of failures: broken guarantees, and checks of nodes with their evidence.

`tables.py` pairs them with their values and says which rows are final.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table

from comptoir.fleet.checks import CheckOutcome
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.store.schema import _id, _int, _ms, _text, _word, metadata

breach = Table(
    "breach",
    metadata,
    _id(),
    _text("lease_id"),
    _text("tenant_id"),
    _word("lease_class", LeaseClass),
    _text("kind"),
    _word("shape", Shape),
    _text("node_id"),
    _word("cause", BreachCause),
    _text("because"),
    _int("accelerators"),
    _int("nodes"),
    _int("gang_accelerators"),
    _ms("failed_at_ms"),
    _ms("broken_from_ms"),
    _ms("promised_until_ms", null=True),
    _ms("billed_accelerator_ms"),
    _ms("broken_until_ms", null=True),
    _ms("accelerator_ms"),
    _text("replaced_by", null=True),
    CheckConstraint("accelerators > 0", name="breach_has_accelerators"),
    Index("breach_by_start", "broken_from_ms", "id"),
    Index("breach_by_lease", "lease_id"),
    Index("breach_by_end", "broken_until_ms"),
)
node_check = Table(
    "node_check",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("node_id"),
    _text("name"),
    _word("outcome", CheckOutcome),
    _text("evidence"),
    _ms("checked_at_ms"),
    _ms("received_at_ms"),
    _text("reported_by"),
    Index("node_check_by_node", "node_id", "seq"),
    Index("node_check_by_outcome", "outcome", "checked_at_ms"),
)
