"""Contracts proposed by one and approved by another, version by version."""

from hashlib import sha256

from comptoir.desk.committed import keep_steps
from comptoir.desk.contract_requests import (
    ContractVersionRef,
    ProposeContract,
    ProposedContract,
)
from comptoir.desk.contracts import (
    contract_named,
    entity_named,
    grant_credit,
    newest_approved,
    party_of,
)
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.supply_costs import WHOLE
from comptoir.desk.transaction import Transaction
from comptoir.sales.contracts import (
    Contract,
    ContractFile,
    ContractVersion,
    Direction,
    VersionState,
    end_of,
    past_changes,
    spans,
)
from comptoir.sales.expansions import dropped
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Forbidden, Invalid
from comptoir.units.ids import ContractId, ContractVersionId, TenantId
from comptoir.units.time import format_instant
from comptoir.units.values import replace


def propose_contract(tx: Transaction, request: ProposeContract) -> ProposedContract:
    """A new contract, or the next version of the one of that number. It binds nobody yet.

    Raises:
        NotFound: the tenant.
        Invalid: `unknown_entity`, `zone_of_another`, `currency_of_another`.
        Conflict: `contract_differs`, `version_pending`, `inbound_of_another`,
            `contract_changes_the_past`, `contracts_overlap`.
    """
    refuse_while_bringing(tx)
    contract, version = _drafted(tx, request.file)
    _judge(tx, contract, version)
    if request.dry_run:
        return ProposedContract(contract, version, dry_run=True)
    if contract.id not in tx.book.contracts.contracts:
        tx.book.contracts.contracts.put(contract)
    tx.book.contracts.versions.put(version)
    _tell(tx, "contract.proposed", contract, version)
    return ProposedContract(contract, version)


def approve_contract(tx: Transaction, request: ContractVersionRef) -> ProposedContract:
    """Put a proposed version in force from its date on, and grant its credit.

    Raises:
        Forbidden: `own_proposal`.
        Conflict: `version_not_proposed`, and those of `propose_contract`: the book has moved on.
    """
    refuse_while_bringing(tx)
    contract, version = _proposed(tx, request)
    if version.proposed_by == tx.actor.user_id:
        raise Forbidden(
            "own_proposal",
            f"{contract.number} version {version.number} was proposed by you, and nobody approves "
            "their own",
            "ask another approver",
        )
    _judge(tx, contract, version)
    approved = replace(
        version,
        state=VersionState.APPROVED,
        approved_by=tx.actor.user_id,
        approved_at_ms=tx.now_ms,
    )
    tx.book.contracts.versions.put(approved)
    grant_credit(tx, contract)
    keep_steps(tx, contract)
    _tell(tx, "contract.approved", contract, approved)
    return ProposedContract(contract, approved)


def withdraw_contract(tx: Transaction, request: ContractVersionRef) -> ProposedContract:
    """Take a proposed version back; its number is not given again.

    Raises:
        Conflict: `version_not_proposed`.
    """
    contract, version = _proposed(tx, request)
    withdrawn = replace(version, state=VersionState.WITHDRAWN)
    tx.book.contracts.versions.put(withdrawn)
    _tell(tx, "contract.withdrawn", contract, withdrawn)
    return ProposedContract(contract, withdrawn)


def _tell(tx: Transaction, type_: str, contract: Contract, version: ContractVersion) -> None:
    """To the customer, what was agreed with it; what is only proposed, to the house."""
    told = contract.tenant_id if type_ == "contract.approved" else None
    tx.emit(
        type_,
        contract.id,
        told,
        number=contract.number,
        version=version.number,
        direction=contract.direction,
        party=party_of(tx.book, contract),
        effective_from_ms=version.effective_from_ms,
        until_ms=version.until_ms,
        text_sha256=version.text_sha256,
    )


def _proposed(tx: Transaction, request: ContractVersionRef) -> tuple[Contract, ContractVersion]:
    contract = contract_named(tx, request.contract_id)
    versions = tx.book.contracts.versions_of.get(contract.id)
    version = next((one for one in versions if one.number == request.number), None)
    if version is None:
        raise not_found(f"version {request.number} of contract {contract.number}")
    if version.state is not VersionState.PROPOSED:
        raise Conflict(
            "version_not_proposed",
            f"{contract.number} version {version.number} is {version.state}",
            "propose another version",
            {"state": version.state},
        )
    return contract, version


