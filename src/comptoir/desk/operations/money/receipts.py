"""Money that came in: booked once an entry, given to the invoices that it names, or kept.

What is left is the customer's credit, or nobody's yet: finance gives it to an invoice, turns it
into prepaid credit, or sends it back.
"""

from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256

from comptoir.billing import receipts as pure
from comptoir.billing.bank_files import BankEntry
from comptoir.billing.fx import conversion_at
from comptoir.billing.look_alikes import look_alike
from comptoir.billing.receipts import Payment, PaymentState, Receivables, asked_of
from comptoir.billing.statement_checks import check_account, check_days, check_sum
from comptoir.desk.dues import cut_open
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.bouncing import give_bounce, meet_waiting
from comptoir.desk.operations.money.exchanging import rates_from, realise, worth_at
from comptoir.desk.operations.money.outgoing import record_outgoing
from comptoir.desk.operations.money.receivables import (
    pay,
    payment_named,
    status_named,
    statuses_in,
)
from comptoir.desk.receipt_requests import (
    MOST_ENTRIES_A_CALL,
    AllocatePayment,
    BookPayment,
    RecordReceipts,
    RefundPayment,
    TopUp,
)
from comptoir.desk.terms import currency_at
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import (
    DEFAULT_PRIORITY,
    EVERYTHING,
    BlockState,
    CreditBlock,
    CreditSource,
)
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import CreditBlockId, PaymentId
from comptoir.units.money import format_minor, parse_amount
from comptoir.units.text import check_text
from comptoir.units.values import replace

