"""No more leases of a contract are recalled in a year than it allows, however they are asked."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from comptoir.billing.invoices import LineType
from comptoir.desk.operations import share
from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Reason, Shape
from comptoir.placement.recalls import any_number
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.simulation.audit_memory import memory_problems
from comptoir.simulation.audit_recalls import recall_problems
from comptoir.units.errors import InvariantBroken
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS
from tests.desk.test_lending import Shop
from tests.desk.test_lending import shop as shop  # the fixture
from tests.desk.test_recall import CONTRACT, agree, closed

ONCE = CONTRACT.replace("times_a_year = 2", "times_a_year = 1")
INTERNAL, RESERVED = LeaseClass.INTERNAL, LeaseClass.RESERVED


def sell(shop: Shop, *sizes: int, contract: str = ONCE, entitled: int = 16) -> list[Lease]:
    """Sold windows of a year and more, each with the clause, on what a team is entitled to."""
    shop.entitle(shop.a, entitled)
    agree(shop, contract)
    end = shop.clock.instant_ms + 12_000 * HOUR_MS
    sold = [shop.lease(shop.acme, RESERVED, size, ends_at_ms=end) for size in sizes]
    assert shop.stands(*sold) == ["active"] * len(sold)
    return sold


def recalls(shop: Shop) -> list[ContractAct]:
    return [act for act in shop.desk.book.contracts.acts if act.type is ActType.RECALL]


def spent(shop: Shop, leases: Sequence[Lease]) -> list[bool]:
    shop.turn()
    return [lease.recall and not lease.recallable for lease in map(shop.now, leases)]


def test_a_plan_takes_back_no_more_leases_than_the_number_allows(shop: Shop) -> None:
    sold = sell(shop, 4, 4, 4, 4)
    large = shop.lease(shop.a, INTERNAL, 12)
    shop.pass_s(90_000)
    assert shop.stands(large, *sold) == ["waiting"] + ["active"] * 4
    assert recalls(shop) == []
    shop.desk.call("cancel_lease", LeaseRef(large.id), shop.operator)
    small = shop.lease(shop.a, INTERNAL, 4)
    shop.pass_s(90_000)
    assert shop.stands(small) == ["active"]
    assert len(recalls(shop)) == 1


def test_what_is_planned_within_a_notice_counts_before_it_is_announced(shop: Shop) -> None:
    sold = sell(shop, 4, 4, 4, 4)
    asked = []
    for _ in range(3):
        asked.append(shop.lease(shop.a, INTERNAL, 4))
        shop.pass_s(60)
    shop.pass_s(90_000)
    assert shop.stands(*asked) == ["active", "waiting", "waiting"]
    assert sum(shop.now(lease).reclaims for lease in sold) == 1
    assert [act.subject for act in recalls(shop)] == [
        x.id for x in map(shop.now, sold) if x.reclaims
    ]
    assert list(memory_problems(shop.desk)) == []


def test_all_plans_of_a_turn_are_counted_together(shop: Shop) -> None:
    sold = sell(shop, 4, 4, 4, 4, contract=CONTRACT)
    later = shop.clock.instant_ms + 100 * HOUR_MS
    claims = [shop.lease(shop.a, INTERNAL, 4, starts_at_ms=later) for _ in range(3)]
    shop.turn()
    assert recalls(shop) == []  # planned, and nobody is told yet
    planned = [lease for lease in map(shop.now, sold) if lease.reclaimed_for]
    assert (len(planned), spent(shop, sold).count(True)) == (2, 2)
    shop.pass_s(100 * 3_600)
    shop.pass_s(90_000)
    assert sorted(shop.stands(*claims)) == ["active", "active", "waiting"]
    assert len(recalls(shop)) == 2


def test_a_recall_is_counted_when_it_is_announced_though_its_holder_ends_it_meanwhile(
    shop: Shop,
) -> None:
    sold = sell(shop, 4, 4, 4, 4)
    shop.lease(shop.a, INTERNAL, 4)
    shop.turn()
    [victim] = [lease for lease in map(shop.now, sold) if lease.state is LeaseState.RECLAIMING]
    [act] = recalls(shop)
    assert (act.subject, act.noted_at_ms) == (victim.id, shop.clock.instant_ms)
    assert act.effective_at_ms == victim.kill_at_ms
    shop.pass_s(60)
    shop.desk.call("end_lease", LeaseRef(victim.id), shop.operator)
    given_up = shop.now(victim)
    assert (given_up.reason, given_up.on_reclaim) == (Reason.STRONGER_REQUEST, OnReclaim.END)
    shop.pass_s(90_000)
    ended = shop.now(victim)
    assert (ended.state, ended.reclaims) == (LeaseState.ENDED, 1)
    assert len(recalls(shop)) == 1
    lines = [line for month in ("2026-09", "2026-10") for line in closed(shop, month)[0].lines]
    assert {line.type for line in lines} == {LineType.USAGE}


def test_a_recall_that_is_dropped_before_it_is_announced_is_not_counted(shop: Shop) -> None:
    sold = sell(shop, 8, 8)
    later = shop.clock.instant_ms + 100 * HOUR_MS
    claim = shop.lease(shop.a, INTERNAL, 8, starts_at_ms=later)
    assert claim.state is LeaseState.SCHEDULED
    assert spent(shop, sold).count(True) == 1
    shop.desk.call("cancel_lease", LeaseRef(claim.id), shop.operator)
    assert spent(shop, sold) == [False, False]
    shop.pass_s(400_000)
    assert (shop.stands(*sold), recalls(shop)) == (["active", "active"], [])
    shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(90_000)
    assert len(recalls(shop)) == 1


def test_a_holder_that_ends_its_lease_before_it_is_told_was_not_recalled(shop: Shop) -> None:
    sold = sell(shop, 8, 8)
    later = shop.clock.instant_ms + 100 * HOUR_MS
    shop.lease(shop.a, INTERNAL, 8, starts_at_ms=later)
    [victim] = [lease for lease in map(shop.now, sold) if lease.reclaimed_for]
    [other] = [lease for lease in sold if lease.id != victim.id]
    assert spent(shop, [other]) == [True]
    shop.end(victim)
    shop.pass_s(2_000)
    assert (recalls(shop), spent(shop, [other])) == ([], [False])


def test_a_spent_clause_counts_again_in_the_next_year(shop: Shop) -> None:
    sold = sell(shop, 8, 8)
    shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(90_000)
    kept = [lease for lease in map(shop.now, sold) if not lease.reclaims]
    assert spent(shop, kept) == [True]
    more = shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(90_000)
    assert shop.stands(more) == ["waiting"]
    shop.desk.reload()
    assert spent(shop, kept) == [True]
    shop.clock.instant_ms = parse_instant("2027-01-01T00:00:00Z")
    assert shop.stands(more) == ["scheduled"]
    shop.pass_s(1_000)
    assert shop.stands(more, *kept) == ["active", "waiting"]
    assert [act.effective_at_ms // (365 * 24 * HOUR_MS) - 56 for act in recalls(shop)] == [0, 1]


@pytest.mark.parametrize("wanted", [8, 16])
def test_what_outlasts_its_contract_is_bounded_by_no_number(shop: Shop, wanted: int) -> None:
    """Who waits has its place once the contract ends, though nothing else happens then."""
    sold = sell(shop, 8, 8, contract=ONCE.replace("2028-01-01", "2026-10-15"))
    if wanted == 8:
        shop.lease(shop.a, INTERNAL, 8)
        shop.pass_s(90_000)
    more = shop.lease(shop.a, INTERNAL, wanted)
    shop.pass_s(90_000)
    assert shop.stands(more) == ["waiting"]
    shop.clock.instant_ms = parse_instant("2026-10-15T00:00:00Z") - 1
    assert shop.stands(more) == ["waiting"]
    shop.clock.instant_ms += 1
    assert shop.stands(more) == ["scheduled"]
    shop.pass_s(1_000)
    assert shop.stands(more, *sold) == ["active", "waiting", "waiting"]
    assert len(recalls(shop)) == (1 if wanted == 8 else 0)


def test_a_recall_counts_in_the_year_in_which_it_takes_effect(shop: Shop) -> None:
    sold = sell(shop, 8, 8)
    shop.clock.instant_ms = parse_instant("2026-12-31T23:55:00Z")
    shop.turn()
    first = shop.lease(shop.a, INTERNAL, 8)
    assert first.scheduled_start_ms == parse_instant("2027-01-01T00:05:00Z")
    shop.turn()
    second = shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(90_000)
    assert shop.stands(first, second) == ["active", "waiting"]
    assert sum(shop.now(lease).reclaims for lease in sold) == 1


def test_each_contract_has_its_own_number_and_the_cheapest_within_all_is_taken(shop: Shop) -> None:
    globex = shop.tenant("globex")
    sold = sell(shop, 4, 4)
    agree(shop, ONCE.replace("ACME-1", "GLOBEX-1").replace('"acme"', '"globex"'))
    end = shop.clock.instant_ms + 12_000 * HOUR_MS
    shop.pass_s(3_600)
    theirs = [shop.lease(globex, RESERVED, 4, ends_at_ms=end) for _ in range(2)]
    assert shop.stands(*theirs) == ["active", "active"]
    shop.pass_s(60)
    claim = shop.lease(shop.a, INTERNAL, 8)  # both of globex would be cheaper
    shop.pass_s(90_000)
    assert shop.stands(claim) == ["active"]
    assert [sum(shop.now(x).reclaims for x in of) for of in (sold, theirs)] == [1, 1]


def test_giving_back_keeps_to_the_number_too(shop: Shop) -> None:
    """`a` has its own on what `b` keeps; as much as may go gives way elsewhere, and no more."""
    shop.entitle(shop.a, 8)
    shop.entitle(shop.b, 8, lend_limit=0)
    agree(shop, ONCE)
    end = shop.clock.instant_ms + 12_000 * HOUR_MS
    theirs = shop.lease(shop.b, INTERNAL, 4, shape=Shape.NODE)
    sold = [shop.lease(shop.acme, RESERVED, 2, ends_at_ms=end, shape=Shape.NODE) for _ in range(2)]
    assert shop.stands(theirs, *sold) == ["active"] * 3
    mine = shop.lease(shop.a, INTERNAL, 8, shape=Shape.NODE)
    assert mine.scheduled_start_ms == shop.clock.instant_ms
    shop.pass_s(90_000)
    assert (len(recalls(shop)), sum(shop.now(lease).reclaims for lease in sold)) == (1, 1)


def test_the_check_stops_a_plan_that_recalls_too_many(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(shop, 4, 4, 4, 4)
    monkeypatch.setattr(share, "recalls_left", lambda tx: any_number)
    with pytest.raises(InvariantBroken, match=r"would be recalled, ct_\w+/2026 allows 1 more"):
        shop.lease(shop.a, INTERNAL, 8)


def test_the_fee_begins_with_the_end_of_the_notice_also_where_a_month_ends_within_it(
    shop: Shop,
) -> None:
    """Told on 30 September 23:55, gone on 1 October 00:05, back on 2 October 00:05.

    September has no fee; October has 24 h x 16 x $36 x 1.5 = $20,736.00.
    """
    shop.entitle(shop.a, 16)
    agree(shop)
    shop.clock.instant_ms = parse_instant("2026-09-30T00:00:00Z")
    end = parse_instant("2026-10-10T00:00:00Z")
    sold = shop.lease(shop.acme, RESERVED, 16, ends_at_ms=end, notice_s=600, shape=Shape.CLUSTER)
    assert shop.stands(sold) == ["active"]
    shop.clock.instant_ms = parse_instant("2026-09-30T23:55:00Z")
    team = shop.lease(shop.a, INTERNAL, 16, shape=Shape.CLUSTER)
    assert shop.stands(sold) == ["reclaiming"]
    shop.clock.instant_ms = parse_instant("2026-10-01T00:00:00Z")
    [september] = closed(shop, "2026-09")
    assert {line.type for line in september.lines} == {LineType.USAGE}
    shop.clock.instant_ms = parse_instant("2026-10-01T00:05:00Z")
    assert shop.stands(sold, team) == ["waiting", "active"]
    shop.clock.instant_ms = parse_instant("2026-10-02T00:05:00Z")
    shop.end(team)
    assert shop.stands(sold) == ["active"]
    [october] = closed(shop, "2026-10")
    fees = [line for line in october.lines if line.type is LineType.RECALL_FEE]
    assert [fee.amount_micros for fee in fees] == [-20_736_000_000]


def test_a_lease_that_ends_within_its_notice_was_not_recalled(shop: Shop) -> None:
    """Its time is over before the team could have it: it is told of its end, and owed nothing."""
    shop.entitle(shop.a, 16)
    agree(shop)
    end = shop.clock.instant_ms + HOUR_MS
    sold = shop.lease(shop.acme, RESERVED, 16, ends_at_ms=end, notice_s=1_800)
    assert shop.stands(sold) == ["active"]
    shop.pass_s(2_400)
    claim = shop.lease(shop.a, INTERNAL, 16)
    shop.pass_s(1_200)
    assert shop.stands(claim) == ["active"]
    assert (recalls(shop), shop.now(sold).reason) == ([], Reason.WINDOW_END)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            "INSERT INTO contract_act SELECT id || 'x', contract_id, type, subject,"
            " effective_at_ms, noted_at_ms + 1, noted_by, note FROM contract_act",
            "has 2 recalls",
        ),
        ("UPDATE contract_act SET noted_at_ms = noted_at_ms + 1", "and 0 acts say so"),
        ("UPDATE lease SET recall = 0", "was not recalled"),
        (
            "UPDATE lease SET reclaimed_for = 'ls_x' WHERE state = 'active'"
            " AND lease_class = 'reserved'; UPDATE allocation SET ends_at_ms = ends_at_ms - 1",
            "has 2 planned in",
        ),
    ],
)
def test_the_audit_finds_recalls_that_pass_the_number_or_are_not_noted(
    shop: Shop, tmp_path: Path, changed: str, said: str
) -> None:
    sell(shop, 4, 4, 4, 4)
    shop.lease(shop.a, INTERNAL, 4)
    shop.pass_s(90_000)
    rows = sqlite3.connect(tmp_path / "book.db")
    rows.row_factory = sqlite3.Row
    try:
        assert list(recall_problems(rows)) == []
        rows.execute("DROP TRIGGER IF EXISTS contract_act_no_update")
        for statement in changed.split("; "):
            rows.execute(statement)
        assert any(said in problem for problem in recall_problems(rows))
    finally:
        rows.close()


def test_a_lease_that_was_recalled_says_why_idle_capacity_is_not_for_it(shop: Shop) -> None:
    sold = sell(shop, 8, 8, entitled=8)
    team = shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(90_000)
    shop.end(team)
    shop.pass_s(60)
    [waiting] = [lease for lease in map(shop.now, sold) if lease.state is LeaseState.WAITING]
    why = shop.desk.call("explain_lease", LeaseRef(waiting.id), shop.operator)
    assert "8 of 16 cpu-core belong to teams and 8 are sold for good" in why.not_sooner
    assert "its contract allows no more recalls in 2026" in why.not_sooner
