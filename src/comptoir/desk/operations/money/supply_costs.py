"""The cost of what we buy: counted from the capacity held, drawn on commitments, posted.

Once a day, when an inbound lease ends, and whenever finance asks. An instalment makes prepaid
capacity and a payable; use takes from what is prepaid, then it is payable; what a prepaid step
has left when it ends is lost, and what a postpaid one is short of is owed. Invariant: the cost
posted for an inbound lease is the floor of its exact cost since the contract began.
"""

from comptoir.desk.contract_memory import SupplyMark
from comptoir.desk.contract_requests import SettleSupply, SupplySettled
from comptoir.desk.contracts import newest_approved
from comptoir.desk.transaction import Transaction
from comptoir.leases.inbound import InboundLease
from comptoir.ledger import entries as ledger
from comptoir.sales.commitments import CommitmentType, instalments_due
from comptoir.sales.contracts import Contract, ContractVersion, commitments_alive, end_of
from comptoir.sales.credit_blocks import CreditBlock, expire, expired_at
from comptoir.sales.drawdown import Draw, Due, draw, edges, record
from comptoir.sales.exits import exit_fee_due
from comptoir.sales.supply_cost import Supplied, cost_dues
from comptoir.units.errors import Invalid
from comptoir.units.ids import InboundLeaseId
from comptoir.units.money import floor_micros
from comptoir.units.time import check_instant, format_instant

DAY_MS = 86_400_000
WHOLE = InboundLeaseId("")
"""Under which a contract's own mark is kept: up to when its instalments are posted."""


def settle_supply(tx: Transaction, request: SettleSupply) -> SupplySettled:
    """Book the cost of all bought capacity up to an instant.

    Raises:
        Invalid: `bad_until`: later than now.
    """
    until = tx.now_ms if request.until_ms is None else request.until_ms
    check_instant("until", until)
    if until > tx.now_ms:
        raise Invalid(
            "bad_until", f"{format_instant(until)} is later than now", "leave it out for now"
        )
    contracts = tx.book.contracts.bought.get(True)
    for contract in contracts:
        settle_contract(tx, contract, until)
    return SupplySettled(len(contracts), until)


def settle_daily(tx: Transaction) -> None:
    """Book the cost of the days that are over: a step of the turn."""
    midnight = tx.now_ms - tx.now_ms % DAY_MS
    for contract in tx.book.contracts.bought.get(True):
        mark = tx.book.contracts.supply_marks.get((contract.id, WHOLE))
        if mark is None or mark.posted_until_ms < midnight:
            settle_contract(tx, contract, midnight)


def settle_inbound(tx: Transaction, inbound: InboundLease, until_ms: int) -> None:
    """Book what an inbound lease that ends has cost, before its nodes are gone."""
    for contract in tx.book.contracts.bought.get(True):
        version = newest_approved(tx.book, contract)
        if version is not None and inbound.name in version.body.inbound:
            settle_contract(tx, contract, until_ms)


def settle_contract(tx: Transaction, contract: Contract, until_ms: int) -> None:
    """Book one bought contract's cost and instalments up to an instant, each once."""
    begun = tx.book.contracts.in_force(contract, until_ms - 1)  # not one that is yet to begin
    version = begun or newest_approved(tx.book, contract)
    if version is None or until_ms <= version.effective_from_ms:
        return
    mark = tx.book.contracts.supply_marks.get((contract.id, WHOLE))
    since = mark.posted_until_ms if mark else 0
    if until_ms <= since:
        return
    postings = _instalments(tx, contract, version, since, until_ms)
    postings += _exit_fee(tx, contract, since, until_ms)
    postings += _use(tx, contract, version, until_ms)
    postings += _over(tx, contract, version, until_ms)
    tx.book.contracts.supply_marks.put(SupplyMark(contract.id, WHOLE, until_ms, 0, 0))
    tx.post(
        f"supply:{contract.id}:{until_ms}",
        "supply",
        f"capacity under {contract.number} up to {format_instant(until_ms)}",
        until_ms,
        postings,
    )


def supplied_under(tx: Transaction, version: ContractVersion) -> list[Supplied]:
    """The inbound leases that a version names and the book has, with their accelerators."""
    found = []
    for name in version.body.inbound:
        inbound = tx.book.inbound_by_name.first(name)
        if inbound is not None:
            nodes = tx.book.nodes_by_inbound.each(inbound.id)
            found.append(Supplied(inbound, sum(node.accelerators for node in nodes)))
    return found


def _instalments(
    tx: Transaction, contract: Contract, version: ContractVersion, since: int, until: int
) -> tuple[ledger.Posting, ...]:
    acts = tx.book.contracts.acts_of.get(contract.id)
    due = instalments_due(contract.id, commitments_alive(version.body, acts, until), since, until)
    return ledger.transfer(
        ledger.prepaid_capacity(contract.id),
        ledger.supplier_payable(contract.partner),
        ledger.currency(contract.currency),
        sum(one.micros for one in due if one.at_ms < end_of(version, acts)),
    )


