"""The cost of what we buy: counted from the capacity held, drawn on commitments, posted.

Once a day, when an inbound lease ends, and whenever finance asks. An instalment makes prepaid
capacity and a payable, as far as it was not used before it came; use takes from what is prepaid,
then it is payable; what a prepaid step has left when it ends is lost, and what a postpaid one is
short of is owed. Invariants: the cost posted for an inbound lease is the floor of its exact cost
since the contract began; what is prepaid is never below zero.
"""

from comptoir.desk.contract_memory import SupplyMark
from comptoir.desk.contract_requests import SettleSupply, SupplySettled
from comptoir.desk.contracts import newest_approved
from comptoir.desk.transaction import Transaction
from comptoir.leases.inbound import InboundLease
from comptoir.ledger import entries as ledger
from comptoir.sales.commitments import (
    AccessStep,
    CommitmentType,
    commitment_id,
    instalments_due,
)
from comptoir.sales.contracts import Contract, ContractVersion, commitments_alive, end_of
from comptoir.sales.credit_blocks import BlockState, CreditBlock, expire
from comptoir.sales.drawdown import Due, draw, edges, record
from comptoir.sales.exits import cut_step, exit_fees_due, exit_settlements
from comptoir.sales.supply_cost import Supplied, cost_dues
from comptoir.sales.tranches import ActType
from comptoir.units.errors import Invalid
from comptoir.units.ids import CommitmentId, InboundLeaseId
from comptoir.units.money import floor_micros
from comptoir.units.time import check_instant, format_instant, next_month_ms

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
    """Book one bought contract's cost and instalments up to an instant, each month by itself."""
    mark = tx.book.contracts.supply_marks.get((contract.id, WHOLE))
    entity = tx.book.credit.entities[contract.entity_id]
    since_ms = entity.created_at_ms if mark is None else mark.posted_until_ms
    month_end_ms = next_month_ms(since_ms, entity.zone)
    while month_end_ms < until_ms:
        _settle(tx, contract, month_end_ms)
        month_end_ms = next_month_ms(month_end_ms, entity.zone)
    _settle(tx, contract, until_ms)


