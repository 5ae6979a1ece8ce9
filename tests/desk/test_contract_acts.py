"""What is done under a contract has its time: tranches, options, exits."""

from comptoir.desk.contract_requests import ContractDeed, ContractRef
from comptoir.leases.lease import LeaseClass
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.contracts import ContractState, state_of
from comptoir.sales.tranches import ActType, TrancheState, standing
from comptoir.tenants.parties import Role
from comptoir.units.time import parse_instant
from tests.desk.contract_book import SOLD, Deal, refused


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


def test_another_tenants_contract_is_not_there(deal: Deal) -> None:
    contract = deal.agree(SOLD).contract
    other = deal.book.user(Role.TENANT_ADMIN, tenant=deal.book.tenant("other"))
    with refused("not_found"):
        deal.book.desk.call("act_on_contract", ContractDeed(contract.id, ActType.EXIT), other)


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


def test_a_version_may_not_drop_what_was_exercised(deal: Deal) -> None:
    made = deal.agree(SOLD)
    option = SOLD[SOLD.index("[[expansion]]") : SOLD.index("[exit]")]
    later = SOLD.replace("effective = 2026-10-01", "effective = 2026-10-20")
    deal.at("2026-10-10")
    deal.propose(later.replace(option, ""), dry_run=True)  # nobody has used it
    deal.act(ActType.EXERCISE, "grow", by=deal.buyer)
    with refused("contract_changes_the_past.*expansion grow, exercised 2026-10-10"):
        deal.propose(later.replace(option, ""), dry_run=True)
    deal.propose(later, dry_run=True)
    ref = ContractRef(made.contract.id)
    text = deal.book.desk.call("explain_contract", ref, deal.buyer).next_text
    deal.agree(text)
    with refused("contract_changes_the_past.*expansion grow, exercised 2026-10-10"):
        deal.propose(later, dry_run=True)
