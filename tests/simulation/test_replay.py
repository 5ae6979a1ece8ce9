"""A replay lives a trace through the real desk; its auditor finds nothing; a seed decides it."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from comptoir.fleet.read_file import read_fleet_file
from comptoir.leases.lease import LeaseClass
from comptoir.pricing.card_files import read_card_file
from comptoir.simulation.replay.fleets import ReplayedFleet, replayed_fleet
from comptoir.simulation.replay.lives import Conditions
from comptoir.simulation.replay.mixing import Overlay, parse_mix, workload
from comptoir.simulation.replay.report import report_of
from comptoir.simulation.replay.run import Played, Replay, parse_policies, replay
from comptoir.simulation.replay.trace import Trace, read_trace
from comptoir.units.errors import Invalid, Refused

HOUR_MS = 3_600_000
HEADER = "job_id,submit_s,duration_s,accelerators,tenant\n"
CALM = Conditions(0, HOUR_MS, HOUR_MS, 0, 1)
CARD = read_card_file(
    "rates.csv",
    "kind,class,price\n"
    "h100-sxm,internal,1\nh100-sxm,reserved,2\nh100-sxm,on_demand,3\nh100-sxm,spot,0.5\n",
    "list",
    "USD",
)


def fleet(nodes: int, slices: int = 1) -> ReplayedFleet:
    text = f"""
