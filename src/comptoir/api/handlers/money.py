"""Usage, charges, the ledger and its proof, events."""

from typing import Annotated, Any

from fastapi import Query, Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import amount_of, encode, encode_data, instant, money
from comptoir.api.handlers.leases import lease_named
from comptoir.api.pages import ask_for
from comptoir.api.shapes import money as shapes
from comptoir.api.words import AccountWord, Pages, Word
from comptoir.desk import requests
from comptoir.desk.money_memory import Balance
from comptoir.desk.ports import Event
from comptoir.ledger.entries import Entry
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import Charge
from comptoir.store.views import ledger, lists, totals
from comptoir.store.views.ledger import Proof
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.money import floor_micros

MOST_SEQ = 2**53


async def list_usage(
    ask: Ask, pages: Pages, tenant: Word = None, lease: Word = None, measure: Measure | None = None
) -> Response:
    """Usage events, newest first."""
    return await ask.page(
        "usage",
        pages,
        lists.usage,
        tenant_id=ask.of_tenant(tenant),
        lease_id=await lease_named(ask, lease),
        measure=measure,
    )


async def summarise_usage(ask: Ask, tenant: Word = None, lease: Word = None) -> Response:
    """Usage added up by tenant, kind, class and measure."""
    narrowed = await lease_named(ask, lease)
    sums = await ask.read(totals.usage, tenant_id=ask.of_tenant(tenant), lease_id=narrowed)
    return said({"items": [ask.encode(total) for total in sums]})


async def record_usage(ask: Ask, body: shapes.UsageEventsBody) -> Response:
    """Record usage events seen by a source; repeats count once, contradictions are refused."""
    return await ask.do("record_usage", reported(body))


def reported(body: shapes.UsageEventsBody) -> requests.RecordUsage:
    """The report that a body makes."""
    given: Any = body.events
    events = tuple(
        requests.ReportedUsage(
            event.event_id, LeaseId(event.lease_id), event.measure, event.starts_at,
            event.ends_at, event.accelerator_ms,
        )
        for event in given
    )  # fmt: skip
    return requests.RecordUsage(body.source, events)


async def list_charges(ask: Ask, pages: Pages, tenant: Word = None, lease: Word = None) -> Response:
    """Charges, newest first: usage priced, exactly."""
    return await ask.page(
        "charges",
        pages,
        lists.charges,
        lambda charge: _charge(ask, charge),
        tenant_id=ask.of_tenant(tenant),
        lease_id=await lease_named(ask, lease),
    )


async def list_entries(ask: Ask, pages: Pages, account: AccountWord = None) -> Response:
    """Ledger entries with their postings, newest first."""
    return await ask.page("entries", pages, ledger.entries, _entry, account=account)


async def list_balances(ask: Ask, pages: Pages) -> Response:
    """What every account holds, by account and unit."""
    return await ask.page("balances", pages, ledger.balances, _balance)


async def prove_ledger(ask: Ask) -> Response:
    """Add the whole ledger up again: every unit to zero, usage posted as observed."""
    proof = await ask.work(ledger.prove, ask.door.views, ask.door.desk.clock.now_ms())
    return said(_proof(proof))


async def list_events(
    ask: Ask,
    pages: Pages,
    after: Annotated[
        int | None,
        Query(ge=0, le=MOST_SEQ, description="Follow: events after this seq, oldest first."),
    ] = None,
    tenant: Word = None,
    subject: Word = None,
) -> Response:
    """The event table: the feed and the audit. Newest first, or oldest first with `after`."""
    follows = after is not None
    if subject is not None and not follows:
        await _check_known(ask, subject, ask.of_tenant(tenant))
    name = "events_after" if follows else "events"
    asked = ask_for(name, pages.limit, pages.cursor)
    if after is not None and asked.after is None:
        asked = type(asked)(asked.limit, (after,))

    def query(views: Any, _ask: Any, **filters: Any) -> Any:
        return lists.events(views, asked, newest_first=not follows, **filters)

    return await ask.page(
        name,
        pages,
        query,
        lambda event: _event(ask, event),
        tenant_id=ask.of_tenant(tenant),
        subject=subject,
    )


async def _check_known(ask: Asking, subject: str, tenant_id: TenantId | None) -> None:
    """Let a subject pass to which anything ever happened.

    Raises:
        NotFound: there is none; an empty list would say that nothing has happened to it yet.
    """
    if not await ask.read(lists.has_events, tenant_id, subject):
        raise not_found(f"{subject[:64]} in the audit")


def _charge(ask: Asking, charge: Charge) -> dict[str, Any]:
    return {**ask.encode(charge), "amount": money(floor_micros(charge.numerator))}


def _entry(entry: Entry) -> dict[str, Any]:
    postings = [
        {"account": p.account, "unit": p.unit, "amount": amount_of(p.unit, p.amount)}
        for p in entry.postings
    ]
    return {**encode(entry, house=True), "postings": postings}


def _balance(row: Balance) -> dict[str, Any]:
    return {"account": row.account, "unit": row.unit, "amount": amount_of(row.unit, row.amount)}


def _event(ask: Asking, event: Event) -> dict[str, Any]:
    return {**ask.encode(event), "data": encode_data(event.data, ask.house)}


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "at": instant(proof.at_ms),
        "balanced": proof.balanced,
        "entries": proof.entries,
        "unbalanced_entries": proof.unbalanced_entries,
        "wrong_balances": proof.wrong_balances,
        "accelerator_ms_observed": str(sum(kind.observed_ms for kind in proof.kinds)),
        "accelerator_ms_posted": str(sum(kind.posted_ms for kind in proof.kinds)),
        "units": [
            {
                "unit": unit.unit,
                "net": amount_of(unit.unit, unit.net),
                "moved": amount_of(unit.unit, unit.moved),
                "postings": unit.postings,
            }
            for unit in proof.units
        ],
        "kinds": [
            {
                "kind": kind.kind,
                "observed_accelerator_ms": str(kind.observed_ms),
                "recorded_accelerator_ms": str(kind.recorded_ms),
                "posted_accelerator_ms": str(kind.posted_ms),
                "unmetered_accelerator_ms": str(kind.unmetered_ms),
                "agrees": kind.agrees,
            }
            for kind in proof.kinds
        ],
    }
