"""Usage is priced under the contract version in force when it was used: worked examples."""

from decimal import Decimal

import pytest

from comptoir.desk.requests import IssueInvoice
from comptoir.leases.lease import LeaseClass
from comptoir.pricing.charges import Charge
from comptoir.store import tables as t
from comptoir.store.views import Views
from comptoir.tenants.parties import Role
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.time import format_instant
from tests.builders import Book
from tests.desk.contract_book import Deal

RAMP = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-02
until = 2026-10-12

[[price]]
kind = "cpu-core"
factor = 0.75

[[ramp]]
kind = "cpu-core"
class = "on_demand"
phases = [
  { from = 2026-10-02, price = 1.00 },
  { from = 2026-10-05, price = 2.00 },
  { from = 2026-10-09, factor = 0.50 },
]
"""


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip


def charges(deal: Deal) -> list[Charge]:
    return Views(deal.book.store.engine).all("charge", order=(t.charge.c.seq,), most=10_000)


def dollars(charge_list: list[Charge]) -> Decimal:
    total = sum(charge.numerator for charge in charge_list)
    return Decimal(total) / NUMERATOR_PER_MICRO / 1_000_000


def test_a_ramp_prices_each_day_at_its_phase(deal: Deal) -> None:
    """10 cores on demand from 1 to 14 October at a list price of $4.00 an hour.

    1 Oct          24 h x 10 x $4.00 (list; not in force yet)   =    960
    2, 3, 4 Oct    72 h x 10 x $1.00 (first phase)              =    720
    5 to 8 Oct     96 h x 10 x $2.00 (second phase)             =  1,920
    9 to 11 Oct    72 h x 10 x $4.00 x 0.50 (third phase)       =  1,440
    12, 13 Oct     48 h x 10 x $4.00 (list; over)               =  1,920
                                                                   6,960
    """
    deal.book.price_all(price_nanos=4_000_000_000)
    deal.book.supply(10)
    deal.agree(RAMP)
    deal.at("2026-10-01")
    lease = deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 10)
    deal.at("2026-10-01")
    deal.at("2026-10-07")  # metered twice on the way: it makes no difference
    deal.at("2026-10-14")
    found = charges(deal)
    assert {charge.lease_id for charge in found} == {lease.id}
    version = next(iter(deal.book.desk.book.contracts.versions))
    priced = [
        (format_instant(c.starts_at_ms)[8:10], c.price_nanos // 10**9, c.contract_version_id)
        for c in found
    ]
    assert priced == [
        ("01", 4, ""), ("02", 1, version.id), ("05", 2, version.id), ("07", 2, version.id),
        ("09", 2, version.id), ("12", 4, ""),
    ]  # fmt: skip
    assert dollars(found) == 6_960
    # What the card asks is told beside what was agreed: 13 days x 24 h x 10 x $4.00.
    assert sum(c.list_numerator for c in found) == 12_480 * 10**6 * NUMERATOR_PER_MICRO


def test_a_price_for_everything_gives_way_to_one_that_names_more(deal: Deal) -> None:
    """The contract's 0.75 on every class: spot is 75 % of the list, on demand is its phase's."""
    deal.book.price_all(price_nanos=4_000_000_000)
    deal.book.supply(4, 4)
    deal.agree(RAMP)
    deal.at("2026-10-02")
    deal.book.lease(deal.acme, LeaseClass.SPOT, 4)
    deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 4)
    deal.at("2026-10-02")
    deal.book.pass_s(3_600)
    by_class = {c.lease_class: c.price_nanos for c in charges(deal)}
    assert by_class == {LeaseClass.SPOT: 3_000_000_000, LeaseClass.ON_DEMAND: 1_000_000_000}


def test_a_version_in_the_middle_of_a_month_splits_it_and_is_pinned(deal: Deal) -> None:
    """Half of October at $1.00 under version 1, half at $3.00 under version 2, one core.

    1 to 15 Oct: 15 x 24 h x $1.00 = $360.00; 16 to 31 Oct: 16 x 24 h x $3.00 = $1,152.00.
    """
    one = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[price]]
price = 1.00
"""
    deal.book.price_all(price_nanos=9_000_000_000)
    deal.book.supply(1)
    deal.agree(one)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 1)
    deal.at("2026-10-01")
    deal.at("2026-10-10")
    deal.agree(one.replace("2026-10-01", "2026-10-16").replace("1.00", "3.00"))
    deal.at("2026-11-01")
    found = charges(deal)
    versions = sorted(deal.book.desk.book.contracts.versions, key=lambda v: v.number)
    sums = {
        v.number: dollars([c for c in found if c.contract_version_id == v.id]) for v in versions
    }
    assert sums == {1: 360, 2: 1_152}
    invoice = deal.book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), deal.book.finance)
    assert invoice.total_micros == 1_512_000_000


def test_usage_is_cut_where_credit_begins_and_ends(deal: Deal) -> None:
    text = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2026-11-01

[[commitment]]
name = "base"
type = "prepaid"
access = [ { from = 2026-10-03, until = 2026-10-05, amount = "10.00" } ]
invoice = [ { date = 2026-10-01, amount = "10.00" } ]
"""
    deal.book.price_all(price_nanos=1_000_000_000)
    deal.book.supply(1)
    deal.agree(text)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 1)
    deal.at("2026-10-01")
    deal.at("2026-10-08")
    starts = [format_instant(c.starts_at_ms)[8:10] for c in charges(deal)]
    assert starts == ["01", "03", "05"]


def test_a_quantity_is_used_at_its_own_price(deal: Deal) -> None:
    """240 core-hours at $0.50 are $120.00 of credit; the card asks $4.00."""
    text = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2026-12-01

[[commitment]]
name = "hours"
type = "prepaid"
unit = "quantity"
price = 0.50
kinds = ["cpu-core"]
access = [ { from = 2026-10-01, until = 2026-11-01, accelerator_hours = 240 } ]
invoice = [ { date = 2026-10-01, amount = "120.00" } ]
"""
    deal.book.price_all(price_nanos=4_000_000_000)
    deal.book.supply(10)
    deal.agree(text)
    assert [b.granted_micros for b in deal.blocks()] == [120_000_000]
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, LeaseClass.ON_DEMAND, 10)
    deal.at("2026-10-01")
    deal.at("2026-10-02")  # 10 cores x 24 h are those 240 hours
    assert dollars(charges(deal)) == 120
