"""Contracts: proposed by one, approved by another; the past is left alone; acts have their time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.receipts import PaymentState
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.contract_requests import (
    ContractDeed,
    ContractRef,
    ContractVersionRef,
    ProposeContract,
    ProposedContract,
    SettleSupply,
)
from comptoir.desk.operations.money.receipts import ReceiptsRecorded
from comptoir.desk.receipt_requests import RecordReceipts
from comptoir.desk.requests import DeclareSupply, EndSupply, NewNode
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.contracts import ContractState, VersionState, state_of
from comptoir.sales.credit_blocks import BlockState, CreditBlock
from comptoir.sales.tranches import ActType, TrancheState, standing
from comptoir.store.views import Views
from comptoir.store.views.payables import payables
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Actor, Role, Tenant
from comptoir.units.errors import ComptoirError
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import format_instant, parse_instant
from tests.builders import START_MS, Book

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


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip


def refused(code: str) -> Any:
    return pytest.raises(ComptoirError, match=code)


def test_nobody_approves_their_own_proposal(deal: Deal) -> None:
    both = deal.book.user(Role.SALES, Role.APPROVER)
    made = deal.propose(SOLD, by=both)
    with refused("own_proposal"):
        deal.approve(made, by=both)
    with refused("missing_permission"):
        deal.approve(made, by=deal.sales)
    assert deal.approve(made).version.state is VersionState.APPROVED
    with refused("version_not_proposed"):
        deal.approve(made)


def test_a_proposal_grants_nothing_and_an_approval_grants_each_step_once(deal: Deal) -> None:
    made = deal.propose(SOLD)
    assert deal.blocks() == []
    deal.approve(made)
    assert [(b.granted_micros, b.state) for b in deal.blocks()] == [
        (100_000_000, BlockState.OPEN), (300_000_000, BlockState.OPEN),
    ]  # fmt: skip


def test_a_dry_run_judges_and_keeps_nothing(deal: Deal) -> None:
    assert deal.propose(SOLD, dry_run=True).dry_run
    assert not len(deal.book.desk.book.contracts.contracts)
    with refused("not_found"):
        deal.propose(SOLD.replace("acme", "nobody"), dry_run=True)


def test_a_second_version_takes_over_at_its_date_and_changes_only_what_has_not_begun(
    deal: Deal,
) -> None:
    deal.agree(SOLD)
    later = SOLD.replace("effective = 2026-10-01", "effective = 2026-12-01")
    smaller = later.replace('"300.00"', '"200.00"').replace('"400.00"', '"300.00"')
    with refused("base: the instalment of 2026-10-01"):
        deal.propose(smaller)
    with refused("base: the step that began 2026-10-01"):
        deal.propose(later.replace('"100.00" },\n', '"90.00" },\n').replace('"400.00"', '"390.00"'))
    with refused("tranche second, due 2026-11-01"):
        deal.propose(later.replace("accelerators = 8\ndelivery", "accelerators = 4\ndelivery"))
    deal.agree(later.replace("price = 1.20", "price = 1.10"))
    assert [b.granted_micros for b in deal.blocks()] == [100_000_000, 300_000_000]
    contract = next(iter(deal.book.desk.book.contracts.contracts))
    deal.at("2026-11-30")
    now = deal.book.clock.instant_ms
    version = deal.book.desk.book.contracts.in_force(contract, now)
    assert version is not None and version.number == 1
    deal.at("2026-12-01")
    version = deal.book.desk.book.contracts.in_force(contract, deal.book.clock.instant_ms)
    assert version is not None and version.number == 2


def test_credit_of_a_step_that_a_new_version_drops_is_taken_back(deal: Deal) -> None:
    two = SOLD.replace('"400.00" }', '"100.00" }, { date = 2027-01-01, amount = "300.00" }')
    deal.agree(two)
    later = two.replace("effective = 2026-10-01", "effective = 2026-12-01")
    deal.agree(later.replace('"300.00"', '"250.00"'))
    assert [(b.granted_micros, b.state) for b in deal.blocks()] == [
        (100_000_000, BlockState.OPEN),
        (250_000_000, BlockState.OPEN),
        (300_000_000, BlockState.WITHDRAWN),
    ]


def test_a_version_may_not_price_usage_again(deal: Deal) -> None:
    deal.book.price_all()
    deal.book.supply(8)
    deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 2)
    deal.book.turn()
    deal.book.pass_s(20 * DAY_S)
    with refused("usage is priced up to 2026-10-11"):
        deal.propose(SOLD)


def test_two_sold_contracts_of_a_tenant_are_never_in_force_at_once(deal: Deal) -> None:
    deal.agree(SOLD)
    other = SOLD.replace("ACME-1", "ACME-2")
    with refused("contracts_overlap"):
        deal.propose(other)
    empty = 'contract = "ACME-2"\nsold_to = "acme"\neffective = 2027-10-01\nuntil = 2028-10-01\n'
    deal.agree(empty)


def test_what_a_number_stands_for_never_changes(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.book.tenant("other")
    with refused("contract_differs"):
        deal.propose(SOLD.replace('"acme"', '"other"'))
    with refused("unknown_entity"):
        deal.propose('entity = "nowhere"\n' + SOLD.replace("ACME-1", "ACME-3"))


def test_one_version_waits_for_its_approval_at_a_time(deal: Deal) -> None:
    made = deal.propose(SOLD)
    with refused("version_pending"):
        deal.propose(SOLD)
    ref = ContractVersionRef(made.contract.id, 1)
    deal.book.desk.call("withdraw_contract", ref, deal.sales)
    assert deal.propose(SOLD).version.number == 2


def test_a_contract_in_another_currency_than_its_card_is_refused(deal: Deal) -> None:
    with refused("currency_of_another"):
        deal.propose('currency = "EUR"\n' + SOLD)


def test_a_tranche_is_accepted_in_silence_and_its_commitment_begins(deal: Deal) -> None:
    contract = deal.agree(SOLD).contract
    deal.at("2026-10-15")
    with refused(r"may be delivered from 2026-10-22"):
        deal.act(ActType.DELIVER, "second")
    deal.at("2026-10-25")
    with refused("act_of_the_other_side"):
        deal.act(ActType.DELIVER, "second", by=deal.buyer)
    deal.act(ActType.DELIVER, "second")
    deal.at("2026-10-27")
    assert len(deal.blocks()) == 2
    deal.at("2026-10-28")  # 72 hours later
    assert [b.granted_micros for b in deal.blocks()] == [100_000_000, 50_000_000, 300_000_000]
    acts = deal.book.desk.book.contracts.acts_of.get(contract.id)
    assert [(act.type, act.note[:6]) for act in acts] == [
        (ActType.DELIVER, ""), (ActType.ACCEPT, "deemed"),
    ]  # fmt: skip
    deal.at("2026-11-30")
    assert len(deal.book.desk.book.contracts.acts_of.get(contract.id)) == 2


def test_a_rejected_tranche_is_delivered_again(deal: Deal) -> None:
    contract = deal.agree(SOLD).contract
    deal.at("2026-11-01")
    deal.act(ActType.DELIVER, "second")
    deal.act(ActType.REJECT, "second", by=deal.buyer)
    with refused("tranche_not_in_state"):
        deal.act(ActType.ACCEPT, "second", by=deal.buyer)
    deal.at("2026-11-02")
    deal.act(ActType.DELIVER, "second")
    deal.act(ActType.ACCEPT, "second", by=deal.buyer)
    acts = deal.book.desk.book.contracts.acts_of.get(contract.id)
    tranche = read_contract_file("x", SOLD).body.tranches[0]
    found = standing(tranche, acts, deal.book.clock.instant_ms)
    assert (found.state, found.deemed) == (TrancheState.ACCEPTED, False)


def test_a_late_tranche_may_be_cancelled_after_its_grace_and_not_before(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-11-30")
    with refused("may be cancelled after 2026-12-01"):
        deal.act(ActType.CANCEL, "second", by=deal.buyer)
    deal.at("2026-12-02")
    deal.act(ActType.CANCEL, "second", by=deal.buyer)
    with refused("tranche_not_in_state"):
        deal.act(ActType.DELIVER, "second")
    assert len(deal.blocks()) == 2


def test_an_option_is_used_once_and_in_time(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-10-02")
    with refused("contract_unknown_name"):
        deal.act(ActType.EXERCISE, "shrink")
    deal.act(ActType.EXERCISE, "grow", by=deal.buyer)
    with refused("already_done"):
        deal.act(ActType.EXERCISE, "grow")


def test_an_option_that_is_over_is_refused_with_its_date(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-12-01")
    with refused("option_over.*2026-12-01"):
        deal.act(ActType.EXERCISE, "grow")


def test_an_exit_needs_its_notice_and_ends_the_contract(deal: Deal) -> None:
    contract = deal.agree(SOLD).contract
    deal.at("2027-01-01")
    early = parse_instant("2027-03-31T00:00:00Z")
    with refused(r"2027-04-01T.* at the earliest \(the notice is 90d\).*2027-03-31"):
        deal.act(ActType.EXIT, at=early, by=deal.buyer)
    deal.act(ActType.EXIT, by=deal.buyer)
    with refused("already_done"):
        deal.act(ActType.EXIT)
    deal.at("2027-04-01")
    book = deal.book.desk.book.contracts
    given = book.versions_of.get(contract.id), book.acts_of.get(contract.id)
    assert state_of(*given, deal.book.clock.instant_ms) is ContractState.ENDED
    with refused("contract_not_in_force"):
        deal.act(ActType.EXERCISE, "grow")


def test_an_exit_that_its_contract_forbids_is_refused_with_the_reason(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-11-01")
    with refused(r"2027-03-01T.* at the earliest \(the contract allows none before\)"):
        deal.act(ActType.EXIT, at=parse_instant("2026-12-01T00:00:00Z"))
    deal.at("2027-08-01")
    with refused(r"2027-10-30T.* at the earliest \(.*after it has ended by itself 2027-10-01T"):
        deal.act(ActType.EXIT)


def test_leaving_a_partner_early_costs_its_fee_once(deal: Deal) -> None:
    deal.agree(
        BOUGHT.replace(
            "[[commitment]]", '[exit]\nnotice = "48h"\nfee = "70.00"\n\n[[commitment]]', 1
        )
    )
    rent(deal)
    deal.at("2026-10-02")
    deal.act(ActType.EXIT)  # takes effect on 4 October
    deal.at("2026-10-04")
    assert balances(deal)["cost_of_capacity"] == 3 * 120
    for day in ("2026-10-05", "2026-10-12", "2026-11-01"):
        deal.at(day)
        # three days of $120, the fee of $70, and what was prepaid and is lost
        lost = 1_000 - 3 * 120 if day > "2026-10-11" else 0
        assert balances(deal)["cost_of_capacity"] == 3 * 120 + 70 + lost


def test_another_tenants_contract_is_not_there(deal: Deal) -> None:
    contract = deal.agree(SOLD).contract
    other = deal.book.user(Role.TENANT_ADMIN, tenant=deal.book.tenant("other"))
    with refused("not_found"):
        deal.book.desk.call("act_on_contract", ContractDeed(contract.id, ActType.EXIT), other)


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


def test_bought_capacity_is_drawn_from_its_commitment_day_by_day(deal: Deal) -> None:
    # 5 accelerators at $1.00 cost $120 a day: $1,000 are used up after 8 days and 8 hours.
    deal.agree(BOUGHT)
    rent(deal)
    deal.at("2026-10-02")
    # the first instalment of $600 is owed; a day of $120 was taken from it
    assert balances(deal) == {
        "prepaid_capacity": 600 - 120, "supplier_payable": -600, "cost_of_capacity": 120,
    }  # fmt: skip
    deal.at("2026-10-11")
    # both instalments; ten days cost $1,200: $1,000 prepaid, $200 above it are owed
    assert balances(deal) == {
        "prepaid_capacity": 0, "supplier_payable": -1_200, "cost_of_capacity": 1_200,
    }  # fmt: skip
    deal.at("2026-10-21")
    # ten more days cost $1,200 of $2,000 that were promised: the $800 short are owed as well
    assert balances(deal) == {
        "prepaid_capacity": 0, "supplier_payable": -3_200, "cost_of_capacity": 3_200,
    }  # fmt: skip
    assert [(b.drawn_micros, b.expired_micros) for b in deal.blocks()] == [
        (1_000_000_000, 0), (1_200_000_000, 800_000_000),
    ]  # fmt: skip
    deal.at("2026-12-01")
    assert balances(deal)["cost_of_capacity"] == 3_200


USD = 1_000_000


def test_a_transfer_to_a_supplier_is_matched_by_its_name_and_what_it_is_owed(deal: Deal) -> None:
    deal.agree(BOUGHT)
    rent(deal)
    deal.at("2026-10-02")  # $600 are owed
    book = deal.book

    def sent(dollars: int, payee: str) -> ReceiptsRecorded:
        entry = BankEntry(f"e{dollars}", START_MS, -dollars * USD, "USD", "invoice 17", payee)
        request = RecordReceipts(HOUSE_ENTITY, "s1", "", (entry,))
        done: ReceiptsRecorded = book.desk.call("record_receipts", request, book.finance)
        return done

    assert sent(601, "North Ltd").outgoing == 1  # more than it is owed
    assert sent(100, "South Ltd").outgoing == 1
    [payment] = sent(250, "North Ltd").payments
    assert (payment.state, payment.about) == (PaymentState.SENT, "NORTH-1")
    [owed] = payables(Views(book.store.engine))
    assert (owed.partner, owed.number, owed.payable.micros) == ("north", "NORTH-1", 350 * USD)
    assert balances(deal)["supplier_payable"] == -350


def test_the_cost_of_supply_is_the_same_however_often_it_is_counted(deal: Deal) -> None:
    deal.agree(BOUGHT)
    rent(deal, accelerators=7)
    finance = deal.book.user(Role.FINANCE)
    for hours in (1, 5, 5, 37, 100, 3, 400):
        deal.book.clock.instant_ms += hours * 3_600_000 + 1
        deal.book.turn()
        deal.book.desk.call("settle_supply", SettleSupply(), finance)
        deal.book.desk.call("settle_supply", SettleSupply(), finance)
    since = parse_instant("2026-10-01T00:00:00Z")
    until = min(deal.book.clock.instant_ms, parse_instant("2026-10-21T00:00:00Z"))
    spent = sum(
        row.amount
        for row in deal.book.desk.book.money.balances
        if row.account.startswith("cost_of_capacity:il_")
    )
    assert spent == 7 * (until - since) * 1_000_000_000 // (3_600_000 * 1_000)


def test_an_exercised_expansion_writes_the_version_that_adds_it(deal: Deal) -> None:
    made = deal.agree(SOLD.replace("price = 1.20", 'price = 1.20\ndeliver_within = "20d"'))
    ref = ContractRef(made.contract.id)
    deal.at("2026-10-10")
    assert deal.book.desk.call("explain_contract", ref, deal.buyer).next_text == ""
    deal.act(ActType.EXERCISE, "grow", by=deal.buyer)
    text = deal.book.desk.call("explain_contract", ref, deal.buyer).next_text
    file = read_contract_file("next.toml", text)
    assert file.effective_from_ms == parse_instant("2026-10-11T00:00:00Z")
    tranche = file.body.tranche("grow")
    assert tranche is not None
    assert (tranche.kind, tranche.accelerators) == ("cpu-core", 8)
    assert tranche.delivery_at_ms == parse_instant("2026-10-30T00:00:00Z")
    [price] = file.body.prices
    assert (price.kind, price.lease_class) == ("cpu-core", LeaseClass.RESERVED)
    assert (price.price_nanos, price.from_ms) == (1_200_000_000, tranche.delivery_at_ms)
    assert file.body.commitments == read_contract_file("acme.toml", SOLD).body.commitments
    assert deal.agree(text).version.number == 2  # it is a file like any other
    assert deal.book.desk.call("explain_contract", ref, deal.buyer).next_text == ""


WAITS = """
contract = "NORTH-1"
bought_from = "north"
effective = 2026-10-01
until = 2027-10-01
inbound = ["rented"]

