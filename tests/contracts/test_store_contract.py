"""One suite for both stores: SQLite, and a real PostgreSQL server."""

import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, text
from sqlalchemy.exc import DBAPIError

from comptoir.billing.accruals import Accrual
from comptoir.billing.approvals import ApprovalState
from comptoir.billing.credit_notes import CreditLine
from comptoir.billing.dunning import DunningStep
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice, InvoiceLine, LineType, Party, TaxLine
from comptoir.billing.opening import Brings, Total
from comptoir.billing.receipts import Part
from comptoir.desk.approval_requests import Act
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.desk import Desk
from comptoir.desk.entity_requests import GiveGrant
from comptoir.desk.ports import Changes, CommitUnknown, Event, StaleBook, StoredAnswer
from comptoir.desk.requests import CreateTenant, Opening
from comptoir.fleet.checks import CheckOutcome, NodeCheck
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Alternative, LeaseClass, LeaseState, Shape
from comptoir.ledger.entries import Account, Entry, Posting, Unit
from comptoir.metering.usage import Measure
from comptoir.pricing.tiers import Tier
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.credit_blocks import Covers
from comptoir.store.mapping import field_names
from comptoir.store.opening import create_tables, postgres_engine, sqlite_engine, writer_lock
from comptoir.store.schema import Choices, Exact, Json, Recurring, Word
from comptoir.store.sql_store import SqlStore
from comptoir.store.tables import APPEND_ONLY, FINAL_ROWS, MAPPED
from comptoir.store.views import Views, lists
from comptoir.store.views.reading import Ask
from comptoir.tenants.parties import Role, TenantKind
from comptoir.units.errors import Unavailable
from comptoir.units.ids import (
    AccrualId,
    AllocationId,
    ContractVersionId,
    CreditBlockId,
    InboundLeaseId,
    InvoiceId,
    LeaseId,
    LegalEntityId,
    NodeId,
    RateId,
    TenantId,
)
from comptoir.units.recurrence import parse_recurrence
from tests.builders import SeededEntropy, ToldClock
from tests.servers.postgres import PostgresServer

ODD_TEXT = "ünïcødé '\"; DROP TABLE lease; -- \u2028 🂡"
LINE = InvoiceLine(
    1, ODD_TEXT, "h100-sxm", LeaseClass.SPOT, Measure.BUSY, RateId("ra_1"), 2**62, 1, 2, 3,
    2**62, 10**59, 2**62, True, LineType.TOP_UP, 1, "cv_1", ODD_TEXT,
)  # fmt: skip
CONTRACT = (Path(__file__).parents[2] / "examples/contracts/acme-2027.toml").read_text()
PARTY = Party(ODD_TEXT, ("1 rue de Rivoli", ODD_TEXT), "FR", "FR40303265045")
MAKERS: dict[str, Any] = {
    "roles": (Role.APPROVER, Role.FINANCE),
    "accelerators": (0, 3, 1023),
    "lines": (LINE,),
    "blocks": (CreditBlockId("cb_1"), CreditBlockId("cb_2")),
    "act": Act(
        grant=GiveGrant(
            TenantId("tn_1"), "1.00", 2**53, (ODD_TEXT,), Covers(("h100-sxm",), (LeaseClass.SPOT,))
        ),
        credit_note=CreditInvoice(InvoiceId("iv_1"), ODD_TEXT, ((1, None), (2, "1.00"))),
    ),
    "taxes": (TaxLine("standard", "FR", 200_000, 2**62, 2**62, ODD_TEXT),),
    "seller": PARTY,
    "buyer": PARTY,
    "credited_by_line": (0, 2**62),
    "cuts": ((1, 2**62), (2, 2**62)),
    "lost": (8, 1024),
    "failed_checks": ("links", "nccl"),
    "parts": (Part(InvoiceId("iv_1"), 2**62, 2**62),),
    "steps": (DunningStep(ODD_TEXT, 30),),
    "data": {"numbers": [1, 2], "word": ODD_TEXT, "none": None},
    "starts_at_ms": 1,
    "types": ("lease.*", ODD_TEXT),
    "totals": (Total(Brings.OPENING, "USD", 1, -(2**62)),),
    "files": ("opening.toml", ODD_TEXT),
    "again": (1, 2**53),
    "grants": ("erc", "nsf-2026"),
    "covers": Covers(("h100-sxm",), (LeaseClass.RESERVED, LeaseClass.SPOT), ("paris-1",)),
    "body": read_contract_file("x", CONTRACT).body,
    "conditions": ("published within a year", ODD_TEXT),
    "thresholds": (50, 80),
    "address": ("1 rue de Rivoli", ODD_TEXT),
    "tax_ids": (("DE", "DE136695976"), ("FR", ODD_TEXT)),
    "alternatives": (Alternative("h100-sxm", 8, Shape.POD), Alternative("mi300x", 9, Shape.SITE)),
    "selling_windows": (parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris"),),
}
JSON_OF = {
    "tiers": (Tier(3_600_000, 2**63 - 1),),
    "command": ("python", ODD_TEXT),
    "environment": (("NAME", ODD_TEXT),),
    "paths": ("/a",),
}
OF_TABLE: dict[tuple[str, str], Any] = {("credit_note", "lines"): (CreditLine(1, ODD_TEXT, 2**62),)}


def extreme(name: str, nulls: bool) -> Any:
    """A value of a table with every column at its limit, or absent where it may be."""
    mapped = MAPPED[name]
    given: dict[str, Any] = {}
    for field in fields(mapped.value):
        column = mapped.table.c[field.name]
        kind = column.type
        made: Any
        if column.nullable and nulls:
            made = None
        elif isinstance(kind, Word):
            made = list(kind.values)[-1]
        elif isinstance(kind, Json | Recurring | Choices):
            made = OF_TABLE.get((name, field.name)) or MAKERS.get(
                field.name, JSON_OF.get(field.name)
            )
        elif isinstance(kind, Exact):
            made = -(10**60 - 1)
        elif isinstance(kind, BigInteger):
            made = 1 if field.name == "starts_at_ms" else 2**63 - 1
        elif isinstance(kind, Integer):
            made = 2**31 - 1
        elif isinstance(kind, Boolean):
            made = True
        elif isinstance(kind, LargeBinary):
            made = bytes(range(256))
        else:
            made = f"{field.name}-ü" if column.primary_key else f"{field.name} {ODD_TEXT}"
        given[field.name] = made
    return mapped.value(**given)


def key_of(name: str, value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, c.name) for c in MAPPED[name].table.primary_key.columns)


