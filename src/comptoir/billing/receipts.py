"""Receipts: which invoices an amount on our account pays, and what is left of it.

A payer names what it pays in the reference; amounts alone are never trusted to say it, they
only make a suggestion. Invariant: what a receipt allocates and what is left of it add up to
it, and no invoice is given more than it asks. Neighbours: `bank_files` reads what came in;
`invoices` says what is asked.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from comptoir.billing.fx import Conversion
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.units.errors import Conflict, Refused, invariant
from comptoir.units.ids import CreditBlockId, InvoiceId, LegalEntityId, PaymentId, TenantId
from comptoir.units.money import format_minor, minor_micros

SEQUENCE_DIGITS = 6
MOST_SUGGESTIONS = 5
LEAST_LETTERS = 4
"""Shorter numbers of other systems would be found in anything that people write."""
MOST_WORDS = 4
_OURS = re.compile(rf".+-[0-9]{{{SEQUENCE_DIGITS},}}")
_LONG_NUMBER = re.compile(rf"[0-9]{{{SEQUENCE_DIGITS},}}")


class PaymentState(StrEnum):
    """How far a receipt is accounted for."""

    MATCHED = "matched"
    """All of it pays invoices, and those are paid."""
    PARTIAL = "partial"
    """All of it pays invoices, and something is still asked."""
    EXCESS = "excess"
    """Something is left over, and its tenant is known: it is the tenant's credit."""
    UNIDENTIFIED = "unidentified"
    """It is not known what it pays."""
    REFUNDED = "refunded"
    """What was left of it has been sent back."""
    TOPPED_UP = "topped_up"
    """What was left of it is prepaid credit."""
    SENT = "sent"
    """It went out: to a supplier, or back because a payment had bounced."""
    BOUNCED = "bounced"
    """It came in, and the bank has taken all of it back."""
    DUPLICATE = "duplicate"
    """It looks like a payment that another file told of, and is not booked: `about` names it."""
    PASSED_OVER = "passed_over"
    """It went out, for nothing that the book knows, and is not booked."""
    TAKEN_BACK = "taken_back"
    """It was credit of a credit note, and what had given it was taken back."""


CREDIT = "credit:"
"""How the entry of a payment begins that nobody sent: what a customer got back as credit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an invoice still asks; `open_micros` zero where it is paid."""

    invoice_id: InvoiceId
    number: str
    tenant_id: TenantId
    currency: str
    open_micros: int
    due_at_ms: int


