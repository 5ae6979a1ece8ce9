"""Openings: what a legal entity brings from another system on the day it moves in.

    proposed -> bringing -> brought
    proposed -> withdrawn

Everything is posted against one account, `opening_balance`, at the cut-over: the first instant of
a month in the entity's zone. What lies before is the other system's, what comes after is this
book's. An opening is proposed by one person and approved by another, and then brought item by
item, in slices. Invariants: what it brings comes to its own control totals, in each currency; an
item is brought once; a number that was brought is never given again. Neighbours: `opening_file`
reads it, `opening_check` holds it against its controls.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from comptoir.billing.invoices import TaxLine
from comptoir.sales.contracts import ContractFile, Direction
from comptoir.sales.credit_blocks import Covers, CreditSource
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import invariant
from comptoir.units.ids import LegalEntityId, OpeningId, UserId
from comptoir.units.values import Term, replace

SERIES = "opening"
"""The series that brought invoices are kept under: in lower case, so that no entity gives it."""


class OpeningState(StrEnum):
    """How far an opening is."""

    PROPOSED = "proposed"
    BRINGING = "bringing"
    BROUGHT = "brought"
    WITHDRAWN = "withdrawn"


class Brings(Term):
    """What is brought, by what its control totals are called."""

    CUSTOMERS = "customers"
    CONTRACTS = "contracts"
    COMMITMENTS = "commitments"
    """What was invoiced ahead under sold contracts and not used: owed to customers."""
    SUPPLY = "supply"
    """What was paid ahead under bought contracts and not used: owed by partners."""
    INVOICES = "invoices"
    PREPAID = "prepaid"
    CREDITS = "credits"
    PAYABLES = "payables"
    BALANCES = "balances"
    OPENING = "opening"
    """What the opening account itself comes to: a debit is positive, as in the ledger."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where in which file something stands."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class CustomerTerms:
    """What an admission needs to know; the limit is in the currency of the customer's card, None:
    there is none."""

    where: Where
    legal_name: str
    address: tuple[str, ...]
    country: str
    tax_id: str
    is_business: bool
    exemption: str
    terms_version: str
    accepted_at_ms: int
    screened_at_ms: int
    evidence: str
    limit: str | None


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer by its slug; made if it has a name and is not there, admitted if it has terms."""

    where: Where
    slug: str
    name: str
    kind: TenantKind
    card: str
    terms: CustomerTerms | None


@dataclass(frozen=True, slots=True)
class StepBefore:
    """A step of a commitment up to the cut-over: what was used of it, and what expired of it
    or was asked as its true-up."""

    where: Where
    from_ms: int
    used_micros: int
    settled_micros: int


@dataclass(frozen=True, slots=True)
class CommitmentBefore:
    """A commitment up to the cut-over: `invoiced_micros` are its first instalments."""

    where: Where
    name: str
    invoiced_micros: int
    steps: tuple[StepBefore, ...]


@dataclass(frozen=True, slots=True)
class RunningContract:
    """A contract in force, in either direction. `accepted` has (tranche, when)."""

    where: Where
    file: ContractFile
    accepted: tuple[tuple[str, int], ...]
    commitments: tuple[CommitmentBefore, ...]

    def before(self, name: str) -> CommitmentBefore:
        """What is said of a commitment; nothing happened to one that is not named."""
        found = next((one for one in self.commitments if one.name == name), None)
        return found or CommitmentBefore(self.where, name, 0, ())

    @property
    def sold(self) -> bool:
        """Whether the house sells under it."""
        return self.file.direction is Direction.SOLD

    @property
    def ahead_micros(self) -> int:
        """What was invoiced ahead of its use and is neither used nor gone.

        What a partner supplied beyond that is a payable, and said as one.
        """
        prepaid = {one.name for one in self.file.body.commitments if one.type == "prepaid"}
        ahead = [
            one.invoiced_micros - sum(step.used_micros + step.settled_micros for step in one.steps)
            for one in self.commitments
            if one.name in prepaid
        ]
        return sum(ahead) if self.sold else sum(max(micros, 0) for micros in ahead)


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice of another system that is not wholly paid; `dunned` steps were taken."""

    where: Where
    number: str
    customer: str
    issued_at_ms: int
    due_at_ms: int
    currency: str
    net_micros: int
    taxes: tuple[TaxLine, ...]
    paid_micros: int
    dunned: int
    about: str

    @property
    def gross_micros(self) -> int:
        """What it asked."""
        return self.net_micros + sum(tax.amount_micros for tax in self.taxes)

    @property
    def open_micros(self) -> int:
        """What it still asks."""
        return self.gross_micros - self.paid_micros


