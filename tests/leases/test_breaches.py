"""A broken guarantee grows from its start to the promise's end, and is what it says once closed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.leases.breaches import Breach, BreachCause
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import BreachId, LeaseId, NodeId, TenantId

INSTANTS = st.integers(0, 10**13)


def a_breach(start: int, end: int | None, accelerators: int = 8) -> Breach:
    return Breach(
        BreachId("br_1"), LeaseId("ls_1"), TenantId("tn_1"), LeaseClass.RESERVED, "h100-sxm",
        Shape.RACK, NodeId("nd_1"), BreachCause.NODE_FAILED, "dead", accelerators, 2, 16, start,
        start, end,
    )  # fmt: skip


@given(INSTANTS, st.none() | INSTANTS, INSTANTS, INSTANTS, st.integers(1, 10**6))
def test_it_only_grows_and_closing_freezes_it(
    start: int, end: int | None, one: int, other: int, accelerators: int
) -> None:
    row = a_breach(start, end, accelerators)
    first, then = sorted((one, other))
    assert 0 <= row.accelerator_ms_at(first) <= row.accelerator_ms_at(then)
    closed = row.closed(first)
    assert closed.broken_until_ms is not None
    assert closed.accelerator_ms == (closed.broken_until_ms - start) * accelerators
    assert closed.accelerator_ms_at(then) == closed.accelerator_ms == row.accelerator_ms_at(first)
    if end is not None:
        assert closed.broken_until_ms <= max(end, start)
    with pytest.raises(InvariantBroken, match="closed"):
        closed.closed(then)


def test_a_promise_that_is_mended_before_it_begins_is_a_row_of_nothing() -> None:
    assert a_breach(5_000, 9_000).closed(1_000).accelerator_ms == 0