def _settle(tx: Transaction, contract: Contract, until_ms: int) -> None:
    begun = tx.book.contracts.in_force(contract, until_ms - 1)  # not one that is yet to begin
    version = begun or newest_approved(tx.book, contract)
    if version is None or until_ms <= version.effective_from_ms:
        return
    mark = tx.book.contracts.supply_marks.get((contract.id, WHOLE))
    since = mark.posted_until_ms if mark else 0
    if until_ms <= since:
        return
    costs = _use(tx, contract, version, until_ms)
    lost = _over(tx, contract, version, until_ms) + _exit_fee(tx, contract, since, until_ms)
    costs[contract.id] = costs.get(contract.id, 0) + lost
    tx.book.contracts.supply_marks.put(SupplyMark(contract.id, WHOLE, until_ms, 0, 0))
    tx.post(
        f"supply:{contract.id}:{until_ms}",
        "supply",
        f"capacity under {contract.number} up to {format_instant(until_ms)}",
        until_ms - 1,  # the last instant that it covers: it is of the same month
        _postings(tx, contract, costs, _ahead_micros(tx, contract, version, until_ms)),
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


def _ahead_micros(tx: Transaction, contract: Contract, version: ContractVersion, until: int) -> int:
    """What is paid or owed ahead of its use: of each commitment, its instalments that are due
    less what was drawn and lost of it. An instalment counts once its tranche is accepted; after
    an exit, what is kept of the commitment does."""
    acts = tx.book.contracts.acts_of.get(contract.id)
    ahead: dict[CommitmentId | None, int] = {}
    alive = commitments_alive(version.body, acts, until)
    for due in instalments_due(contract.id, alive, 0, min(until, end_of(version, acts))):
        ahead[due.commitment_id] = ahead.get(due.commitment_id, 0) + due.micros
    exit_ms = _exit_ms(tx, contract, until)
    if exit_ms is not None:
        for _, name, micros in exit_settlements(contract, alive, exit_ms):
            named = commitment_id(contract.id, name)
            ahead[named] = ahead.get(named, 0) + micros
    for block in tx.book.contracts.blocks_of.get(contract.id):
        if block.state is not BlockState.WITHDRAWN:
            gone = block.drawn_micros + block.expired_micros
            ahead[block.commitment_id] = ahead.get(block.commitment_id, 0) - gone
    return sum(max(micros, 0) for micros in ahead.values())


def _postings(
    tx: Transaction, contract: Contract, costs: dict[str, int], ahead_micros: int
) -> tuple[ledger.Posting, ...]:
    """Costs are debited; what is prepaid moves to what is ahead now; the rest is payable."""
    unit = ledger.currency(contract.currency)
    prepaid = ledger.prepaid_capacity(contract.id)
    held = tx.book.money.balances.get((prepaid, unit))
    legs = [(ledger.cost_of_capacity(source), micros) for source, micros in costs.items()]
    legs.append((prepaid, ahead_micros - (held.amount if held else 0)))
    owed = sum(micros for _, micros in legs)
    legs.append((ledger.supplier_payable(contract.partner), -owed))
    return tuple(ledger.Posting(account, unit, micros) for account, micros in legs if micros)


def _exit_fee(tx: Transaction, contract: Contract, since: int, until: int) -> int:
    """Micros of an exit that took effect since."""
    versions = tx.book.contracts.versions_of.get(contract.id)
    acts = tx.book.contracts.acts_of.get(contract.id)
    fees = exit_fees_due(contract, versions, acts, until - 1)
    return sum(fee.micros for fee in fees if fee.at_ms >= since)


def _use(
    tx: Transaction, contract: Contract, version: ContractVersion, until: int
) -> dict[str, int]:
    """Let what capacity costs draw on the commitments; micros by inbound lease."""
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
    costs: dict[str, int] = {}
    for due in dues:
        costs[due.subject] = costs.get(due.subject, 0) + due.micros
    return costs


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
    brought = tx.book.openings.contracts.get(contract.id)
    since = first if brought is None else max(first, brought.cut_over_ms)
    return SupplyMark(contract.id, inbound.id, since, 0, 0)


def _over(tx: Transaction, contract: Contract, version: ContractVersion, until: int) -> int:
    """What steps that are over have left, micros: a prepayment lost, or a true-up to pay."""
    lost = 0
    exit_ms = _exit_ms(tx, contract, until)
    for block in tx.book.contracts.blocks_of.get(contract.id):
        left = None if block.state is not BlockState.OPEN else _left(version, block, until, exit_ms)
        if left is not None:
            tx.book.contracts.credit_blocks.put(expire(block))
            lost += left
    return lost


def _left(
    version: ContractVersion, block: CreditBlock, until: int, exit_ms: int | None
) -> int | None:
    """Micros of a step that is over by an instant; None: it is not. A postpaid step ends with an
    exit, at its share of time; a prepaid one is kept to its end."""
    assert block.until_ms is not None, "a step of a commitment ends"
    commitment = version.body.commitment((block.commitment_id or "").partition("/")[2])
    postpaid = commitment is not None and commitment.type is CommitmentType.POSTPAID
    if exit_ms is not None and postpaid:
        step = AccessStep(block.from_ms, block.until_ms, block.granted_micros)
        kept = cut_step(step, exit_ms)
        return max((kept.micros if kept else 0) - block.drawn_micros, 0)
    return block.left_micros if block.until_ms <= until else None


def _exit_ms(tx: Transaction, contract: Contract, until: int) -> int | None:
    """When an exit took effect, if it has by an instant."""
    for act in tx.book.contracts.acts_of.each(contract.id):
        if act.type is ActType.EXIT and act.effective_at_ms < until:
            return act.effective_at_ms
    return None
