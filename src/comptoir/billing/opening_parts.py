"""The parts of an opening, table by table: customers, invoices, credit, balances, numbers.

Each function reads one table (or one line of a CSV table) and gives its value, or None once its
problems are noted. `opening_file.py` puts them together.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from comptoir.billing import opening_fields as own
from comptoir.billing.invoices import TaxLine
from comptoir.billing.opening import (
    Brings,
    CommitmentBefore,
    Control,
    Customer,
    CustomerTerms,
    LedgerBalance,
    NextNumber,
    OpenInvoice,
    Payable,
    PrepaidCredit,
    StepBefore,
    UnappliedCredit,
    Where,
)
from comptoir.billing.opening_faults import Faults
from comptoir.billing.tax import Treatment
from comptoir.leases.lease import LeaseClass
from comptoir.sales import contract_fields
from comptoir.sales.contracts import ContractFile
from comptoir.sales.credit_blocks import DEFAULT_PRIORITY, Covers, CreditSource
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import TenantKind
from comptoir.units import fields
from comptoir.units.errors import Invalid
from comptoir.units.money import LEDGER_LIMIT
from comptoir.units.reading import Table, bad_value

MOST_NUMBER = 999_999_999
MOST_TAXES = 20
MOST_STEPS = 1_000
BALANCES = ("cash", "tax_payable", "unidentified_receipts", "revaluation", "fx_gain_loss")
"""Accounts of the entity that no other table of an opening moves."""
CUSTOMERS = (TenantKind.ENTERPRISE, TenantKind.RESEARCHER)
PAID = (CreditSource.TOP_UP, CreditSource.GRANT, CreditSource.ROLLOVER, CreditSource.SLA_CREDIT)
"""Sources of credit that belongs to no contract."""


def where(table: Table) -> Where:
    """Where a table stands."""
    return Where(table.reading.file, table.reading.line_of(table.path))


def customer(table: Table, zone: str) -> Customer | None:
    """A customer that is there, or is made and admitted."""
    slug = table.take("tenant", own.slug)
    name = table.take("name", fields.text(100), "")
    kind = table.take("kind", contract_fields.word(TenantKind), TenantKind.ENTERPRISE)
    if kind is not None and kind not in CUSTOMERS:
        table.wrong("kind", bad_value(kind.value, " or ".join(CUSTOMERS)))
    card = table.take("rate_card", fields.text(64), "")
    inside = table.table("admission")
    terms = None if inside is None else _terms(inside, zone)
    if not table.close() or (inside is not None and terms is None):
        return None
    return Customer(where(table), slug, name, kind, card, terms)


def _terms(table: Table, zone: str) -> CustomerTerms | None:
    terms = CustomerTerms(
        where(table),
        table.take("legal_name", fields.text(200)),
        table.take("address", own.address, ()),
        table.take("country", own.country),
        table.take("tax_id", own.tax_number, ""),
        table.take("business", own.flag, True),
        table.take("exemption", own.words(100), ""),
        table.take("terms", fields.text(40)),
        table.take("accepted", own.day_in(zone)),
        table.take("screened", own.day_in(zone)),
        table.take("evidence", fields.text(500)),
        table.take("limit", lambda _, value: fields.string(value), None),
    )
    return terms if table.close() else None


def invoice(table: Table, zone: str, currency: str) -> OpenInvoice | None:
    """An open invoice: its net amount is what its taxes leave of its gross."""
    number = table.take("number", fields.text(60))
    slug = table.take("tenant", own.slug)
    issued = table.take("date", own.day_in(zone))
    due = table.take("due", own.end_of_day_in(zone))
    coin = table.take("currency", fields.currency, currency) or currency
    gross = table.take("gross", own.amount(coin, least=1))
    paid = table.take("paid", own.amount(coin), 0)
    dunned = table.take("dunned", own.whole(0, 10), 0)
    about = table.take("about", own.words(200), "")
    flat = _flat_tax(table, coin)
    taxes = [_tax(one, coin) for one in table.tables("taxes", False, MOST_TAXES)]
    if not table.close() or None in taxes:
        return None
    lines = tuple(one for one in (flat, *taxes) if one is not None)
    net = gross - sum(one.amount_micros for one in lines)
    if flat is not None:
        lines = (_with_base(flat, net),)
    return OpenInvoice(
        where(table), number, slug, issued, due, coin, net, lines, paid, dunned, about
    )


def _flat_tax(table: Table, currency: str) -> TaxLine | None:
    """The one tax line of a line of CSV: its base is the net amount."""
    asked = table.take("tax", own.amount(currency), None)
    rate = table.take("tax_rate", own.percent, 0)
    usual = Treatment.STANDARD if rate else Treatment.ZERO
    treatment = table.take("tax_treatment", contract_fields.word(Treatment), usual)
    place = table.take("tax_country", own.country, "")
    note = table.take("tax_note", own.words(200), "")
    if asked is None or not table.sound:
        return None
    return TaxLine(str(treatment), place, rate, 0, asked, note)


def _with_base(tax: TaxLine, base: int) -> TaxLine:
    return TaxLine(tax.treatment, tax.country, tax.rate_ppm, base, tax.amount_micros, tax.note)


def _tax(table: Table, currency: str) -> TaxLine | None:
    rate = table.take("rate", own.percent)
    usual = Treatment.STANDARD if rate else Treatment.ZERO
    line = TaxLine(
        str(table.take("treatment", contract_fields.word(Treatment), usual)),
        table.take("country", own.country, ""),
        rate,
        table.take("base", own.amount(currency)),
        table.take("amount", own.amount(currency)),
        table.take("note", own.words(200), ""),
    )
    return line if table.close() else None


def prepaid(table: Table, zone: str, currency: str, cut_over_ms: int) -> PrepaidCredit | None:
    """What is left of credit."""
    slug = table.take("tenant", own.slug)
    source = table.take("source", contract_fields.word(CreditSource))
    if source is not None and source not in PAID:
        said = f"{source} is credit of a contract"
        table.wrong("source", Invalid("file_bad_value", said, "say it under [[contract]]"))
    coin = table.take("currency", fields.currency, currency) or currency
    micros = table.take("amount", own.amount(coin, least=1))
    from_ms = table.take("starts", own.day_in(zone), cut_over_ms)
    until_ms = table.take("until", own.day_in(zone), None)
    priority = table.take("priority", own.whole(0, 10_000), DEFAULT_PRIORITY)
    covers = Covers(
        table.take("kinds", own.several(contract_fields.kind), ()) or (),
        table.take("classes", own.several(contract_fields.word(LeaseClass)), ()) or (),
        table.take("sites", own.several(fields.text(64)), ()) or (),
    )
    conditions = table.take("conditions", contract_fields.many(fields.text(200)), ())
    if not table.close():
        return None
    return PrepaidCredit(
        where(table), slug, source, coin, micros, from_ms, until_ms, priority, covers, conditions
    )


def credit(table: Table, zone: str, currency: str) -> UnappliedCredit | None:
    """What came in and pays nothing yet."""
    coin = table.take("currency", fields.currency, currency) or currency
    found = UnappliedCredit(
        where(table),
        table.take("tenant", own.slug, ""),
        coin,
        table.take("amount", own.amount(coin, least=1)),
        table.take("date", own.day_in(zone)),
        table.take("reference", own.words(200), ""),
    )
    return found if table.close() else None


def payable(table: Table, zone: str, currency: str) -> Payable | None:
    """What is owed to a partner."""
    coin = table.take("currency", fields.currency, currency) or currency
    found = Payable(
        where(table),
        table.take("partner", fields.text(100)),
        coin,
        table.take("amount", own.amount(coin, least=1)),
        table.take("due", own.end_of_day_in(zone)),
        table.take("reference", fields.text(200)),
    )
    return found if table.close() else None


def balance(table: Table, currency: str) -> LedgerBalance | None:
    """What another account stood at."""
    account = table.take("account", fields.text(40))
    if account is not None and account not in BALANCES:
        error = Invalid(
            "unknown_account",
            f"{account!r} is no account whose balance is brought",
            f"there are {', '.join(BALANCES)}; what customers and partners owe has tables",
        )
        table.wrong("account", error)
    coin = table.take("currency", fields.currency, currency) or currency
    micros = table.take("amount", own.amount(coin, least=-LEDGER_LIMIT))
    return LedgerBalance(where(table), account, coin, micros) if table.close() else None


def next_number(table: Table) -> NextNumber | None:
    """A series that another system has begun."""
    series = table.take("series", fields.text(100))
    number = table.take("next", own.whole(1, MOST_NUMBER))
    return NextNumber(where(table), series, number) if table.close() else None


def control(table: Table, currency: str) -> Control | None:
    """What a kind of things must come to."""
    of = table.take("of", contract_fields.word(Brings))
    coin = table.take("currency", fields.currency, currency) or currency
    count = table.take("count", own.whole(0, 10_000_000), None)
    micros = table.take("amount", own.amount(coin, least=-LEDGER_LIMIT))
    return Control(where(table), of, coin, count, micros) if table.close() else None


def dates(zone: str) -> Callable[[str, Any], tuple[tuple[str, int], ...]]:
    """A table of names, each with its date."""
    day = own.day_in(zone)

    def judge(field: str, value: Any) -> tuple[tuple[str, int], ...]:
        if not isinstance(value, dict):
            raise bad_value(value, "a table: write { first = 2026-01-31 }")
        return tuple((name, day(field, at)) for name, at in value.items())

    return judge


@dataclass(frozen=True, slots=True)
class CommitmentGiven:
    """A commitment as the table says it, with the step's dates as they may be meant."""

    where: Where
    name: str
    invoiced: str
    steps: tuple[tuple[Where, frozenset[int], str, str], ...]


