"""What the desk says to requests: quotas, classes, windows, prices, and the impossible."""

import pytest

from comptoir.desk.engine_port import AttemptSight, Observation
from comptoir.desk.requests import (
    DeclareSupply,
    EndSupply,
    ExtendLease,
    Hold,
    IssueInvoice,
    LeaseRef,
    NewNode,
    Observed,
    ProposeRate,
    RateRef,
    RequestLease,
    SetQuota,
    TenantRef,
)
from comptoir.leases.lease import LeaseClass, LeaseState, Shape
from comptoir.metering.usage import Measure
from comptoir.placement.kernel import DIRTY
from comptoir.tenants.parties import Role, TenantKind
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from tests.builders import HOUR_MS, START_MS, Book

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND


@pytest.fixture
def shop(book: Book) -> Book:
    book.price_all()
    book.supply(4, 4)
    return book


def test_more_than_the_fleet_is_refused_with_the_numbers(shop: Book) -> None:
    with pytest.raises(Refused) as no:
        shop.lease(shop.tenant("acme"), SPOT, 9)
    assert no.value.code == "fleet_too_small"
    assert no.value.facts["in_service"] == 8


def test_a_shape_too_small_names_the_next_wider_one(shop: Book) -> None:
    with pytest.raises(Refused) as no:
        shop.lease(shop.tenant("acme"), SPOT, 8, shape=Shape.NODE)
    assert no.value.code == "shape_impossible"
    assert "--shape rack" in no.value.next


def test_a_kind_without_a_price_is_refused_before_anything_is_used(book: Book) -> None:
    book.supply(4)
    with pytest.raises(Refused, match="no_rate"):
        book.lease(book.tenant("acme"), SPOT, 1)
    assert len(book.desk.book.leases) == 0


def test_a_team_does_not_buy_and_a_customer_is_not_internal(shop: Book) -> None:
    with pytest.raises(Refused, match="class_not_allowed"):
        shop.lease(shop.tenant("team", TenantKind.TEAM), SPOT, 1)
    with pytest.raises(Refused, match="class_not_allowed"):
        shop.lease(shop.tenant("acme"), LeaseClass.INTERNAL, 1)


def test_a_quota_counts_what_is_promised_and_is_free_again_after(shop: Book) -> None:
    acme = shop.tenant("acme")
    shop.desk.call("set_quota", SetQuota(acme.id, "cpu-core", 3), shop.operator)
    held = shop.lease(acme, ON_DEMAND, 2)
    with pytest.raises(Refused) as no:
        shop.lease(acme, ON_DEMAND, 2)
    assert (no.value.code, no.value.facts["used"]) == ("quota_exceeded", 2)
    shop.turn()
    shop.desk.call("end_lease", LeaseRef(held.id), shop.operator)
    assert shop.lease(acme, ON_DEMAND, 3).state is LeaseState.SCHEDULED


def test_a_quota_counts_only_windows_that_overlap(shop: Book) -> None:
    acme = shop.tenant("acme")
    shop.desk.call("set_quota", SetQuota(acme.id, "cpu-core", 3), shop.operator)
    today = {"starts_at_ms": START_MS + HOUR_MS, "ends_at_ms": START_MS + 2 * HOUR_MS}
    after = {"starts_at_ms": START_MS + 2 * HOUR_MS, "ends_at_ms": START_MS + 3 * HOUR_MS}
    across = {"starts_at_ms": START_MS + 2 * HOUR_MS - 1}
    shop.lease(acme, LeaseClass.RESERVED, 3, **today)
    shop.lease(acme, LeaseClass.RESERVED, 2, **after)
    shop.lease(acme, LeaseClass.RESERVED, 1, **after)
    with pytest.raises(Refused) as no:
        shop.lease(acme, ON_DEMAND, 1, **across)
    assert no.value.facts["used"] == 6


def test_a_window_must_lie_ahead_and_have_a_length(shop: Book) -> None:
    acme = shop.tenant("acme")
    with pytest.raises(Invalid, match="end_before_start"):
        shop.lease(acme, ON_DEMAND, 1, starts_at_ms=START_MS + 10, ends_at_ms=START_MS + 10)
    with pytest.raises(Invalid, match="start_in_the_past"):
        shop.lease(acme, ON_DEMAND, 1, starts_at_ms=START_MS - 1)


