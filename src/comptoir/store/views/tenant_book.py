"""Questions about one tenant's open usage, answered from committed rows beside the desk.

A tenant may have tens of thousands of open accruals: what a preview or a pending drawdown looks
at takes longer than anybody may hold the desk. So its part of the book is read into a memory of
its own, and the desk's own operations work on that; nothing of it is written. What ran in the
last minute may not be metered yet. Neighbours: `desk/operations/money/preview_invoice.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from comptoir.billing.drafts import InvoiceDraft
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.dues import cut_accrual, dues_of, edges_of
from comptoir.desk.memory import Memory
from comptoir.desk.operations.money.preview_invoice import MOST_ACCRUALS, preview_invoice
from comptoir.desk.ports import Loaded
from comptoir.desk.terms import segment_of
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.pricing.rates import Item
from comptoir.sales.credit_blocks import Covers, CreditBlock, expire, expired_at, rolled_over
from comptoir.sales.drawdown import draw
from comptoir.store import tables as t
from comptoir.store.mapping import from_row
from comptoir.store.sql_store import SqlStore
from comptoir.store.statements import BOOK, live_statements
from comptoir.store.tables import MAPPED
from comptoir.store.views.reading import Views
from comptoir.tenants.parties import SYSTEM
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import CreditBlockId, TenantId

DRAWS = (LeaseState.ACTIVE, LeaseState.RECLAIMING)
BEYOND = 1 << 40
"""How far from the book's own ids those lie that a question makes: it must find none of them."""


BROKEN = ("lease", "allocation", "breach", "tier_use")
"""What a preview needs besides, to know what broken guarantees are worth."""


class NoSecrets:
    """Whoever only looks makes no secrets."""

    def token_bytes(self, count: int) -> bytes:
        """Never asked for."""
        raise InvariantBroken(f"{count} secret bytes were asked for by a question")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A tenant's credit as open usage leaves it, what has ended over; and what runs at which price
    an hour."""

    after: Mapping[CreditBlockId, CreditBlock]
    running: tuple[tuple[str, LeaseClass, str, int], ...]

    def hourly_nanos(self, covers: Covers) -> int:
        """What of all that runs is covered, in nanos an hour."""
        return sum(
            nanos
            for kind, lease_class, site, nanos in self.running
            if covers.holds(kind, lease_class, site)
        )


def preview(views: Views, tenant_id: TenantId, now_ms: int) -> tuple[InvoiceDraft, ...]:
    """What the current invoice of a tenant would ask if its period ended now."""
    tx = _part(views, tenant_id, now_ms, BROKEN)
    return preview_invoice(tx, PreviewInvoice(tenant_id))


def drawing(views: Views, tenant_id: TenantId, now_ms: int) -> Drawing:
    """What a tenant's credit is drawn by."""
    tx = _part(views, tenant_id, now_ms)
    at = edges_of(tx.book, tenant_id)
    accruals = tx.book.money.open_accruals_by_tenant.get(tenant_id)
    dues = dues_of(tx.book, (cut_accrual(tx, one, at) for one in accruals))

    def roll(step: CreditBlock) -> CreditBlock | None:
        return rolled_over(CreditBlockId(tx.new_id("cb")), step, now_ms)

    after = {block.id: block for block in tx.book.contracts.credit_of.get(tenant_id)}
    after |= {block.id: block for block in draw(after.values(), dues, roll=roll)[0]}
    while over := expired_at(after.values(), now_ms):
        for block, _ in over:
            made = roll(block)
            after[block.id] = expire(block)
            if made is not None:
                after[made.id] = made
    return Drawing(after, tuple(_running(views, tx, tenant_id)))


def _running(
    views: Views, tx: Transaction, tenant_id: TenantId
) -> list[tuple[str, LeaseClass, str, int]]:
    """(kind, class, site, nanos an hour) of every allocation that is handed over."""
    lease, allocation, node = t.lease.c, t.allocation.c, t.node.c
    statement = (
        select(lease.kind, lease.lease_class, lease.term, node.site, allocation.accelerators)
        .select_from(t.allocation)
        .join(t.lease, lease.id == allocation.lease_id)
        .join(t.node, node.id == allocation.node_id)
        .where(
            allocation.tenant_id == tenant_id,
            allocation.fenced_at_ms.is_(None),
            allocation.delivered_from_ms.is_not(None),
            allocation.delivered_until_ms.is_(None),
            lease.state.in_(DRAWS),
        )
    )
    with views.reading() as connection:
        rows = connection.execute(statement).all()
    found = []
    for kind, lease_class, term, site, accelerators in rows:
        item = Item(kind, lease_class, site, term)
        priced = segment_of(tx.book, tenant_id, item, tx.now_ms).priced
        if priced is not None:
            found.append((kind, lease_class, site, len(accelerators) * priced.price_nanos))
    return found


def _part(views: Views, tenant_id: TenantId, now_ms: int, more: Sequence[str] = ()) -> Transaction:
    """A tenant's part of the committed book, in a memory of its own; with more tables of its."""
    rows: dict[str, list[Any]] = {}
    with views.reading() as connection:
        counter = connection.execute(BOOK).one().counter
        for name, condition in _of_tenant(tenant_id, more).items():
            statement = live_statements()[name]
            if condition is not None:
                statement = statement.where(condition)
            if name == "accrual":
                month, id_ = t.accrual.c.service_month_ms, t.accrual.c.id
                statement = statement.order_by(None).order_by(month, id_).limit(MOST_ACCRUALS)
            found = connection.execute(statement).all()
            rows[name] = [from_row(MAPPED[name], row) for row in found]
    stood = rows.pop("allocation", [])
    book = Memory()
    book.load(Loaded(0, counter + BEYOND, rows, {}))
    for allocation in stood:  # to be read only: without their nodes they stand in no pool
        book.snapshot.allocations_of[allocation.lease_id][allocation.id] = allocation
    return Transaction(book, SqlStore(views.engine), NoSecrets(), SYSTEM, now_ms)


def _of_tenant(tenant_id: TenantId, more: Sequence[str]) -> dict[str, ColumnElement[bool] | None]:
    """Which rows of which tables are a tenant's part of the book; None: all that are live."""
    contract, key = t.contract.c, MAPPED["billed_key"].table.c.key
    its = select(contract.id).where(contract.tenant_id == tenant_id)
    own = func.length(contract.id) + 1
    asked = select(contract.id).where(
        contract.tenant_id == tenant_id, func.substr(key, 1, own) == contract.id + "/"
    )
    mine = {
        name: MAPPED[name].table.c.tenant_id == tenant_id
        for name in (
            "admission", "billing_mark", "contract", "credit_block", "committed_step", "accrual",
            *more,
        )
    }  # fmt: skip
    return {
        **dict.fromkeys(("rate_card", "rate", "legal_entity", "tax_rule")),
        **mine,
        "tenant": t.tenant.c.id == tenant_id,
        "contract_version": t.contract_version.c.contract_id.in_(its),
        "contract_act": t.contract_act.c.contract_id.in_(its),
        "billed_key": asked.exists(),
    }
