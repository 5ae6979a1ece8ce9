"""Bringing an opening: item by item, each once, in slices; who was killed goes on where it was.

Each function makes of one item what this book would have made of it, posts it against the opening
account at the cut-over, and says what it has made. Invariant: what an item posts on the opening
account is what its kind's control total counted.
"""

from collections.abc import Sequence
from hashlib import sha256

from comptoir.billing.drafts import a_line
from comptoir.billing.invoice_status import opened, paid
from comptoir.billing.invoices import Invoice, InvoiceKind, InvoiceLine, LineType
from comptoir.billing.opening import (
    SERIES,
    Brings,
    BroughtItem,
    CommitmentBefore,
    Customer,
    Item,
    LedgerBalance,
    Opening,
    OpeningState,
    OpenInvoice,
    Payable,
    PrepaidCredit,
    RunningContract,
    UnappliedCredit,
    went_on,
)
from comptoir.billing.opening_check import invoiced_keys
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.close_memory import BilledKey
from comptoir.desk.committed import keep_steps
from comptoir.desk.contract_memory import SupplyMark
from comptoir.desk.contracts import grant_credit
from comptoir.desk.credit import hold_all
from comptoir.desk.money_memory import BillingMark
from comptoir.desk.opening_memory import BroughtContract
from comptoir.desk.opening_requests import BringSlice
from comptoir.desk.operations.money.drawing_up import parties_of
from comptoir.desk.operations.money.opening_judging import admission_from, made_of
from comptoir.desk.operations.money.revaluing import known_rate_nanos_at
from comptoir.desk.operations.money.supply_costs import WHOLE
from comptoir.desk.operations.tenants import create_tenant
from comptoir.desk.receipt_memory import Dunned
from comptoir.desk.requests import CreateTenant
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.commitments import Commitment, CommitmentType, commitment_id
from comptoir.sales.committed_steps import counted
from comptoir.sales.contracts import Contract
from comptoir.sales.credit_blocks import BlockState, CreditBlock, expire, use
from comptoir.sales.drawdown import Drawdown
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.tenants.admissions import AdmissionState
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import invariant
from comptoir.units.ids import (
    ContractActId,
    ContractId,
    ContractVersionId,
    CreditBlockId,
    InvoiceId,
    PaymentId,
    UserId,
)
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.values import replace


def bring_slice(tx: Transaction, request: BringSlice) -> Opening:
    """Bring some items of an opening; the opening as it is then.

    Two who bring the same items, or who bring them again, do it once.
    """
    opening = tx.book.openings.openings.get(request.opening_id)
    if opening is None:
        raise not_found(f"opening {request.opening_id}")
    if opening.state is not OpeningState.BRINGING or opening.done_items != request.first:
        return opening
    invariant(request.sha256 == opening.sha256, f"{opening.id} is brought from other files")
    return bring(tx, opening, request.items)


def bring(tx: Transaction, opening: Opening, items: Sequence[Item]) -> Opening:
    """Bring the next items of an opening; the opening as it is then."""
    for number, item in enumerate(items, opening.done_items):
        _Bringing(tx, opening, number).bring(item)
    after = went_on(opening, opening.done_items + len(items), tx.now_ms)
    tx.book.openings.openings.put(after)
    if after.state is OpeningState.BROUGHT:
        tx.emit(
            "opening.brought", after.id, None, entity=tx.book.credit.entities[after.entity_id].slug,
            name=after.name, cut_over_ms=after.cut_over_ms, items=after.total_items,
            sha256=after.sha256,
        )  # fmt: skip
    return after