def _exit_fee(
    tx: Transaction, contract: Contract, since: int, until: int
) -> tuple[ledger.Posting, ...]:
    versions = tx.book.contracts.versions_of.get(contract.id)
    fee = exit_fee_due(contract.id, versions, tx.book.contracts.acts_of.get(contract.id), until - 1)
    return ledger.transfer(
        ledger.cost_of_capacity(contract.id),
        ledger.supplier_payable(contract.partner),
        ledger.currency(contract.currency),
        fee.micros if fee is not None and fee.at_ms >= since else 0,
    )


def _use(
    tx: Transaction, contract: Contract, version: ContractVersion, until: int
) -> tuple[ledger.Posting, ...]:
    blocks = [b for b in tx.book.contracts.blocks_of.get(contract.id) if b.left_micros]
    end = min(until, end_of(version, tx.book.contracts.acts_of.get(contract.id)))
    dues: list[Due] = []
    for supplied in supplied_under(tx, version):
        mark = _mark(tx, contract, supplied.inbound)
        cuts = edges(blocks, mark.posted_until_ms, end)
        found, total = cost_dues(supplied, mark.posted_until_ms, end, cuts, mark.numerator)
        dues += found
        tx.book.contracts.supply_marks.put(
            SupplyMark(
                contract.id, supplied.inbound.id, max(end, mark.posted_until_ms), total,
                floor_micros(total),
            )
        )  # fmt: skip
    changed, draws = draw(blocks, dues)
    for block in changed:
        tx.book.contracts.credit_blocks.put(block)
    for row in record(draws, tx.book.last_seq.get("drawdown", 0) + 1, tx.now_ms):
        tx.book.next_seq("drawdown")
        tx.append("drawdown", row)
    return _cost_postings(contract, dues, _prepaid(version, blocks, draws))


def _mark(tx: Transaction, contract: Contract, inbound: InboundLease) -> SupplyMark:
    """Up to when a lease's cost is booked; before that, the first version that names it."""
    found = tx.book.contracts.supply_marks.get((contract.id, inbound.id))
    if found is not None:
        return found
    first = min(
        one.effective_from_ms
        for one in tx.book.contracts.versions_of.each(contract.id)
        if one.approved_at_ms is not None and inbound.name in one.body.inbound
    )
    return SupplyMark(contract.id, inbound.id, first, 0, 0)


def _prepaid(
    version: ContractVersion, blocks: list[CreditBlock], draws: list[Draw]
) -> dict[str, int]:
    """Micros drawn on what was paid ahead, by inbound lease."""
    ahead = {
        block.id for block in blocks if _commitment_type(version, block) is CommitmentType.PREPAID
    }
    found: dict[str, int] = {}
    for one in draws:
        if one.block_id in ahead:
            found[one.due.subject] = found.get(one.due.subject, 0) + one.micros
    return found


def _commitment_type(version: ContractVersion, block: CreditBlock) -> CommitmentType | None:
    name = (block.commitment_id or "").partition("/")[2]
    commitment = version.body.commitment(name)
    return None if commitment is None else commitment.type


def _cost_postings(
    contract: Contract, dues: list[Due], prepaid: dict[str, int]
) -> tuple[ledger.Posting, ...]:
    unit = ledger.currency(contract.currency)
    costs: dict[str, int] = {}
    for due in dues:
        costs[due.subject] = costs.get(due.subject, 0) + due.micros
    postings: tuple[ledger.Posting, ...] = ()
    for inbound_id, micros in costs.items():
        cost = ledger.cost_of_capacity(inbound_id)
        ahead = prepaid.get(inbound_id, 0)
        postings += ledger.transfer(cost, ledger.prepaid_capacity(contract.id), unit, ahead)
        postings += ledger.transfer(
            cost, ledger.supplier_payable(contract.partner), unit, micros - ahead
        )
    return postings


def _over(
    tx: Transaction, contract: Contract, version: ContractVersion, until: int
) -> tuple[ledger.Posting, ...]:
    """What steps that are over have left: a prepayment that is lost, or a true-up to pay."""
    unit = ledger.currency(contract.currency)
    postings: tuple[ledger.Posting, ...] = ()
    for block, left in expired_at(tx.book.contracts.blocks_of.get(contract.id), until):
        ahead = _commitment_type(version, block) is CommitmentType.PREPAID
        owed = (
            ledger.prepaid_capacity(contract.id)
            if ahead
            else ledger.supplier_payable(contract.partner)
        )
        postings += ledger.transfer(ledger.cost_of_capacity(contract.id), owed, unit, left)
        tx.book.contracts.credit_blocks.put(expire(block))
    return postings