[[inbound]]
name = "ours"
kind = "h100-sxm"
cost = 1.00
[[inbound.nodes]]
site = "a"
cluster = "b"
racks = {nodes}
accelerators_per_node = 8
"""
    return replayed_fleet(read_fleet_file("fleet.toml", text), slices)


def trace(tmp_path: Path, *rows: str) -> Trace:
    path = tmp_path / "t.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return read_trace(path)


def played(wanted: Replay) -> dict[str, Played]:
    _, found = replay(wanted, lambda policy, over, whole: None)
    return {one.policy: one for one in found}


def a_replay(of: Trace, nodes: int = 1, mix: str = "on_demand=1", **more: object) -> Replay:
    wanted = Replay(of, fleet(nodes), Overlay(parse_mix(mix)), CALM, CARD, ("comptoir",))
    return replace(wanted, **more)  # type: ignore[arg-type]


def crowd(tmp_path: Path, jobs: int, seed: int) -> Trace:
    rng = random.Random(seed)
    rows, at = [], 0
    for number in range(jobs):
        at += rng.randrange(1_200)
        size = rng.choice((1, 1, 1, 2, 4, 8, 16))
        rows.append(f"j{number},{at},{rng.randrange(1, 40_000)},{size},t{rng.randrange(3)}")
    return trace(tmp_path, *rows)


@pytest.mark.parametrize("policy", ["comptoir", "fifo", "easy"])
def test_a_job_waits_until_one_before_it_is_done(tmp_path: Path, policy: str) -> None:
    of = trace(tmp_path, "a,0,100,8,x", "b,10,50,8,x", "c,20,1,8,x")
    tally = played(a_replay(of, policies=(policy,)))[policy].tally
    waits = tally.waits[LeaseClass.ON_DEMAND, "2-8"]
    assert waits == [0, 90_000, 130_000]
    assert tally.end_ms == 151_000
    assert (tally.finished_jobs, tally.running, tally.waiting) == (3, 0, 0)


def test_what_is_used_is_booked_and_paid(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,3600,8,x", "b,10,7200,8,x")
    one = played(a_replay(of))["comptoir"]
    assert one.money is not None
    assert one.money.booked_ms == {"on_demand": 24 * HOUR_MS}
    assert one.money.revenue == {"on_demand": 72_000_000}
    assert one.tally.delivered_ms[LeaseClass.ON_DEMAND] == 24 * HOUR_MS


def test_what_runs_at_the_end_of_the_span_is_booked_until_then(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,10,8,x", "b,82800,99999999,8,x")
    overlay = Overlay(parse_mix("on_demand=1"), days=1)
    one = played(a_replay(of, overlay=overlay))["comptoir"]
    assert one.money is not None
    assert one.tally.end_ms == 86_400_000
    assert (one.tally.running, one.tally.waiting) == (1, 0)
    assert one.money.booked_ms == {"on_demand": 8 * (10_000 + HOUR_MS)}


def test_a_team_takes_its_own_back_and_what_went_goes_on(tmp_path: Path) -> None:
    rows = ["s,0,7200,8,x", "i,3600,600,8,x"]
    of = trace(tmp_path, *rows)
    seed = next(
        seed
        for seed in range(100)
        if [
            work.lease_class
            for work in workload(of, Overlay(parse_mix("internal=1,spot=1"), seed=seed), ()).works
        ]
        == [LeaseClass.SPOT, LeaseClass.INTERNAL]
    )
    overlay = Overlay(parse_mix("internal=1,spot=1"), seed=seed)
    tally = played(a_replay(of, overlay=overlay))["comptoir"].tally
    assert tally.reclaims == {LeaseClass.SPOT: 1}
    assert tally.finished_jobs == 2
    assert tally.useful_ms[LeaseClass.SPOT] == 8 * 7_200_000
    assert tally.lost_to_reclaims_ms == 0, "told to go, it saved all"


def test_a_job_whose_node_dies_goes_back_to_its_checkpoint(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,864000,8,x")
    harsh = Conditions(62_500, HOUR_MS, HOUR_MS, 60_000, 3)
    for policy in ("comptoir", "fifo"):
        tally = played(a_replay(of, conditions=harsh, policies=(policy,)))[policy].tally
        assert tally.interrupted > 0, policy
        assert tally.finished_jobs == 1
        assert tally.useful_ms[LeaseClass.ON_DEMAND] == 8 * 864_000_000
        assert 0 < tally.lost_to_failures_ms <= tally.interrupted * 8 * (HOUR_MS + 60_000)


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_of_all_classes_leaves_a_sound_book(tmp_path: Path, seed: int) -> None:
    """The auditor of the simulator runs at the end of each; it raises at what it finds."""
    of = crowd(tmp_path, 150, seed)
    harsh = Conditions(6_250, 4 * HOUR_MS, HOUR_MS, 60_000, seed)
    wanted = a_replay(
        of, 3, overlay=Overlay(parse_mix("internal=4,reserved=1,on_demand=2,spot=3"), seed=seed),
        conditions=harsh, policies=("comptoir", "unsold", "fifo", "easy"),
    )  # fmt: skip
    found = played(wanted)
    for policy, one in found.items():
        tally = one.tally
        whole = sum(tally.asked.values())
        accepted = whole - sum(tally.refusals.values())
        over = tally.finished_jobs + tally.gave_up_jobs + tally.running + tally.waiting
        assert over == accepted, policy
        assert whole == (150 if policy != "unsold" else tally.asked[LeaseClass.INTERNAL])
        if one.money is not None:
            assert one.money.booked_ms.keys() <= {str(each) for each in LeaseClass}


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    wanted = a_replay(
        crowd(tmp_path, 80, 7), 2, "internal=1,spot=1",
        conditions=Conditions(4_000, HOUR_MS, HOUR_MS, 60_000, 7), policies=("comptoir", "easy"),
    )  # fmt: skip
    reports = [report_of(wanted, *replay(wanted, lambda *told: None)) for _ in range(2)]
    assert reports[0] == reports[1]
    other = replace(wanted, overlay=replace(wanted.overlay, seed=8))
    again = report_of(other, *replay(other, lambda *told: None))
    assert again["report_sha256"] != reports[0]["report_sha256"]


def test_a_gang_larger_than_the_fleet_is_rejected_or_stops_it(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,10,8,x", "b,5,10,32,x")
    for policy in ("comptoir", "fifo", "easy"):
        tally = played(a_replay(of, 2, policies=(policy,)))[policy].tally
        assert tally.refusals == {"fleet_too_small": 1}, policy
        assert tally.finished_jobs == 1
    with pytest.raises(Refused, match=r"t.csv:3: accelerators: job b asks for 32 .* has 16"):
        played(a_replay(of, 2, strict=True))


def test_easy_starts_the_small_before_the_large_and_does_not_delay_it(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,100,4,x", "big,1,100,8,x", "short,2,50,4,x", "long,3,200,4,x")
    found = played(a_replay(of, policies=("fifo", "easy")))
    assert found["fifo"].tally.waits[LeaseClass.ON_DEMAND, "2-8"] == [0, 99_000, 198_000, 197_000]
    easy = sorted(found["easy"].tally.waits[LeaseClass.ON_DEMAND, "2-8"])
    assert easy == [0, 0, 99_000, 197_000]


def test_fractions_are_rounded_up_to_slices_and_the_loss_is_stated(tmp_path: Path) -> None:
    of = trace(tmp_path, "a,0,100,0.4,x", "b,0,100,0.5,x", "c,0,100,1,x")
    wanted = a_replay(of, fleet=fleet(1, 4), overlay=Overlay(parse_mix("on_demand=1"), slices=4))
    asked, found = replay(wanted, lambda *told: None)
    assert [work.accelerators for work in asked.works] == [2, 2, 4]
    assert (asked.rounded, asked.rounding_ms, asked.asked_ms) == (1, 10_000, 190_000)
    report = report_of(wanted, asked, found)
    assert report["rounding"]["lost_accelerator_hours"] == round(10 / 3_600, 3)
    assert report["revenue"] == "0.166665", "100 s at $3 of a half, a half and a whole, floored"


def test_a_copy_is_shifted_and_wraps_within_the_span(tmp_path: Path) -> None:
    of = crowd(tmp_path, 50, 1)
    works = workload(of, Overlay(parse_mix("spot=1"), copies=3, seed=5), ()).works
    assert len(works) == 150
    assert [work.submit_ms for work in works] == sorted(work.submit_ms for work in works)
    assert 0 <= works[0].submit_ms <= works[-1].submit_ms <= of.span_ms
    cut = workload(of, Overlay(parse_mix("spot=1"), days=1, seed=5), ())
    assert all(work.submit_ms < 86_400_000 for work in cut.works)


@pytest.mark.parametrize(
    "text", ["", "internal", "internal=x", "gold=1", "spot=1,spot=2", "spot=0", "spot=-1"]
)
def test_a_mix_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="bad_mix"):
        parse_mix(text)


def test_an_unknown_policy_is_refused_by_name() -> None:
    assert parse_policies("easy,comptoir,easy") == ("easy", "comptoir")
    with pytest.raises(Invalid, match=r"unknown_policy: 'best' .*"):
        parse_policies("comptoir,best")