def changes(version: int = 0, **given: Any) -> Changes:
    return Changes(version, version + 1, **given)


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], SqlStore]]:
    """Opens stores on one new book."""
    stores: list[SqlStore] = []
    if request.param == "sqlite":
        create_tables(sqlite_engine(tmp_path / "book.db"), "test")

        def opened() -> SqlStore:
            stores.append(SqlStore(sqlite_engine(tmp_path / "book.db")))
            return stores[-1]
    else:
        url = request.getfixturevalue("postgres_database")
        create_tables(postgres_engine(url), "test")

        def opened() -> SqlStore:
            stores.append(SqlStore(postgres_engine(url)))
            return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(make: Callable[[], SqlStore]) -> SqlStore:
    return make()


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_columns_and_fields_agree(name: str) -> None:
    mapped = MAPPED[name]
    assert {column.name for column in mapped.table.columns} == set(field_names(mapped.value))


@pytest.mark.parametrize("nulls", [False, True], ids=["full", "nulls"])
@pytest.mark.parametrize("name", sorted(MAPPED))
def test_every_value_comes_back_as_it_went(store: SqlStore, name: str, nulls: bool) -> None:
    value = extreme(name, nulls)
    if name == "answer":
        store.commit(changes(answers=[value]))
    elif name in APPEND_ONLY:
        store.commit(changes(appended={name: [value]}))
    else:
        store.commit(changes(rows={name: [value]}))
    found = store.find(name, key_of(name, value))
    assert found == value
    assert [type(getattr(found, f.name)) for f in fields(value)] == [
        type(getattr(value, f.name)) for f in fields(value)
    ]


IN_THE_STORE_ONLY = {"answer", "delivery", "top_up"}


