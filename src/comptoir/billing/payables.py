"""Payables: what is owed to suppliers, when it is due, and what was paid of it.

A supplier is paid as a whole: what is due first is paid first, whichever contract a transfer
names. Use of a month is one item, due so many days after its last booking; an instalment is
an item of its own. Invariant: what is open adds up to the ledger's payable. Neighbours: the
desk posts costs and payments; `store/views/receipts.py` reads them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from comptoir.units.ids import ContractId
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import month_start_ms


@dataclass(frozen=True, slots=True)
class Moved:
    """A posting on a supplier's account: owed more (above zero), or paid (below)."""

    at_ms: int
    contract_id: ContractId
    micros: int
    ahead: bool = False
    """Whether it is an instalment: owed before it is used."""
    due_at_ms: int | None = None
    """When it is due, where that was brought from another system."""


@dataclass(frozen=True, slots=True)
class Payable:
    """What is still owed of one instalment, or of one month's use under one contract."""

    contract_id: ContractId
    micros: int
    since_ms: int
    due_at_ms: int
    ahead: bool


def open_payables(moves: Iterable[Moved], days: Mapping[ContractId, int]) -> list[Payable]:
    """What one supplier is owed in one currency, due first before the rest.

    Args:
        moves: All postings on its account, in any order.
        days: After how many days what a contract asks is due; at once where it is not named.
    """
    items: dict[tuple[ContractId, int, bool], Payable] = {}
    paid = 0
    for move in sorted(moves, key=lambda one: one.at_ms):
        if move.micros <= 0:
            paid -= move.micros
            continue
        month = move.at_ms if move.ahead else month_start_ms(move.at_ms)
        due = move.at_ms + days.get(move.contract_id, 0) * DAY_MS
        if move.due_at_ms is not None:
            month = due = move.due_at_ms
        key = (move.contract_id, month, move.ahead)
        known = items.get(key) or Payable(move.contract_id, 0, move.at_ms, due, move.ahead)
        items[key] = replace(known, micros=known.micros + move.micros, due_at_ms=due)
    found = []
    for item in sorted(items.values(), key=lambda one: (one.due_at_ms, one.since_ms)):
        gone = min(paid, item.micros)
        paid -= gone
        if item.micros > gone:
            found.append(replace(item, micros=item.micros - gone))
    return found