@dataclass(frozen=True, slots=True)
class PrepaidCredit:
    """What is left of credit that belongs to no contract."""

    where: Where
    customer: str
    source: CreditSource
    currency: str
    micros: int
    from_ms: int
    until_ms: int | None
    priority: int
    covers: Covers
    conditions: tuple[str, ...]

    @property
    def was_paid(self) -> bool:
        """Whether it is owed: what was given away costs only when it is used."""
        return self.source not in (CreditSource.GRANT, CreditSource.SLA_CREDIT)


@dataclass(frozen=True, slots=True)
class UnappliedCredit:
    """An amount that came in and pays nothing yet; without a customer, nobody knows whose."""

    where: Where
    customer: str
    currency: str
    micros: int
    value_at_ms: int
    reference: str


@dataclass(frozen=True, slots=True)
class Payable:
    """An amount owed to a partner."""

    where: Where
    partner: str
    currency: str
    micros: int
    due_at_ms: int
    reference: str


@dataclass(frozen=True, slots=True)
class LedgerBalance:
    """What another account stood at; a debit is positive."""

    where: Where
    account: str
    currency: str
    micros: int


Item = (
    Customer
    | RunningContract
    | OpenInvoice
    | PrepaidCredit
    | UnappliedCredit
    | Payable
    | LedgerBalance
)
"""One thing that is brought, in one piece."""


@dataclass(frozen=True, slots=True)
class NextNumber:
    """The next number of a series; those before it were given elsewhere."""

    where: Where
    series: str
    next: int


@dataclass(frozen=True, slots=True)
class Control:
    """What a kind of things must come to in a currency, as the file says itself."""

    where: Where
    of: Brings
    currency: str
    count: int | None
    micros: int


@dataclass(frozen=True, slots=True)
class Total:
    """How many things of a kind are brought in a currency, and what they come to."""

    of: Brings
    currency: str
    count: int
    micros: int