@pytest.mark.parametrize("name", sorted(set(MAPPED) - set(APPEND_ONLY) - IN_THE_STORE_ONLY))
def test_a_row_put_again_is_replaced_and_loaded(store: SqlStore, name: str) -> None:
    first = extreme(name, True)
    store.commit(changes(rows={name: [first]}))
    rest = [f.name for f in fields(first) if f.name not in MAPPED[name].table.primary_key.columns]
    second = replace(first, **{n: getattr(extreme(name, False), n) for n in rest})
    live = {"lease": LeaseState.ACTIVE, "job": "queued"}
    live |= dict.fromkeys(("inbound_lease", "subscription"), "active")
    live |= {"credit_block": "open", "invoice_draft": "draft", "invoice_status": "finalised"}
    live |= {"dispute": "open", "approval": "asked"}
    for word in ("state",):
        if name in live and hasattr(second, word):
            kind = type(getattr(second, word))
            assert issubclass(kind, StrEnum)
            second = replace(second, state=kind(str(live[name])))
    if name == "attempt":
        second = replace(second, forgotten=False)
    if name == "allocation":
        second = replace(second, fenced_at_ms=None)
    if name == "node":
        second = replace(second, state=type(second.state)("in_service"))
    if name == "breach":
        second = replace(second, broken_until_ms=None)
    if name == "credit_hold":
        second = replace(second, released=False)
    if name == "budget":
        second = replace(second, ended_at_ms=None)
    if name == "accrual":
        second = replace(second, invoice_id=None)
    rows = {name: [second]}
    if name == "dunned":  # live as long as its invoice asks for something
        asking = replace(extreme("invoice_status", False), invoice_id=second.invoice_id)
        rows["invoice_status"] = [replace(asking, state=InvoiceState.FINALISED)]
    if name == "wanted_act":  # live as long as nobody has decided
        asked = replace(extreme("approval", False), id=second.id)
        rows["approval"] = [replace(asked, state=ApprovalState.ASKED)]
    store.commit(changes(1, rows=rows))
    assert list(store.load().rows[name]) == [second]


def event(seq: int) -> Event:
    return Event(seq, seq * 10, "a.b", "us", None, None, "x", {})


def test_a_commit_at_another_version_writes_nothing(store: SqlStore) -> None:
    store.commit(changes(appended={"event": [event(1)]}))
    with pytest.raises(StaleBook):
        store.commit(changes(0, appended={"event": [event(2)]}))
    loaded = store.load()
    assert (loaded.version, loaded.last_seq["event"], loaded.last_at_ms) == (1, 1, 10)


def test_the_second_of_two_writers_is_stopped(make: Callable[[], SqlStore]) -> None:
    one, other = make(), make()
    one.commit(changes(appended={"event": [event(1)]}))
    with pytest.raises(StaleBook):
        other.commit(changes(appended={"event": [event(1)]}))
    one.commit(changes(1, appended={"event": [event(2)]}))


def test_a_commit_that_fails_leaves_nothing_behind(store: SqlStore) -> None:
    bad = [extreme("usage", False), replace(extreme("usage", False), seq=1)]
    with pytest.raises(DBAPIError):
        store.commit(changes(rows={"tenant": [extreme("tenant", False)]}, appended={"usage": bad}))
    loaded = store.load()
    assert (loaded.version, len(loaded.rows["tenant"]), loaded.last_seq["usage"]) == (0, 0, 0)
    store.commit(changes(appended={"event": [event(1)]}))


def entry(seq: int, key: str) -> Entry:
    legs = (Posting(Account("a"), Unit("USD"), 2**62), Posting(Account("b"), Unit("USD"), -(2**62)))
    return Entry(seq, key, "usage", ODD_TEXT, 1, 2, legs)


def test_entries_are_kept_once_with_their_legs(store: SqlStore) -> None:
    store.commit(changes(appended={"entry": [entry(1, "k")]}))
    with store.engine.connect() as connection:
        legs = connection.execute(text("SELECT amount FROM posting ORDER BY leg")).scalars().all()
    assert legs == [2**62, -(2**62)]
    with pytest.raises(DBAPIError):
        store.commit(changes(1, appended={"entry": [entry(2, "k")]}))


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
@pytest.mark.parametrize("name", APPEND_ONLY)
def test_append_only_tables_are(store: SqlStore, name: str, verb: str) -> None:
    appended: dict[str, list[Any]] = {"entry": [entry(1, "k")]}
    if name not in ("entry", "posting"):
        appended[name] = [extreme(name, False)]
    store.commit(changes(appended=appended))
    column = MAPPED[name].table.primary_key.columns[0].name if name in MAPPED else None
    column = column or ("seq" if name == "entry" else "entry_seq")
    statement = f"UPDATE {name} SET {column} = {column}"
    if verb == "DELETE":
        statement = f"DELETE FROM {name}"
    with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
