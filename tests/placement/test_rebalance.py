"""Rebalance plans: the best there is or within the gap that is told, sound after every step."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance import check
from comptoir.placement.rebalance.check import check_rebalance
from comptoir.placement.rebalance.highs import solve
from comptoir.placement.rebalance.plan import Rebalance, plan_rebalance
from comptoir.placement.rebalance.rows import ENDLESS, Aim, Level, PoolRows
from comptoir.units.errors import InvariantBroken
from tests.placement.rebalance_fleets import HOUR_MS, Fleet, aim_at, best_score_ms, random_fleet

SPREAD_MS = 2 * HOUR_MS


def planned(rows: PoolRows, aim: Aim, greedy: bool = False) -> Rebalance:
    plan = plan_rebalance([rows], aim, None if greedy else solve)
    check_rebalance([rows], plan)
    return plan


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    level=st.sampled_from([Level.POD, Level.RACK, Level.NODE]),
    spread=st.sampled_from([0, SPREAD_MS]),
    whole_nodes=st.booleans(),
)
def test_a_plan_of_a_tiny_pool_is_the_best_there_is_or_within_its_gap(
    seed: int, level: Level, spread: int, whole_nodes: bool
) -> None:
    rng = random.Random(seed)
    rows = random_fleet(rng, rng.randrange(2, 4), 2 if level is Level.POD else 4, 5,
                        whole_nodes).pool(shared=rng.random() < 0.2)  # fmt: skip
    if len(rows.size) > 8:
        rows = random_fleet(rng, 2, 4, 4, whole_nodes).pool()
    aim = aim_at(level, spread)
    plan, best = planned(rows, aim), best_score_ms(rows, aim)
    assert plan.score_ms <= best <= plan.bound_ms
    assert plan.score_ms >= best - plan.bound_ms // 1_000 or not whole_nodes
    greedy = planned(rows, aim, greedy=True)
    assert greedy.score_ms <= best <= greedy.bound_ms


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), level=st.sampled_from(list(Level)), greedy=st.booleans())
def test_who_may_not_move_never_does_and_every_step_passes_the_check(
    seed: int, level: Level, greedy: bool
) -> None:
    rng = random.Random(seed)
    rows = random_fleet(rng, rng.randrange(2, 9), 8, rng.randrange(1, 40)).pool()
    plan = planned(rows, aim_at(level, rng.choice([0, SPREAD_MS])), greedy)
    may = {mover.lease_id for mover in rows.leases if mover.movable}
    assert {step.lease_id for step in plan.steps} <= may
    assert plan.score_ms >= 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), left_out=st.sets(st.integers(1, 30)))
def test_steps_stand_for_themselves_so_that_any_may_be_left_out(
    seed: int, left_out: set[int]
) -> None:
    """Played without some of them, the others are as sound as before."""
    rng = random.Random(seed)
    rows = random_fleet(rng, 6, 4, 24).pool()
    plan = plan_rebalance([rows], aim_at(Level.POD, SPREAD_MS), solve)
    kept = [step for step in plan.steps if step.number not in left_out]
    rng.shuffle(kept)
    pool = check._Pool(rows)
    pool.watch({pool.node_of[n] for s in kept for p in s.parts for n in (p.from_node, p.to_node)})
    for step in kept:
        check._play(pool, step, plan)


def test_the_lease_that_costs_least_leaves_its_pod_and_the_pod_is_whole() -> None:
    fleet = Fleet(2, 2, 2)
    fleet.put("a", [(0, 8)])
    fleet.put("b", [(2, 8)], running=False, starts_ms=0)
    plan = planned(fleet.pool(), aim_at(Level.POD))
    (step,), (freed,) = plan.steps, plan.freed
    assert step.lease_id == "ls_1" and step.parts[0].to_node == "nd_1" and step.cost_ms == 0
    assert (freed.place, freed.accelerators, freed.gain_ms) == ("s/c/p1", 16, 16 * 24 * HOUR_MS)
    assert plan.gap_ppm < 10


def test_a_running_lease_moves_only_if_that_gains_more_than_its_restart() -> None:
    fleet = Fleet(2, 2, 2)
    fleet.put("a", [(0, 8)], movable=False)
    fleet.put("b", [(2, 8)], ends_ms=HOUR_MS // 10)
    assert not planned(fleet.pool(), aim_at(Level.POD)).steps
    fleet = Fleet(2, 2, 2)
    fleet.put("a", [(0, 8)], movable=False)
    fleet.put("b", [(2, 8)], ends_ms=12 * HOUR_MS)
    plan = planned(fleet.pool(), aim_at(Level.POD))
    assert plan.freed[0].gain_ms == 16 * 12 * HOUR_MS
    assert plan.steps[0].cost_ms == 8 * (30_000 + 900_000)


def test_a_pod_with_a_guarantee_without_a_clause_is_filled_not_freed() -> None:
    fleet = Fleet(3, 4, 2)
    fleet.put("sold", [(0, 8)], movable=False)
    for node in (4, 8):
        fleet.put("team", [(node, 8)])
    plan = planned(fleet.pool(), aim_at(Level.POD))
    assert {freed.place for freed in plan.freed} == {"s/c/p1", "s/c/p2"}
    assert {part.to_node for step in plan.steps for part in step.parts} <= {"nd_1", "nd_2", "nd_3"}


def test_small_parts_of_one_tenant_share_a_node_and_of_two_do_not() -> None:
    fleet = Fleet(1, 4, 4)
    for node, tenant in enumerate(("a", "a", "b")):
        fleet.put(tenant, [(node, 4)])
    plan = planned(fleet.pool(), aim_at(Level.NODE))
    assert len(plan.freed) == 1 and plan.steps[0].tenant_id == "a"


def test_a_promised_window_is_spread_over_pods_at_no_cost_to_anybody() -> None:
    fleet = Fleet(4, 4, 2)
    fleet.put("bank", [(n, 8) for n in range(4)], Shape.CLUSTER, running=False, spreads=True)
    for pod in range(1, 4):
        fleet.put("sold", [(4 * pod, 8)], movable=False)
    plan = planned(fleet.pool(), aim_at(Level.POD, SPREAD_MS))
    (spread,) = plan.spreads
    assert (spread.worst_before, spread.worst_after) == (32, 16) or (
        spread.worst_after == 8 and plan.freed
    )
    assert plan.steps[0].cost_ms == 0


def test_no_pod_is_whole_because_nothing_is_left_where_it_could_go() -> None:
    fleet = Fleet(2, 2, 2)
    for node in range(4):
        fleet.put("a", [(node, 8)])
    plan = planned(fleet.pool(), aim_at(Level.POD))
    assert not plan.steps and plan.score_ms == 0


def test_a_whole_pod_is_used_up_only_for_more_than_it_is_worth() -> None:
    fleet = Fleet(3, 4, 2)
    for node in (0, 1, 4, 5):
        fleet.put("a", [(node, 8)], running=False)
    plan = planned(fleet.pool(), aim_at(Level.POD))
    assert not plan.used_up and len(plan.freed) == 1


def test_what_ends_within_the_horizon_counts_only_until_then() -> None:
    fleet = Fleet(2, 2, 2)
    fleet.put("a", [(0, 8)], movable=False)
    fleet.put("b", [(2, 8)], starts_ms=2 * HOUR_MS, ends_ms=5 * HOUR_MS, running=False)
    assert planned(fleet.pool(), aim_at(Level.POD)).freed[0].gain_ms == 16 * 3 * HOUR_MS


def test_the_same_pool_has_the_same_plan() -> None:
    rows = random_fleet(random.Random(5), 8, 8, 40).pool()
    plans = {repr(planned(rows, aim_at(Level.POD, SPREAD_MS))) for _ in range(3)}
    assert len(plans) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda p: replace(p, score_ms=p.score_ms + 1), "the score is"),
        (lambda p: replace(p, steps=(replace(p.steps[0], notice_s=0),)), "would get 0 s"),
        (lambda p: _with_part(p, to_node="nd_4"), "two on one accelerator"),
        (lambda p: _with_part(p, accelerators=(0, 1)), "changes its size"),
        (lambda p: _with_part(p, from_node="nd_1"), "does not stand on"),
        (lambda p: replace(p, freed=(replace(p.freed[0], gain_ms=1),)), "is said to gain 1"),
    ],
)
def test_the_check_names_what_a_wrong_plan_breaks(wrong, says: str) -> None:  # type: ignore[no-untyped-def]
    fleet = Fleet(3, 2, 2)
    fleet.put("a", [(0, 8)], ends_ms=ENDLESS)
    fleet.put("z", [(2, 8), (3, 8)], Shape.POD, movable=False)
    fleet.put("z", [(4, 8)], movable=False)
    rows, plan = fleet.pool(), planned(fleet.pool(), aim_at(Level.POD))
    with pytest.raises(InvariantBroken, match=says):
        check_rebalance([rows], wrong(plan))


def _with_part(plan: Rebalance, **fields: object) -> Rebalance:
    part = replace(plan.steps[0].parts[0], **fields)  # type: ignore[arg-type]
    return replace(plan, steps=(replace(plan.steps[0], parts=(part,)), *plan.steps[1:]))