[[commitment]]
name = "more"
type = "prepaid"
tranche = "second"
access = [ { from = 2026-10-01, until = 2027-10-01, amount = "1000.00" } ]
invoice = [ { date = 2026-10-03, amount = "200.00" }, { date = 2026-10-20, amount = "800.00" } ]

[[tranche]]
name = "second"
kind = "cpu-core"
accelerators = 5
delivery = 2026-10-01
accept_within = "720h"
"""


def test_an_instalment_from_before_its_tranche_is_accepted_is_owed_once_it_is(deal: Deal) -> None:
    deal.agree(WAITS)
    deal.at("2026-10-05")
    deal.act(ActType.DELIVER, "second")
    assert balances(deal) == {}
    deal.at("2026-10-08")
    deal.act(ActType.ACCEPT, "second", by=deal.sales)
    deal.at("2026-10-09")
    assert balances(deal) == {"prepaid_capacity": 200, "supplier_payable": -200}
    deal.at("2026-10-21")
    assert balances(deal) == {"prepaid_capacity": 1_000, "supplier_payable": -1_000}


def test_what_is_used_beyond_what_was_paid_ahead_is_owed_until_its_instalment_comes(
    deal: Deal,
) -> None:
    """$1,000 may be drawn from the 1st on; $200 of it are invoiced on the 3rd, $800 on the 20th."""
    deal.agree(WAITS.replace('tranche = "second"', ""))
    rent(deal)  # $120 a day
    deal.at("2026-10-02")  # nothing was invoiced yet: the day's $120 are owed
    assert balances(deal) == {"supplier_payable": -120, "cost_of_capacity": 120}
    deal.at("2026-10-04")  # three days cost $360, $200 of them paid ahead: $360 are owed in all
    assert balances(deal) == {"supplier_payable": -360, "cost_of_capacity": 360}
    deal.at("2026-10-09")  # eight days cost $960
    assert balances(deal) == {"supplier_payable": -960, "cost_of_capacity": 960}
    deal.at("2026-10-21")
    # twenty days cost $2,400, of which the commitment paid $1,000: all of it is owed, nothing
    # ahead; the second instalment made no asset, since it had been used before it came
    assert balances(deal) == {"supplier_payable": -2_400, "cost_of_capacity": 2_400}


PAY_AS_USED = """
contract = "NORTH-1"
bought_from = "north"
effective = 2026-10-01
until = 2026-12-30
inbound = ["rented"]
"""


def test_the_cost_of_a_month_counts_in_it_until_it_is_closed(deal: Deal) -> None:
    """Settled on 3 November for the first time: October's days count in October."""
    book = deal.book
    deal.agree(PAY_AS_USED)
    book.clock.instant_ms = parse_instant("2026-10-29T00:00:00Z")
    rent(deal, "2026-10-30")
    book.clock.instant_ms = parse_instant("2026-11-03T00:00:00Z")
    book.turn()
    assert costs_by_month(deal) == {"2026-10": 240, "2026-11": 240}
    for month in ("2026-09", "2026-10"):
        request = ClosePeriod(LegalEntityId("house"), month)
        period = book.desk.call("close_period", request, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))
    # a second contract, whose first days lie in what is closed: they count from its end on
    nodes = (NewNode("other-1", 1, 1 << 30, "local"),)
    october = parse_instant("2026-10-30T00:00:00Z")
    request = DeclareSupply(
        "other", "cpu-core", nodes, "south", october, cost_nanos=1_000_000_000
    )  # fmt: skip
    book.desk.call("declare_supply", request, book.operator)
    south = PAY_AS_USED.replace("NORTH", "SOUTH").replace("north", "south")
    deal.agree(south.replace('"rented"', '"other"'))
    deal.at("2026-11-04")
    assert costs_by_month(deal) == {"2026-10": 240, "2026-11": 240 + 120 + 5 * 24}


