"""What of commitments is shown that an exit ended, or whose tranche never came."""

from typing import Any

import pytest

from comptoir.api.handlers.contracts import _commitment
from comptoir.desk.contract_requests import ContractRef
from comptoir.leases.lease import LeaseClass
from comptoir.sales.tranches import ActType
from comptoir.store.views import Views
from comptoir.store.views.tenant_book import drawing
from comptoir.units.time import format_day, parse_instant
from tests.desk.contract_book import SOLD, Deal

EXIT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-04-01

[[commitment]]
name = "ahead"
type = "prepaid"
access = [
  { from = 2026-10-01, until = 2026-12-01, amount = "100.00" },
  { from = 2026-12-01, until = 2027-02-01, amount = "100.00" },
]
invoice = [ { date = 2026-10-01, amount = "150.00" }, { date = 2026-12-15, amount = "50.00" } ]

[[commitment]]
name = "after"
type = "postpaid"
access = [
  { from = 2026-10-01, until = 2026-11-30, amount = "60.00" },
  { from = 2026-12-01, until = 2027-02-01, amount = "60.00" },
]

[[commitment]]
name = "late"
type = "postpaid"
access = [ { from = 2027-02-01, until = 2027-04-01, amount = "60.00" } ]

[exit]
notice = "10d"
"""


def shown(deal: Deal) -> dict[str, Any]:
    [contract] = deal.book.desk.book.contracts.contracts
    found = deal.book.desk.call("explain_contract", ContractRef(contract.id), deal.sales)
    return {one.commitment.name: one for one in found.commitments}


def test_after_an_exit_is_noted_only_what_it_leaves_is_shown(deal: Deal) -> None:
    """Notice on 20 October ends it on the 30th, half of the sixty days of the step that runs."""
    deal.agree(EXIT)
    deal.at("2026-10-20")
    assert shown(deal)["ahead"].next_instalment is not None
    deal.act(ActType.EXIT, by=deal.buyer, at=parse_instant("2026-10-31T00:00:00Z"))
    for day in ("2026-10-20", "2026-10-31"):  # and once it has ended
        deal.at(day)
        found = shown(deal)
        assert found["ahead"].next_instalment is None
        assert format_day(found["ahead"].commitment.until_ms) == "2026-12-01"
        assert [step.micros for step, _ in found["after"].spent] == [30_000_000]
        assert format_day(found["after"].commitment.until_ms) == "2026-10-31"
        gone = {name for name, one in found.items() if one.fell_away}
        assert (gone, found["late"].alive) == ({"late"}, False)


def test_a_commitment_of_a_cancelled_tranche_fell_away(deal: Deal) -> None:
    deal.agree(SOLD)
    deal.at("2026-12-02")
    assert (shown(deal)["more"].alive, shown(deal)["more"].fell_away) == (False, False)
    deal.act(ActType.CANCEL, "second", by=deal.buyer)
    more = shown(deal)["more"]
    assert (more.alive, more.fell_away, more.next_instalment) == (False, True, None)


SHORT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "pre"
type = "prepaid"
access = [ { from = 2026-10-01, until = 2026-10-11, amount = "AMOUNT" } ]
invoice = [ { date = 2026-10-01, amount = "AMOUNT" } ]
"""


@pytest.mark.parametrize(
    ("amount", "day", "said"),
    [
        # Two days at $1 an hour pend; the $52 that are left last until 04:00 of the 5th.
        ("100.00", "2026-10-03", ("48.00", "52.00", "2026-10-05T04:00:00.000Z", "0.00")),
        # Eight days are left, $192 of the $252: $60 would expire.
        ("300.00", "2026-10-03", ("48.00", "252.00", None, "60.00")),
        # All of it pends: nothing is left to be used up.
        ("48.00", "2026-10-04", ("48.00", "0.00", None, "0.00")),
        # Over, and its period not closed: what of it expires is no credit any more.
        ("300.00", "2026-10-12", ("240.00", "0.00", None, "0.00")),
    ],
)
def test_what_pends_is_not_left_and_is_not_forecast_again(
    deal: Deal, amount: str, day: str, said: tuple[str, ...]
) -> None:
    book = deal.book
    book.price(LeaseClass.ON_DEMAND, 1_000_000_000)
    book.supply(4)
    deal.agree(SHORT.replace("AMOUNT", amount))
    deal.at("2026-10-01")
    book.lease(deal.acme, LeaseClass.ON_DEMAND, 1)
    book.turn()
    deal.at(day)
    now_ms = book.clock.instant_ms
    drawn = drawing(Views(book.store.engine), deal.acme.id, now_ms)
    found = _commitment(shown(deal)["pre"], drawn, now_ms, "USD")
    assert tuple(found[k] for k in ("pending", "left", "used_up_at", "short")) == said
