"""Money that came in: booked once an entry, given to the invoices that it names, or kept.

What is left is the customer's credit, or nobody's yet: finance gives it to an invoice, turns it
into prepaid credit, or sends it back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from comptoir.billing import receipts as pure
from comptoir.billing.bank_files import BankEntry
from comptoir.billing.fx import conversion_at
from comptoir.billing.invoice_status import InvoiceStatus, paid
from comptoir.billing.receipts import Asked, Part, Payment, PaymentState, Receivables
from comptoir.desk.dues import cut_open
from comptoir.desk.operations.money.outgoing import record_outgoing
from comptoir.desk.receipt_requests import (
    MOST_ENTRIES_A_CALL,
    AllocatePayment,
    RecordReceipts,
    RefundPayment,
    TopUp,
)
from comptoir.desk.transaction import Transaction
from comptoir.sales.credit_blocks import (
    DEFAULT_PRIORITY,
    EVERYTHING,
    BlockState,
    CreditBlock,
    CreditSource,
)
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import CreditBlockId, InvoiceId, PaymentId
from comptoir.units.money import NANOS_PER_UNIT, parse_amount
from comptoir.units.text import check_text
from comptoir.units.values import replace

_FX_SCALE = 10**6


@dataclass(frozen=True, slots=True)
class ReceiptsRecorded:
    """What came of a statement, or a part of one: payments made, and what was known or passed
    over. `outgoing` are amounts that went out and are about nothing that the book knows;
    `suggestions` are open invoices of exactly the amount of a payment that names none."""

    payments: tuple[Payment, ...]
    repeated: int
    outgoing: int
    suggestions: tuple[tuple[PaymentId, tuple[str, ...]], ...] = ()


def record_receipts(tx: Transaction, request: RecordReceipts) -> ReceiptsRecorded:
    """Book entries of a statement, each once, and match them.

    Raises:
        NotFound: the entity.
        Invalid: `too_many_entries`; `wrong_account`: the statement is of another account.
    """
    entity = _entity(tx, request)
    known = set(tx.store.find_payments(entity.id, [_key(request, e) for e in request.entries]))
    known |= {p.entry_id for p in tx.book.receipts.payments if p.entity_id == entity.id}
    made: list[Payment] = []
    repeated = outgoing = 0
    statuses = [s for s in tx.book.closing.statuses if s.entity_id == entity.id and s.open_micros]
    receivables = Receivables(map(_asked, statuses))
    for entry in request.entries:
        key = _key(request, entry)
        if key in known:
            repeated += 1
            continue
        known.add(key)
        if entry.micros <= 0:
            sent = record_outgoing(tx, entity, request.statement, key, entry)
            outgoing += sent is None
            made += [] if sent is None else [sent]
            continue
        made.append(_record(tx, entity, request.statement, key, entry, receivables))
        if made[-1].parts:
            statuses = [tx.book.closing.statuses.get(s.invoice_id) or s for s in statuses]
            receivables = Receivables(map(_asked, statuses))
    suggestions = tuple(
        (payment.id, found)
        for payment in made
        if payment.state is PaymentState.UNIDENTIFIED and not payment.parts
        if (found := receivables.suggested(payment.micros, payment.currency))
    )
    return ReceiptsRecorded(tuple(made), repeated, outgoing, suggestions)


def _entity(tx: Transaction, request: RecordReceipts) -> LegalEntity:
    credit = tx.book.credit
    entity = credit.entities.get(request.entity_id) or credit.entity_by_slug.first(
        request.entity_id
    )
    if entity is None:
        raise not_found(f"entity {request.entity_id}")
    if len(request.entries) > MOST_ENTRIES_A_CALL:
        raise Invalid(
            "too_many_entries",
            f"{len(request.entries):,} entries in one call; at most {MOST_ENTRIES_A_CALL}",
            "send the file to the door: it books it in parts",
        )
    whose = next((e for e in credit.entities if e.iban and e.iban == request.account), entity)
    if whose.id != entity.id:
        raise Invalid(
            "wrong_account",
            f"the statement is of {request.account}, which is {whose.slug}'s, not {entity.slug}'s",
            f"book it for {whose.slug}: --entity {whose.slug}",
            {"account": request.account, "entity": whose.slug},
        )
    if entity.iban and request.account and entity.iban != request.account:
        raise Invalid(
            "wrong_account",
            f"the statement is of {request.account}, and {entity.slug} is paid at {entity.iban}",
            "name the entity whose account it is",
            {"account": request.account, "iban": entity.iban},
        )
    return entity


def _key(request: RecordReceipts, entry: BankEntry) -> str:
    return f"{request.account}:{entry.id}"[:200]


def _record(
    tx: Transaction,
    entity: LegalEntity,
    statement: str,
    key: str,
    entry: BankEntry,
    receivables: Receivables,
) -> Payment:
    found = pure.match(
        entry.micros,
        entry.currency,
        entry.reference,
        receivables.with_known(_settled(tx, entity, entry.reference)),
        _rates(tx, entry),
    )
    payment = Payment(
        PaymentId(tx.new_id("py")), entity.id, key, statement, entry.day_ms, tx.now_ms,
        entry.micros, entry.currency, entry.reference, entry.payer, found.tenant_id, found.state,
        found.parts, found.left_micros,
    )  # fmt: skip
    asked = _pay(tx, found.parts)
    postings = pure.received(payment, asked)
    said = f"{entry.payer or 'receipt'}: {entry.reference}"[:200]
    tx.post(f"payment:{payment.id}", "payment", said, max(entry.day_ms, 0), postings)
    _tell(tx, payment)
    return _put(tx, payment)


def allocate_payment(tx: Transaction, request: AllocatePayment) -> Payment:
    """Give what is left of a payment to an invoice.

    Raises:
        NotFound: the payment, the invoice.
        Refused: `nothing_left`, `allocated_too_much`, `other_tenants_credit`, `no_fx_rate`.
        Invalid: `bad_amount`, `too_many_decimals`.
    """
    payment = _payment(tx, request.payment_id)
    status = _status(tx, request.invoice)
    if status.entity_id != payment.entity_id:
        raise Refused(
            "other_entitys_invoice",
            f"{payment.id} came in for {payment.entity_id}, and {status.number} is asked by "
            f"{status.entity_id}",
            "name an invoice of the entity that was paid, or refund it",
        )
    micros = None
    if request.amount is not None:
        micros = parse_amount(request.amount, status.currency)
    part = pure.allocate(
        payment, _asked(status), micros, _rate(tx, payment.currency, status.currency, payment)
    )
    postings = pure.allocated(payment, part, _asked(status))
    _pay(tx, (part,))
    left = payment.left_micros - part.paid_micros
    changed = replace(payment, parts=_with(payment.parts, part), left_micros=left)
    short = _status(tx, request.invoice).open_micros > 0
    if not left and payment.tenant_id is None:
        changed = replace(changed, tenant_id=status.tenant_id)
    changed = replace(changed, state=pure.state_after(changed, short))
    number = len(payment.parts) + payment.refunded_micros + payment.topped_up_micros
    tx.post(
        f"allocation:{payment.id}:{number}:{part.micros}", "allocation",
        f"{payment.id} pays {status.number}", tx.now_ms, postings,
    )  # fmt: skip
    _tell(tx, changed)
    return _put(tx, changed)


def refund_payment(tx: Transaction, request: RefundPayment) -> Payment:
    """Send back what is left of a payment, or a part of it.

    Raises:
        NotFound: the payment.
        Refused: `nothing_left`, `refund_too_large`.
        Invalid: `bad_amount`, `too_many_decimals`, `bad_text`.
    """
    payment = _payment(tx, request.payment_id)
    reason = check_text("reason", request.reason, 1, 500)
    micros = pure.check_refund(payment, _amount(payment, request.amount))
    changed = replace(
        payment,
        left_micros=payment.left_micros - micros,
        refunded_micros=payment.refunded_micros + micros,
    )
    changed = replace(changed, state=pure.state_after(changed, False))
    tx.post(
        f"refund:{payment.id}:{changed.refunded_micros}", "refund", f"{payment.id}: {reason}"[:200],
        tx.now_ms, pure.refunded(payment, micros),
    )  # fmt: skip
    tx.emit(
        "payment.refunded", payment.id, payment.tenant_id, micros=str(micros),
        currency=payment.currency, reason=reason,
    )  # fmt: skip
    return _put(tx, changed)


def top_up(tx: Transaction, request: TopUp) -> CreditBlock:
    """Make prepaid credit of what is left of a payment; it counts from the value date.

    Raises:
        NotFound: the payment, the tenant.
        Refused: `nothing_left`, `refund_too_large`, `other_tenants_credit`.
        Invalid: `tenant_missing`: it is nobody's yet, and none is named; `bad_amount`.
    """
    payment = _payment(tx, request.payment_id)
    micros = pure.check_refund(payment, _amount(payment, request.amount))
    owner = request.tenant_id or payment.tenant_id
    if owner is None:
        raise Invalid("tenant_missing", f"{payment.id} is nobody's yet", "name the tenant")
    tenant = tx.tenant(owner)  # type: ignore[arg-type]
    if payment.tenant_id not in (None, tenant.id):
        raise Refused(
            "other_tenants_credit", f"what is left of {payment.id} is another tenant's credit", ""
        )
    postings: tuple[object, ...] = ()
    if payment.tenant_id is None:
        payment, postings = pure.named(payment, tenant.id)
    changed = replace(
        payment,
        left_micros=payment.left_micros - micros,
        topped_up_micros=payment.topped_up_micros + micros,
    )
    changed = replace(changed, state=pure.state_after(changed, False))
    block = CreditBlock(
        CreditBlockId(tx.new_id("cb")), tenant.id, None, None, CreditSource.TOP_UP,
        payment.currency, micros, 0, 0, payment.value_at_ms, None, DEFAULT_PRIORITY, EVERYTHING,
        (), BlockState.OPEN, tx.now_ms,
    )  # fmt: skip
    tx.book.contracts.credit_blocks.put(block)
    cut_open(tx, tenant.id)
    tx.post(
        f"top_up:{payment.id}:{changed.topped_up_micros}", "top_up", f"{payment.id} tops up",
        tx.now_ms, (*postings, *pure.topped_up(payment, micros)),  # type: ignore[arg-type]
    )  # fmt: skip
    tx.emit(
        "credit.topped_up", block.id, tenant.id, micros=str(micros), currency=payment.currency,
        payment=payment.id, from_ms=block.from_ms,
    )  # fmt: skip
    _put(tx, changed)
    return block


# What these share.


def _payment(tx: Transaction, payment_id: PaymentId) -> Payment:
    found = tx.book.receipts.payments.get(payment_id) or tx.store.find("payment", (payment_id,))
    if found is None:
        raise not_found(f"payment {payment_id}")
    assert isinstance(found, Payment)
    if not found.left_micros:
        raise Refused(
            "nothing_left",
            f"all of {found.id} is accounted for",
            f"see `comptoir payment show {found.id}`",
        )
    return found


def _status(tx: Transaction, named: str) -> InvoiceStatus:
    """An invoice's status by its id or number."""
    found = tx.book.closing.statuses.get(InvoiceId(named)) or next(
        (s for s in tx.book.closing.statuses if s.number == named), None
    )
    stored = found or next(iter(tx.store.find_statuses([named])), None)
    if stored is None:
        raise not_found(f"invoice {named}")
    return stored


