"""The auditor finds two tenants on one node whenever their times overlap, as comparing all does."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comptoir.simulation.audit_space import _strangers_on_a_node

STAYS = st.lists(
    st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 6)), st.sampled_from("abc")),
    max_size=8,
)


@given(STAYS, st.sampled_from(["h100-sxm", "cpu-core"]))
def test_tenants_on_one_node_at_once_are_found(
    stays: list[tuple[int, int | None, str]], kind: str
) -> None:
    allocations: list[dict[str, Any]] = [
        {
            "node_id": "n",
            "tenant_id": tenant,
            "delivered_from_ms": start,
            "fenced_at_ms": None if lasts is None else start + lasts,
        }
        for start, lasts, tenant in stays
    ]
    spans = [(start, 99 if lasts is None else start + lasts, who) for start, lasts, who in stays]
    together = any(
        who != other and start < until and since < end
        for start, end, who in spans
        for since, until, other in spans
    )
    found = list(_strangers_on_a_node(allocations, {"n": {"kind": kind}}))
    assert bool(found) is (together and kind != "cpu-core")