MOST_KEY = 200
"""Letters of the key under which an entry is booked."""


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
        Invalid: `too_many_entries`; `wrong_account`; `value_date_to_come`.
        Refused: `bank_file_too_large`.
    """
    refuse_while_bringing(tx)
    entity = _entity(tx, request)
    known = _Known(tx, entity, request)
    receivables = _receivables(tx, entity)
    made: list[Payment] = []
    repeated = outgoing = 0
    for entry in request.entries:
        key = known.key_of(entry)
        if key is None:
            repeated += 1
            continue
        came = _came(tx, entity, request, key, entry)
        twin = known.twin_of(entry)
        if twin is not None and twin.state is PaymentState.PASSED_OVER:
            repeated += 1
            continue
        if twin is not None:
            booked: Payment | None = _flagged(tx, came, twin)
        else:
            booked = _book(tx, entity, came, entry, receivables)
        if booked is None:
            _put(tx, replace(came, state=PaymentState.PASSED_OVER))
            outgoing += 1
            continue
        made.append(booked)
    suggestions = tuple(
        (payment.id, found)
        for payment in made
        if payment.state is PaymentState.UNIDENTIFIED and not payment.parts and payment.micros > 0
        if (found := receivables.suggested(payment.micros, payment.currency))
    )
    return ReceiptsRecorded(tuple(made), repeated, outgoing, suggestions)


def book_payment(tx: Transaction, request: BookPayment) -> Payment:
    """Book a payment that was flagged as a duplicate: it is one of its own.

    Raises:
        NotFound: the payment.
        Conflict: `not_a_duplicate`.
    """
    payment = pure.booked_again(payment_named(tx, request.payment_id))
    entity = tx.book.credit.entities[payment.entity_id]
    entry = BankEntry(
        payment.entry_id, payment.value_at_ms, payment.micros, payment.currency,
        payment.reference, payment.payer, "", payment.micros < 0, payment.end_to_end,
        payment.bank_reference,
    )  # fmt: skip
    booked = _book(tx, entity, payment, entry, _receivables(tx, entity))
    assert booked is not None  # what says that it is a return is always kept
    return booked


class _Known:
    """What of a statement is booked already, and what another file has told of."""

    def __init__(self, tx: Transaction, entity: LegalEntity, request: RecordReceipts) -> None:
        self._request = request
        self._file = file_of(request)
        keys = [key for entry in request.entries for key in self._keys(entry)]
        facts = [(entry.micros, entry.day_ms) for entry in request.entries]
        live = {p.id: p for p in tx.book.receipts.payments if p.entity_id == entity.id}
        booked = {p.id: p for p in tx.store.find_payments(entity.id, keys)} | live
        self._by_key = {p.entry_id: (p.micros, p.value_at_ms) for p in booked.values()}
        alike = {p.id: p for p in tx.store.find_payments_alike(entity.id, facts)} | live
        self._alike: dict[tuple[int, int, str], list[Payment]] = defaultdict(list)
        for payment in sorted(alike.values(), key=lambda p: p.booked_at_ms):
            fact = (payment.micros, payment.value_at_ms, payment.currency)
            self._alike[fact].append(payment)
        self._explained = {
            PaymentId(p.about)
            for p in alike.values()
            if p.state is PaymentState.DUPLICATE and p.file == self._file
        }

    def key_of(self, entry: BankEntry) -> str | None:
        """The key under which an entry is booked, or None where it is booked already.

        A bank's own reference is one for the account, unless the bank has given it to
        something else; what has none is told apart within its statement.
        """
        facts = (entry.micros, entry.day_ms)
        keys = self._keys(entry)
        if any(self._by_key.get(key) == facts for key in keys):
            return None
        key = next((key for key in keys if key not in self._by_key), None)
        if key is not None:
            self._by_key[key] = facts
        return key

    def twin_of(self, entry: BankEntry) -> Payment | None:
        """The payment of another file that an entry tells of again."""
        booked = self._alike[entry.micros, entry.day_ms, entry.currency]
        found = look_alike(entry, self._request.account, self._file, booked, self._explained)
        if found is not None:
            self._explained.add(found.id)
        return found

    def _keys(self, entry: BankEntry) -> tuple[str, ...]:
        account, statement = self._request.account, self._request.statement
        here = _short(f"{account}:{statement}:{entry.id}")
        return (_short(f"{account}:{entry.id}"), here) if entry.bank_reference else (here,)


def _short(key: str) -> str:
    if len(key) <= MOST_KEY:
        return key
    return f"{key[: MOST_KEY - 40]}:{sha256(key.encode()).hexdigest()[:32]}"


def file_of(request: RecordReceipts) -> str:
    """Which file a statement is in; one that is sent by itself is its own."""
    return request.file or request.statement


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
    check_account(request.account, entity, credit.entities)
    check_days(request.entries, entity, tx.now_ms)
    for code in sorted({entry.currency for entry in request.entries}):
        entries = [entry for entry in request.entries if entry.currency == code]
        for account in (ledger.cash(entity.id), ledger.unidentified_receipts(entity.id)):
            held = tx.book.money.balances.get((account, ledger.currency(code)))
            check_sum(entries, held.amount if held else 0)
    return entity


def _receivables(tx: Transaction, entity: LegalEntity) -> Receivables:
    """What is asked by an entity, as it is from one receipt to the next."""
    return tx.book.closing.receivables.get(entity.id) or Receivables()


def _came(
    tx: Transaction, entity: LegalEntity, request: RecordReceipts, key: str, entry: BankEntry
) -> Payment:
    """The payment that an entry makes, before it is known what it is."""
    return Payment(
        PaymentId(tx.new_id("py")), entity.id, key, request.statement, entry.day_ms, tx.now_ms,
        entry.micros, entry.currency, entry.reference, entry.payer, None,
        PaymentState.UNIDENTIFIED, (), 0, file=file_of(request), account=request.account,
        end_to_end=entry.end_to_end, bank_reference=entry.bank_reference,
        worth_micros=worth_at(tx, entity, entry.micros, entry.currency, entry.day_ms),
    )  # fmt: skip


def _flagged(tx: Transaction, came: Payment, twin: Payment) -> Payment:
    """Keep what another file has told of: nothing is posted."""
    flagged = replace(came, state=PaymentState.DUPLICATE, about=twin.id, tenant_id=twin.tenant_id)
    _tell(tx, flagged)
    return _put(tx, flagged)


def _book(
    tx: Transaction,
    entity: LegalEntity,
    came: Payment,
    entry: BankEntry,
    receivables: Receivables,
) -> Payment | None:
    if entry.micros <= 0:
        return record_outgoing(tx, entity, came, entry)
    settled = [
        asked_of(status)
        for status in statuses_in(tx, entity, entry.reference)
        if not status.open_micros
    ]
    found = pure.match(
        entry.micros, entry.currency, entry.reference, receivables.with_known(settled),
        rates_from(tx, entry.currency, entry.day_ms),
    )  # fmt: skip
    parts, made = realise(tx, replace(came, left_micros=entry.micros), found.parts)
    payment = replace(
        came,
        tenant_id=found.tenant_id,
        state=found.state,
        parts=parts,
        left_micros=found.left_micros,
    )
    asked, back = pay(tx, parts)
    postings = (*pure.received(payment, asked), *made, *back)
    said = f"{entry.payer or 'receipt'}: {entry.reference}"[:200]
    tx.post(f"payment:{payment.id}", "payment", said, max(entry.day_ms, 0), postings)
    _tell(tx, payment)
    return meet_waiting(tx, entity, _put(tx, payment))


def allocate_payment(tx: Transaction, request: AllocatePayment) -> Payment:
    """Give what is left of a payment to an invoice; of what went out, to the payment it is of.

    Raises:
        NotFound: the payment, the invoice.
        Refused: `nothing_left`, `allocated_too_much`, `other_tenants_credit`, `no_fx_rate`,
            `other_entitys_invoice`, `other_entitys_payment`.
        Invalid: `bad_amount`, `too_many_decimals`.
    """
    payment = _payment(tx, request.payment_id)
    if payment.micros < 0:
        of = payment_named(tx, PaymentId(request.invoice))
        given = None if request.amount is None else _amount(payment, request.amount)
        return give_bounce(tx, payment, of, given)
    status = status_named(tx, request.invoice)
    if status.entity_id != payment.entity_id:
        raise Refused(
            "other_entitys_invoice",
            f"{payment.id} came in for {payment.entity_id}, and {status.number} is asked by "
            f"{status.entity_id}",
            "name an invoice of the entity that was paid, or refund it",
        )
    micros = None
    if request.amount is not None:
        micros = parse_amount(request.amount, status.currency, least=1)
    rate = conversion_at(
        tx.book.credit.fx_rates, payment.currency, status.currency, payment.value_at_ms
    )
    part = pure.allocate(payment, asked_of(status), micros, rate)
    (part,), made = realise(tx, payment, (part,))
    postings = pure.allocated(payment, part, asked_of(status)) + made
    postings += pay(tx, (part,))[1]
    left = payment.left_micros - part.paid_micros
    changed = replace(payment, parts=(*payment.parts, part), left_micros=left)
    short = status_named(tx, request.invoice).open_micros > 0
    if not left and payment.tenant_id is None:
        changed = replace(changed, tenant_id=status.tenant_id)
    changed = replace(changed, state=pure.state_after(changed, short))
    number = tx.book.last_seq.get("entry", 0) + 1  # parts may shrink; this never comes again
    tx.post(
        f"allocation:{payment.id}:{number}", "allocation",
        f"{payment.id} pays {status.number}", tx.now_ms, postings,
    )  # fmt: skip
    _tell(tx, changed)
    return _put(tx, changed)


def refund_payment(tx: Transaction, request: RefundPayment) -> Payment:
    """Send back what is left of a payment, or a part of it.

    Raises:
        NotFound: the payment.
        Refused: `nothing_left`, `refund_too_large`, `went_out`.
        Invalid: `bad_amount`, `too_many_decimals`, `bad_text`.
    """
    payment = _came_in(_payment(tx, request.payment_id))
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
        Refused: `nothing_left`, `refund_too_large`, `other_tenants_credit`, `went_out`,
            `other_currency`.
        Invalid: `tenant_missing`: it is nobody's yet, and none is named; `bad_amount`.
    """
    payment = _came_in(_payment(tx, request.payment_id))
    micros = pure.check_refund(payment, _amount(payment, request.amount))
    owner = request.tenant_id or payment.tenant_id
    if owner is None:
        raise Invalid("tenant_missing", f"{payment.id} is nobody's yet", "name the tenant")
    tenant = tx.tenant(owner)
    if payment.tenant_id not in (None, tenant.id):
        raise Refused(
            "other_tenants_credit", f"what is left of {payment.id} is another tenant's credit", ""
        )
    _refuse_other_currency(tx, payment, tenant)
    if payment.tenant_id is None:
        payment = _named(tx, payment, tenant)
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
    changed = replace(changed, blocks=(*payment.blocks, block.id))
    said = f"{format_minor(micros, payment.currency)} {payment.currency}"
    tx.post(
        f"top_up:{payment.id}:{block.id}", "top_up", f"{payment.id} tops up: {said} are prepaid",
        tx.now_ms, pure.topped_up(payment, micros),
    )  # fmt: skip
    tx.emit(
        "credit.topped_up", block.id, tenant.id, micros=str(micros), currency=payment.currency,
        payment=payment.id, from_ms=block.from_ms,
    )  # fmt: skip
    _put(tx, changed)
    return block


