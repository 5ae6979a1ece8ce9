"""The statements of the store, built once: the same object is keyed and compiled once."""

from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from comptoir.billing.approvals import ApprovalState
from comptoir.billing.drafts import DraftState
from comptoir.billing.dunning import DisputeState
from comptoir.billing.invoice_status import InvoiceState
from comptoir.fleet.checks import CheckOutcome
from comptoir.fleet.nodes import NodeState
from comptoir.leases.inbound import InboundState
from comptoir.leases.jobs import FINAL_JOB_STATES
from comptoir.leases.lease import FINAL, LeaseClass
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import Measure
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.store import tables
from comptoir.store.mapping import Prepared, field_names, fields_of
from comptoir.store.tables import APPEND_ONLY, MAPPED
from comptoir.tenants.subscriptions import SubscriptionState
from comptoir.units.recurrence import DAY_MS

BOOK = select(tables.book.c.version, tables.book.c.counter)
MOVE = (
    update(tables.book)
    .where(tables.book.c.version == bindparam("expected"))
    .values(version=bindparam("version"), counter=bindparam("counter"))
)
_APPENDED = {
    "event": tables.event,
    "node_check": tables.node_check,
    "usage": tables.usage,
    "charge": tables.charge,
    "entry": tables.entry,
    "drawdown": tables.drawdown,
}
LAST_SEQ = {name: select(func.max(table.c.seq)) for name, table in _APPENDED.items()}
LAST_AT = tuple(
    select(instant).order_by(seq.desc()).limit(1)
    for instant, seq in (
        (tables.event.c.at_ms, tables.event.c.seq),
        (tables.usage.c.received_at_ms, tables.usage.c.seq),
        (tables.entry.c.booked_at_ms, tables.entry.c.seq),
    )
)
"""When the book was last written: metering makes usage and entries, and no event."""

_ENTRY = ("seq", "key", "kind", "description", "effective_at_ms", "booked_at_ms")
_POSTING = ("entry_seq", "leg", "account", "unit", "amount")


def _posting(leg: tuple[int, int, Posting]) -> tuple[Any, ...]:
    seq, number, posting = leg
    return seq, number, posting.account, posting.unit, posting.amount


@cache
def prepared(dialect: Dialect) -> Mapping[str, Prepared]:
    """How each table is written, compiled once a dialect."""
    writes = {
        name: Prepared(
            _upsert(name, dialect.name),
            field_names(mapped.value),
            fields_of(mapped.value),
            dialect,
        )
        for name, mapped in MAPPED.items()
    }
    get_entry = attrgetter(*_ENTRY)
    writes["entry"] = Prepared(insert(tables.entry), _ENTRY, get_entry, dialect)
    writes["posting"] = Prepared(insert(tables.posting), _POSTING, _posting, dialect)
    return writes


def _upsert(name: str, dialect: str) -> Any:
    table = MAPPED[name].table
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(table)
    if name in APPEND_ONLY or name == "answer":
        return statement
    key = [column.name for column in table.primary_key.columns]
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


@cache
def select_rows(name: str) -> Select[Any]:
    """A SELECT of the columns that `from_row` turns into the table's value."""
    mapped = MAPPED[name]
    return select(*(mapped.table.c[field] for field in field_names(mapped.value)))


TOLD = (
    select_rows("event")
    .where(
        tables.event.c.seq > bindparam("after"),
        tables.event.c.type.in_(bindparam("types", expanding=True)),
    )
    .order_by(tables.event.c.seq)
    .limit(bindparam("most"))
)
TOLD_TO_TENANT = TOLD.where(tables.event.c.tenant_id == bindparam("tenant_id"))
ANSWERS = select_rows("answer").where(
    tuple_(tables.answer.c.scope, tables.answer.c.key).in_(bindparam("keys", expanding=True))
)
USAGE = select_rows("usage").where(
    tables.usage.c.source == bindparam("source"),
    tables.usage.c.event_id.in_(bindparam("ids", expanding=True)),
)


def _billed_next() -> Select[Any]:
    """Accruals of a draft by the part of each that lies in a stretch of time."""
    c = tables.accrual.c
    low: Any = bindparam("low", type_=BigInteger)
    high: Any = bindparam("high", type_=BigInteger)
    start = case((c.first_at_ms < low, low), else_=c.first_at_ms)
    end = case((c.last_at_ms > high, high), else_=c.last_at_ms)
    place = tuple_(
        bindparam("start", type_=BigInteger), bindparam("end", type_=BigInteger), bindparam("id")
    )
    return (
        select_rows("accrual")
        .where(c.invoice_id == bindparam("invoice_id"), c.first_at_ms < high, c.last_at_ms > low)
        .where(tuple_(start, end, c.id) > place)
        .order_by(start, end, c.id)
        .limit(bindparam("most"))
    )


