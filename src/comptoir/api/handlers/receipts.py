"""Bank files, payments, disputes, dunning, receivables by age."""

import hashlib
from itertools import islice
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import instant, money
from comptoir.api.handlers.approvals import ask_for
from comptoir.api.shapes import receipts as shapes
from comptoir.api.words import Id, InvoiceWord, Pages, Word
from comptoir.billing.ageing import Aged
from comptoir.billing.bank_csv import read_csv
from comptoir.billing.bank_files import BankEntry, Statement, in_order
from comptoir.billing.camt import read_camt
from comptoir.billing.dunning import DisputeState, DunningStep
from comptoir.billing.receipts import PaymentState
from comptoir.billing.statement_checks import check_account, check_days
from comptoir.desk import receipt_requests as requests
from comptoir.desk.approval_requests import Act
from comptoir.desk.operations.money.receipts import ReceiptsRecorded
from comptoir.desk.receipt_memory import DunningPolicy
from comptoir.store.views import close as bills
from comptoir.store.views import entities as entity_views
from comptoir.store.views import lists
from comptoir.store.views import receipts as views
from comptoir.store.views.payables import Owed, payables
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import DisputeId, InvoiceId, LegalEntityId, PaymentId


async def book_bank_file(ask: Ask, body: shapes.BankFileBody) -> Response:
    """Read a bank's file, check its controls, and book what came in; again, it changes nothing."""
    statements = await ask.work(_read, body.name, body.text, body.columns)
    await _check(ask, body.entity, statements)
    file = hashlib.sha256(body.text.encode()).hexdigest()[:16]
    booked: list[ReceiptsRecorded] = []
    for statement in statements:
        for entries in _parts(statement):
            request = requests.RecordReceipts(
                LegalEntityId(body.entity), statement.id[:100], statement.account, entries, file
            )
            booked.append(await ask.value("record_receipts", request))
    suggestions = {id: list(found) for one in booked for id, found in one.suggestions}
    return said(
        {
            "payments": [ask.encode(p) for one in booked for p in one.payments],
            "repeated": sum(one.repeated for one in booked),
            "duplicates": sum(
                p.state is PaymentState.DUPLICATE for one in booked for p in one.payments
            ),
            "outgoing": sum(one.outgoing for one in booked),
            "suggestions": suggestions,
        }
    )


def _read(name: str, text: str, columns: dict[str, str]) -> list[Statement]:
    if text.lstrip("\ufeff \r\n\t").startswith("<"):
        return read_camt(name, text.encode())
    return read_csv(name, text, columns)


async def _check(ask: Asking, named: str, statements: list[Statement]) -> None:
    """Judge every statement before the first entry is booked."""
    entities = await ask.read(entity_views.sellers)
    entity = next((e for e in entities if named in (e.id, e.slug)), None)
    if entity is None:
        raise not_found(f"entity {named}")
    now_ms = ask.door.desk.clock.now_ms()
    for statement in statements:
        check_account(statement.account, entity, entities)
        check_days(statement.entries, entity, now_ms)


def _parts(statement: Statement) -> list[tuple[BankEntry, ...]]:
    """A statement in parts, so that nobody waits for a long one."""
    entries = iter(in_order(statement.entries))
    parts = []
    while part := tuple(islice(entries, requests.MOST_ENTRIES_A_CALL)):
        parts.append(part)
    return parts


async def list_payments(
    ask: Ask, pages: Pages, tenant: Word = None, state: PaymentState | None = None
) -> Response:
    """Payments, last booked first; to a customer, its own."""
    return await ask.page(
        "payments", pages, views.payments, tenant_id=ask.of_tenant(tenant), state=state
    )


async def get_payment(ask: Ask, payment: Id) -> Response:
    """One payment, and what it pays."""
    return said(ask.encode(await ask.one("payment", payment, "payment", lists.find)))


async def allocate_payment(ask: Ask, payment: Id, body: shapes.AllocateBody) -> Response:
    """Give what is left of a payment to an invoice."""
    request = requests.AllocatePayment(PaymentId(payment), body.invoice, body.amount)
    return await ask.do("allocate_payment", request)


async def book_payment(ask: Ask, payment: Id) -> Response:
    """Book what was flagged as a duplicate: it is a payment of its own."""
    return await ask.do("book_payment", requests.BookPayment(PaymentId(payment)))