def _named(tx: Transaction, payment: Payment, tenant: Tenant) -> Payment:
    """What was nobody's is a tenant's: in an entry of its own, so that a statement shows all."""
    owned, postings = pure.named(payment, tenant.id)
    said = f"{payment.payer or 'receipt'}: {payment.reference}"[:200]
    tx.post(f"named:{payment.id}", "payment", said, tx.now_ms, postings)
    return owned


def _refuse_other_currency(tx: Transaction, payment: Payment, tenant: Tenant) -> None:
    """Credit pays usage of its own currency only: in another it would never be drawn.

    Raises:
        Refused: `other_currency`.
    """
    currency = currency_at(tx.book, tenant.id, tx.now_ms)
    if payment.currency != currency:
        raise Refused(
            "other_currency",
            f"{payment.id} came in in {payment.currency}, and {tenant.slug} pays for its use in "
            f"{currency}: credit in {payment.currency} would never be drawn",
            f"comptoir payment allocate {payment.id} INVOICE converts at its day's rate; or "
            "send it back",
            {"currency": payment.currency, "wanted": currency},
        )


# What these share.


def _payment(tx: Transaction, payment_id: PaymentId) -> Payment:
    """A payment with something left.

    Raises:
        NotFound: there is none.
        Refused: `nothing_left`.
    """
    found = payment_named(tx, payment_id)
    if not found.left_micros:
        raise Refused(
            "nothing_left",
            f"all of {found.id} is accounted for",
            f"see `comptoir payment show {found.id}`",
        )
    return found


def _came_in(payment: Payment) -> Payment:
    """The payment itself if it came in.

    Raises:
        Refused: `went_out`.
    """
    if payment.micros < 0:
        raise Refused(
            "went_out",
            f"{payment.id} went out; nothing of it can be given away",
            f"name the payment that it took back: comptoir payment allocate {payment.id} PAYMENT",
        )
    return payment


def _amount(payment: Payment, amount: str | None) -> int:
    if amount is None:
        return payment.left_micros
    return parse_amount(amount, payment.currency, least=1)


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
