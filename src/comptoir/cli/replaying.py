"""`simulate` at work: files read, the replay with its progress, the summary, JSON and HTML."""

import gc
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from comptoir.cli.output import Column, print_table
from comptoir.fleet.read_file import read_fleet_file
from comptoir.pricing.card_files import CardFile, read_card_file
from comptoir.simulation.replay.fleets import replayed_fleet
from comptoir.simulation.replay.lives import Conditions
from comptoir.simulation.replay.mixing import Overlay, parse_mix
from comptoir.simulation.replay.page import page_of
from comptoir.simulation.replay.plots import duration
from comptoir.simulation.replay.report import compared, report_of
from comptoir.simulation.replay.run import Replay, parse_policies, replay
from comptoir.simulation.replay.trace import read_trace
from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_HOUR, MS_PER_S

REPAIR_MS = 12 * MS_PER_HOUR
RESTART_MS = 300 * MS_PER_S
_GARBAGE_THRESHOLDS = (50_000, 10, 100)
_SPARKS = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 72
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line said."""

    trace: Path
    fleet: Path
    json_file: Path | None
    html_file: Path | None
    mix: str
    rates: Path | None
    policy: str
    scale: int
    days: int | None
    slices: int
    failures: int
    checkpoint_s: int
    seed: int
    strict: bool


def run(asked: Asked) -> int:
    """Replay, show, write."""
    started = time.perf_counter()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)  # a book is large, and has no cycles: as a server does
    wanted = _wanted(asked)
    screen = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=screen, disable=not screen.is_terminal,
    ) as bar:  # fmt: skip
        tasks = {policy: bar.add_task(f"{policy:9}", total=None) for policy in wanted.policies}
        workload, played = replay(
            wanted,
            lambda policy, over, whole: bar.update(tasks[policy], completed=over, total=whole),
        )
    report = report_of(wanted, workload, played)
    wall_s = round(time.perf_counter() - started, 3)
    if asked.json_file is not None:
        _write(asked.json_file, json.dumps({**report, "wall_s": wall_s}, indent=1) + "\n")
    if asked.html_file is not None:
        _write(asked.html_file, page_of(report))
    _show(report, wall_s)
    for path in (asked.json_file, asked.html_file):
        if path is not None:
            print(f"  wrote  {path}")
    return 0


def _wanted(asked: Asked) -> Replay:
    policies, mix = parse_policies(asked.policy), parse_mix(asked.mix)
    fleet = replayed_fleet(read_fleet_file(asked.fleet.name, _text(asked.fleet)), asked.slices)
    conditions = Conditions(
        asked.failures, REPAIR_MS, asked.checkpoint_s * MS_PER_S, RESTART_MS, asked.seed
    )
    overlay = Overlay(mix, asked.scale, asked.days, asked.slices, asked.seed)
    card = _card(asked.rates, fleet.file.leases[0].currency)
    return Replay(read_trace(asked.trace), fleet, overlay, conditions, card, policies, asked.strict)


def _card(path: Path | None, currency: str) -> CardFile | None:
    """A card; one that is a table has the currency in which the fleet counts its cost."""
    if path is None:
        return None
    named = {"name": "replay", "given_currency": currency} if path.suffix == ".csv" else {}
    card = read_card_file(path.name, _text(path), **named)
    if card.currency != currency:
        raise Invalid(
            "currency_contradicts",
            f"{path.name}: currency: prices are in {card.currency}, the fleet's cost in {currency}",
            "give both in one currency",
        )
    return card


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Invalid("bad_file", f"{path} cannot be read: {why}", "name another file") from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid("cannot_write", f"{path}: {why}", "choose another place") from None


# What a person sees.


def _show(report: Row, wall_s: float) -> None:
    trace, fleet = report["trace"], report["fleet"]
    kinds = " + ".join(fleet["kinds"])
    print(
        f"{trace['name']}: {report['jobs']:,} jobs, {report['simulated_s'] / 86_400:.1f} days, on "
        f"{fleet['accelerators']:,} x {kinds} in {fleet['nodes']:,} nodes"
    )
    print(
        f"  {report['utilisation']:.1%} of the fleet used while jobs came, goodput "
        f"{report['goodput']:.2%}; {report['finished']:,} finished, {report['rejected']:,} "
        f"rejected, {report['running_at_end'] + report['waiting_at_end']:,} not over"
    )
    print(f"  {spark(report['over_time']['busy'], _SPARK_WIDTH)}\n")
    print_table(_class_rows(report), _class_columns(report))
    print()
    print_table(
        [{"size": size, **one} for size, one in report["wait_s"]["by_size"].items()],
        [Column("accelerators", lambda row: row["size"]), _number("jobs"), *_waits()],
    )
    print()
    _show_rest(report)
    if len(report["policies"]) > 1:
        _show_policies(report)
    if any(one["revenue"] is not None for one in report["policies"].values()):
        print("  audit  nothing sold twice, nothing billed twice, every unit sums to zero")
    print(f"  report {report['report_sha256'][:16]}, the same for the same seed; {wall_s:,.1f} s")


def _show_rest(report: Row) -> None:
    """Waits of teams, reclaims, failures, money: a line each, where there is something to say."""
    teams = report["internal_waits_by_team"]
    if teams:
        waited = sum(one["waited_more_than_60_s"] for one in teams.values())
        team, most = next(iter(teams.items()))
        print(
            f"  {waited:,} of {sum(one['jobs'] for one in teams.values()):,} internal jobs waited "
            f"over a minute; most of all {team}: mean {duration(most['mean'])}, "
            f"p99 {duration(most['p99'])}"
        )
    alone = report["policies"].get("unsold", {}).get("wait_s", {}).get("by_class", {})
    if teams and "internal" in alone and report["policy"] != "unsold":
        with_sales = report["wait_s"]["by_class"]["internal"]["mean"]
        print(
            f"  on average an internal job waited {duration(with_sales)}; had nothing been sold, "
            f"{duration(alone['internal']['mean'])}"
        )
    lost = report["lost_to_reclaims_accelerator_hours"]
    print(
        f"  {report['reclaims']:,} reclaims cost {lost:,.0f} accelerator-hours; "
        f"{report['node_failures']:,} node failures interrupted "
        f"{report['interrupted_by_failures']:,} jobs and cost "
        f"{report['lost_to_failures_accelerator_hours']:,.0f}"
    )
    for code, number in report["refusals"].items():
        first = next(one for one in report["refused"] if one["code"] == code)
        print(f"  {number:,} refused, {code}: the first is {first['job']}, {first['message']}")
    rounding = report["rounding"]
    if rounding["jobs_rounded_up"]:
        slices = rounding["slices"]
        to = "whole accelerators" if slices == 1 else f"slices of one in {slices}"
        print(
            f"  {rounding['jobs_rounded_up']:,} jobs were rounded up to {to}: "
            f"{rounding['lost_accelerator_hours']:,.0f} accelerator-hours, "
            f"{rounding['lost_share']:.1%} of what they hold"
        )
    if report["revenue"] and (earned := Decimal(report["revenue"])):
        sold = Decimal(report["revenue_from_customers"])
        print(
            f"  earned {sold:,.2f} {report['currency']} from customers and {earned - sold:,.2f} "
            f"from teams; the fleet cost {Decimal(report['cost']):,.2f}: "
            f"margin {Decimal(report['margin']):,.2f}"
        )


def _class_rows(report: Row) -> list[Row]:
    hours, money = report["accelerator_hours_by_class"], report["money_by_class"]
    return [
        {
            "class": name,
            "jobs": one["jobs"],
            **one,
            "hours": hours.get(name, 0),
            "reclaims": report["reclaims_by_class"].get(name, 0),
            "revenue": money.get(name, {}).get("revenue", "0"),
            "left": money.get(name, {}).get("margin", "0"),
        }
        for name, one in report["wait_s"]["by_class"].items()
    ]


def _class_columns(report: Row) -> list[Column]:
    columns = [
        Column("class", lambda row: row["class"]), _number("jobs"), _number("acc-hours", "hours"),
        *_waits(), _number("reclaims"),
    ]  # fmt: skip
    if Decimal(report["revenue"] or 0):
        columns += [_number("revenue"), _number("margin", "left")]
    return columns


def _show_policies(report: Row) -> None:
    rows = [
        {
            "policy": name, **one, "mean": one["wait_s"]["mean"], "p50": one["wait_s"]["p50"],
            "p99": one["wait_s"]["p99"], "slow": f"{one['bounded_slowdown']['mean']:,.1f}",
            "used": f"{one['utilisation']:.1%}",
            "open": one["running_at_end"] + one["waiting_at_end"],
        }
        for name, one in compared(report)
    ]  # fmt: skip
    columns = [
        Column("policy", lambda row: row["policy"]), _number("jobs"), _number("not over", "open"),
        Column("used", lambda row: row["used"], True), *_waits(mean=True),
        Column("slowdown", lambda row: row["slow"], True), _number("reclaims"),
    ]  # fmt: skip
    print_table(rows, columns)
    print()


def _number(header: str, name: str = "") -> Column:
    return Column(header, lambda row: f"{Decimal(row[name or header]):z,.0f}", right=True)


def _waits(mean: bool = False) -> list[Column]:
    def column(name: str) -> Column:
        header = "mean wait" if name == "mean" else f"wait {name}" if name == "p50" else name
        return Column(header, lambda row: duration(row[name]), right=True)

    return [column(name) for name in (("mean", "p50", "p99") if mean else ("p50", "p90", "p99"))]


def spark(busy: Mapping[str, Sequence[float]], width: int) -> str:
    """The use of the fleet over time in one line of text."""
    longest = max((len(values) for values in busy.values()), default=0)
    total = [sum(v[n] for v in busy.values() if n < len(v)) for n in range(longest)]
    step = max(-(-longest // width), 1)
    means = [sum(part) / len(part) for part in _parts(total, step)]
    return "".join(_SPARKS[min(ceil(mean * 8), 8)] for mean in means)


def _parts(values: Sequence[float], step: int) -> list[Sequence[float]]:
    return [values[n : n + step] for n in range(0, len(values), step)]