@dataclass(frozen=True, slots=True)
class OpeningFile:
    """An opening as its files say it. `texts` has (name, text) of each, the first the TOML."""

    name: str
    entity: str
    cut_over_ms: int
    source: str
    customers: tuple[Customer, ...]
    contracts: tuple[RunningContract, ...]
    invoices: tuple[OpenInvoice, ...]
    prepaid: tuple[PrepaidCredit, ...]
    credits: tuple[UnappliedCredit, ...]
    payables: tuple[Payable, ...]
    balances: tuple[LedgerBalance, ...]
    numbers: tuple[NextNumber, ...]
    controls: tuple[Control, ...]
    texts: tuple[tuple[str, str], ...]
    sha256: str
    totals: tuple[Total, ...] = ()

    @property
    def agreed(self) -> tuple[Item, ...]:
        """The customers with contracts, each with its own behind it: what they use is priced by
        these from the moment on in which they are there."""
        mine: dict[str, list[Item]] = {}
        for one in self.contracts:
            if one.sold:
                mine.setdefault(one.file.party, []).append(one)
        found: list[Item] = []
        for customer in self.customers:
            if customer.slug in mine:
                found += [customer, *mine[customer.slug]]
        return tuple(found)

    @property
    def items(self) -> tuple[Item, ...]:
        """All that is brought, in the order in which it is brought."""
        sold_to = {one.file.party for one in self.contracts if one.sold}
        return (
            *self.agreed,
            *(one for one in self.customers if one.slug not in sold_to),
            *(one for one in self.contracts if not one.sold),
            *self.invoices, *self.prepaid, *self.credits,
            *self.payables, *self.balances,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening as the book keeps it; its texts are kept beside it, word for word.

    `total_items` are to be brought, the first `done_items` of them are.
    """

    id: OpeningId
    entity_id: LegalEntityId
    name: str
    source: str
    cut_over_ms: int
    state: OpeningState
    sha256: str
    files: tuple[str, ...]
    totals: tuple[Total, ...]
    total_items: int
    done_items: int
    proposed_by: UserId
    proposed_at_ms: int
    approved_by: UserId | None = None
    approved_at_ms: int | None = None
    brought_at_ms: int | None = None

    @property
    def stands(self) -> bool:
        """Whether it is brought, or may be."""
        return self.state is not OpeningState.WITHDRAWN


@dataclass(frozen=True, slots=True)
class OpeningText:
    """A file of an opening, word for word."""

    opening_id: OpeningId
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BroughtItem:
    """What became of one item: `subject` is the thing it made, `micros` what it debited or
    (below zero) credited to accounts other than the opening account."""

    opening_id: OpeningId
    number: int
    brings: Brings
    subject: str
    currency: str
    micros: int
    file: str
    line: int
    due_at_ms: int | None = None
    """When it is to be paid, of what is owed to a partner."""


def totals_of(file: OpeningFile) -> tuple[Total, ...]:
    """What an opening brings of each kind in each currency, and its opening account's balance.

    What is owed to others counts as it is written, above zero; the opening account takes it as a
    debit, and what others owe as a credit.
    """
    counts: dict[tuple[Brings, str], int] = {}
    sums: dict[tuple[Brings, str], int] = {}
    for of, currency, micros in _amounts(file):
        key = of, currency
        counts[key] = counts.get(key, 0) + 1
        sums[key] = sums.get(key, 0) + micros
    for currency in sorted({currency for _, currency in sums}):
        owed = sum(sums.get((of, currency), 0) for of in _OWED)
        had = sum(sums.get((of, currency), 0) for of in _HAD)
        gifts = sum(
            one.micros for one in file.prepaid if one.currency == currency and not one.was_paid
        )
        counts[Brings.OPENING, currency] = 1
        sums[Brings.OPENING, currency] = owed - gifts - had
    order = list(Brings)
    return tuple(
        Total(of, currency, counts[of, currency], sums[of, currency])
        for of, currency in sorted(sums, key=lambda key: (order.index(key[0]), key[1]))
    )


_OWED = (Brings.COMMITMENTS, Brings.PREPAID, Brings.CREDITS, Brings.PAYABLES)
_HAD = (Brings.SUPPLY, Brings.INVOICES, Brings.BALANCES)


def _amounts(file: OpeningFile) -> Iterator[tuple[Brings, str, int]]:
    for contract in file.contracts:
        if any(one.type == "prepaid" for one in contract.file.body.commitments):
            of = Brings.COMMITMENTS if contract.sold else Brings.SUPPLY
            yield of, contract.file.currency, contract.ahead_micros
    for invoice in file.invoices:
        yield Brings.INVOICES, invoice.currency, invoice.open_micros
    amounts: Iterable[tuple[Brings, Iterable[PrepaidCredit | UnappliedCredit | Payable]]] = (
        (Brings.PREPAID, file.prepaid),
        (Brings.CREDITS, file.credits),
        (Brings.PAYABLES, file.payables),
    )
    for of, found in amounts:
        for one in found:
            yield of, one.currency, one.micros
    for balance in file.balances:
        yield Brings.BALANCES, balance.currency, balance.micros


def piece_of(items: Sequence[Item], first: int, most: int) -> tuple[Item, ...]:
    """Some items from one on; a customer and its contracts are brought in one piece."""
    end = min(first + most, len(items))
    while end < len(items) and isinstance(items[end], RunningContract):
        end += 1
    return tuple(items[first:end])


def approved(opening: Opening, by: UserId, now_ms: int) -> Opening:
    """The opening, to be brought from now on."""
    invariant(opening.state is OpeningState.PROPOSED, f"{opening.id} is {opening.state}")
    invariant(opening.proposed_by != by, f"{opening.id} is approved by who proposed it")
    return replace(opening, state=OpeningState.BRINGING, approved_by=by, approved_at_ms=now_ms)


def went_on(opening: Opening, done: int, now_ms: int) -> Opening:
    """The opening after some more of its items."""
    invariant(opening.state is OpeningState.BRINGING, f"{opening.id} is {opening.state}")
    invariant(
        opening.done_items <= done <= opening.total_items,
        f"{opening.id}: {done} items, after {opening.done_items} of {opening.total_items}",
    )
    if done < opening.total_items:
        return replace(opening, done_items=done)
    return replace(opening, done_items=done, state=OpeningState.BROUGHT, brought_at_ms=now_ms)
