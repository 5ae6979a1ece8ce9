"""A lease may be recalled as its contract says: with its notice, and so many times a year."""

import pytest

from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.invoices import LineType
from comptoir.desk.close_requests import ClosePeriod, CloseSlice, DraftRef
from comptoir.desk.contract_requests import ContractVersionRef, ProposeContract
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.ledger import entries as ledger
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.tranches import ActType
from comptoir.simulation.audit_memory import memory_problems
from comptoir.tenants.parties import Role
from comptoir.units.errors import Refused
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS
from tests.desk.test_lending import Shop
from tests.desk.test_lending import shop as shop  # the fixture

CONTRACT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-09-01
until = 2028-01-01

[recall]
notice = "10m"
fee = 1.5
times_a_year = 2
"""


def agree(shop: Shop, text: str = CONTRACT) -> None:
    request = ProposeContract(read_contract_file("acme.toml", text))
    made = shop.desk.call("propose_contract", request, shop.user(Role.SALES))
    ref = ContractVersionRef(made.contract.id, made.version.number)
    shop.desk.call("approve_contract", ref, shop.user(Role.APPROVER))


def test_a_reserved_lease_has_the_recall_clause_of_its_contract(shop: Shop) -> None:
    end = shop.clock.instant_ms + 100 * HOUR_MS
    before = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end)
    agree(shop)
    after = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end)
    longer = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=end, notice_s=3_600)
    spot = shop.lease(shop.acme, LeaseClass.SPOT, 1)
    short = shop.clock.instant_ms + 300_000  # ends before its notice would be over
    brief = shop.lease(shop.acme, LeaseClass.RESERVED, 1, ends_at_ms=short)
    asked = (before, after, longer, spot, brief)
    assert [lease.recall for lease in asked] == [False, True, True, False, False]
    assert [lease.notice_s for lease in (after, longer)] == [max(after.notice_s, 600), 3_600]
    assert after.notice_s >= 600


def test_once_a_year_has_seen_its_recalls_no_lease_can_be_recalled(shop: Shop) -> None:
    shop.entitle(shop.a, 16)
    agree(shop)
    end = shop.clock.instant_ms + 12_000 * HOUR_MS
    sold = [shop.lease(shop.acme, LeaseClass.RESERVED, 4, ends_at_ms=end) for _ in range(4)]
    assert shop.stands(*sold) == ["active"] * 4
    for _ in range(2):
        shop.lease(shop.a, LeaseClass.INTERNAL, 4)
        shop.pass_s(90_000)
    recalled = [lease for lease in map(shop.now, sold) if lease.reclaims]
    kept = [lease for lease in map(shop.now, sold) if not lease.reclaims]
    assert (len(recalled), [lease.recallable for lease in kept]) == (2, [False, False])
    acts = [a for a in shop.desk.book.contracts.acts if a.type is ActType.RECALL]
    assert sorted(act.subject for act in acts) == sorted(lease.id for lease in recalled)
    waiting = shop.lease(shop.a, LeaseClass.INTERNAL, 4)
    shop.pass_s(90_000)
    assert [shop.stands(lease)[0] for lease in (*kept, waiting)] == ["active", "active", "waiting"]
    assert list(memory_problems(shop.desk)) == []
    later = {"starts_at_ms": end, "ends_at_ms": end + HOUR_MS}
    with pytest.raises(Refused, match="entitled_to_teams"):  # it could not be recalled
        shop.lease(shop.acme, LeaseClass.RESERVED, 1, **later)
    shop.pass_s(120 * 86_400)  # the next year allows two again
    shop.turn()
    assert shop.lease(shop.acme, LeaseClass.RESERVED, 1, **later).recallable


def test_a_recall_is_paid_for_by_the_share_of_what_is_not_delivered(shop: Shop) -> None:
    """Acme has 16 cores at $36 an hour; a team takes them from the 25th 00:10 to the 26th 00:10.

    Not delivered: 24 h x 16 = 384 accelerator-hours, $13,824.00, of which the clause pays 1.5
    times, $20,736.00. Acme used 3 days, 10 minutes, and from the 26th on 4 days, 23 hours and
    50 minutes, 192 h less 24 h = 168 h x 16 x $36 = $96,768.00: it is asked $76,032.00.
    """
    shop.entitle(shop.a, 16)
    agree(shop)
    shop.clock.instant_ms = parse_instant("2026-09-23T00:00:00Z")
    end = parse_instant("2026-10-10T00:00:00Z")
    sold = shop.lease(
        shop.acme, LeaseClass.RESERVED, 16, ends_at_ms=end, notice_s=600, shape=Shape.CLUSTER
    )
    assert shop.stands(sold) == ["active"]
    shop.clock.instant_ms = parse_instant("2026-09-25T00:00:00Z")
    team = shop.lease(shop.a, LeaseClass.INTERNAL, 16, shape=Shape.CLUSTER)
    shop.pass_s(600)
    assert shop.stands(sold, team) == ["waiting", "active"]
    shop.clock.instant_ms = parse_instant("2026-09-26T00:10:00Z")
    shop.end(team)
    assert shop.stands(sold) == ["active"]
    [draft] = closed(shop, "2026-09")
    lines = {line.type: line for line in draft.lines}
    assert lines[LineType.USAGE].amount_micros == 96_768_000_000
    fee = lines[LineType.RECALL_FEE]
    assert fee.amount_micros == -20_736_000_000
    assert "16 cpu-core" in fee.description and "150 %" in fee.description
    assert draft.net_micros == 76_032_000_000
    assert [line.type for line in closed(shop, "2026-10")[0].lines] == [LineType.USAGE]


def test_a_recall_that_never_comes_back_is_paid_for_month_by_month_to_its_promised_end(
    shop: Shop,
) -> None:
    """From 25 September 00:10 on the team keeps them; the window ends on 10 October.

    September: 143 h 50 min x 16 x $36 x 1.5 = $124,272.00 against 48 h 10 min of use for
    $27,744.00: $96,528.00 are owed to acme. October: 216 h x 16 x $36 x 1.5 = $186,624.00.
    """
    shop.entitle(shop.a, 16)
    agree(shop)
    shop.clock.instant_ms = parse_instant("2026-09-23T00:00:00Z")
    end = parse_instant("2026-10-10T00:00:00Z")
    sold = shop.lease(
        shop.acme, LeaseClass.RESERVED, 16, ends_at_ms=end, notice_s=600, shape=Shape.CLUSTER
    )
    assert shop.stands(sold) == ["active"]
    shop.clock.instant_ms = parse_instant("2026-09-25T00:00:00Z")
    shop.lease(shop.a, LeaseClass.INTERNAL, 16, shape=Shape.CLUSTER)
    shop.pass_s(600)
    [september], [october] = closed(shop, "2026-09"), closed(shop, "2026-10")
    amounts = {line.type: line.amount_micros // 1_000_000 for line in september.lines}
    assert amounts == {
        LineType.USAGE: 27_744, LineType.RECALL_FEE: -124_272, LineType.CARRIED: 96_528,
    }  # fmt: skip
    amounts = {line.type: line.amount_micros // 1_000_000 for line in october.lines}
    assert amounts == {LineType.RECALL_FEE: -186_624, LineType.CARRIED: 186_624}
    invoice = shop.desk.call("finalise_invoice", DraftRef(september.id), shop.finance)
    assert invoice.total_micros == 0
    held = shop.desk.book.money.balances
    assert held[ledger.RECALL_FEES, ledger.currency("USD")].amount == 124_272_000_000
    assert held[ledger.customer_credit(shop.acme.id), ledger.currency("USD")].amount == (
        -96_528_000_000
    )


def closed(shop: Shop, month: str) -> list[InvoiceDraft]:
    """The customer's drafts of a month, closed when it is over."""
    year, number = map(int, month.split("-"))
    after = parse_instant(f"{year}-{number + 1:02}-01T00:00:00Z")
    shop.clock.instant_ms = max(shop.clock.instant_ms, after)
    shop.turn()
    request = ClosePeriod(LegalEntityId("house"), month)
    period = shop.desk.call("close_period", request, shop.finance)
    while not period.closed:
        period = shop.desk.call("close_slice", CloseSlice(period.id))
    drafts = shop.desk.book.closing.drafts_of.get((shop.acme.id, period.id))
    return list(drafts)


