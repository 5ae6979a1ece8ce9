"""Notices follow from events alone, match their schema, and tell each audience its own."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.desk.notices import (
    Notice,
    notice_id,
    notice_of,
    notice_schema,
    notice_seq,
    render_schema,
    types_matching,
)
from comptoir.desk.ports import Event
from comptoir.desk.requests import (
    EndSupply,
    ExtendLease,
    IssueInvoice,
    LeaseRef,
    NodeRef,
    SetQuota,
    TenantRef,
)
from comptoir.leases.lease import LeaseClass
from comptoir.simulation.run import simulate_schedule
from comptoir.simulation.template import book_place
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Invalid
from comptoir.units.wire import HOUSE_ONLY_DATA, rule
from tests.builders import START_MS, Book

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "openapi" / "notices.schema.json"
SCHEDULES = range(1, 9)


@pytest.fixture(scope="module")
def check() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(notice_schema(), validate_formats=True)


def events_of(rows: sqlite3.Connection) -> list[Event]:
    return [
        Event(
            row["seq"], row["at_ms"], row["type"], row["actor"], row["key_id"], row["tenant_id"],
            row["subject"], json.loads(row["data"]),
        )
        for row in rows.execute("SELECT * FROM event ORDER BY seq")
    ]  # fmt: skip


def notices_of(events: list[Event]) -> Iterator[tuple[Event, Notice]]:
    """What each event is told as, to each audience that is told."""
    for event in events:
        for house in (True, False):
            notice = notice_of(event, house)
            if notice is not None:
                yield event, notice


def test_the_committed_schema_is_what_the_table_says() -> None:
    assert SCHEMA.read_text() == render_schema(), "run python -m comptoir.desk.notices"


def test_every_notice_of_simulated_schedules_matches_the_schema(
    check: jsonschema_rs.Validator,
) -> None:
    seen: set[str] = set()
    for seed in SCHEDULES:
        assert simulate_schedule(seed).problems == []
        rows = book_place().rows()
        events = events_of(rows)
        rows.close()
        told = {event.seq for event, notice in notices_of(events) if _matches(check, event, notice)}
        due = {event.seq for event in events if event.type in NOTICE_TYPES}
        assert told == due, "an event of a notice's type lacks one of its fields"
        seen |= {event.type for event in events} & set(NOTICE_TYPES)
    assert len(seen) > 15


def _matches(check: jsonschema_rs.Validator, event: Event, notice: Notice) -> bool:
    document = notice.document()
    check.validate(json.loads(json.dumps(document)))
    declared = {rule(name)[0] for name in NOTICE_TYPES[event.type].fields}
    assert set(document["data"]) <= {"says", "next", *declared}
    assert "{" not in notice.says + notice.next
    return True


@pytest.fixture
def lively(tmp_path: Path) -> Book:
    """A book in which one of everything has happened that the schedules may not reach."""
    book = Book(tmp_path)
    book.price_all()
    book.supply(4, engine="")
    acme, ads = book.tenant("acme"), book.tenant("ads", TenantKind.TEAM)
    spot = book.lease(acme, LeaseClass.SPOT, 4, notice_s=10, name="a name")
    bounded = book.lease(
        acme, LeaseClass.RESERVED, 1, starts_at_ms=START_MS + 10_000_000,
        ends_at_ms=START_MS + 20_000_000,
    )  # fmt: skip
    book.turn()
    desk = book.desk
    desk.call("extend_lease", ExtendLease(bounded.id, START_MS + 30_000_000), book.operator)
    soon = {"ends_at_ms": START_MS + 5_000_000}
    team = book.lease(ads, LeaseClass.INTERNAL, 4, **soon)
    desk.call("cancel_lease", LeaseRef(team.id), book.operator)
    book.lease(ads, LeaseClass.INTERNAL, 4, **soon)
    for passed_s in (1, 30, 600):
        book.pass_s(passed_s)
    desk.call("set_quota", SetQuota(acme.id, "cpu-core", 9), book.operator)
    for tenant in (acme, ads):
        desk.call("issue_invoice", IssueInvoice(tenant.id), book.finance)
    node = next(iter(desk.book.nodes))
    desk.call("drain_node", NodeRef(node.id), book.operator)
    desk.call("resume_node", NodeRef(node.id), book.operator)
    for verb in ("suspend_tenant", "resume_tenant"):
        desk.call(verb, TenantRef(ads.id), book.operator)
    book.pass_s(40_000)
    inbound = next(iter(desk.book.inbound))
    desk.call("end_supply", EndSupply(inbound.id), book.operator)
    for passed_s in (1, 60, 1):
        book.pass_s(passed_s)
    assert book.now(spot).state
    return book


def rows_of(book: Book) -> list[Event]:
    with book.store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.row_factory = sqlite3.Row
        return events_of(raw)


def test_what_happens_in_a_book_is_told_in_the_schemas_words(
    lively: Book, check: jsonschema_rs.Validator
) -> None:
    events = rows_of(lively)
    told = {event.type for event, notice in notices_of(events) if _matches(check, event, notice)}
    assert told >= {
        "lease.scheduled", "lease.active", "lease.extended", "lease.reclaim_planned",
        "lease.reclaim_dropped", "lease.reclaiming", "lease.waiting", "lease.ended",
        "invoice.issued", "chargeback.issued", "quota.set", "node.draining", "node.in_service",
        "tenant.suspended", "tenant.resumed", "supply.ended",
    }  # fmt: skip


def test_a_tenant_is_not_told_what_names_others(lively: Book) -> None:
    hidden = {rule(name)[0] for name in HOUSE_ONLY_DATA}
    planned = [e for e in rows_of(lively) if e.type == "lease.reclaim_planned"]
    assert planned
    for event in planned:
        to_house, to_tenant = notice_of(event, True), notice_of(event, False)
        assert to_house is not None
        assert to_tenant is not None
        assert {"reclaimed_for", "why", "cost_accelerator_ms"} <= set(to_house.data)
        assert not hidden & set(to_tenant.data)
        assert to_house.id == to_tenant.id == notice_id(event.seq)
        assert to_house.data["reclaimed_for"] not in json.dumps(to_tenant.document())


def test_the_houses_own_events_belong_to_no_tenant(lively: Book) -> None:
    for event, notice in notices_of(rows_of(lively)):
        if event.type.startswith(("node.", "supply.")):
            assert notice.tenant_id is None


def event(type_: str, **data: Any) -> Event:
    return Event(7, START_MS, type_, "us_1", None, "tn_1", "ls_1", data)


def test_an_event_from_before_its_notice_had_all_fields_is_not_told() -> None:
    assert notice_of(event("lease.ended", reason="window_end"), house=True) is None
    assert notice_of(event("book.opened", currency="USD"), house=True) is None


def test_what_people_type_cannot_break_a_line() -> None:
    told = notice_of(
        event("job.failed", lease="ls_1", exit_code=1, attempts=1, detail="a\r\nb\x1b[2J"), True
    )
    assert told is not None
    assert told.says == "ls_1 failed on ls_1 (exit code 1): a  b [2J"
    assert told.data["detail"] == "a\r\nb\x1b[2J"


def test_the_sentence_has_the_numbers() -> None:
    told = notice_of(
        event(
            "lease.reclaiming", kind="h100-sxm", accelerators=1_024, lease_class="spot", name="",
            reason="stronger_request", kill_at_ms=START_MS, notice_s=120, comes_back=True,
            reclaimed_for="ls_2",
        ),
        house=False,
    )  # fmt: skip
    assert told is not None
    assert told.says == (
        "ls_1 (1,024 x h100-sxm, spot) is being taken back (stronger request); everything on it "
        "is ended at 2026-09-21T14:13:20.000Z"
    )
    assert told.next == "save your work within 120 s; comptoir lease show ls_1"


@pytest.mark.parametrize(
    "given", ["", "nt_", "nt_x", "nt_-1", "nt_99999999999999999", "nt_²", "ls_1"]
)
def test_what_is_no_notices_id_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="bad_notice_id"):
        notice_seq(given)


def test_ids_are_the_numbers_of_events() -> None:
    assert notice_seq(notice_id(184)) == notice_seq("184") == 184


def test_types_are_chosen_by_name_or_by_group() -> None:
    assert types_matching(["*"]) == tuple(sorted(NOTICE_TYPES))
    assert types_matching(["invoice.issued", "job.*"]) == (
        "invoice.issued", "job.cancelled", "job.failed", "job.succeeded",
    )  # fmt: skip


@pytest.mark.parametrize("given", ["lease", "lea*", "leases.*", "lease.*.*", "", "**", "LEASE.*"])
def test_a_pattern_that_names_no_type_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="unknown_notice_type"):
        types_matching([given])


def test_the_docs_name_every_type() -> None:
    text = (ROOT / "docs" / "notices.md").read_text()
    assert [name for name in NOTICE_TYPES if f"`{name}`" not in text] == []