def _asked(status: InvoiceStatus) -> Asked:
    return Asked(
        status.invoice_id, status.number, status.tenant_id, status.currency, status.open_micros,
        status.due_at_ms,
    )  # fmt: skip


def _settled(tx: Transaction, entity: LegalEntity, reference: str) -> list[Asked]:
    """Invoices that a reference names and that ask nothing any more: paid twice, it may be."""
    words = pure.words_of(reference)
    found = tx.store.find_statuses(words) if words else ()
    live = tx.book.closing.statuses
    return [
        _asked(live.get(s.invoice_id) or s)
        for s in found
        if s.entity_id == entity.id and not (live.get(s.invoice_id) or s).open_micros
    ]


def _pay(tx: Transaction, parts: Iterable[Part]) -> Mapping[InvoiceId, Asked]:
    """Count parts as paid on their invoices; returns what these asked before."""
    before = {}
    for part in parts:
        status = tx.book.closing.statuses[part.invoice_id]
        before[part.invoice_id] = _asked(status)
        after = tx.book.closing.statuses.put(paid(status, part.micros))
        tx.emit(
            "invoice.paid" if not after.open_micros else "invoice.part_paid",
            status.invoice_id, status.tenant_id, number=status.number, micros=str(part.micros),
            open_micros=str(after.open_micros), currency=status.currency,
        )  # fmt: skip
    return before