def costs_by_month(deal: Deal) -> dict[str, int]:
    """Whole dollars of `cost_of_capacity`, by the month in which they count."""
    with deal.book.store.engine.connect() as rows:
        found = rows.execute(
            text(
                "SELECT e.effective_at_ms, p.amount FROM posting p JOIN entry e ON"
                " e.seq = p.entry_seq WHERE p.account LIKE 'cost_of_capacity:%'"
            )
        ).all()
    months: dict[str, int] = {}
    for at_ms, amount in found:
        month = format_instant(at_ms)[:7]
        months[month] = months.get(month, 0) + amount
    return {month: amount // 1_000_000 for month, amount in months.items()}


def test_an_exit_from_what_is_bought_ends_its_steps_as_it_ends_those_that_are_sold(
    deal: Deal,
) -> None:
    """Out on 16 October of $600 a month ahead and $930 of October as used; nothing was used.

    Prepaid: October's step is kept and lost at its end, $600; November's is released, and what
    was invoiced for it on the 1st, $600, is not owed. Postpaid: 15 of 31 days, $450.
    """
    deal.agree(
        PAY_AS_USED
        + """
[exit]
notice = "0s"

[[commitment]]
name = "ahead"
type = "prepaid"
access = [
  { from = 2026-10-01, until = 2026-11-01, amount = "600.00" },
  { from = 2026-11-01, until = 2026-12-01, amount = "600.00" },
]
invoice = [ { date = 2026-10-01, amount = "1200.00" } ]

[[commitment]]
name = "as-used"
type = "postpaid"
access = [ { from = 2026-10-01, until = 2026-11-01, amount = "930.00" } ]
"""
    )
    deal.at("2026-10-10")
    assert balances(deal) == {"prepaid_capacity": 1_200, "supplier_payable": -1_200}
    deal.act(ActType.EXIT, at=parse_instant("2026-10-16T00:00:00Z"))
    deal.at("2026-10-17")
    assert balances(deal) == {
        "prepaid_capacity": 600, "supplier_payable": -600 - 450, "cost_of_capacity": 450,
    }  # fmt: skip
    deal.at("2026-12-05")
    assert balances(deal) == {
        "prepaid_capacity": 0, "supplier_payable": -1_050, "cost_of_capacity": 1_050,
    }  # fmt: skip


def test_supply_that_ends_is_booked_to_its_end(deal: Deal) -> None:
    deal.agree(BOUGHT)
    inbound = rent(deal)
    deal.at("2026-10-03")
    deal.book.pass_s(6 * 3_600)
    deal.book.desk.call("end_supply", EndSupply(inbound.id), deal.book.operator)
    deal.book.pass_s(40 * DAY_S)
    # two days and six hours at $5 an hour are $270
    cost = deal.book.desk.book.money.balances.get(
        (ledger.cost_of_capacity(inbound.id), ledger.currency("USD"))
    )
    assert cost is not None and cost.amount == 270_000_000


def test_a_lease_of_another_partner_is_not_paid_under_a_contract(deal: Deal) -> None:
    rent(deal)
    with refused("inbound_of_another.*from north"):
        deal.propose(BOUGHT.replace('"north"', '"south"'))
    deal.agree(BOUGHT)
    with refused("inbound_of_another.*NORTH-1"):
        deal.propose(BOUGHT.replace("NORTH-1", "NORTH-2"))


def test_a_book_that_is_loaded_again_has_the_same_contracts(deal: Deal, tmp_path: Path) -> None:
    from comptoir.simulation.audit_memory import memory_problems

    deal.agree(SOLD)
    deal.agree(BOUGHT)
    rent(deal)
    deal.at("2026-10-12")
    deal.act(ActType.EXERCISE, "grow")
    assert list(memory_problems(deal.book.desk)) == []