async def refund_payment(ask: Ask, payment: Id, body: shapes.RefundBody) -> Response:
    """Ask to send back what is left of a payment; approved, the bank does the sending."""
    request = requests.RefundPayment(PaymentId(payment), body.reason, body.amount)
    return await ask_for(ask, Act(refund=request))


async def post_payment(ask: Ask, payment: Id, body: shapes.PostBody) -> Response:
    """Ask to post what went out and is not known: to a supplier's contract, or as bank fees."""
    request = requests.PostOutgoing(PaymentId(payment), body.reason, body.contract)
    return await ask_for(ask, Act(outgoing=request))


async def top_up(ask: Ask, payment: Id, body: shapes.TopUpBody) -> Response:
    """Ask to make prepaid credit of what is left of a payment, from its value date on."""
    request = requests.TopUp(PaymentId(payment), body.amount, body.tenant)
    return await ask_for(ask, Act(top_up=request))


async def open_dispute(ask: Ask, invoice: InvoiceWord, body: shapes.DisputeBody) -> Response:
    """Dispute a line of an invoice; only that is not asked for again."""
    found = await ask.read(bills.invoice, invoice)
    if found is None or not ask.sees(found.invoice.tenant_id):
        raise not_found(f"invoice {invoice}")
    request = requests.OpenDispute(InvoiceId(found.invoice.id), body.line, body.reason, body.amount)
    return await ask.do("open_dispute", request, status=201)


async def uphold_dispute(ask: Ask, dispute: Id, body: shapes.ResolveBody) -> Response:
    """Ask to uphold a dispute; approved, it is credited in the same act."""
    request = requests.ResolveDispute(DisputeId(dispute), True, body.resolution)
    return await ask_for(ask, Act(uphold=request))


async def reject_dispute(ask: Ask, dispute: Id, body: shapes.ResolveBody) -> Response:
    """Reject a dispute: its line is asked for again."""
    request = requests.ResolveDispute(DisputeId(dispute), False, body.resolution)
    return await ask.do("reject_dispute", request)


async def list_disputes(
    ask: Ask, pages: Pages, tenant: Word = None, state: DisputeState | None = None
) -> Response:
    """Disputes, newest first; to a customer, its own."""
    return await ask.page(
        "disputes", pages, views.disputes, tenant_id=ask.of_tenant(tenant), state=state
    )


async def get_dunning(ask: Ask) -> Response:
    """When unpaid invoices are asked for again."""
    steps = await ask.read(views.dunning_steps)
    return said({"steps": {step.name: step.after_days for step in steps}})


async def set_dunning(ask: Ask, body: shapes.DunningBody) -> Response:
    """Settle when unpaid invoices are asked for again."""
    steps = tuple(DunningStep(name, days) for name, days in body.steps.items())
    return await ask.do("set_dunning", requests.SetDunning(steps), _policy)


def _policy(policy: DunningPolicy) -> dict[str, Any]:
    return {"steps": {step.name: step.after_days for step in policy.steps}}


async def age_receivables(ask: Ask, tenant: Word = None) -> Response:
    """What customers still owe, by days since it was due; to a customer, its own."""
    now_ms = ask.door.desk.clock.now_ms()
    found = await ask.read(views.ageing, now_ms, ask.of_tenant(tenant))
    return said({"items": [_aged(one) for one in found], "next_cursor": None})


async def list_payables(ask: Ask, partner: Word = None) -> Response:
    """What suppliers are owed, due first before the rest."""
    now_ms = ask.door.desk.clock.now_ms()
    found = await ask.read(payables, partner)
    return said({"items": [_owed(one, now_ms) for one in found], "next_cursor": None})


def _owed(owed: Owed, now_ms: int) -> dict[str, Any]:
    one = owed.payable
    return {
        "partner": owed.partner,
        "contract": owed.number,
        "amount": money(one.micros),
        "currency": owed.currency,
        "what": "instalment" if one.ahead else "use",
        "since": instant(one.since_ms),
        "due_at": instant(one.due_at_ms),
        "overdue": one.due_at_ms < now_ms,
    }


def _aged(aged: Aged) -> dict[str, Any]:
    names = ("not_due", "days_1_30", "days_31_60", "days_61_90", "over_90")
    return {
        "tenant_id": aged.tenant_id,
        "currency": aged.currency,
        **{name: money(micros) for name, micros in zip(names, aged.buckets, strict=True)},
        "disputed": money(aged.disputed_micros),
        "total": money(aged.total_micros),
    }