def test_a_suspended_tenant_gets_nothing_new_and_loses_what_runs(shop: Book) -> None:
    acme = shop.tenant("acme")
    running = shop.lease(acme, ON_DEMAND, 1, notice_s=5)
    shop.turn()
    shop.desk.call("suspend_tenant", TenantRef(acme.id), shop.operator)
    shop.pass_s(5)
    assert shop.now(running).state is LeaseState.ENDED
    with pytest.raises(Refused, match="tenant_suspended"):
        shop.lease(acme, ON_DEMAND, 1)
    shop.desk.call("resume_tenant", TenantRef(acme.id), shop.operator)
    assert shop.lease(acme, ON_DEMAND, 1).state is LeaseState.SCHEDULED


def test_nobody_approves_their_own_rate(shop: Book) -> None:
    both = shop.user(Role.SALES, Role.APPROVER)
    rate = shop.desk.call("propose_rate", ProposeRate(shop.card, "cpu-core", SPOT, 1), both)
    with pytest.raises(Forbidden, match="own_proposal"):
        shop.desk.call("approve_rate", RateRef(rate.id), both)


def test_another_tenants_lease_does_not_exist(shop: Book) -> None:
    lease = shop.lease(shop.tenant("acme"), ON_DEMAND, 1)
    stranger = shop.user(Role.TENANT_ADMIN, tenant=shop.tenant("globex"))
    with pytest.raises(NotFound):
        shop.desk.call("cancel_lease", LeaseRef(lease.id), stranger)


def test_an_extension_never_runs_into_somebody_elses_promise(shop: Book) -> None:
    acme = shop.tenant("acme")
    end = START_MS + HOUR_MS
    first = shop.lease(acme, LeaseClass.RESERVED, 8, ends_at_ms=end)
    shop.lease(
        acme, LeaseClass.RESERVED, 8, starts_at_ms=end + HOUR_MS, ends_at_ms=end + 2 * HOUR_MS
    )
    shop.turn()
    with pytest.raises(Refused, match="not_free"):
        shop.desk.call("extend_lease", ExtendLease(first.id, end + HOUR_MS + 1), shop.operator)
    extended = shop.desk.call("extend_lease", ExtendLease(first.id, end + HOUR_MS), shop.operator)
    assert extended.ends_at_ms == end + HOUR_MS


def test_ending_what_has_not_started_says_to_cancel_it(shop: Book) -> None:
    acme = shop.tenant("acme")
    start = START_MS + HOUR_MS
    lease = shop.lease(acme, LeaseClass.RESERVED, 1, starts_at_ms=start, ends_at_ms=start + HOUR_MS)
    with pytest.raises(Conflict, match="lease_not_started"):
        shop.desk.call("end_lease", LeaseRef(lease.id), shop.operator)
    assert shop.desk.call("cancel_lease", LeaseRef(lease.id), shop.operator).state == "cancelled"


def test_nothing_is_promised_past_the_end_of_supply(book: Book) -> None:
    book.price_all()
    book.supply(2, ends_at_ms=START_MS + HOUR_MS)
    acme = book.tenant("acme")
    with pytest.raises(Refused, match="supply_ends_first"):
        book.lease(acme, LeaseClass.RESERVED, 1, ends_at_ms=START_MS + HOUR_MS + 1)
    open_ended = book.lease(acme, ON_DEMAND, 1, notice_s=60)
    book.turn()
    assert book.now(open_ended).state is LeaseState.ACTIVE
    book.pass_s(3_600)
    assert book.now(open_ended).state is LeaseState.WAITING


def test_an_invoice_rounds_once_and_the_rest_goes_to_rounding(book: Book) -> None:
    book.price(SPOT, 1_234_567_891)
    book.supply(3)
    acme = book.tenant("acme")
    book.lease(acme, SPOT, 3)
    book.turn()
    book.pass_s(1_234.567)
    invoice = book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)
    exact = 3 * 1_234_567 * 1_234_567_891
    assert invoice.lines[0].numerator == exact
    assert invoice.total_micros == round(exact / 3_600_000 / 1_000 / 10_000) * 10_000
    balances = {b.account: b.amount for b in book.desk.book.money.balances if b.unit == "USD"}
    assert balances[f"unbilled:{acme.id}"] == 0
    assert sum(balances.values()) == 0
    assert invoice.number == "ACME-2026-000001"
    with pytest.raises(Refused, match="nothing_to_bill"):
        book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)


