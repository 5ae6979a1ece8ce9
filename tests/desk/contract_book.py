"""A book with contracts: who proposes, who approves, who buys; one that is sold, one bought."""

from dataclasses import dataclass
from typing import Any

import pytest

from comptoir.desk.contract_requests import (
    ContractDeed,
    ContractVersionRef,
    ProposeContract,
    ProposedContract,
)
from comptoir.desk.requests import DeclareSupply, NewNode
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.tranches import ActType
from comptoir.tenants.parties import Actor, Tenant
from comptoir.units.errors import ComptoirError
from comptoir.units.time import parse_instant
from tests.builders import Book

DAY_S = 86_400


SOLD = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-10-01

[[commitment]]
name = "base"
type = "prepaid"
access = [
  { from = 2026-10-01, until = 2027-01-01, amount = "100.00" },
  { from = 2027-01-01, until = 2027-10-01, amount = "300.00" },
]
invoice = [ { date = 2026-10-01, amount = "400.00" } ]

[[commitment]]
name = "more"
type = "prepaid"
tranche = "second"
access = [ { from = 2026-11-01, until = 2027-10-01, amount = "50.00" } ]
invoice = [ { date = 2026-11-01, amount = "50.00" } ]

[[tranche]]
name = "second"
kind = "cpu-core"
accelerators = 8
delivery = 2026-11-01
accept_within = "72h"
early_by = "10d"
cancel_after = "30d"

[[expansion]]
name = "grow"
kind = "cpu-core"
accelerators = 8
exercise_by = 2026-12-01
price = 1.20

[exit]
notice = "90d"
not_before = 2027-03-01
fee = "10.00"
"""


@dataclass
class Deal:
    """A book with somebody who sells, somebody who approves, and a customer."""

    book: Book
    sales: Actor
    approver: Actor
    acme: Tenant
    buyer: Actor

    def propose(self, text: str, dry_run: bool = False, by: Actor | None = None) -> Any:
        file = read_contract_file("acme.toml", text)
        return self.book.desk.call(
            "propose_contract", ProposeContract(file, dry_run), by or self.sales
        )

    def approve(self, made: ProposedContract, by: Actor | None = None) -> Any:
        ref = ContractVersionRef(made.contract.id, made.version.number)
        return self.book.desk.call("approve_contract", ref, by or self.approver)

    def agree(self, text: str) -> Any:
        return self.approve(self.propose(text))

    def act(
        self, act: ActType, subject: str = "", by: Actor | None = None, at: int | None = None
    ) -> Any:
        contract = next(iter(self.book.desk.book.contracts.contracts))
        deed = ContractDeed(contract.id, act, subject, at)
        return self.book.desk.call("act_on_contract", deed, by or self.sales)

    def blocks(self) -> list[CreditBlock]:
        found = list(self.book.desk.book.contracts.credit_blocks)
        return sorted(found, key=lambda b: (b.from_ms, b.granted_micros))

    def at(self, day: str) -> None:
        """Let it be a day, and turn the book to it."""
        self.book.clock.instant_ms = parse_instant(f"{day}T00:00:00Z")
        self.book.turn()


def refused(code: str) -> Any:
    return pytest.raises(ComptoirError, match=code)


BOUGHT = """
contract = "NORTH-1"
bought_from = "north"
effective = 2026-10-01
until = 2026-10-21
inbound = ["rented"]

[[commitment]]
name = "base"
type = "prepaid"
access = [ { from = 2026-10-01, until = 2026-10-11, amount = "1000.00" } ]
invoice = [
  { date = 2026-10-01, amount = "600.00" },
  { date = 2026-10-06, amount = "400.00" },
]

[[commitment]]
name = "rest"
type = "postpaid"
access = [ { from = 2026-10-11, until = 2026-10-21, amount = "2000.00" } ]
"""


def balances(deal: Deal) -> dict[str, int]:
    """Whole dollars by account, of what supply moves."""
    names = ("prepaid_capacity", "supplier_payable", "cost_of_capacity")
    found: dict[str, int] = {}
    for row in deal.book.desk.book.money.balances:
        name = row.account.partition(":")[0]
        if name in names:
            assert row.amount % 1_000_000 == 0
            found[name] = found.get(name, 0) + row.amount // 1_000_000
    return found


def rent(deal: Deal, starts: str = "2026-10-01", accelerators: int = 5) -> Any:
    """`accelerators` at $1.00 an hour from `north`."""
    nodes = (NewNode("rented-1", accelerators, 1 << 30, "local"),)
    request = DeclareSupply(
        "rented", "cpu-core", nodes, "north", parse_instant(f"{starts}T00:00:00Z"),
        cost_nanos=1_000_000_000,
    )  # fmt: skip
    return deal.book.desk.call("declare_supply", request, deal.book.operator)