def _drafted(tx: Transaction, file: ContractFile) -> tuple[Contract, ContractVersion]:
    contract = tx.book.contracts.by_number.first(file.number)
    versions = [] if contract is None else tx.book.contracts.versions_of.get(contract.id)
    drawn_up = _contract(tx, file, contract)
    pending = next((one for one in versions if one.state is VersionState.PROPOSED), None)
    if pending is not None:
        raise Conflict(
            "version_pending",
            f"{file.number} version {pending.number} is proposed and not approved yet",
            f"approve it, or `comptoir contract withdraw {file.number} {pending.number}`",
            {"version": pending.number},
        )
    version = ContractVersion(
        ContractVersionId(tx.new_id("cv")),
        drawn_up.id,
        max((one.number for one in versions), default=0) + 1,
        file.effective_from_ms,
        file.until_ms,
        VersionState.PROPOSED,
        tx.actor.user_id,
        tx.now_ms,
        None,
        None,
        sha256(file.text.encode()).hexdigest(),
        file.text,
        file.body,
    )
    return drawn_up, version


def _contract(tx: Transaction, file: ContractFile, before: Contract | None) -> Contract:
    """The contract of a file: the one of its number, if what may not change is the same."""
    sold = file.direction is Direction.SOLD
    tenant_id = tx.tenant(TenantId(file.party)).id if sold else None
    partner = "" if sold else file.party
    entity_id = entity_named(tx, file.entity)
    _check_zone(tx.book.credit.entities[entity_id], file)
    if before is None:
        return Contract(
            ContractId(tx.new_id("ct")), file.number, file.direction, tenant_id, partner,
            entity_id, file.currency, tx.actor.user_id, tx.now_ms,
        )  # fmt: skip
    wanted = {
        "direction": (before.direction, file.direction),
        "tenant": (before.tenant_id, tenant_id),
        "partner": (before.partner, partner),
        "entity": (before.entity_id, entity_id),
        "currency": (before.currency, file.currency),
    }
    for what, (was, now) in wanted.items():
        if was != now:
            raise Conflict(
                "contract_differs",
                f"{file.number} has the {what} {was}, the file says {now}; no version changes it",
                "mend the file, or give a new contract a number of its own",
                {"field": what},
            )
    return before


def _check_zone(entity: LegalEntity, file: ContractFile) -> None:
    """Dates begin where the entity's periods do: a step of a month is the month that is closed."""
    if file.zone != entity.zone:
        raise Invalid(
            "zone_of_another",
            f"the dates of {file.number} are read in {file.zone}, months of {entity.slug} begin in "
            f"{entity.zone}",
            f'add a line: zone = "{entity.zone}"',
            {"file": file.zone, "entity": entity.zone},
        )


def _judge(tx: Transaction, contract: Contract, version: ContractVersion) -> None:
    """All that only the book can say; said when it is proposed, and again when approved."""
    if contract.tenant_id is not None:
        _check_currency(tx, contract, contract.tenant_id)
        check_used(tx, contract, version, contract.tenant_id)
        check_alone(tx, contract, version, contract.tenant_id)
    for name in version.body.inbound:
        check_inbound(tx, contract, name)
        _check_counted(tx, contract, version, name)
    before = newest_approved(tx.book, contract)
    old = before.body if before else None
    begun = past_changes(old, version.body, version.effective_from_ms)
    begun += dropped(old, version.body, tx.book.contracts.acts_of.get(contract.id))
    if begun:
        does = "changes what began" if before else "says what would begin"
        raise Conflict(
            "contract_changes_the_past",
            f"{contract.number} version {version.number} takes effect "
            f"{format_instant(version.effective_from_ms)} and {does} before: " + "; ".join(begun),
            "leave in what has begun, word for word, and let what is new begin later"
            if before
            else "let it take effect sooner, or those begin later",
            {"reasons": begun},
        )