def test_usage_under_two_prices_is_split_at_the_instant_of_change(book: Book) -> None:
    book.price(SPOT, 36_000_000_000)
    book.supply(1)
    acme = book.tenant("acme")
    book.lease(acme, SPOT, 1)
    book.turn()
    book.price(SPOT, 72_000_000_000, effective_from_ms=START_MS + 10_000)
    book.pass_s(20)
    invoice = book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)
    assert [line.amount_micros for line in invoice.lines] == [100_000, 200_000]


def test_an_extension_counts_against_the_quota(shop: Book) -> None:
    acme = shop.tenant("acme")
    shop.desk.call("set_quota", SetQuota(acme.id, "cpu-core", 2), shop.operator)
    later = START_MS + HOUR_MS
    first = shop.lease(acme, LeaseClass.RESERVED, 2, ends_at_ms=later)
    shop.lease(acme, LeaseClass.RESERVED, 2, starts_at_ms=later, ends_at_ms=later + HOUR_MS)
    with pytest.raises(Refused, match="quota_exceeded"):
        shop.desk.call("extend_lease", ExtendLease(first.id, later + HOUR_MS), shop.operator)


def test_work_the_engine_has_not_seen_is_not_occupied_time(book: Book) -> None:
    book.price(SPOT, 36_000_000_000, measure=Measure.OCCUPIED)
    book.supply(1)
    acme = book.tenant("acme")
    lease = book.lease(acme, SPOT, 1)
    book.job(lease)
    book.turn()
    book.see(book.attempt(lease), AttemptSight.RUNNING)
    attempt = book.attempt(lease)
    book.pass_s(3_600)  # the desk hears nothing for an hour: the job ended after a minute
    ended = Observation(
        attempt.id, AttemptSight.EXITED, attempt.started_at_ms or 0, START_MS + 60_000, 0
    )
    book.desk.call("observe", Observed("local", (ended,)))
    billed = sum(
        a.accelerator_ms for a in book.desk.book.money.open_accruals_by_tenant.get(acme.id)
    )
    assert billed == 60_000


def test_whoever_changes_the_fleet_waits_for_its_tables_not_the_next_request(book: Book) -> None:
    book.supply(8)
    pools = book.desk.book.snapshot.pools.values()
    assert [pool.tables.pool[DIRTY] >= 0 for pool in pools] == [False]


def test_the_largest_request_that_could_be_met_is_named_not_the_sum_of_sites(book: Book) -> None:
    book.price_all()
    for site, count in (("paris", 2), ("lyon", 1)):
        nodes = tuple(NewNode(f"{site}-{n}", 8, 1 << 30, "", site=site) for n in range(count))
        book.desk.call("declare_supply", DeclareSupply(site, "cpu-core", nodes), book.operator)
    with pytest.raises(Refused, match="24 are in service, 16 of them at one site") as no:
        book.lease(book.tenant("acme"), SPOT, 100)
    assert no.value.next == "ask for at most 16"


def test_a_held_window_does_not_keep_a_supply_from_ending(shop: Book) -> None:
    acme, far = shop.tenant("acme"), START_MS + 300 * 24 * HOUR_MS
    wanted = RequestLease(
        "cpu-core", 8, LeaseClass.RESERVED, tenant_id=acme.id, starts_at_ms=far,
        ends_at_ms=far + HOUR_MS,
    )  # fmt: skip
    held = shop.desk.call("hold_capacity", Hold(wanted, 7_200), shop.operator)
    (inbound,) = shop.desk.book.inbound
    shop.desk.call("end_supply", EndSupply(inbound.id, far), shop.operator)
    assert (shop.now(held).state, shop.now(held).reason) == ("cancelled", "supply_ended")


def test_a_guarantee_keeps_a_supply_from_ending_before_it(shop: Book) -> None:
    acme = shop.tenant("acme")
    sold = shop.lease(acme, LeaseClass.ON_DEMAND, 8)
    (inbound,) = shop.desk.book.inbound
    with pytest.raises(Conflict, match=f"promises_past_end.*{sold.id}"):
        shop.desk.call("end_supply", EndSupply(inbound.id, START_MS + HOUR_MS), shop.operator)
