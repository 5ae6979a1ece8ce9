"""Rows of both stores: each comes back as it went; what is final stays as it is."""

from dataclasses import fields, replace
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from comptoir.billing.approvals import ApprovalState
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.leases.lease import LeaseState
from comptoir.store.mapping import field_names
from comptoir.store.sql_store import SqlStore
from comptoir.store.tables import APPEND_ONLY, FINAL_ROWS, MAPPED
from comptoir.units.ids import LeaseId
from tests.contracts.store_values import LINE, ODD_TEXT, changes, entry, extreme, key_of


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