def _rates(tx: Transaction, entry: BankEntry) -> dict[str, int]:
    """Nanos of each other currency that somebody is asked for, on the value date."""
    found = {}
    for code in {status.currency for status in tx.book.closing.statuses} - {entry.currency}:
        try:
            conversion = conversion_at(
                tx.book.credit.fx_rates, entry.currency, code, max(entry.day_ms, 0)
            )
        except Refused:
            continue
        found[code] = conversion.convert(_FX_SCALE * NANOS_PER_UNIT) // _FX_SCALE
    return found


def _rate(tx: Transaction, currency: str, wanted: str, payment: Payment) -> int:
    conversion = conversion_at(tx.book.credit.fx_rates, currency, wanted, payment.value_at_ms)
    return conversion.convert(_FX_SCALE * NANOS_PER_UNIT) // _FX_SCALE


def _amount(payment: Payment, amount: str | None) -> int:
    return payment.left_micros if amount is None else parse_amount(amount, payment.currency)


def _with(parts: Sequence[Part], new: Part) -> tuple[Part, ...]:
    return (*parts, new)


def _put(tx: Transaction, payment: Payment) -> Payment:
    return tx.book.receipts.payments.put(payment)


def _tell(tx: Transaction, payment: Payment) -> None:
    tx.emit(
        f"payment.{payment.state}", payment.id, payment.tenant_id, micros=str(payment.micros),
        left_micros=str(payment.left_micros), currency=payment.currency,
        reference=payment.reference[:200],
    )  # fmt: skip


__all__ = [
    "PaymentState",
    "ReceiptsRecorded",
    "allocate_payment",
    "record_receipts",
    "refund_payment",
    "top_up",
]
