"""What both stores find: what is asked, in its order, and no more."""

from dataclasses import replace
from typing import Any

import pytest

from comptoir.billing.accruals import Accrual
from comptoir.desk.ports import Event, StoredAnswer
from comptoir.fleet.checks import CheckOutcome, NodeCheck
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.metering.usage import Measure
from comptoir.store.sql_store import SqlStore
from comptoir.store.views import Views, lists
from comptoir.store.views.reading import Ask
from comptoir.units.ids import (
    AccrualId,
    AllocationId,
    ContractVersionId,
    InboundLeaseId,
    InvoiceId,
    LeaseId,
    LegalEntityId,
    NodeId,
    RateId,
    TenantId,
)
from tests.contracts.store_values import changes, extreme


def test_lookups_find_what_is_asked_and_no_more(store: SqlStore) -> None:
    answers = [
        replace(extreme("answer", False), scope="us_1", key=f"k{n}", created_at_ms=n)
        for n in range(900)
    ]
    usage = [
        replace(extreme("usage", False), seq=n + 1, source="s", event_id=f"e{n}")
        for n in range(900)
    ]
    store.commit(changes(appended={"usage": usage}, answers=answers))
    found = store.find_answers([("us_1", f"k{n}") for n in range(0, 1_000, 2)] + [("us_2", "k1")])
    assert sorted(found) == sorted(("us_1", f"k{n}") for n in range(0, 900, 2))
    assert isinstance(next(iter(found.values())), StoredAnswer)
    assert set(store.find_usage("s", ["e1", "e899", "e900"])) == {"e1", "e899"}
    assert store.find_usage("other", ["e1"]) == {}
    assert store.forget_answers(450) == 450
    assert len(store.find_answers([("us_1", f"k{n}") for n in range(900)])) == 450


