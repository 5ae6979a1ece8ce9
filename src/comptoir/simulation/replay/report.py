"""The report of a replay: numbers by name, from what was counted. Ratios are made here, once.

Everything in it follows from the trace, the fleet, the options and the seed; how long it took is
`cli`'s to add. Shares are of 1, times are seconds, money is decimal text.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from json import dumps
from typing import Any

from comptoir.leases.lease import LeaseClass
from comptoir.simulation.replay.mixing import Workload
from comptoir.simulation.replay.run import COMPTOIR, Money, Played, Replay
from comptoir.simulation.replay.tally import SIZE_NAMES, Tally, at_percent
from comptoir.units.money import format_micros
from comptoir.units.time import MS_PER_HOUR, MS_PER_S

PER_CENTS = (50, 90, 99)
CURVE = (*range(0, 100, 2), 99, 100)
"""The per cents at which the curve of all waits is written."""
WAITED_MS = 60 * MS_PER_S
"""Who waits longer is said to have waited."""
_NANO_MS_PER_MICRO = 1_000 * MS_PER_HOUR


def report_of(wanted: Replay, asked: Workload, played: Sequence[Played]) -> dict[str, Any]:
    """The whole report; the first policy's numbers stand at the top."""
    policies = {one.policy: _policy(wanted, asked, one) for one in played}
    head = {
        "trace": {
            "name": wanted.trace.name,
            "jobs": len(wanted.trace.jobs),
            "skipped": wanted.trace.skipped,
            "span_s": _s(wanted.trace.span_ms),
        },
        "fleet": {
            "name": wanted.fleet.file.name,
            "nodes": len(wanted.fleet.nodes),
            "accelerators": wanted.fleet.accelerators // wanted.fleet.slices,
            "kinds": list(wanted.fleet.node_sizes),
        },
        "options": _options(wanted),
        "rounding": _rounding(asked),
        "policy": played[0].policy,
    }
    document = {**head, **policies[played[0].policy], "policies": policies}
    plain = dumps(document, sort_keys=True, separators=(",", ":"))
    return {**document, "report_sha256": sha256(plain.encode()).hexdigest()}


def _options(wanted: Replay) -> dict[str, Any]:
    overlay, conditions = wanted.overlay, wanted.conditions
    return {
        "scale": overlay.copies,
        "days": overlay.days,
        "mix": dict(overlay.mix.parts),
        "slices": overlay.slices,
        "seed": overlay.seed,
        "policies": list(wanted.policies),
        "rates": None if wanted.card is None else wanted.card.file,
        "failures_per_million_accelerator_days": conditions.failures_per_million_accelerator_days,
        "repair_s": _s(conditions.repair_ms),
        "checkpoint_s": _s(conditions.checkpoint_ms),
        "restart_s": _s(conditions.restart_ms),
    }


def _rounding(asked: Workload) -> dict[str, Any]:
    """What is lost because a job holds whole slices."""
    return {
        "slices": asked.slices,
        "jobs_rounded_up": asked.rounded,
        "lost_accelerator_hours": _hours(asked.rounding_ms),
        "lost_share": _ratio(asked.rounding_ms, asked.asked_ms + asked.rounding_ms),
        "jobs_of_types_the_fleet_lacks": asked.other_types,
    }


