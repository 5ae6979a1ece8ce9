"""What is owed to suppliers, from the ledger's postings and the contracts' days."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import exists, select

from comptoir.billing.payables import Moved, Payable, open_payables
from comptoir.sales.contracts import Contract, Direction, VersionState
from comptoir.store import tables as t
from comptoir.store.views.reading import Views
from comptoir.units.ids import ContractId

_ACCOUNT, _AHEAD = "supplier_payable:", "prepaid_capacity:"
MOST_CONTRACTS = 10_000


@dataclass(frozen=True, slots=True)
class Owed:
    """One payable with whom it is owed to, and under which contract."""

    partner: str
    number: str
    currency: str
    payable: Payable


def payables(views: Views, partner: str | None = None) -> list[Owed]:
    """What every supplier is owed, due first before the rest."""
    contracts = _contracts(views)
    days = _days(views, contracts)
    moves = _moves(views, partner)
    found = [
        Owed(whom, contracts[one.contract_id].number if one.contract_id in contracts else "",
             currency, one)
        for (whom, currency), of_one in moves.items()
        for one in open_payables(of_one, days)
    ]  # fmt: skip
    return sorted(found, key=lambda owed: (owed.payable.due_at_ms, owed.partner))


def _moves(views: Views, partner: str | None) -> dict[tuple[str, str], list[Moved]]:
    """The postings on suppliers' accounts; an entry that makes an asset is an instalment."""
    e, p, b = t.entry.c, t.posting.c, t.brought_item.c
    beside = t.posting.alias().c
    ahead = exists().where(
        beside.entry_seq == p.entry_seq, beside.account.startswith(_AHEAD), beside.amount > 0
    )
    account = p.account == f"{_ACCOUNT}{partner}" if partner else p.account.startswith(_ACCOUNT)
    statement = (
        select(p.account, p.unit, p.amount, e.effective_at_ms, e.key, ahead)
        .join_from(t.posting, t.entry, e.seq == p.entry_seq)
        .where(account)
    )
    found: dict[tuple[str, str], list[Moved]] = defaultdict(list)
    with views.reading() as connection:
        rows = connection.execute(statement).all()
        dues = {
            f"opening:{opening_id}:{number - 1}": due_at_ms
            for opening_id, number, due_at_ms in connection.execute(
                select(b.opening_id, b.number, b.due_at_ms).where(b.due_at_ms.is_not(None))
            )
        }
    for name, unit, amount, at_ms, key, made_asset in rows:
        kind, _, rest = key.partition(":")
        contract_id = ContractId(rest.partition(":")[0] if kind == "supply" else "")
        moved = Moved(at_ms, contract_id, -amount, bool(made_asset), dues.get(key))
        found[name.removeprefix(_ACCOUNT), unit].append(moved)
    return found


def _contracts(views: Views) -> dict[ContractId, Contract]:
    c = t.contract.c
    bought = views.all(
        "contract", c.direction == Direction.BOUGHT, order=(c.created_at_ms, c.id),
        most=MOST_CONTRACTS,
    )  # fmt: skip
    return {contract.id: contract for contract in bought}


def _days(views: Views, contracts: dict[ContractId, Contract]) -> dict[ContractId, int]:
    """After how many days what each contract asks is due: its newest version's, or its entity's."""
    v, e = t.contract_version.c, t.legal_entity.c
    entities = views.all("legal_entity", order=(e.created_at_ms, e.id), most=MOST_CONTRACTS)
    by_entity = {entity.id: entity.payment_days for entity in entities}
    found = {one.id: by_entity.get(one.entity_id, 0) for one in contracts.values()}
    approved = views.all(
        "contract_version", v.state == VersionState.APPROVED, order=(v.contract_id, v.number),
        most=MOST_CONTRACTS,
    )  # fmt: skip
    for version in approved:
        if version.contract_id in found and version.body.payment_days is not None:
            found[version.contract_id] = version.body.payment_days
    return found