def commitment_before(table: Table, entity: LegalEntity) -> CommitmentGiven | None:
    """What happened to a commitment; its amounts wait until its contract's currency is known."""
    name = table.take("name", contract_fields.name)
    invoiced = table.take("invoiced", _written, "0")
    steps = []
    for step in table.tables("steps", False, MOST_STEPS):
        starts = step.take("from", _meant(entity.zone))
        used, settled = step.take("used", _written, "0"), step.take("settled", _written, "0")
        if step.close():
            steps.append((where(step), starts, used, settled))
    return CommitmentGiven(where(table), name, invoiced, tuple(steps)) if table.close() else None


def _written(_: str, value: Any) -> str:
    """An amount as it is written."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_value(value, "an amount of money")
    return str(value)


def _meant(zone: str) -> Callable[[str, Any], frozenset[int]]:
    """A date begins in UTC or where the entity is, as its contract's own dates do."""

    def judge(field: str, value: Any) -> frozenset[int]:
        found = {fields.instant(field, value)}
        with suppress(Invalid):  # an instant is what it is
            found.add(own.day_in(zone)(field, value))
        return frozenset(found)

    return judge


def resolved(given: CommitmentGiven, file: ContractFile, faults: Faults) -> CommitmentBefore:
    """What happened to a commitment, by the steps that its contract gives it."""

    def micros(at: Where, field: str, text: str) -> int:
        try:
            found: int = own.amount(file.currency)(field, text)
        except Invalid as error:
            faults.add(at, field, error)
            return 0
        return found

    commitment = file.body.commitment(given.name)
    if commitment is None:
        said = f"{file.number} has no commitment {given.name!r}"
        faults.add(given.where, "name", Invalid("contract_unknown_name", said, "see its file"))
        return CommitmentBefore(given.where, given.name, 0, ())
    steps = []
    for at, starts, used, settled in given.steps:
        step = next((one for one in commitment.access if one.from_ms in starts), None)
        if step is None:
            said = f"{given.name} has no step that begins then"
            faults.add(at, "from", Invalid("bad_schedule", said, "see its file"))
            continue
        amounts = micros(at, "used", used), micros(at, "settled", settled)
        steps.append(StepBefore(at, step.from_ms, *amounts))
    invoiced = micros(given.where, "invoiced", given.invoiced)
    return CommitmentBefore(given.where, given.name, invoiced, tuple(steps))
