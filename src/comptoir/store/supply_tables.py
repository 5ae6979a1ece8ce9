"""The tables of supply: inbound leases, their nodes, the fabric of clusters."""

from sqlalchemy import CheckConstraint, Column, Table

from comptoir.fleet.conditions import SoldTo
from comptoir.fleet.nodes import NodeState
from comptoir.leases.inbound import InboundState
from comptoir.store.schema import Recurring, _flag, _id, _int, _json, _ms, _text, _word, metadata

inbound_lease = Table(
    "inbound_lease",
    metadata,
    _id(),
    _text("name"),
    _text("partner"),
    _text("kind"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms", null=True),
    _ms("cost_nanos"),
    _text("currency"),
    _word("state", InboundState),
    _word("sold_to", SoldTo),
    Column("selling_windows", Recurring, nullable=False),
    _text("grant"),
    _text("residency"),
)
node = Table(
    "node",
    metadata,
    _id(),
    _text("name"),
    _text("inbound_lease_id"),
    _text("kind"),
    _int("accelerators"),
    _ms("memory_bytes"),
    _text("engine"),
    _text("site"),
    _text("cluster"),
    _text("pod"),
    _text("rack"),
    _word("state", NodeState),
    _int("cpus"),
    _ms("state_since_ms"),
    _text("because"),
    _flag("drained"),
    _flag("spare"),
    _flag("gated"),
    _int("fence_after_s"),
    _int("accept_within_s"),
    _ms("fence_at_ms", null=True),
    _ms("maintenance_from_ms", null=True),
    _ms("maintenance_until_ms", null=True),
    _flag("owes_checks"),
    _json("failed_checks"),
    CheckConstraint("accelerators > 0", name="node_has_accelerators"),
)
fabric = Table(
    "fabric",
    metadata,
    _id("site"),
    _id("cluster"),
    _text("name"),
    _int("gbps"),
    _text("between_racks"),
    _text("between_pods"),
)
