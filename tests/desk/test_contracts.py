"""Contracts: proposed by one, approved by another; the past is left alone."""

from pathlib import Path

from comptoir.desk.contract_requests import ContractVersionRef
from comptoir.leases.lease import LeaseClass
from comptoir.sales.contracts import VersionState
from comptoir.sales.credit_blocks import BlockState
from comptoir.sales.tranches import ActType
from comptoir.tenants.parties import Role
from tests.desk.contract_book import BOUGHT, DAY_S, SOLD, Deal, refused, rent


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
