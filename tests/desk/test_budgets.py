"""Budgets warn, then stop, then take back with notice: for a tenant and for its projects.

The price is 10 USD an accelerator-hour, for teams and customers alike.
"""

import pytest

from comptoir.desk.approval_requests import Act, AskApproval
from comptoir.desk.entity_requests import BudgetRef, GiveGrant, SetBudget, ShowCredit
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Reason
from comptoir.sales.credit_blocks import Covers
from comptoir.tenants.budgets import Budget, BudgetPeriod, WhenSpent
from comptoir.tenants.parties import Actor, Role, Tenant, TenantKind
from comptoir.units.errors import Forbidden, Invalid, NotFound, Refused
from tests.builders import HOUR_MS, Book

USD = 1_000_000
DAY_S = 86_400


class Teams:
    """A team with sixteen cores at 10 USD an hour."""

    def __init__(self, book: Book) -> None:
        self.book, self.desk = book, book.desk
        book.supply(16, engine="")
        book.price_all(price_nanos=10 * 10**9)
        self.ads: Tenant = book.tenant("ads", TenantKind.TEAM)
        self.admin = book.user(Role.TENANT_ADMIN, tenant=self.ads)

    def budget(self, amount: str, by: Actor | None = None, **more: object) -> Budget:
        request = SetBudget(amount, self.ads.id, **more)  # type: ignore[arg-type]
        return self.desk.call("set_budget", request, by or self.book.finance)

    def lease(self, accelerators: int, hours: int | None = None, **more: object) -> Lease:
        end = None if hours is None else self.book.clock.instant_ms + hours * HOUR_MS
        lease_class = LeaseClass.INTERNAL
        return self.book.lease(self.ads, lease_class, accelerators, ends_at_ms=end, **more)

    def told(self) -> list[tuple[str, object]]:
        found = self.desk.store.find_told(["budget.warned", "budget.exhausted"], None, 0, 100)
        return [(event.type, event.data["percent"]) for event in found]

    def spent(self, budget: Budget) -> int:
        return self.desk.book.credit.budgets[budget.id].spent_micros // USD


@pytest.fixture
def teams(book: Book) -> Teams:
    return Teams(book)


def test_thresholds_are_told_as_use_is_booked(book: Book, teams: Teams) -> None:
    budget = teams.budget("100.00", thresholds=(50, 80), when_spent=WhenSpent.WARN)
    teams.lease(2)
    book.turn()
    for _ in range(6):
        book.pass_s(3_600)
    assert teams.told() == [("budget.warned", 50), ("budget.warned", 80), ("budget.exhausted", 100)]
    assert teams.spent(budget) == 120
    book.desk.reload()
    assert teams.spent(budget) == 120


def test_all_that_one_event_books_is_counted(book: Book, teams: Teams) -> None:
    change_ms = book.clock.instant_ms + HOUR_MS
    price = {"price_nanos": 20 * 10**9, "effective_from_ms": change_ms}
    book.price(LeaseClass.INTERNAL, **price)
    budget = teams.budget("1000.00")
    teams.lease(1, hours=2)
    book.turn()
    book.pass_s(2 * 3_600)  # one event: an hour at 10, an hour at 20
    assert teams.spent(budget) == 30


def test_a_budget_that_only_warns_stops_nothing(book: Book, teams: Teams) -> None:
    teams.budget("1.00", when_spent=WhenSpent.WARN)
    assert teams.lease(8, hours=5).state is LeaseState.SCHEDULED
    assert len(book.desk.book.credit.holds) == 0


def test_what_would_go_beyond_a_budget_is_refused_with_the_numbers(
    book: Book, teams: Teams
) -> None:
    teams.budget("100.00")
    teams.lease(1, hours=3)
    book.turn()
    book.pass_s(3_600)  # 10 spent, 20 held
    with pytest.raises(Refused, match="budget_exhausted") as caught:
        teams.lease(1, hours=8)
    assert "has spent 10.00 and holds 20.00 of its budget of 100.00 USD" in caught.value.message
    assert caught.value.next.endswith("comptoir budget set AMOUNT --tenant ads")
    facts = {**caught.value.facts}
    facts.pop("budget")
    assert facts == {
        "project": "", "currency": "USD", "amount": "100.00", "spent": "10.00", "held": "20.00",
        "asked": "80.00", "missing": "10.00",
    }  # fmt: skip
    assert teams.lease(1, hours=7)


