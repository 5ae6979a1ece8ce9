"""What the book says of an opening: does it contradict what is there, and is all there it names.

Said when it is proposed, and again when it is approved. A contradiction of the whole is said at
once; what is wrong with a line is collected with its file, line and field. It looks at every
customer and contract, and at each other line once: nobody waits for it.
"""

from comptoir.billing.opening import Customer, CustomerTerms, OpeningFile, RunningContract
from comptoir.billing.opening_faults import Faults
from comptoir.billing.tax import tax_for
from comptoir.desk.entities import entity_of
from comptoir.desk.operations.money.contracts import check_alone, check_inbound, check_used
from comptoir.desk.transaction import Transaction
from comptoir.pricing.rates import RateCard, first_card
from comptoir.sales.contracts import Contract, ContractVersion, VersionState
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.entities import HOUSE_ENTITY, LegalEntity
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import ComptoirError, Conflict, Invalid, Refused
from comptoir.units.ids import ContractId, ContractVersionId, TenantId, UserId
from comptoir.units.money import parse_amount
from comptoir.units.time import format_instant

MOST_AT_ONCE = 100
"""Customers and contracts that an approval brings in one commit, at most."""


def judge_opening(tx: Transaction, file: OpeningFile, entity: LegalEntity) -> None:
    """Let an opening pass that the book does not contradict.

    Raises:
        Refused: `cut_over_ahead`.
        Conflict: `entity_has_invoiced`, `period_after_cut_over`, `usage_before_cut_over`.
        Invalid: the code of the first fault, with all of them.
    """
    if file.cut_over_ms > tx.now_ms:
        raise Refused(
            "cut_over_ahead",
            f"the cut-over {format_instant(file.cut_over_ms)} has not come; it is "
            f"{format_instant(tx.now_ms)}",
            "prepare the files, and propose them when it has",
            {"cut_over": format_instant(file.cut_over_ms)},
        )
    _check_unused(tx, file, entity)
    if len(file.agreed) > MOST_AT_ONCE and any_is_here(tx, file):
        raise Refused(
            "opening_too_large",
            f"{len(file.agreed):,} customers and contracts, some of customers that are here "
            f"already: at most {MOST_AT_ONCE} are brought at once",
            "propose the contracts of those who are here by `comptoir contract propose`",
        )
    faults = Faults()
    cards = {one.slug: _judge_customer(tx, one, entity, faults) for one in file.customers}
    for contract in file.contracts:
        _judge_contract(tx, contract, entity, cards, faults)
    for credit in file.prepaid:
        card = cards.get(credit.customer)
        if card is not None and card.currency != credit.currency:
            said = f"{credit.customer} pays in {card.currency}: credit in {credit.currency} is lost"
            fault = Invalid("currency_of_another", said, f"bring it in {card.currency}")
            faults.add(credit.where, "currency", fault)
    dated = [(one.issued_at_ms, one.where) for one in file.invoices]
    dated += [(one.value_at_ms, one.where) for one in file.credits]
    for at_ms, where in dated:
        if at_ms > tx.now_ms:
            fault = Invalid("date_ahead", f"{format_instant(at_ms)} has not come", "mend the date")
            faults.add(where, "date", fault)
    faults.raise_all()


def any_is_here(tx: Transaction, file: OpeningFile) -> bool:
    """Whether a customer whose contract is brought is in the book already."""
    return any(
        tx.book.tenant_by_slug.first(one.file.party) is not None
        for one in file.contracts
        if one.sold
    )


def _check_unused(tx: Transaction, file: OpeningFile, entity: LegalEntity) -> None:
    """Nothing that this book has done says otherwise."""
    closing, cut_over = tx.book.closing, file.cut_over_ms
    given = [s for s in closing.number_series if s.entity_id == entity.id and s.last]
    if given:
        numbers = ", ".join(f"{s.last:,} of {s.name}" for s in given[:5])
        raise Conflict(
            "entity_has_invoiced",
            f"{entity.slug} has issued documents here ({numbers}): what it brings comes before its "
            "first",
            "move in with a legal entity that has issued nothing here",
            {"series": [s.name for s in given]},
        )
    for period in closing.periods_of.each(entity.id):
        if period.ends_at_ms > cut_over or not period.closed:
            raise Conflict(
                "period_after_cut_over",
                f"{period.name} of {entity.slug} is {period.state}; nothing counts in it any more, "
                f"and the cut-over {format_instant(cut_over)} is before its end",
                f"move in at {format_instant(period.ends_at_ms)} or later",
                {"period": period.name},
            )
    for tenant in tx.book.tenants:
        if entity_of(tx.book, tenant.id).id != entity.id:
            continue
        for key, _ in closing.unbilled.shelves(tenant.id):
            if key[0] < cut_over:
                raise Conflict(
                    "usage_before_cut_over",
                    f"{tenant.slug} has used something here in the month of "
                    f"{format_instant(key[0])}, before the cut-over {format_instant(cut_over)}",
                    "let the cut-over be the start of that month, or before",
                    {"tenant": tenant.slug},
                )


def _judge_customer(
    tx: Transaction, customer: Customer, entity: LegalEntity, faults: Faults
) -> RateCard | None:
    """The card of a customer that is there or will be; None where it cannot be."""
    tenant = tx.book.tenant_by_slug.first(customer.slug)
    card = _card_of(tx, customer, tenant)
    no = _no_to(tx, customer, tenant, entity)
    if card is None:
        no = Invalid("unknown_rate_card", f"there is no rate card {customer.card!r}", "name one")
    if no is not None:
        faults.add(customer.where, "tenant", no)
        return None
    assert card is not None
    if customer.terms is not None:
        _judge_terms(tx, customer.terms, card, entity, faults)
    return card


