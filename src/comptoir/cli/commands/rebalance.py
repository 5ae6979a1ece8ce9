"""`fleet rebalance`: places made whole, sold windows spread: planned, then moved step by step."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.formats import Duration, accelerator_time, counted, duration, money
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note

if TYPE_CHECKING:
    from comptoir.client.rebalances import Applied, RebalancePlan

MOST_SHOWN = 50


@leaf(
    "rebalance",
    "comptoir fleet rebalance --dry-run",
    "comptoir fleet rebalance --level rack --kind h100-sxm --horizon 48h --dry-run",
)
@click.option("--dry-run", is_flag=True, help="Only say what it would move. So it is by default.")
@click.option("--apply", is_flag=True, help="Move what is planned, step by step.")
@click.option(
    "--level",
    type=click.Choice(["pod", "rack", "node"]),
    default="pod",
    show_default=True,
    help="What is to be whole again.",
)
@click.option("--kind", help="Only this accelerator kind.")
@click.option(
    "--horizon",
    type=Duration(),
    default="24h",
    show_default=True,
    help="A place counts for what of this it would not be whole.",
)
@click.option(
    "--restart",
    type=Duration(),
    default="15m",
    show_default=True,
    help="What a running job loses beside its notice.",
)
@click.option(
    "--spread",
    type=Duration(),
    default="15m",
    show_default=True,
    help="Worth of one accelerator less in the worst loss of a pod; 0 spreads nothing.",
)
@click.option(
    "--time-limit", type=Duration(), default="2m", show_default=True, help="To plan in, at most."
)
@click.option("--plan", "plan_id", metavar="ID", help="A plan that was made before.")
@click.option("--because", help="What holders of moved leases are told.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebalance(
    cli: Session,
    dry_run: bool,
    apply: bool,
    plan_id: str | None,
    because: str | None,
    yes: bool,
    **wanted: Any,
) -> None:
    """Propose moves that make places whole and spread sold windows, and make them.

    Promises move at once, what runs moves with its notice, and what is sold and runs only if its
    contract has a clause for it.
    """
    if dry_run and apply:
        raise click.UsageError("--dry-run or --apply, not both")
    plan = _planned(cli, plan_id, wanted)
    if not apply:
        _show(cli, plan)
        return
    if not plan["steps"]:
        _show(cli, plan)
        return
    running = sum(step["running"] for step in plan["steps"])
    what = f"move {counted(len(plan['steps']), 'lease')}"
    cli.confirm(f"{what}, {running:,} of them running: their jobs start again", yes)
    if not cli.json:
        _show(cli, plan)
    _apply(cli, plan, because)


def _planned(cli: Session, plan_id: str | None, wanted: dict[str, Any]) -> "RebalancePlan":
    rebalances = cli.client.rebalances
    if plan_id is None:
        plan_id = rebalances.begin(
            wanted["level"], kind=wanted["kind"], horizon_s=wanted["horizon"],
            restart_s=wanted["restart"], spread_s=wanted["spread"],
            time_limit_s=wanted["time_limit"],
        )["id"]  # fmt: skip
    with _waiting(f"planning {plan_id}, for at most {duration(wanted['time_limit'])}") as tick:
        return rebalances.wait(plan_id, tick)


@contextmanager
def _waiting(what: str) -> Iterator[Any]:
    """A sign of life on a terminal, with how long it has taken so far."""
    began = time.monotonic()
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda: status.update(f"{what}: {time.monotonic() - began:.0f} s")


def headline(plan: "RebalancePlan") -> str:
    """The answer in a line: what becomes whole, by how many moves, for what."""
    steps, places = plan["steps"], plan["places"]
    if not steps:
        return f"no move is worth it among {counted(plan['leases'], 'lease')}"
    whole = counted(len(places), plan["level"]) if places else f"no {plan['level']}"
    used = f" for {len(plan['used_up']):,} used up" if plan["used_up"] else ""
    spread = f", {counted(len(plan['spreads']), 'window')} spread" if plan["spreads"] else ""
    return f"{whole} whole again{used}{spread}, by moving {counted(len(steps), 'lease')}"


def _fields(plan: "RebalancePlan") -> list[tuple[str, str]]:
    hours = accelerator_time(plan["gain_accelerator_ms"])
    running = sum(step["running"] for step in plan["steps"])
    fields = [
        ("gain", f"{hours} to sell as whole {plan['level']}s in the next "
         f"{duration(plan['horizon_s'])}{_at(plan['gain'], plan)}"),
        ("cost", f"{accelerator_time(plan['cost_accelerator_ms'])} of "
         f"{counted(running, 'running lease')} that start again{_at(plan['cost'], plan)}"),
        ("gap", f"{plan['gap_ppm'] / 10_000:.2f} % from the best there can be "
         f"({accelerator_time(plan['bound_accelerator_ms'])} net)"),
        ("planned", f"{plan['solver']} in {plan['took_s']} s, {plan['nodes']:,} nodes"),
    ]  # fmt: skip
    if plan["used_up"]:
        fields.append(("used up", ", ".join(used["place"] for used in plan["used_up"][:5])))
    return fields


def _at(amount: str | None, plan: "RebalancePlan") -> str:
    return "" if amount is None else f", {money(amount, plan['currency'])}"


def _show(cli: Session, plan: "RebalancePlan") -> None:
    """The plan: JSON for machines; for people what it does, where, and which leases move."""
    from comptoir.cli.output import (
        Column,
        count,
        print_ids,
        print_json,
        print_record,
        print_table,
        text,
    )

    if cli.ids:
        print_ids([{"id": plan["id"]}])
        return
    if cli.json:
        print_json(plan)
        return
    print_record(f"{plan['id']}  {headline(plan)}", _fields(plan) if plan["steps"] else ())
    if plan["places"]:
        print()
        print_table(
            plan["places"][:MOST_SHOWN],
            [
                text("whole again", "place"),
                text("kind"),
                count("accelerators"),
                Column("to sell", lambda r: accelerator_time(r["gain_accelerator_ms"]), right=True),
                Column("steps", lambda row: ", ".join(map(str, row["steps"][:8]))),
            ],
        )
    if plan["spreads"]:
        print()
        columns = [text("spread", "lease_id"), count("worst loss", "worst_before")]
        print_table(plan["spreads"][:MOST_SHOWN], [*columns, count("then", "worst_after")])
    if plan["steps"]:
        print()
        print_table(
            [{**step, "move": _where(step)} for step in plan["steps"][:MOST_SHOWN]],
            [
                count("step", "number"),
                text("lease", "lease_id"),
                text("from -> to", "move"),
                Column("notice", lambda r: duration(r["notice_s"]) if r["running"] else "none"),
                Column("gain", lambda r: accelerator_time(r["gain_accelerator_ms"]), right=True),
                Column("cost", lambda r: accelerator_time(r["cost_accelerator_ms"]), right=True),
                text("may move since", "why", flexible=True),
            ],
        )
        if len(plan["steps"]) > MOST_SHOWN:
            note(f"{len(plan['steps']) - MOST_SHOWN:,} more: --json has them all")
        note(f"apply it: comptoir fleet rebalance --plan {plan['id']} --apply")


def _where(step: Any) -> str:
    """The first part's nodes, and how many more there are."""
    first, more = step["moves"][0], len(step["moves"]) - 1
    where = f"{first['from_node']} -> {first['to_node']}"
    return f"{where} and {more:,} more" if more else where


def _apply(cli: Session, plan: "RebalancePlan", because: str | None) -> None:
    """Step after step, each said as it is made."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    screen = Console(stderr=True)
    done: list[Applied] = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=screen,
        disable=not screen.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("moving", total=len(plan["steps"]))
        for one in cli.client.rebalances.apply(plan, because):
            done.append(one)
            bar.advance(task)
            if not one["moved"]:
                bar.console.print(f"step {one['number']} {one['lease_id']}: {one['message']}")
    moved = sum(one["moved"] for one in done)
    left = len(done) - moved
    said = f"moved {counted(moved, 'lease')}" + (f", left {left:,} where they are" if left else "")
    cli.record({"id": plan["id"], "moved": moved, "left": left, "steps": done}, said)