def asked_of(status: InvoiceStatus) -> Asked:
    """What an invoice still asks."""
    return Asked(
        status.invoice_id, status.number, status.tenant_id, status.currency, status.open_micros,
        status.due_at_ms,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What a receipt gives to one invoice: micros of the invoice's currency, and of its own.

    `realised_micros` is what that is worth more than the invoice was booked at, in the currency
    of its entity (`exchange`).
    """

    invoice_id: InvoiceId
    micros: int
    paid_micros: int
    realised_micros: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """An amount that came in, once, or went out (`micros` below zero). `left_micros` pays
    nothing yet; of what went out, nobody knows yet what it is about.

    `parts` grow as what is left is allocated by hand; `refunded_micros` was sent back,
    `bounced_micros` the bank took. The tenant is known from the first invoice that was named.
    """

    id: PaymentId
    entity_id: LegalEntityId
    entry_id: str
    statement: str
    value_at_ms: int
    booked_at_ms: int
    micros: int
    currency: str
    reference: str
    payer: str
    tenant_id: TenantId | None
    state: PaymentState
    parts: tuple[Part, ...]
    left_micros: int
    refunded_micros: int = 0
    topped_up_micros: int = 0
    about: str = ""
    """What an amount that went out is about: a contract's number, the payment that bounced."""
    file: str = ""
    """Which file told of it: statements of one file do not tell of one payment twice."""
    account: str = ""
    """On which account of ours, as its statement named it."""
    end_to_end: str = ""
    """The payer's own reference, which a return of it repeats."""
    bank_reference: str = ""
    """The bank's own reference, where it gave one."""
    bounced_micros: int = 0
    blocks: tuple[CreditBlockId, ...] = ()
    """The prepaid credit that was made of it."""
    worth_micros: int = 0
    """What it was worth in its entity's currency when it came; 0: it is that, or nobody knows."""

    @property
    def is_credit(self) -> bool:
        """Whether it came from no bank: it was paid before, and credited since."""
        return self.entry_id.startswith(CREDIT) and not self.account

    @property
    def is_customers(self) -> bool:
        """Whether what is left of it is a customer's: it was paid too much, or got it back."""
        return self.state is PaymentState.EXCESS and self.micros > 0


def of_credit(
    id: PaymentId,
    entity_id: LegalEntityId,
    tenant_id: TenantId,
    source: tuple[str, str],
    amount: tuple[int, str],
    now_ms: int,
    worth_micros: int,
) -> Payment:
    """A payment that nobody sent, of what a customer got back as credit.

    Args:
        id: Its own.
        entity_id: Whose customer it is.
        tenant_id: The customer.
        source: The id of what gave it back, and its name for people.
        amount: Micros, and their currency.
        now_ms: When.
        worth_micros: What it is worth in the entity's currency; 0: it is that, or nobody knows.
    """
    of, words = source
    micros, currency = amount
    return Payment(
        id, entity_id, f"{CREDIT}{of}", "", now_ms, now_ms, micros, currency, words, "", tenant_id,
        PaymentState.EXCESS, (), micros, about=of, worth_micros=worth_micros,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """What a receipt pays. `suggestions` are invoices of exactly its amount, if it names none."""

    state: PaymentState
    tenant_id: TenantId | None
    parts: tuple[Part, ...]
    left_micros: int
    suggestions: tuple[str, ...] = ()


class Receivables:
    """What is asked of everybody, found by the numbers that people write.

    Kept up to date invoice by invoice: nobody goes through all of them for one receipt.
    """

    def __init__(self, asked: Iterable[Asked] = (), beside: "Receivables | None" = None) -> None:
        self._by_digits: dict[str, dict[InvoiceId, tuple[str, Asked]]] = {}
        self._by_word: dict[str, dict[InvoiceId, Asked]] = {}
        self._by_amount: dict[tuple[str, int], dict[InvoiceId, Asked]] = {}
        self._beside = beside
        for each in asked:
            self.ask(each)

    def ask(self, asked: Asked) -> None:
        """An invoice asks so much, or still."""
        digits = plain(asked.number)
        if _OURS.fullmatch(asked.number):
            of_digits = self._by_digits.setdefault(digits[-SEQUENCE_DIGITS:], {})
            of_digits[asked.invoice_id] = digits, asked
        elif len(digits) >= LEAST_LETTERS:  # another system's: it has to stand there whole
            self._by_word.setdefault(digits, {})[asked.invoice_id] = asked
        if asked.open_micros:
            of_amount = self._by_amount.setdefault((asked.currency, asked.open_micros), {})
            of_amount[asked.invoice_id] = asked

    def forget(self, asked: Asked) -> None:
        """An invoice asks no more, or another amount."""
        digits = plain(asked.number)
        _drop(self._by_digits, digits[-SEQUENCE_DIGITS:], asked.invoice_id)
        _drop(self._by_word, digits, asked.invoice_id)
        _drop(self._by_amount, (asked.currency, asked.open_micros), asked.invoice_id)

    def with_known(self, asked: Iterable[Asked]) -> "Receivables":
        """These and a few more, which ask nothing any more: who pays them again is known."""
        more = list(asked)
        return Receivables(more, beside=self) if more else self

    def named_in(self, reference: str) -> list[Asked]:
        """The invoices whose numbers stand in a reference, however they are spaced, oldest due."""
        found: dict[InvoiceId, Asked] = {}
        for text in {plain(reference), *map(plain, re.split(r"[\s,;/]+", reference))}:
            for run in _LONG_NUMBER.finditer(text):
                candidates = [
                    (len(number), asked)
                    for number, asked in self._numbered(run.group()[-SEQUENCE_DIGITS:])
                    if text[: run.end()].endswith(number)
                ]
                if candidates:  # CME-2026-000001 stands in ACME-2026-000001, and is not meant
                    _, meant = max(candidates, key=lambda c: c[0])
                    found[meant.invoice_id] = meant
        for word in _runs_of_words(reference):
            found |= {asked.invoice_id: asked for asked in self._worded(word)}
        return sorted(found.values(), key=lambda a: (a.due_at_ms, a.number))

    def _numbered(self, digits: str) -> list[tuple[str, Asked]]:
        beside = [] if self._beside is None else self._beside._numbered(digits)
        return [*self._by_digits.get(digits, {}).values(), *beside]

    def _worded(self, word: str) -> list[Asked]:
        beside = [] if self._beside is None else self._beside._worded(word)
        return [*self._by_word.get(word, {}).values(), *beside]

    def suggested(self, micros: int, currency: str) -> tuple[str, ...]:
        """Numbers of open invoices of exactly this amount."""
        book = self if self._beside is None else self._beside
        found = sorted(a.number for a in book._by_amount.get((currency, micros), {}).values())
        return tuple(found[:MOST_SUGGESTIONS])


def _drop(groups: dict[Any, dict[InvoiceId, Any]], group: Any, invoice_id: InvoiceId) -> None:
    rows = groups.get(group)
    if rows is not None:
        rows.pop(invoice_id, None)
        if not rows:
            del groups[group]


def match(
    micros: int,
    currency: str,
    reference: str,
    receivables: Receivables,
    rates: Mapping[str, Conversion] | None = None,
) -> Match:
    """Which invoices a receipt pays, the one that is due first before the others.

    Args:
        micros: What came in, more than zero.
        currency: In which currency.
        reference: What the payer wrote.
        receivables: What is asked.
        rates: Currency of an invoice -> how `currency` converts into it on the value date. An
            invoice in a currency without one cannot be paid by this receipt.
    """
    rates = {**(rates or {}), currency: Conversion(currency, currency, 1, 1, ())}
    named = receivables.named_in(reference)
    if not named:
        suggestions = receivables.suggested(micros, currency)
        return Match(PaymentState.UNIDENTIFIED, None, (), micros, suggestions)
    payable = [asked for asked in named if asked.currency in rates]
    tenants = {asked.tenant_id for asked in named}
    parts, left = spread(micros, currency, payable, rates)
    tenant = next(iter(tenants)) if len(tenants) == 1 else None
    given = {part.invoice_id: part.micros for part in parts}
    short = any(given.get(a.invoice_id, 0) < a.open_micros for a in named)
    if left:
        state = PaymentState.EXCESS if tenant else PaymentState.UNIDENTIFIED
    else:
        state = PaymentState.PARTIAL if short else PaymentState.MATCHED
    return Match(state, tenant, parts, left)


def spread(
    micros: int, currency: str, asked: Sequence[Asked], rates: Mapping[str, Conversion]
) -> tuple[tuple[Part, ...], int]:
    """Give an amount to invoices in order; returns the parts and what is left.

    Both sides of a part are whole minor units: an invoice that is paid whole costs its price
    rounded up, and what does not reach is worth its amount rounded down. Between currencies the
    difference stays with the brokerage; in one currency there is none.
    """
    left = micros
    parts = []
    for each in asked:
        rate = rates[each.currency]
        worth = whole(left * rate.numerator // rate.denominator, each.currency)
        given = min(whole(each.open_micros, each.currency), worth)
        if given <= 0:
            continue
        if each.currency == currency:
            taken = given
        else:
            taken = left if given == worth else min(left, _price(given, rate, currency))
        parts.append(Part(each.invoice_id, given, taken))
        left -= taken
    return tuple(parts), left


def whole(micros: int, currency: str) -> int:
    """The whole minor units in an amount, rounded down."""
    return micros - micros % minor_micros(currency)


def _price(micros: int, rate: Conversion, currency: str) -> int:
    """What an invoice's amount costs in the payer's currency, rounded up."""
    return -whole(-micros * rate.denominator // rate.numerator, currency)


def allocate(payment: Payment, asked: Asked, micros: int | None, rate: Conversion) -> Part:
    """A part of what is left of a receipt, for an invoice that somebody has named since.

    Args:
        payment: With something left.
        asked: The invoice.
        micros: How much of the invoice's currency; None for as much as there is and it asks.
        rate: How the payment's currency converts into the invoice's.

    Raises:
        Refused: `nothing_left`, `allocated_too_much`, `other_tenants_credit`.
    """
    if not payment.left_micros:
        raise Refused("nothing_left", f"all of {payment.id} is accounted for", "")
    if payment.tenant_id not in (None, asked.tenant_id):
        raise Refused(
            "other_tenants_credit",
            f"what is left of {payment.id} is the credit of another tenant than {asked.number}'s",
            "refund it, or name one of that tenant's invoices",
        )
    parts, _ = spread(payment.left_micros, payment.currency, [asked], {asked.currency: rate})
    most = parts[0].micros if parts else 0
    if micros is None and most:
        return parts[0]
    if not micros or micros > most:
        wanted = "nothing" if micros is None else format_minor(micros, asked.currency)
        raise Refused(
            "allocated_too_much",
            f"{asked.number} can be given at most {format_minor(most, asked.currency)} "
            f"{asked.currency} of {payment.id}, not {wanted}",
            "name less, or another invoice",
            {"most": format_minor(most, asked.currency), "currency": asked.currency},
        )
    paid = min(payment.left_micros, _price(micros, rate, payment.currency))
    return Part(asked.invoice_id, micros, paid)


def check_refund(payment: Payment, micros: int) -> int:
    """An amount, more than zero, that may be sent back.

    Raises:
        Refused: `refund_too_large`.
    """
    invariant(micros > 0, f"nothing of {payment.id} is no amount to send back")
    if micros > payment.left_micros:
        raise Refused(
            "refund_too_large",
            f"{format_minor(payment.left_micros, payment.currency)} {payment.currency} is left of "
            f"{payment.id}, you asked for {format_minor(micros, payment.currency)} back",
            "refund at most what is left; what pays an invoice is given back by a credit note",
        )
    return micros


def received(payment: Payment, asked: Mapping[InvoiceId, Asked]) -> tuple[Posting, ...]:
    """The postings of a receipt: cash, what its parts pay, and what is left of it."""
    cash = ledger.cash(payment.entity_id)
    invariant(
        sum(part.paid_micros for part in payment.parts) + payment.left_micros == payment.micros,
        f"the parts of {payment.id} do not add up to it",
    )
    postings: tuple[Posting, ...] = ()
    for part in payment.parts:
        postings += _paid(cash, part, payment.currency, asked[part.invoice_id])
    return postings + ledger.transfer(
        cash, left_on(payment), ledger.currency(payment.currency), payment.left_micros
    )


def allocated(payment: Payment, part: Part, asked: Asked) -> tuple[Posting, ...]:
    """The postings of a part that is allocated later."""
    return _paid(left_on(payment), part, payment.currency, asked)


def refunded(payment: Payment, micros: int) -> tuple[Posting, ...]:
    """The postings of a refund."""
    unit = ledger.currency(payment.currency)
    return ledger.transfer(left_on(payment), ledger.cash(payment.entity_id), unit, micros)


def topped_up(payment: Payment, micros: int) -> tuple[Posting, ...]:
    """The postings that turn what is left into prepaid credit of the payment's tenant."""
    invariant(payment.tenant_id is not None, f"{payment.id} tops up nobody")
    assert payment.tenant_id is not None
    unit = ledger.currency(payment.currency)
    deferred = ledger.deferred_revenue(payment.tenant_id)
    return ledger.transfer(left_on(payment), deferred, unit, micros)


def named(payment: Payment, tenant_id: TenantId) -> tuple[Payment, tuple[Posting, ...]]:
    """A payment that was nobody's is a tenant's: what is left of it becomes its credit."""
    unit = ledger.currency(payment.currency)
    owned = replace(payment, tenant_id=tenant_id, state=PaymentState.EXCESS)
    return owned, ledger.transfer(left_on(payment), left_on(owned), unit, payment.left_micros)


def booked_again(payment: Payment) -> Payment:
    """A flagged duplicate that is a payment of its own after all.

    Raises:
        Conflict: `not_a_duplicate`.
    """
    if payment.state is not PaymentState.DUPLICATE:
        raise Conflict(
            "not_a_duplicate",
            f"{payment.id} is {payment.state}, not flagged as a duplicate",
            f"see `comptoir payment show {payment.id}`",
        )
    return replace(payment, about="")


def state_after(payment: Payment, short: bool) -> PaymentState:
    """How far a payment is accounted for once what is left of it has changed."""
    if payment.left_micros:
        return PaymentState.EXCESS if payment.tenant_id else PaymentState.UNIDENTIFIED
    if payment.refunded_micros:
        return PaymentState.REFUNDED
    if payment.topped_up_micros:
        return PaymentState.TOPPED_UP
    return PaymentState.PARTIAL if short else PaymentState.MATCHED


def left_on(payment: Payment) -> ledger.Account:
    """Where what is left stands: the tenant's credit, or nobody's yet."""
    if payment.tenant_id is None or payment.micros < 0:
        return ledger.unidentified_receipts(payment.entity_id)
    return ledger.customer_credit(payment.tenant_id)


def _paid(source: ledger.Account, part: Part, currency: str, asked: Asked) -> tuple[Posting, ...]:
    """From a source to a receivable; over the brokerage pair where currencies differ."""
    receivable = ledger.receivable(asked.tenant_id)
    mine, theirs = ledger.currency(currency), ledger.currency(asked.currency)
    if mine == theirs:
        invariant(part.micros == part.paid_micros, "one currency, one amount")
        return ledger.transfer(source, receivable, mine, part.micros)
    return (
        *ledger.transfer(source, ledger.BROKERAGE, mine, part.paid_micros),
        *ledger.transfer(ledger.BROKERAGE, receivable, theirs, part.micros),
    )


def words_of(reference: str) -> list[str]:
    """The words of a reference that could be a number of ours, as they are written."""
    said = reference.upper()
    words = [*re.split(r"[\s,;/]+", said), *re.split(r"[\s,;]+", said)]
    return list(dict.fromkeys(w for w in words if len(w) > 3 and any(c.isdigit() for c in w)))


def _runs_of_words(reference: str) -> set[str]:
    """What a reference says, in runs of one to a few words without what stands between."""
    words = [word for part in re.split(r"[^0-9A-Za-z]+", reference) if (word := plain(part))]
    return {
        "".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1)
    }


def plain(text: str) -> str:
    """Its capital letters and digits: what spaces and signs do not change."""
    return re.sub(r"[^0-9A-Z]", "", text.upper())