def _card_of(tx: Transaction, customer: Customer, tenant: Tenant | None) -> RateCard | None:
    cards = tx.book.money.rate_cards
    if tenant is not None:
        return cards[tenant.rate_card_id]
    if not customer.card:
        return first_card(cards)
    return next((one for one in cards if customer.card in (one.id, one.name)), None)


def _no_to(
    tx: Transaction, customer: Customer, tenant: Tenant | None, entity: LegalEntity
) -> Invalid | None:
    slug = customer.slug
    if tenant is None:
        if not customer.name:
            said = f"there is no tenant {slug!r}"
            return Invalid("unknown_tenant", said, "give [[customer]] its name, or create it first")
        if customer.terms is None and entity.id != HOUSE_ENTITY:
            said = f"{slug} would buy from the house, not from {entity.slug}"
            return Invalid("admission_missing", said, "give [customer.admission]")
        return None
    if tenant.is_internal:
        said = f"{slug} is an internal team: it is charged back"
        return Invalid("not_a_customer", said, "bring what customers owe")
    admission = tx.book.credit.admissions.get(tenant.id)
    if customer.terms is not None and admission is not None:
        if admission.state is not AdmissionState.REFUSED:
            said = f"{slug} is {admission.state} already"
            return Invalid("admission_decided", said, "leave [customer.admission] out")
        return None
    if customer.terms is None and entity_of(tx.book, tenant.id).id != entity.id:
        seller = entity_of(tx.book, tenant.id).slug
        return Invalid("entity_of_another", f"{slug} buys from {seller}", f"it is {seller}'s")
    return None


def _judge_terms(
    tx: Transaction,
    terms: CustomerTerms,
    card: RateCard,
    entity: LegalEntity,
    faults: Faults,
) -> None:
    for field, at_ms in (("accepted", terms.accepted_at_ms), ("screened", terms.screened_at_ms)):
        if at_ms > tx.now_ms:
            said = f"{field} {format_instant(at_ms)}, which has not come"
            faults.add(terms.where, field, Invalid("date_ahead", said, "mend it"))
    try:
        admission = admission_from(tx, TenantId(""), terms, card, entity)
        tax_for(tx.book.credit.tax_rules, entity, admission, tx.now_ms)
    except ComptoirError as no:
        field = "limit" if isinstance(no, Invalid) else "country"
        faults.add(terms.where, field, Invalid(no.code, no.message, no.next))


def admission_from(
    tx: Transaction, tenant_id: TenantId, terms: CustomerTerms, card: RateCard, entity: LegalEntity
) -> Admission:
    """The admission of a customer that accepted terms elsewhere; nobody has decided it here yet.

    Raises:
        Invalid: `bad_amount`, `too_many_decimals`: of the limit.
    """
    limit = terms.limit
    micros = None if limit is None else parse_amount(limit, card.currency, "limit")
    return Admission(
        tenant_id, entity.id, terms.legal_name, terms.address, terms.country, terms.tax_id,
        terms.is_business, terms.exemption, card.currency, terms.terms_version,
        AdmissionState.ACCEPTED, terms.accepted_at_ms, tx.actor.user_id,
        accepted_at_ms=terms.accepted_at_ms, screened_at_ms=terms.screened_at_ms,
        screening_evidence=terms.evidence, proposed_limit_micros=micros,
    )  # fmt: skip


def _judge_contract(
    tx: Transaction,
    running: RunningContract,
    entity: LegalEntity,
    cards: dict[str, RateCard | None],
    faults: Faults,
) -> None:
    told = running.file
    if tx.book.contracts.by_number.first(told.number) is not None:
        fault = Invalid("contract_exists", f"{told.number} is in the book", "leave it out")
        faults.add(running.where, "file", fault)
        return
    tenant = tx.book.tenant_by_slug.first(told.party) if running.sold else None
    try:
        if running.sold:
            card = cards.get(told.party)
            if card is not None and card.currency != told.currency:
                said = f"{told.number} is in {told.currency}, {told.party} pays in {card.currency}"
                raise Invalid("currency_of_another", said, "give it another card")
        contract, version = made_of(running, entity, None if tenant is None else tenant.id)
        if tenant is not None:
            check_used(tx, contract, version, tenant.id)
            check_alone(tx, contract, version, tenant.id)
        for name in told.body.inbound:
            check_inbound(tx, contract, name)
    except ComptoirError as no:
        faults.add(running.where, "file", Invalid(no.code, no.message, no.next))


def made_of(
    running: RunningContract, entity: LegalEntity, tenant_id: TenantId | None
) -> tuple[Contract, ContractVersion]:
    """The contract and its version as a file says them, without ids and people."""
    told = running.file
    nobody, partner = UserId(""), "" if running.sold else told.party
    contract = Contract(
        ContractId(""), told.number, told.direction, tenant_id, partner, entity.id, told.currency,
        nobody, 0,
    )  # fmt: skip
    version = ContractVersion(
        ContractVersionId(""), ContractId(""), 1, told.effective_from_ms, told.until_ms,
        VersionState.APPROVED, nobody, 0, None, None, "", told.text, told.body,
    )  # fmt: skip
    return contract, version