ACCRUALS = select_rows("accrual").where(tables.accrual.c.lease_id == bindparam("lease_id"))
BILLED = select_rows("accrual").where(tables.accrual.c.invoice_id == bindparam("invoice_id"))
USED_BY = select(func.coalesce(func.sum(tables.charge.c.accelerator_ms), 0)).where(
    tables.charge.c.accrual_id == bindparam("accrual_id"),
    tables.charge.c.ends_at_ms <= bindparam("instant_ms"),
)
USED_ACROSS = select(
    tables.charge.c.starts_at_ms, tables.charge.c.ends_at_ms, tables.charge.c.accelerator_ms
).where(
    tables.charge.c.accrual_id == bindparam("accrual_id"),
    tables.charge.c.starts_at_ms < bindparam("instant_ms"),
    tables.charge.c.ends_at_ms > bindparam("instant_ms"),
)
BILLED_NEXT = _billed_next()
BREACHES = select_rows("breach").where(
    tables.breach.c.tenant_id == bindparam("tenant_id"),
    tables.breach.c.broken_until_ms > bindparam("from_ms"),
    tables.breach.c.failed_at_ms < bindparam("until_ms"),
)


def _held_ms(from_ms: ColumnElement[int], until_ms: ColumnElement[int]) -> ColumnElement[int]:
    """How long a delivered allocation was held within a window that it reaches into."""
    since: Any = bindparam("from_ms")
    until: Any = bindparam("until_ms")
    end = case((until_ms < until, until_ms), else_=until)
    return end - case((from_ms > since, from_ms), else_=since)


_HELD = tables.allocation.c
_LISTED = type_coerce(_HELD.accelerators, Text)
DELIVERED = (
    select(
        func.sum(
            _held_ms(_HELD.delivered_from_ms, _HELD.delivered_until_ms)
            * (func.length(_LISTED) - func.length(func.replace(_LISTED, ",", "")) + 1)
        )
    )
    .join(tables.lease, tables.lease.c.id == _HELD.lease_id)
    .where(
        _HELD.tenant_id == bindparam("tenant_id"),
        _HELD.fenced_at_ms > bindparam("from_ms"),
        _HELD.delivered_from_ms < bindparam("until_ms"),
        _HELD.delivered_until_ms > bindparam("from_ms"),
        _HELD.metered_until_ms == _HELD.delivered_until_ms,
        tables.lease.c.lease_class != LeaseClass.SPOT,
    )
)
"""A list of accelerators has one comma less than parts."""
STOOD = select_rows("allocation").where(
    _HELD.lease_id == bindparam("lease_id"), _HELD.delivered_from_ms.is_not(None)
)
HELD_ON = select_rows("allocation").where(
    _HELD.tenant_id == bindparam("tenant_id"),
    _HELD.node_id.in_(bindparam("nodes", expanding=True)),
    _HELD.fenced_at_ms > bindparam("from_ms"),
    _HELD.delivered_from_ms < bindparam("until_ms"),
)
_CHECK, _AGAIN = tables.node_check.c, tables.node_check.alias("again")
DEGRADED = select(
    _CHECK.node_id,
    _CHECK.checked_at_ms,
    select(func.min(_AGAIN.c.checked_at_ms))
    .where(
        _AGAIN.c.node_id == _CHECK.node_id,
        _AGAIN.c.name == _CHECK.name,
        _AGAIN.c.outcome != CheckOutcome.DEGRADED,
        _AGAIN.c.checked_at_ms > _CHECK.checked_at_ms,
    )
    .scalar_subquery(),
).where(_CHECK.outcome == CheckOutcome.DEGRADED, _CHECK.checked_at_ms < bindparam("until_ms"))
_VOID = select(tables.invoice_status.c.invoice_id).where(
    tables.invoice_status.c.state == InvoiceState.VOID
)
CHARGED = select(func.sum(tables.accrual.c.posted_micros)).where(
    tables.accrual.c.tenant_id == bindparam("tenant_id"),
    tables.accrual.c.service_month_ms > bindparam("from_ms") - 32 * DAY_MS,
    tables.accrual.c.first_at_ms >= bindparam("from_ms"),
    tables.accrual.c.first_at_ms < bindparam("until_ms"),
    tables.accrual.c.contract_version_id.in_(bindparam("versions", expanding=True)),
    tables.accrual.c.invoice_id.is_not(None),
    tables.accrual.c.invoice_id.not_in(_VOID),
    tables.accrual.c.lease_class != LeaseClass.SPOT,
)
VOIDED = select(tables.accrual.c.first_at_ms, tables.accrual.c.last_at_ms).where(
    tables.accrual.c.lease_id == bindparam("lease_id"),
    tables.accrual.c.measure == Measure.DELIVERED,
    tables.accrual.c.invoice_id.in_(_VOID),
)
GIVEN_BACK = select_rows("credit_block").where(
    tables.credit_block.c.tenant_id == bindparam("tenant_id"),
    tables.credit_block.c.source == CreditSource.SLA_CREDIT,
)
STATUSES = select_rows("invoice_status").where(
    tables.invoice_status.c.number.in_(bindparam("numbers", expanding=True))
)
PAYMENTS = select_rows("payment").where(
    tables.payment.c.entity_id == bindparam("entity_id"),
    tables.payment.c.entry_id.in_(bindparam("entries", expanding=True)),
)
PAYMENTS_ALIKE = select_rows("payment").where(
    tables.payment.c.entity_id == bindparam("entity_id"),
    tuple_(tables.payment.c.micros, tables.payment.c.value_at_ms).in_(
        bindparam("facts", expanding=True)
    ),
)
PAYMENTS_TO_BOUNCE = (
    select_rows("payment")
    .where(
        tables.payment.c.entity_id == bindparam("entity_id"),
        tables.payment.c.micros > 0,
        or_(
            tables.payment.c.micros == bindparam("micros"),
            tables.payment.c.end_to_end == bindparam("end_to_end"),
            tables.payment.c.tenant_id.in_(bindparam("tenants", expanding=True)),
        ),
    )
    .order_by(tables.payment.c.booked_at_ms.desc(), tables.payment.c.id.desc())
    .limit(bindparam("most"))
)
DRAWDOWNS = (
    select_rows("drawdown")
    .where(tables.drawdown.c.invoice_id == bindparam("invoice_id"))
    .order_by(tables.drawdown.c.seq)
)