def test_a_preview_has_what_recalls_cost_so_far_with_use_of_the_month_and_without(
    shop: Shop,
) -> None:
    """A day of 16 cores at $36 an hour at one and a half times: $20,736.00."""
    shop.entitle(shop.a, 16)
    agree(shop)
    shop.clock.instant_ms = parse_instant("2026-09-23T00:00:00Z")
    end = parse_instant("2026-10-10T00:00:00Z")
    sold = shop.lease(
        shop.acme, LeaseClass.RESERVED, 16, ends_at_ms=end, notice_s=600, shape=Shape.CLUSTER
    )
    assert shop.stands(sold) == ["active"]
    shop.clock.instant_ms = parse_instant("2026-09-25T00:00:00Z")
    shop.lease(shop.a, LeaseClass.INTERNAL, 16, shape=Shape.CLUSTER)
    shop.pass_s(600)
    shop.clock.instant_ms = parse_instant("2026-09-26T00:10:00Z")
    shop.turn()
    [draft] = shop.preview(shop.acme)
    assert [(x.type, x.amount_micros // 1_000_000) for x in draft.lines] == [
        (LineType.USAGE, 27_744), (LineType.RECALL_FEE, -20_736),
    ]  # fmt: skip
    closed(shop, "2026-09")
    shop.clock.instant_ms = parse_instant("2026-10-02T00:00:00Z")
    shop.turn()
    [draft] = shop.preview(shop.acme)
    assert [(x.type, x.amount_micros // 1_000_000) for x in draft.lines] == [
        (LineType.RECALL_FEE, -20_736), (LineType.CARRIED, 20_736),
    ]  # fmt: skip
