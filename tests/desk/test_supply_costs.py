"""What bought capacity costs, day by day, and what its partner is owed."""

import pytest
from sqlalchemy import text

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.receipts import PaymentState
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.contract_requests import ContractRef, SettleSupply
from comptoir.desk.operations.money.receipts import ReceiptsRecorded
from comptoir.desk.receipt_requests import RecordReceipts
from comptoir.desk.requests import DeclareSupply, EndSupply, NewNode
from comptoir.ledger import entries as ledger
from comptoir.sales.tranches import ActType
from comptoir.store.views import Views
from comptoir.store.views.payables import payables
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role
from comptoir.units.errors import Conflict
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import format_instant, parse_instant
from tests.builders import START_MS
from tests.desk.contract_book import BOUGHT, DAY_S, Deal, balances, rent


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


def test_no_version_buys_what_is_counted_from_before_that(deal: Deal) -> None:
    deal.agree(BOUGHT)
    rent(deal)
    earlier = BOUGHT.replace("effective = 2026-10-01", "effective = 2026-09-30")
    deal.at("2026-10-02")
    with pytest.raises(Conflict, match="rented is counted from 2026-10-01T00:00:00"):
        deal.propose(earlier)
    deal.agree(BOUGHT)
    deal.at("2026-10-04")
    assert balances(deal)["cost_of_capacity"] == 3 * 120


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
    assert as_used(deal) == (450_000_000, 0, parse_instant("2026-10-16T00:00:00Z"))
    deal.at("2026-10-17")
    assert as_used(deal) == (450_000_000, 450_000_000, parse_instant("2026-10-16T00:00:00Z"))
    assert balances(deal) == {
        "prepaid_capacity": 600, "supplier_payable": -600 - 450, "cost_of_capacity": 450,
    }  # fmt: skip
    deal.at("2026-12-05")
    assert balances(deal) == {
        "prepaid_capacity": 0, "supplier_payable": -1_050, "cost_of_capacity": 1_050,
    }  # fmt: skip


def as_used(deal: Deal) -> tuple[int, int, int | None]:
    """What the one postpaid step is shown to promise, what of it is lost, and when it ends."""
    contract = next(iter(deal.book.desk.book.contracts.contracts))
    shown = deal.book.desk.call("explain_contract", ContractRef(contract.id), deal.sales)
    (block,) = shown.commitments[-1].blocks
    return block.granted_micros, block.expired_micros, block.until_ms


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