@cache
def live_statements() -> Mapping[str, Any]:
    """How each table's live rows are read, in the order in which memory wants them."""
    statements = {}
    for name, condition in _live().items():
        statement = select_rows(name).order_by(*MAPPED[name].table.primary_key.columns)
        statements[name] = statement if condition is None else statement.where(condition)
    return statements


def _live() -> dict[str, Any]:
    """What is still live, by table; None is everything."""
    lease, allocation = tables.lease.c, tables.allocation.c
    job, attempt = tables.job.c, tables.attempt.c
    unsettled = or_(
        allocation.fenced_at_ms.is_(None),
        and_(
            allocation.delivered_from_ms.is_not(None),
            allocation.metered_until_ms.is_distinct_from(allocation.delivered_until_ms),
        ),
    )
    return {
        "rate_card": None,
        "rate": None,
        "tenant": None,
        "quota": None,
        "user": None,
        "key": None,
        "inbound_lease": or_(
            tables.inbound_lease.c.state == InboundState.ACTIVE,
            tables.inbound_lease.c.id.in_(
                select(tables.node.c.inbound_lease_id).where(
                    tables.node.c.id.in_(select(allocation.node_id).where(unsettled))
                )
            ),
        ),
        "node": or_(
            tables.node.c.state != NodeState.RETIRED,
            tables.node.c.id.in_(select(allocation.node_id).where(unsettled)),
        ),
        "fabric": None,
        "runtime": None,
        "lease": or_(
            lease.state.not_in(sorted(FINAL)),
            lease.id.in_(select(allocation.lease_id).where(unsettled)),
        ),
        "allocation": unsettled,
        "breach": tables.breach.c.broken_until_ms.is_(None),
        "job": job.state.not_in(sorted(FINAL_JOB_STATES)),
        "attempt": attempt.forgotten.is_(False),
        "accrual": tables.accrual.c.invoice_id.is_(None),
        "balance": None,
        **_live_sales(),
        **_live_bills(),
        **_live_receipts(),
        "billing_mark": None,
        "tier_use": None,
        "legal_entity": None,
        "admission": None,
        "credit_hold": tables.credit_hold.c.released.is_(False),
        "budget": tables.budget.c.ended_at_ms.is_(None),
        "tax_rule": None,
        "fx_rate": None,
        "lending_mark": None,
        "entitlement": None,
        "policy": None,
        "setting": None,
        "reclaim_count": None,
        "subscription": tables.subscription.c.state != SubscriptionState.DELETED,
    }


def _live_sales() -> dict[str, Any]:
    """Contracts stay for good, and with them the credit of their commitments."""
    block = tables.credit_block.c
    drawable = or_(
        block.state == BlockState.OPEN,
        block.source.in_((CreditSource.COMMITMENT, CreditSource.ROLLOVER)),
        block.lapsed_micros > 0,
    )
    whole = ("contract", "contract_version", "contract_act", "supply_mark", "committed_step")
    return {**dict.fromkeys(whole), "credit_block": drawable}


def _live_bills() -> dict[str, Any]:
    """Drafts until they are final, invoices until nothing more is expected of them."""
    status = tables.invoice_status.c
    return {
        "billed_key": None,
        "number_series": None,
        "period": None,
        "invoice_draft": tables.invoice_draft.c.state != DraftState.FINALISED,
        "invoice_status": or_(status.state == InvoiceState.FINALISED, status.revalued_micros != 0),
    }


def _live_receipts() -> dict[str, Any]:
    """Payments with something left, open disputes, and how often open invoices were asked for."""
    status = tables.invoice_status.c
    asked = tables.approval.c.state == ApprovalState.ASKED
    asking = select(status.invoice_id).where(status.state == InvoiceState.FINALISED)
    return {
        "payment": tables.payment.c.left_micros > 0,
        "dispute": tables.dispute.c.state == DisputeState.OPEN,
        "dunned": tables.dunned.c.invoice_id.in_(asking),
        "dunning_policy": None,
        "opening": None,
        "brought_contract": None,
        "approval": asked,
        "wanted_act": tables.wanted_act.c.id.in_(select(tables.approval.c.id).where(asked)),
    }