def _policy(wanted: Replay, asked: Workload, played: Played) -> dict[str, Any]:
    tally, slices = played.tally, wanted.fleet.slices
    jobs, rejected = sum(tally.asked.values()), sum(tally.refusals.values())
    there = wanted.fleet.accelerators * tally.end_ms
    useful, delivered = sum(tally.useful_ms.values()), sum(tally.delivered_ms.values())
    return {
        "jobs": jobs,
        "accepted": jobs - rejected,
        "rejected": rejected,
        "refusals": dict(sorted(tally.refusals.items())),
        "refused": [
            {"job": work.id, "accelerators": work.accelerators / slices if slices > 1
             else work.accelerators, "code": why.code, "message": why.message}
            for work, why in tally.refused
        ],
        "finished": tally.finished_jobs,
        "gave_up": tally.gave_up_jobs,
        "running_at_end": tally.running,
        "waiting_at_end": tally.waiting,
        "utilisation": _ratio(_in_span(tally, asked.until_ms), _span_there(wanted, asked, tally)),
        "utilisation_to_the_end": _ratio(delivered, there),
        "wait_s": _spread_of(tally.waits, MS_PER_S),
        "wait_curve_s": _curves(tally),
        "waited_more_than_60_s": sum(w > WAITED_MS for ws in tally.waits.values() for w in ws),
        "internal_waits_by_team": _teams(tally),
        "bounded_slowdown": _spread_of(tally.slowdowns, 1_000),
        "reclaims": sum(tally.reclaims.values()),
        "reclaims_by_class": {str(c): n for c, n in sorted(tally.reclaims.items())},
        "lost_to_reclaims_accelerator_hours": _hours(tally.lost_to_reclaims_ms, slices),
        "node_failures": tally.node_failures,
        "interrupted_by_failures": tally.interrupted,
        "lost_to_failures_accelerator_hours": _hours(tally.lost_to_failures_ms, slices),
        "down_accelerator_hours": _hours(sum(tally.down_ms), slices),
        "goodput": _ratio(useful, delivered),
        "accelerator_hours_by_class": {
            str(c): _hours(ms, slices) for c, ms in sorted(tally.delivered_ms.items())
        },
        "fragmentation": _fragmentation(tally, asked.until_ms),
        **_money(wanted, tally, played.money),
        "simulated_s": _s(tally.end_ms),
        "over_time": _over_time(wanted, tally),
    }  # fmt: skip