def test_a_projects_budget_counts_its_own_work_only(book: Book, teams: Teams) -> None:
    budget = teams.budget("50.00", project="llm")
    teams.lease(4, hours=4)
    teams.lease(1, hours=5, project="llm")
    with pytest.raises(Refused, match="project llm of ads") as caught:
        teams.lease(1, hours=1, project="llm")
    assert caught.value.next.endswith("comptoir budget set AMOUNT --tenant ads --project llm")
    assert teams.lease(1, hours=1, project="vision")
    book.turn()
    book.pass_s(3_600)
    assert teams.spent(budget) == 10


def test_a_budget_that_stops_lets_run_what_runs(book: Book, teams: Teams) -> None:
    teams.budget("25.00")
    lease = teams.lease(1)
    book.turn()
    for _ in range(5):
        book.pass_s(3_600)
    assert book.now(lease).state is LeaseState.ACTIVE
    with pytest.raises(Refused, match="budget_exhausted"):
        teams.lease(1)


def test_a_budget_that_takes_back_gives_notice_and_ends_within_it(book: Book, teams: Teams) -> None:
    budget = teams.budget("25.00", when_spent=WhenSpent.TAKE_BACK)
    lease = teams.lease(1, notice_s=600)
    book.turn()
    told_ms = 0
    for _ in range(5 * 60):
        book.pass_s(60)
        now = book.now(lease)
        if now.state is LeaseState.RECLAIMING and not told_ms:
            told_ms = book.clock.instant_ms
            assert now.reason is Reason.BUDGET_EXHAUSTED
            assert (now.kill_at_ms or 0) - told_ms >= 600_000
    assert told_ms
    assert book.now(lease).state is LeaseState.ENDED
    assert 15 <= teams.spent(budget) <= 25


def test_a_budget_that_takes_back_comes_over_work_that_runs(book: Book, teams: Teams) -> None:
    lease = teams.lease(1, notice_s=600)
    book.turn()
    book.pass_s(60)
    budget = teams.budget("5.00", when_spent=WhenSpent.TAKE_BACK)  # another hour is 10.00
    book.turn()
    told = book.now(lease)
    assert (told.state, told.reason) == (LeaseState.RECLAIMING, Reason.BUDGET_EXHAUSTED)
    for _ in range(12):
        book.pass_s(60)
    assert book.now(lease).state is LeaseState.ENDED
    assert 1 <= teams.spent(budget) <= 5


def test_a_budget_that_is_lowered_tells_what_it_has_reached(book: Book, teams: Teams) -> None:
    teams.budget("100.00", thresholds=(80,))
    teams.lease(1, hours=4)
    book.turn()
    book.pass_s(4 * 3_600)
    teams.budget("50.00", thresholds=(80,))
    assert teams.told() == [("budget.warned", 80)]


def test_a_month_begins_again_in_the_sellers_zone(book: Book, teams: Teams) -> None:
    budget = teams.budget("100.00", thresholds=())
    teams.lease(1, hours=9)
    book.turn()
    book.pass_s(9 * 3_600)
    assert teams.spent(budget) == 90
    with pytest.raises(Refused, match="budget_exhausted"):
        teams.lease(1, hours=2)
    book.pass_s(31 * DAY_S)
    assert teams.lease(1, hours=10)


def test_a_budget_for_once_does_not(book: Book, teams: Teams) -> None:
    teams.budget("100.00", period=BudgetPeriod.ONCE)
    teams.lease(1, hours=9)
    book.turn()
    book.pass_s(9 * 3_600)
    book.pass_s(31 * DAY_S)
    with pytest.raises(Refused, match="budget_exhausted"):
        teams.lease(1, hours=2)


def test_a_raised_budget_goes_on_with_what_is_spent(book: Book, teams: Teams) -> None:
    first = teams.budget("50.00", thresholds=(80,))
    teams.lease(1, hours=4)
    book.turn()
    book.pass_s(4 * 3_600)
    assert teams.told() == [("budget.warned", 80)]
    raised = teams.budget("100.00", thresholds=(80,))
    assert (raised.id, raised.spent_micros, raised.warned_percent) == (first.id, 40 * USD, 0)
    teams.lease(1, hours=4)
    book.turn()
    book.pass_s(4 * 3_600)
    assert teams.told() == [("budget.warned", 80), ("budget.warned", 80)]