@pytest.mark.parametrize("name", sorted(FINAL_ROWS))
def test_rows_that_are_closed_are_final(store: SqlStore, name: str, verb: str) -> None:
    last = FINAL_ROWS[name]
    row = extreme(name, True)
    store.commit(changes(rows={name: [row]}))
    store.commit(changes(1, rows={name: [replace(row, **{last: 7})]}))
    statement = f"UPDATE {name} SET {last} = 8" if verb == "UPDATE" else f"DELETE FROM {name}"
    with pytest.raises(DBAPIError), store.engine.begin() as connection:
        connection.execute(text(statement))
    with store.engine.connect() as connection:
        assert connection.execute(text(f"SELECT {last} FROM {name}")).scalars().all() == [7]


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


@pytest.mark.parametrize("odd", ["", "nope", "nul\0", "lone\ud800", ODD_TEXT, "x" * 10_000])
def test_ids_that_cannot_be_are_not_found(store: SqlStore, odd: str) -> None:
    assert store.find("lease", (odd,)) is None
    assert store.find_allocation_of(LeaseId("nope")) is None


def test_invoices_come_back_whole(store: SqlStore) -> None:
    invoice = extreme("invoice", False)
    store.commit(changes(appended={"invoice": [invoice]}))
    found = store.find("invoice", (invoice.id,))
    assert isinstance(found, Invoice)
    assert found.lines == (LINE,)


def terminate_others(url: str) -> None:
    engine = postgres_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    engine.dispose()


def test_a_killed_connection_is_an_answer_and_the_next_commit_works(
    postgres_database: str,
) -> None:
    create_tables(postgres_engine(postgres_database), "test")
    store = SqlStore(postgres_engine(postgres_database))
    store.commit(changes(appended={"event": [event(1)]}))
    terminate_others(postgres_database)
    with pytest.raises((Unavailable, CommitUnknown)):
        store.commit(changes(1, appended={"event": [event(2)]}))
    version = store.load().version
    assert version == 1
    store.commit(changes(1, appended={"event": [event(2)]}))
    store.close()


def test_a_connection_killed_while_committing_is_unknown(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tables(postgres_engine(postgres_database), "test")
    store = SqlStore(postgres_engine(postgres_database))
    store.commit(changes(appended={"event": [event(1)]}))
    dialect = store.engine.dialect
    commit = dialect.do_commit
    monkeypatch.setattr(
        dialect, "do_commit", lambda it: (terminate_others(postgres_database), commit(it))
    )
    with pytest.raises(CommitUnknown):
        store.commit(changes(1, appended={"event": [event(2)]}))
    monkeypatch.undo()
    assert store.load().version == 1
    store.commit(changes(1, appended={"event": [event(2)]}))
    store.close()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL], ids=["immediate", "kill -9"])
def test_a_crash_of_the_server_loses_nothing_acknowledged(how: signal.Signals) -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.url(server.create_database())
        create_tables(postgres_engine(url), "test")
        desk = Desk(SqlStore(postgres_engine(url)), ToldClock(), SeededEntropy())
        desk.call("open_book", Opening())
        acknowledged = []
        for n in range(20):
            if n in (7, 13):
                server.stop(how)
                slug = f"between-{n}"
                try:
                    desk.call("create_tenant", CreateTenant(slug, "x", TenantKind.TEAM))
                except Unavailable:
                    pass
                else:  # a backend can outlive its killed postmaster by a moment, and commit
                    assert how is signal.SIGKILL
                    acknowledged.append(slug)
                server.start()
            desk.call("create_tenant", CreateTenant(f"yes-{n}", "x", TenantKind.TEAM))
            acknowledged.append(f"yes-{n}")
        assert not desk.broken
        fresh = Desk(SqlStore(postgres_engine(url)), ToldClock(), SeededEntropy())
        assert sorted(t.slug for t in fresh.book.tenants) == sorted(acknowledged)
    finally:
        server.close()


def test_a_second_desk_stands_by_until_the_first_is_gone(postgres_database: str) -> None:
    waiting, serving = threading.Event(), threading.Event()

    def stand_by() -> None:
        with writer_lock(postgres_database, waiting.set):
            serving.set()

    with writer_lock(postgres_database):
        second = threading.Thread(target=stand_by, daemon=True)
        second.start()
        assert waiting.wait(10)
        assert not serving.wait(0.3)
    assert serving.wait(10)
    second.join(10)


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