def _in_span(tally: Tally, until_ms: int) -> int:
    """Accelerator-milliseconds of the whole grains in which jobs were submitted."""
    grains = max(min(until_ms, tally.end_ms) // tally.bucket_ms, 1)
    return sum(sum(busy[:grains]) for busy in tally.busy_by_class.values())


def _span_there(wanted: Replay, asked: Workload, tally: Tally) -> int:
    grains = max(min(asked.until_ms, tally.end_ms) // tally.bucket_ms, 1)
    return wanted.fleet.accelerators * grains * tally.bucket_ms


def _spread_of(groups: Mapping[tuple[LeaseClass, str], list[int]], unit: int) -> dict[str, Any]:
    """Mean and percentiles of all, by size, by class, and by both."""
    sizes: dict[str, list[int]] = {name: [] for name in SIZE_NAMES}
    classes: dict[str, list[int]] = {}
    for (lease_class, size), values in groups.items():
        sizes[size] += values
        classes.setdefault(str(lease_class), []).extend(values)
    whole = [value for values in sizes.values() for value in values]
    return {
        **_spread(whole, unit),
        "by_size": {name: _spread(values, unit) for name, values in sizes.items() if values},
        "by_class": {name: _spread(values, unit) for name, values in sorted(classes.items())},
        "by_class_and_size": {
            f"{lease_class} {size}": _spread(values, unit)
            for (lease_class, size), values in sorted(groups.items())
        },
    }


def _spread(values: list[int], unit: int) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "jobs": len(ordered),
        "mean": _ratio(sum(ordered), len(ordered) * unit),
        **{f"p{n}": _ratio(at_percent(ordered, n), unit) for n in PER_CENTS},
        "most": _ratio(ordered[-1] if ordered else 0, unit),
    }


def _curves(tally: Tally) -> dict[str, list[list[float]]]:
    """For each class, [per cent, seconds]: so many in a hundred waited no longer."""
    classes: dict[str, list[int]] = {}
    for (lease_class, _), values in tally.waits.items():
        classes.setdefault(str(lease_class), []).extend(values)
    return {
        name: [[n, at_percent(ordered, n) / MS_PER_S] for n in CURVE]
        for name, ordered in ((name, sorted(values)) for name, values in sorted(classes.items()))
    }


def _teams(tally: Tally) -> dict[str, Any]:
    """Whose internal jobs waited, and for how long; who waited most in all comes first."""
    return {
        team: {**_spread(waits, MS_PER_S), "waited_more_than_60_s": sum(
            wait > WAITED_MS for wait in waits
        )}
        for team, waits in sorted(tally.team_waits.items(), key=lambda one: (-sum(one[1]), one[0]))
    }  # fmt: skip


def _fragmentation(tally: Tally, until_ms: int) -> dict[str, Any]:
    """Of what is free, the share that stands on nodes which are partly taken, and how much."""
    samples = [sample for sample in tally.samples if sample.at_ms <= until_ms]
    free = sum(sample.free for sample in samples)
    whole = sum(sample.free_whole for sample in samples)
    return {
        "free_on_partly_used_nodes_share": _ratio(free - whole, free),
        "mean_free": _ratio(free, len(samples) * tally.slices),
        "mean_free_on_whole_nodes": _ratio(whole, len(samples) * tally.slices),
    }


def _money(wanted: Replay, tally: Tally, money: Money | None) -> dict[str, Any]:
    """What was earned, what the fleet cost, and what is left; by class what its time cost."""
    if money is None:
        nothing = ("revenue", "revenue_from_customers", "currency", "cost", "margin")
        return {**dict.fromkeys(nothing), "money_by_class": {}}
    slices, fleet = wanted.fleet.slices, wanted.fleet
    each_nanos = fleet.cost_nanos_per_hour * slices
    whole = fleet.cost_nanos_per_hour * tally.end_ms // _NANO_MS_PER_MICRO
    by_class = {}
    for name in sorted({*money.revenue, *money.booked_ms}):
        booked, earned = money.booked_ms.get(name, 0), money.revenue.get(name, 0)
        cost = booked * each_nanos // (fleet.accelerators * slices * _NANO_MS_PER_MICRO)
        by_class[name] = {
            "accelerator_hours": _hours(booked, slices),
            "revenue": format_micros(earned),
            "cost_of_its_time": format_micros(cost),
            "margin": format_micros(earned - cost),
        }
    sold = sum(earned for name, earned in money.revenue.items() if name != LeaseClass.INTERNAL)
    total = sum(money.revenue.values())
    return {
        "revenue": format_micros(total),
        "revenue_from_customers": format_micros(sold),
        "currency": money.currency,
        "cost": format_micros(whole),
        "margin": format_micros(total - whole),
        "money_by_class": by_class,
    }


def _over_time(wanted: Replay, tally: Tally) -> dict[str, Any]:
    """Series at the grain of what is drawn: shares of the fleet, and who waits."""
    there = wanted.fleet.accelerators * tally.bucket_ms
    return {
        "every_s": _s(tally.bucket_ms),
        "busy": {
            str(lease_class): [_ratio(ms, there) for ms in busy]
            for lease_class, busy in sorted(tally.busy_by_class.items())
        },
        "down": [_ratio(ms, there) for ms in tally.down_ms],
        "reclaims": [
            tally.reclaimed_by_bucket[n]
            for n in range(max(tally.reclaimed_by_bucket, default=-1) + 1)
        ],
        "waiting_jobs": [sample.waiting for sample in tally.samples],
        "free_share": [_ratio(s.free, wanted.fleet.accelerators) for s in tally.samples],
        "free_on_whole_nodes_share": [
            _ratio(s.free_whole, wanted.fleet.accelerators) for s in tally.samples
        ],
    }


def compared(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The policies of a report, the desk's first."""
    found = list(report["policies"].items())
    return sorted(found, key=lambda one: one[0] != COMPTOIR)


def _s(ms: int) -> int | float:
    return ms // MS_PER_S if not ms % MS_PER_S else ms / MS_PER_S


def _hours(ms: int, slices: int = 1) -> float:
    return round(ms / (slices * MS_PER_HOUR), 3)


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