class _Bringing:
    """One item of an opening on its way."""

    def __init__(self, tx: Transaction, opening: Opening, number: int) -> None:
        self.tx, self.opening, self.number = tx, opening, number
        self.entity: LegalEntity = tx.book.credit.entities[opening.entity_id]
        self.account = ledger.opening_balance(opening.entity_id)

    def bring(self, item: Item) -> None:
        """Make of it what it is here."""
        if isinstance(item, Customer):
            self._customer(item)
        elif isinstance(item, RunningContract):
            self._contract(item)
        elif isinstance(item, OpenInvoice):
            self._invoice(item)
        elif isinstance(item, PrepaidCredit):
            self._prepaid(item)
        elif isinstance(item, UnappliedCredit):
            self._credit(item)
        elif isinstance(item, Payable):
            account = ledger.supplier_payable(item.partner)
            self._post(account, item.currency, -item.micros, item.reference)
            due = item.due_at_ms
            self._keep(item, Brings.PAYABLES, item.partner, item.currency, -item.micros, due)
        else:
            self._balance(item)

    def _post(self, account: ledger.Account, currency: str, micros: int, words: str) -> None:
        """Debit an account (credit it, below zero) against the opening account."""
        self.tx.post(
            f"opening:{self.opening.id}:{self.number}", "opening", words[:200],
            self.opening.cut_over_ms,
            ledger.transfer(account, self.account, ledger.currency(currency), micros),
        )  # fmt: skip

    def _keep(
        self,
        item: Item,
        of: Brings,
        subject: str,
        currency: str,
        micros: int,
        due_at_ms: int | None = None,
    ) -> None:
        where = item.where
        self.tx.append(
            "brought_item",
            BroughtItem(
                self.opening.id, self.number + 1, of, subject, currency, micros, where.file,
                where.line, due_at_ms,
            ),
        )  # fmt: skip

    def _tenant(self, slug: str) -> Tenant:
        found = self.tx.book.tenant_by_slug.first(slug)
        invariant(found is not None, f"{self.opening.id} brings something of {slug}, who is not")
        assert found is not None
        return found

    def _approver(self) -> UserId:
        assert self.opening.approved_by is not None
        return self.opening.approved_by

    def _customer(self, item: Customer) -> None:
        """A customer that is there, or comes; what it used before the cut-over is not ours."""
        tx, cards = self.tx, self.tx.book.money.rate_cards
        tenant = tx.book.tenant_by_slug.first(item.slug)
        if tenant is None:
            card = next((one.id for one in cards if item.card in (one.id, one.name)), None)
            tenant = create_tenant(tx, CreateTenant(item.slug, item.name, item.kind, card))
        if item.terms is not None:
            card_of = cards[tenant.rate_card_id]
            accepted = admission_from(tx, tenant.id, item.terms, card_of, self.entity)
            admitted = replace(accepted, invited_by=self.opening.proposed_by).moved(
                AdmissionState.ADMITTED, credit_limit_micros=accepted.proposed_limit_micros,
                screened_by=self.opening.proposed_by, decided_at_ms=tx.now_ms,
                decided_by=self._approver(),
            )  # fmt: skip
            tx.book.credit.admissions.put(admitted)
            hold_all(tx, tenant.id)
            tx.emit(
                "admission.admitted", tenant.id, tenant.id,
                limit_micros=admitted.credit_limit_micros, currency=admitted.currency,
                terms_version=admitted.terms_version,
            )  # fmt: skip
        cut = self.opening.cut_over_ms
        tx.book.money.billing_marks.put(BillingMark(tenant.id, cut, cut))
        self._keep(item, Brings.CUSTOMERS, tenant.id, "", 0)

    def _invoice(self, item: OpenInvoice) -> None:
        """An invoice that keeps its number; what was paid of it stays paid."""
        tx, tenant = self.tx, self._tenant(item.customer)
        seller, buyer = parties_of(tx, tenant, None)
        invoice = Invoice(
            InvoiceId(tx.new_id("iv")), item.number, self.entity.id, SERIES, self.number + 1,
            InvoiceKind.INVOICE, tenant.id, None, item.currency, item.issued_at_ms,
            item.issued_at_ms, item.issued_at_ms, item.due_at_ms, item.gross_micros,
            (_line(item, self.opening.source),), item.taxes, seller, buyer, self.opening.id,
        )  # fmt: skip
        tx.append("invoice", invoice)
        rate = known_rate_nanos_at(tx, self.entity, item.currency, self.opening.cut_over_ms)
        tx.book.closing.statuses.put(paid(opened(invoice, rate), item.paid_micros))
        if item.dunned:
            tx.book.receipts.dunned.put(Dunned(invoice.id, item.dunned, self.opening.cut_over_ms))
        self._post(ledger.receivable(tenant.id), item.currency, item.open_micros, item.number)
        self._keep(item, Brings.INVOICES, invoice.id, item.currency, item.open_micros)

    def _prepaid(self, item: PrepaidCredit) -> None:
        tx, tenant = self.tx, self._tenant(item.customer)
        block = tx.book.contracts.credit_blocks.put(
            CreditBlock(
                CreditBlockId(tx.new_id("cb")), tenant.id, None, None, item.source, item.currency,
                item.micros, 0, 0, item.from_ms, item.until_ms, item.priority, item.covers,
                item.conditions, BlockState.OPEN, tx.now_ms,
            )
        )  # fmt: skip
        owed = -item.micros if item.was_paid else 0
        words = f"{item.source} of {tenant.slug}"
        self._post(ledger.deferred_revenue(tenant.id), item.currency, owed, words)
        self._keep(item, Brings.PREPAID, block.id, item.currency, owed)

    def _credit(self, item: UnappliedCredit) -> None:
        """A payment of which all is left: it pays, becomes credit or goes back as any other."""
        tx = self.tx
        tenant = self._tenant(item.customer) if item.customer else None
        state = PaymentState.EXCESS if tenant else PaymentState.UNIDENTIFIED
        payment = tx.book.receipts.payments.put(
            Payment(
                PaymentId(tx.new_id("py")), self.entity.id, f"{self.opening.id}:{self.number}",
                self.opening.name, item.value_at_ms, tx.now_ms, item.micros, item.currency,
                item.reference, "", None if tenant is None else tenant.id, state, (), item.micros,
            )
        )  # fmt: skip
        account = (
            ledger.unidentified_receipts(self.entity.id)
            if tenant is None
            else ledger.customer_credit(tenant.id)
        )
        self._post(account, item.currency, -item.micros, item.reference or payment.id)
        self._keep(item, Brings.CREDITS, payment.id, item.currency, -item.micros)

    def _balance(self, item: LedgerBalance) -> None:
        account = ledger.Account(f"{item.account}:{self.entity.id}")
        self._post(account, item.currency, item.micros, item.account)
        self._keep(item, Brings.BALANCES, account, item.currency, item.micros)

    # Contracts.

    def _contract(self, item: RunningContract) -> None:
        """A contract in force, with what happened under it."""
        tx, opening, book = self.tx, self.opening, self.tx.book.contracts
        tenant = self._tenant(item.file.party) if item.sold else None
        told, version = made_of(item, self.entity, None if tenant is None else tenant.id)
        contract = book.contracts.put(
            replace(
                told, id=ContractId(tx.new_id("ct")), created_by=opening.proposed_by,
                created_at_ms=tx.now_ms,
            )
        )  # fmt: skip
        book.versions.put(
            replace(
                version, id=ContractVersionId(tx.new_id("cv")), contract_id=contract.id,
                proposed_by=opening.proposed_by, proposed_at_ms=opening.proposed_at_ms,
                approved_by=self._approver(), approved_at_ms=opening.approved_at_ms,
                text_sha256=sha256(item.file.text.encode()).hexdigest(),
            )
        )  # fmt: skip
        cut = opening.cut_over_ms
        tx.book.openings.contracts.put(BroughtContract(contract.id, opening.id, cut))
        for name, at_ms in item.accepted:
            self._act(contract, ActType.DELIVER, name, at_ms - 1)
            self._act(contract, ActType.ACCEPT, name, at_ms)
        grant_credit(tx, contract)
        keep_steps(tx, contract)
        for commitment in item.file.body.commitments:
            self._commitment(contract, item, commitment)
        if not item.sold:
            book.supply_marks.put(SupplyMark(contract.id, WHOLE, cut, 0, 0))
        self._ahead(contract, item)

    def _ahead(self, contract: Contract, item: RunningContract) -> None:
        """What was invoiced ahead and not used: owed to the customer, or by the partner."""
        ahead, currency = item.ahead_micros, contract.currency
        if contract.tenant_id is not None:
            account, micros = ledger.deferred_revenue(contract.tenant_id), -ahead
        else:
            account, micros = ledger.prepaid_capacity(contract.id), ahead
        self._post(account, currency, micros, contract.number)
        self._keep(item, Brings.CONTRACTS, contract.id, currency, micros)

    def _act(self, contract: Contract, type_: ActType, subject: str, at_ms: int) -> None:
        tx, opening = self.tx, self.opening
        tx.book.contracts.acts.put(
            ContractAct(
                ContractActId(tx.new_id("ca")), contract.id, type_, subject, max(at_ms, 0),
                tx.now_ms, opening.proposed_by, f"brought with {opening.name}",
            )
        )  # fmt: skip

    def _commitment(self, contract: Contract, item: RunningContract, one: Commitment) -> None:
        tx, cut = self.tx, self.opening.cut_over_ms
        before = item.before(one.name)
        if one.type is CommitmentType.PREPAID:
            keys = invoiced_keys(contract.id, one, before, cut)
            invariant(keys is not None, f"{one.name} of {contract.number} is invoiced by no steps")
            for key in keys or ():
                self._billed(key)
        if item.sold and one.type is CommitmentType.POSTPAID:
            self._spent(contract, before)
            return
        used = {step.from_ms: step.used_micros for step in before.steps}
        for block in tx.book.contracts.blocks_of.get(contract.id):
            if block.commitment_id == commitment_id(contract.id, one.name):
                self._drawn(block, used.get(block.from_ms, 0))

    def _spent(self, contract: Contract, before: CommitmentBefore) -> None:
        """What was spent in a step counts in it; one that is over was trued up elsewhere."""
        steps = self.tx.book.contracts.steps
        for told in before.steps:
            key = f"{commitment_id(contract.id, before.name)}/{told.from_ms}"
            if key not in steps:
                continue  # its tranche is not accepted, or was when it was over
            step = counted(steps[key], told.used_micros * NUMERATOR_PER_MICRO)
            if step.until_ms <= self.opening.cut_over_ms:
                step = replace(step, settled=True, asked_micros=told.settled_micros)
            steps.put(step)

    def _billed(self, key: str) -> None:
        self.tx.book.closing.billed_keys.put(BilledKey(key, InvoiceId(self.opening.id)))

    def _drawn(self, block: CreditBlock, micros: int) -> None:
        """What was drawn of a step is drawn; what is left of one that is over has gone."""
        tx, cut = self.tx, self.opening.cut_over_ms
        until_ms = cut if block.until_ms is None else min(block.until_ms, cut)
        if micros:
            block = use(block, micros)
            tx.append(
                "drawdown",
                Drawdown(
                    tx.book.next_seq("drawdown"), block.id, block.tenant_id,
                    f"opening:{self.opening.id}", block.currency, micros, block.from_ms, until_ms,
                    tx.now_ms, None,
                ),
            )  # fmt: skip
        if block.until_ms is not None and block.until_ms <= cut:
            block = expire(block)
        tx.book.contracts.credit_blocks.put(block)


def _line(item: OpenInvoice, source: str) -> InvoiceLine:
    words = item.about or f"{item.number}, issued by {source}"
    window = item.issued_at_ms, item.issued_at_ms
    line = a_line(LineType.OPENING, words, item.net_micros, window, item.number)
    return replace(line, number=1)