def _check_counted(
    tx: Transaction, contract: Contract, version: ContractVersion, name: str
) -> None:
    """Capacity whose cost is counted from an instant on was not bought before that."""
    mark = tx.book.contracts.supply_marks.get((contract.id, WHOLE))
    counted_from = min(
        (
            one.effective_from_ms
            for one in tx.book.contracts.versions_of.each(contract.id)
            if one.approved_at_ms is not None and name in one.body.inbound
        ),
        default=0,
    )
    if mark and version.effective_from_ms < counted_from < mark.posted_until_ms:
        raise Conflict(
            "contract_changes_the_past",
            f"{contract.number} version {version.number} takes effect "
            f"{format_instant(version.effective_from_ms)}; the cost of {name} is counted from "
            f"{format_instant(counted_from)} on",
            f"let it take effect at {format_instant(counted_from)} or later",
            {
                "effective": format_instant(version.effective_from_ms),
                "earliest": format_instant(counted_from),
            },
        )


def _check_currency(tx: Transaction, contract: Contract, tenant_id: TenantId) -> None:
    card = tx.book.money.rate_cards[tx.book.tenants[tenant_id].rate_card_id]
    if card.currency != contract.currency:
        raise Invalid(
            "currency_of_another",
            f"{contract.number} is in {contract.currency}, the rate card {card.name} in "
            f"{card.currency}; a contract has the currency of its card",
            f"write it in {card.currency}, or give the tenant another card",
            {"contract": contract.currency, "card": card.currency},
        )


def check_used(
    tx: Transaction, contract: Contract, version: ContractVersion, tenant_id: TenantId
) -> None:
    """A version may not price again what was priced or invoiced under another."""
    mark = tx.book.money.billing_marks.get(tenant_id)
    invoiced = mark.invoiced_until_ms if mark else 0
    accruals = tx.book.money.open_accruals_by_tenant.each(tenant_id)
    used = max((accrual.last_at_ms for accrual in accruals), default=0)
    if version.effective_from_ms < max(invoiced, used):
        dates = {"priced": used, "invoiced": invoiced}
        said = [f"{what} up to {format_instant(at)}" for what, at in dates.items() if at]
        raise Conflict(
            "contract_changes_the_past",
            f"{contract.number} version {version.number} takes effect "
            f"{format_instant(version.effective_from_ms)}; usage is {' and '.join(said)}",
            f"let it take effect at {format_instant(max(invoiced, used))} or later",
            {
                "effective": format_instant(version.effective_from_ms),
                "earliest": format_instant(max(invoiced, used)),
            },
        )


def check_alone(
    tx: Transaction, contract: Contract, version: ContractVersion, tenant_id: TenantId
) -> None:
    """At most one sold contract of a tenant is in force at an instant."""
    acts = tx.book.contracts.acts_of.get(contract.id)
    start, end = version.effective_from_ms, end_of(version, acts)
    for other in tx.book.contracts.sold_to.get(tenant_id):
        if other.id == contract.id:
            continue
        theirs = spans(
            tx.book.contracts.versions_of.get(other.id), tx.book.contracts.acts_of.get(other.id)
        )
        for since, until, _ in theirs:
            if since < end and start < until:
                raise Conflict(
                    "contracts_overlap",
                    f"{other.number} is in force from {format_instant(since)} to "
                    f"{format_instant(until)}; {contract.number} would be from "
                    f"{format_instant(start)} to {format_instant(end)}",
                    f"propose a version of {other.number}, or let one end before the other",
                    {"contract": other.number},
                )


def check_inbound(tx: Transaction, contract: Contract, name: str) -> None:
    """A bought contract names leases of its own partner, in its own currency."""
    inbound = tx.book.inbound_by_name.first(name)
    if inbound is None:
        return  # it may be declared later
    if (inbound.partner, inbound.currency) != (contract.partner, contract.currency):
        raise Conflict(
            "inbound_of_another",
            f"inbound lease {name} ({inbound.id}) is from {inbound.partner} in {inbound.currency}; "
            f"{contract.number} is with {contract.partner} in {contract.currency}",
            "name another inbound lease",
        )
    for other in tx.book.contracts.bought.get(True):
        newest = newest_approved(tx.book, other)
        if other.id != contract.id and newest is not None and name in newest.body.inbound:
            raise Conflict(
                "inbound_of_another",
                f"inbound lease {name} is paid under {other.number}",
                "name it in one contract",
                {"contract": other.number},
            )