def test_what_the_house_set_is_not_the_tenants_to_change(book: Book, teams: Teams) -> None:
    budget = teams.budget("50.00")
    with pytest.raises(Forbidden, match="budget_of_the_house"):
        teams.budget("5000.00", by=teams.admin)
    with pytest.raises(Forbidden, match="budget_of_the_house"):
        book.desk.call("end_budget", BudgetRef(budget.id), teams.admin)
    own = teams.budget("5.00", by=teams.admin, project="own")
    assert book.desk.call("end_budget", BudgetRef(own.id), teams.admin).ended_at_ms is not None
    other = book.user(Role.TENANT_ADMIN, tenant=book.tenant("zenith"))
    with pytest.raises(NotFound):
        book.desk.call("end_budget", BudgetRef(budget.id), other)


def test_an_ended_budget_stops_nothing_and_lets_holds_go(book: Book, teams: Teams) -> None:
    budget = teams.budget("50.00")
    teams.lease(1, hours=5)
    book.desk.call("end_budget", BudgetRef(budget.id), book.finance)
    again = book.desk.call("end_budget", BudgetRef(budget.id), book.finance)
    assert again.ended_at_ms is not None
    assert len(book.desk.book.credit.holds) == 0
    assert teams.lease(8, hours=50)


def test_a_grant_is_credit_that_expires_and_is_for_its_kinds(book: Book, teams: Teams) -> None:
    lab = book.tenant("lab", TenantKind.RESEARCHER)
    now = book.clock.instant_ms
    request = GiveGrant(
        lab.id, "500.00", now + 30 * DAY_S * 1_000, ("publish",), Covers(("cpu-core",))
    )
    block = book.desk.call("give_grant", request)
    assert (block.source, block.granted_micros, block.conditions) == (
        "grant", 500 * USD, ("publish",),
    )  # fmt: skip
    book.lease(lab, LeaseClass.ON_DEMAND, 2, ends_at_ms=now + 3 * HOUR_MS)
    book.turn()
    book.pass_s(3 * 3_600)
    credit = book.desk.call("show_credit", ShowCredit(lab.id), book.finance)
    assert credit.exposure.covered_micros == 60 * USD
    assert credit.exposure.owed_micros == 0
    with pytest.raises(Invalid, match="grant_over"):
        book.desk.call("give_grant", GiveGrant(lab.id, "5.00", now))
    with pytest.raises(Refused, match="not_a_customer"):
        book.desk.call("give_grant", GiveGrant(teams.ads.id, "5.00", now + 10**9))
    with pytest.raises(Forbidden, match="missing_permission"):
        book.desk.call("ask_approval", AskApproval(Act(grant=request)), teams.admin)


@pytest.mark.parametrize("when_spent", [WhenSpent.STOP, WhenSpent.TAKE_BACK])
def test_a_budget_that_stops_warns_by_what_is_spent_and_held(
    book: Book, teams: Teams, when_spent: WhenSpent
) -> None:
    teams.budget("100.00", when_spent=when_spent)
    lease = teams.lease(4, hours=1)
    assert teams.told() == []
    teams.lease(1, hours=1)
    assert teams.told() == [("budget.warned", 50)]
    teams.lease(1, hours=4)  # 90.00 held
    assert teams.told() == [("budget.warned", 50), ("budget.warned", 80)]
    book.turn()
    book.pass_s(3_600)
    assert book.now(lease).state is LeaseState.ENDED
    assert len(teams.told()) == 2  # each once


def test_what_another_project_holds_warns_of_no_budget_but_its_own(
    book: Book, teams: Teams
) -> None:
    teams.budget("50.00", project="llm")
    teams.lease(4, hours=4, project="vision")
    assert teams.told() == []
    teams.lease(4, hours=1, project="llm")
    assert teams.told() == [("budget.warned", 80)]


def test_a_budget_set_over_work_warns_of_what_that_holds(book: Book, teams: Teams) -> None:
    teams.lease(6, hours=1)
    teams.budget("100.00")
    assert teams.told() == [("budget.warned", 50)]
    teams.budget("100.00")
    assert teams.told() == [("budget.warned", 50)]