FILTERS: list[dict[str, Any]] = [
    {},
    {"tenant_id": "tn_1"},
    {"tenant_id": "tn_none"},
    {"states": (LeaseState.ACTIVE,)},
    {"states": (LeaseState.ACTIVE, LeaseState.WAITING), "lease_class": LeaseClass.SPOT},
    {"tenant_id": "tn_0", "states": tuple(LeaseState), "kind": "mi300x"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_pages_of_leases_hold_what_is_asked_newest_first(
    store: SqlStore, filters: dict[str, Any]
) -> None:
    states, classes = list(LeaseState), list(LeaseClass)
    leases = [
        replace(
            extreme("lease", nulls=bool(n % 2)),
            id=LeaseId(f"ls_{n:02}"),
            tenant_id=f"tn_{n % 3}",
            requested_at_ms=n // 2,
            state=states[n % len(states)],
            lease_class=classes[n % len(classes)],
            kind=("h100-sxm", "mi300x")[n % 2],
        )
        for n in range(24)
    ]
    store.commit(changes(rows={"lease": leases}))
    views = Views(store.engine)

    def wanted(lease: Any) -> bool:
        return all(
            lease.state in value if name == "states" else getattr(lease, name) == value
            for name, value in filters.items()
        )

    expected = sorted(filter(wanted, leases), key=lambda x: (x.requested_at_ms, x.id), reverse=True)
    found, after = [], None
    for _ in range(20):
        page = lists.leases(views, Ask(3, after), **filters)
        found += [lists.lease_of(views, row) for row in page.items]
        if (after := page.next_key) is None:
            break
    assert found == expected


def test_events_are_found_by_type_tenant_and_number(store: SqlStore) -> None:
    told = [
        Event(seq, seq, kind, "us", None, tenant, "x", {"n": [seq]})
        for seq, (kind, tenant) in enumerate(
            [("a.b", "t1"), ("a.c", "t1"), ("a.b", "t2"), ("a.b", None), ("a.b", "t1")], 1
        )
    ]
    store.commit(changes(appended={"event": told}))

    def found(types: list[str], tenant: str | None, after: int, most: int) -> list[int]:
        return [event.seq for event in store.find_told(types, tenant, after, most)]

    assert found(["a.b"], None, 0, 9) == [1, 3, 4, 5]
    assert found(["a.b", "a.c"], "t1", 0, 9) == [1, 2, 5]
    assert found(["a.b", "a.c"], "t1", 1, 1) == [2]
    assert found(["a.b"], "t2", 3, 9) == found(["b"], None, 0, 9) == []
    assert list(store.find_told(["a.c"], None, 0, 1)) == [told[1]]


def test_old_deliveries_are_forgotten(store: SqlStore) -> None:
    old = replace(extreme("delivery", False), number=1, at_ms=10)
    new = replace(old, number=2, at_ms=20)
    store.commit(changes(appended={"delivery": [old, new]}))
    assert store.forget_deliveries(20) == 1
    assert store.find("delivery", (old.subscription_id, 1)) is None
    assert store.find("delivery", (new.subscription_id, 2)) == new


def handed_over(at: int, cores: int, since: int, until: int, **more: Any) -> Allocation:
    made = Allocation(
        AllocationId(f"al_{at}"), LeaseId("ls_1"), TenantId("tn_1"), NodeId("nd"),
        InboundLeaseId("il"), tuple(range(cores)), since, None, since, until, until, until,
    )  # fmt: skip
    return replace(made, **more)


def test_what_was_delivered_in_a_window_counts_guaranteed_leases_and_settled_parts(
    store: SqlStore,
) -> None:
    lease = replace(
        extreme("lease", nulls=True), id=LeaseId("ls_1"), tenant_id=TenantId("tn_1"),
        lease_class=LeaseClass.RESERVED,
    )  # fmt: skip
    spot = replace(lease, id=LeaseId("ls_2"), lease_class=LeaseClass.SPOT)
    parts = [
        handed_over(1, 4, 0, 150),  # 50 of it within: 200
        handed_over(2, 1, 120, 180),  # 60
        handed_over(3, 10, 190, 900),  # 10 of it within: 100
        handed_over(4, 8, 0, 100),  # before
        handed_over(5, 8, 200, 300),  # after
        handed_over(6, 8, 100, 200, lease_id=spot.id),
        handed_over(7, 8, 100, 200, tenant_id=TenantId("tn_2")),
        handed_over(8, 8, 100, 200, metered_until_ms=150),  # memory has it
        handed_over(9, 8, 100, 200, fenced_at_ms=None),  # and this
    ]
    store.commit(changes(rows={"lease": [lease, spot], "allocation": parts}))
    assert store.find_delivered(TenantId("tn_1"), 100, 200) == 360
    assert {one.id for one in store.find_allocations(LeaseId("ls_1"))} == {
        f"al_{at}" for at in (1, 2, 3, 4, 5, 7, 8, 9)
    }


def test_what_was_charged_in_a_window_is_of_the_versions_that_are_asked(store: SqlStore) -> None:
    def accrual(at: int, micros: int, **more: Any) -> Accrual:
        made = Accrual(
            AccrualId(f"ac_{at}"), TenantId("tn_1"), LeaseId("ls_1"), RateId("ra"),
            LeaseClass.RESERVED, "cpu-core", Measure.BUSY, 1, "USD", 90, 100, 200, False, 1, 1,
            micros, InvoiceId("iv_1"), 1, ContractVersionId("cv_1"),
        )  # fmt: skip
        return replace(made, **more)

    rows = [
        accrual(1, 1),
        accrual(2, 20, correction=True, contract_version_id=ContractVersionId("cv_2")),
        accrual(3, 300, contract_version_id=ContractVersionId("cv_3")),
        accrual(4, 300, invoice_id=None, invoice_line=None),
        accrual(5, 300, first_at_ms=200),
        accrual(6, 300, lease_class=LeaseClass.SPOT),
    ]
    store.commit(changes(rows={"accrual": rows}))
    versions = [ContractVersionId("cv_1"), ContractVersionId("cv_2")]
    assert store.find_charged(TenantId("tn_1"), versions, 100, 200) == 21


def test_a_node_is_degraded_until_the_same_check_comes_out_otherwise(store: SqlStore) -> None:
    said = [
        ("nd_1", "links", CheckOutcome.DEGRADED, 10),
        ("nd_1", "clock", CheckOutcome.PASSED, 20),
        ("nd_1", "links", CheckOutcome.DEGRADED, 30),
        ("nd_1", "links", CheckOutcome.FAILED, 40),
        ("nd_2", "links", CheckOutcome.DEGRADED, 35),
        ("nd_2", "links", CheckOutcome.DEGRADED, 99),
    ]
    rows = [
        NodeCheck(seq, NodeId(node), name, outcome, "", at, at, "us_1")
        for seq, (node, name, outcome, at) in enumerate(said, 1)
    ]
    store.commit(changes(appended={"node_check": rows}))
    assert sorted(store.find_degraded(90)) == [
        ("nd_1", 10, 40), ("nd_1", 30, 40), ("nd_2", 35, None),
    ]  # fmt: skip


def test_what_a_tenant_held_on_nodes_is_found_by_node_and_window(store: SqlStore) -> None:
    parts = [
        handed_over(1, 4, 0, 150),
        handed_over(2, 1, 120, 180, node_id=NodeId("nd_2")),
        handed_over(3, 1, 0, 100),
        handed_over(4, 1, 200, 300),
        handed_over(5, 1, 0, 150, tenant_id=TenantId("tn_2")),
    ]
    store.commit(changes(rows={"allocation": parts}))
    found = store.find_held_on(TenantId("tn_1"), [NodeId("nd"), NodeId("nd_3")], 100, 200)
    assert [one.id for one in found] == ["al_1"]


def test_the_next_accruals_of_a_draft_follow_in_the_order_of_their_part(store: SqlStore) -> None:
    """By start, end and id of what of each lies in the stretch, from a place on."""

    def accrual(at: str, first_ms: int, last_ms: int, bill: str = "iv_1") -> Accrual:
        return Accrual(
            AccrualId(at), TenantId("tn_1"), LeaseId("ls_1"), RateId("ra"), LeaseClass.SPOT,
            "cpu-core", Measure.BUSY, 1, "USD", 0, first_ms, last_ms, False, 1, 1, 1,
            InvoiceId(bill), 1,
        )  # fmt: skip

    rows = [
        accrual("c", 5, 300), accrual("b", 20, 300), accrual("a", 20, 150), accrual("d", 110, 120),
        accrual("e", 0, 100), accrual("f", 200, 300), accrual("g", 110, 120, "iv_2"),
    ]  # fmt: skip
    store.commit(changes(rows={"accrual": rows}))

    def found(after: tuple[int, int, str] | None, most: int) -> str:
        accruals = store.find_billed_next(InvoiceId("iv_1"), (100, 200), after, most)
        return "".join(one.id for one in accruals)

    # In [100, 200) `a` is [100, 150), `b` and `c` are all of it, `d` is [110, 120).
    assert found(None, 10) == "abcd"
    assert found(None, 2) == "ab"
    assert found((100, 200, "b"), 2) == "cd"
    assert found((110, 120, "d"), 2) == ""
    assert found((100, -1, ""), 10) == "abcd"


def test_payments_are_found_by_what_other_files_say_of_them(store: SqlStore) -> None:
    house, acme = LegalEntityId("le_house"), TenantId("tn_acme")

    def payment(name: str, micros: int, **more: Any) -> Any:
        whole = replace(
            extreme("payment", False), id=name, entry_id=name, entity_id=house, micros=micros,
            value_at_ms=5, booked_at_ms=5, tenant_id=None, end_to_end="", left_micros=0,
        )  # fmt: skip
        return replace(whole, **more)

    rows = [
        payment("py_a", 100, end_to_end="E1"),
        payment("py_b", 200, tenant_id=acme, booked_at_ms=6),
        payment("py_c", 300, value_at_ms=7),
        payment("py_d", 100, entity_id=LegalEntityId("le_other")),
        payment("py_e", -100),
    ]
    store.commit(changes(rows={"payment": rows}))

    def ids(found: Any) -> list[str]:
        return [one.id for one in found]

    assert ids(store.find_payments(house, ["py_a", "py_d", "none"])) == ["py_a"]
    assert sorted(ids(store.find_payments_alike(house, [(100, 5), (300, 5)]))) == ["py_a"]
    assert ids(store.find_payments_to_bounce(house, 1, "E1", [acme])) == ["py_b", "py_a"]
    assert ids(store.find_payments_to_bounce(house, 300, "", [])) == ["py_c"]
    assert ids(store.find_payments_to_bounce(house, 1, "", [])) == []
