"""Lists of receipts: payments, disputes, dunning, and what is open by age."""

from sqlalchemy import select

from comptoir.billing.ageing import Aged, OpenAmount, age
from comptoir.billing.approvals import Approval, ApprovalState
from comptoir.billing.dunning import STEPS, Dispute, DisputeState, DunningStep
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import InvoiceKind
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.store import receipt_tables as r
from comptoir.store import tables as t
from comptoir.store.views.reading import Ask, Page, Views, equal


def payments(
    views: Views, ask: Ask, tenant_id: str | None = None, state: PaymentState | None = None
) -> Page[Payment]:
    """Payments, last booked first."""
    c = r.payment.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.state, state)
    return views.page("payment", ask, *wanted, keys=("booked_at_ms", "id"))


def disputes(
    views: Views, ask: Ask, tenant_id: str | None = None, state: DisputeState | None = None
) -> Page[Dispute]:
    """Disputes, newest first."""
    c = r.dispute.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.state, state)
    return views.page("dispute", ask, *wanted, keys=("opened_at_ms", "id"))


def approvals(views: Views, ask: Ask, state: ApprovalState | None = None) -> Page[Approval]:
    """Acts on money that two people agree to, newest first."""
    wanted = equal(r.approval.c.state, state)
    return views.page("approval", ask, wanted, keys=("asked_at_ms", "id"))


def dunning_steps(views: Views) -> tuple[DunningStep, ...]:
    """The dunning steps in force."""
    found = views.find("dunning_policy", r.dunning_policy.c.id == "house")
    return STEPS if found is None else tuple(found.steps)


def ageing(views: Views, now_ms: int, tenant_id: str | None = None) -> list[Aged]:
    """What every customer still owes, by age, in the book's own currencies."""
    c = t.invoice_status.c
    statement = select(
        c.tenant_id, c.currency, c.total_micros - c.paid_micros - c.credited_micros,
        c.disputed_micros, c.due_at_ms,
    ).where(c.state == InvoiceState.FINALISED, c.kind != InvoiceKind.CHARGEBACK)  # fmt: skip
    if tenant_id is not None:
        statement = statement.where(c.tenant_id == tenant_id)
    with views.reading() as connection:
        rows = connection.execute(statement).all()
    return age((OpenAmount(*row) for row in rows), now_ms)
