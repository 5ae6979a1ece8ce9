"""`lease`: asked for, listed, explained, extended, ended."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.rates import CLASSES
from comptoir.cli.formats import ROWS, Duration, Instant, Way, counted, duration
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.records import Allocation, Lease
from comptoir.units.errors import Invalid

SHAPES = click.Choice(["node", "rack", "pod", "cluster", "site"])
STATES = click.Choice(
    [
        "waiting",
        "held",
        "scheduled",
        "active",
        "reclaiming",
        "ended",
        "refused",
        "cancelled",
        "broken",
    ]
)
_MOST_SHOWN = 16
_LIVE = ("waiting", "held", "scheduled", "active", "reclaiming")


@click.group("lease", cls=Group)
def lease() -> None:
    """Accelerators of a kind, for a window of time."""


@leaf(
    "request",
    "comptoir lease request --accelerators 8 --kind h100-sxm --class spot",
    "comptoir lease request --accelerators 512 --kind h100-sxm --class reserved --shape pod "
    "--starts 2027-01-04T06:00:00Z --for 48h",
    "comptoir lease request --accelerators 512 --kind h100-sxm --latest-start +3d --for 12h "
    "--or mi300x:512:pod",
    "comptoir lease request --accelerators 64 --kind h100-sxm --class reserved "
    "--every 'weekdays 20:00-08:00 Europe/Paris' --until +30d",
    "comptoir lease request --batch requests.jsonl",
    group=lease,
)
@click.option("--accelerators", type=click.IntRange(1), help="How many.")
@click.option("--kind", help="See `comptoir fleet kinds`.")
@click.option(
    "--class", "lease_class", type=CLASSES, help="on_demand if not said; a team's: internal."
)
@click.option("--shape", type=SHAPES, help="All in one of these; a site if not said.")
@click.option("--starts", "starts_at", type=Instant(), help="An instant or +2h; now if not said.")
@click.option(
    "--ends", "ends_at", type=Instant(), help="An instant or +48h; open-ended if not said."
)
@click.option("--for", "duration_s", type=Duration(), help="How long, instead of --ends: 48h, 90m.")
@click.option("--notice", "notice_s", type=Duration(), help="How long a stop is announced: 2m.")
@click.option(
    "--on-reclaim", type=click.Choice(["wait", "end"]), help="After a reclaim; wait if not said."
)
@click.option("--name", help="For people.")
@click.option("--tenant", metavar="TENANT", help="For house users: whose lease.")
@click.option("--recall", is_flag=True, default=None, help="For house users: it may be recalled.")
@click.option("--residency", metavar="CODE", help="Where its data must stay: FR, US-VA, EU.")
@click.option("--project", help="Whose budget it counts against.")
@click.option("--latest-start", type=Instant(), help="Any start up to then will do; needs --for.")
@click.option("--prefer", "preferred_shape", type=SHAPES, help="A narrower shape, tried first.")
@click.option(
    "--or",
    "alternatives",
    type=Way(),
    multiple=True,
    metavar="KIND:COUNT[:SHAPE]",
    help="Another complete way, if the first has no place; repeatable, in order.",
)
@click.option(
    "--every", metavar="WINDOWS", help="A lease in every window: 'weekdays 20:00-08:00 ZONE'."
)
@click.option("--until", type=Instant(), help="With --every: windows that begin before then.")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Many requests, one JSON object a line, as the API takes them; - is stdin.",
)
def request(
    cli: Session,
    lease_class: str | None,
    duration_s: int | None,
    every: str | None,
    until: str | None,
    batch: Path | None,
    **words: Any,
) -> int:
    """Ask for accelerators: they are promised, or you wait, or you hear why not."""
    if batch is not None:
        from comptoir.cli.commands.lease_batches import request_many

        said = {**words, "lease_class": lease_class, "duration_s": duration_s, "every": every}
        if any(value not in (None, ()) for value in said.values()):
            raise click.UsageError("--batch goes alone: its lines say the rest")
        return request_many(cli, batch)
    for option in ("accelerators", "kind"):
        if words[option] is None:
            raise click.UsageError(f"Missing option '--{option}'.")
    if duration_s is not None and words["ends_at"] is not None:
        raise click.UsageError("give --ends or --for, not both")
    if (every is None) != (until is None):
        raise click.UsageError("--every and --until belong together")
    chosen = lease_class or default_class(cli, words["tenant"])
    if every is not None and until is not None:
        from comptoir.cli.commands.lease_windows import request_series

        wanted = {**words, "lease_class": chosen, "duration_s": duration_s}
        request_series(cli, wanted, every, until)
        return 0
    kind, accelerators = words.pop("kind"), words.pop("accelerators")
    made = cli.client.leases.request(kind, accelerators, chosen, duration_s=duration_s, **words)
    held: Sequence[Allocation] = ()
    if made["state"] == "scheduled" and made["ends_at"] is None and not (cli.json or cli.ids):
        held = cli.client.leases.get(made["id"])["allocations"]  # until when it has them
    show_lease(cli, made, f"{made['id']}  {what(made)}   {made['state']}", held)
    return 0


@leaf("list", "comptoir lease list --state waiting", group=lease)
@click.option("--state", "states", type=STATES, multiple=True, help="Only these; repeatable.")
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--kind", help="Only of this kind.")
@click.option("--series", metavar="SERIES", help="Only the occurrences of a recurring request.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--limit", type=ROWS, default=200, show_default=True, help="At most.")
def list_leases(
    cli: Session,
    states: tuple[str, ...],
    tenant: str | None,
    kind: str | None,
    series: str | None,
    everything: bool,
    limit: int,
) -> None:
    """List leases that are not over, newest request first."""
    from itertools import islice

    from comptoir.cli.output import Column, text

    wanted = states or (() if everything else _LIVE)
    columns = [
        text("id"),
        text("state"),
        Column("accelerators", _held, right=True),
        text("class", "lease_class"),
        text("tenant"),
        Column("when", lambda row: _when(cli, row)),
        text("name", flexible=True),
    ]
    found = cli.client.leases.list(states=wanted, tenant=tenant, kind=kind, series=series)
    rows: Iterable[Lease] = islice(found, limit)
    if series is not None:
        rows = sorted(rows, key=_start)
    cli.table(cli.with_tenants(rows), columns, "leases")


@leaf("show", "comptoir lease show ls_7Q4M", group=lease)
@click.argument("lease_id", metavar="LEASE")
def show(cli: Session, lease_id: str) -> None:
    """Show one, with what it holds."""
    found = cli.client.leases.get(lease_id)
    fields = _fields(cli, found, found["allocations"])
    for held in found["allocations"][:_MOST_SHOWN]:
        until = cli.times.when(held["delivered_until"] or held["ends_at"], "open")
        start = cli.times.when(held["delivered_from"] or held["starts_at"])
        cores = f"{len(held['accelerators']):,} on {held['node_id']}"
        if held["fenced_at"] and not held["delivered_from"]:  # it was promised, and never had
            fields.append(("let go", f"{cores}, {cli.times.when(held['fenced_at'])}"))
            continue
        over = "fenced" if held["fenced_at"] else "lost"
        word = over if held["delivered_until"] or held["fenced_at"] else "holds"
        fields.append((word, f"{cores}, {start} to {until}"))
        if word == "holds" and cli.passed(held["accepted_at"]) is False:
            fields.append(
                ("", f"to send back unbilled until {cli.times.when(held['accepted_at'])}")
            )
    if rest := found["allocations"][_MOST_SHOWN:]:
        held_there = sum(len(held["accelerators"]) for held in rest)
        fields.append(("", f"and {held_there:,} on {len(rest):,} more nodes: --json has them"))
    cli.record(found, f"{found['id']}  {what(found)}   {found['state']}", fields)


@leaf("why", "comptoir lease why ls_7Q4M", group=lease)
@click.argument("lease_id", metavar="LEASE")
def why(cli: Session, lease_id: str) -> None:
    """Say why a lease waits, or stands where it does, and until when: the numbers."""
    from comptoir.cli.commands.why import headline, lines

    answer = cli.client.leases.why(lease_id)
    if cli.json:
        cli.record(answer, "")
        return
    found = cli.client.leases.get(lease_id)
    cli.record(answer, headline(cli, answer, found), lines(answer, cli.times))


@leaf("cancel", "comptoir lease cancel ls_7Q4M", "comptoir lease cancel se_9XJM", group=lease)
@click.argument("lease_id", metavar="LEASE")
def cancel(cli: Session, lease_id: str) -> None:
    """Withdraw a lease, or of a series every lease, that has not started."""
    if lease_id.startswith("se_"):
        from comptoir.cli.commands.lease_windows import show_series

        show_series(cli, cli.client.series.cancel(lease_id), "cancelled")
        return
    found = cli.client.leases.cancel(lease_id)
    cli.record(found, f"{found['id']} is {found['state']}")


@leaf(
    "end",
    "comptoir lease end ls_7Q4M --yes",
    "comptoir lease end ls_7Q4M ls_8QMC --yes",
    group=lease,
)
@click.argument("lease_ids", metavar="LEASE...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def end(cli: Session, lease_ids: tuple[str, ...], yes: bool) -> int:
    """End leases early: their jobs get their notice, then the accelerators are free."""
    if len(lease_ids) > 1:
        from comptoir.cli.commands.lease_batches import end_many

        return end_many(cli, lease_ids, yes)
    [lease_id] = lease_ids
    if not yes and not cli.json:
        found = cli.client.leases.get(lease_id)
        notice = duration(found["notice_s"])
        cli.confirm(f"end {lease_id} ({what(found)}): its jobs have {notice} to stop", yes)
    elif not yes:
        raise Invalid("not_confirmed", f"this will end {lease_id}", "say --yes to go ahead")
    found_after = cli.client.leases.end(lease_id)
    show_lease(cli, found_after, f"{found_after['id']} is {found_after['state']}")
    return 0


@leaf("extend", "comptoir lease extend ls_7Q4M --ends +24h", group=lease)
@click.argument("lease_id", metavar="LEASE")
@click.option("--ends", "ends_at", type=Instant(), required=True, help="An instant, or +24h.")
def extend(cli: Session, lease_id: str, ends_at: str) -> None:
    """Move the end of a bounded lease, later or sooner."""
    found = cli.client.leases.extend(lease_id, ends_at)
    show_lease(cli, found, f"{found['id']} ends {cli.times.when(found['ends_at'])}")


@leaf(
    "breaches",
    "comptoir lease breaches ls_7Q4M",
    "comptoir lease breaches --open",
    group=lease,
)
@click.argument("lease_id", metavar="LEASE", required=False)
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--open", "open_only", is_flag=True, help="Only those that still grow.")
def breaches(cli: Session, lease_id: str | None, tenant: str | None, open_only: bool) -> None:
    """List what was promised and not delivered: of a lease, or of all."""
    from comptoir.cli.output import Column, count, instant, text, use

    columns = [
        *([] if lease_id else [text("lease", "lease_id"), text("tenant")]),
        text("node", "node_id"),
        Column("cause", lambda row: str(row["cause"]).replace("_", " ")),
        count("acc", "accelerators"),
        instant(cli.times, "from", "broken_from"),
        instant(cli.times, "until", "broken_until", "open"),
        use("undelivered"),
        text("replaced by", "replaced_by"),
    ]
    found = cli.client.leases.breaches(lease_id, tenant=tenant, open=open_only or None)
    cli.table(cli.with_tenants(found), columns, "broken guarantees")


@leaf("accept", "comptoir lease accept ls_7Q4M", group=lease)
@click.argument("lease_id", metavar="LEASE")
@click.option("--node", "node_id", metavar="NODE", help="Only this one; all if not said.")
def accept(cli: Session, lease_id: str, node_id: str | None) -> None:
    """Accept what was handed over, before it is deemed accepted."""
    found = cli.client.leases.accept(lease_id, node_id)
    show_lease(cli, found, f"{found['id']} is accepted")


@leaf(
    "reject-node",
    "comptoir lease reject-node ls_7Q4M nd_2W8C --because 'GPU 3 throttles' --yes",
    group=lease,
)
@click.argument("lease_id", metavar="LEASE")
@click.argument("node_id", metavar="NODE")
@click.option("--because", required=True, metavar="TEXT", help="What is wrong with it.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def reject_node(cli: Session, lease_id: str, node_id: str, because: str, yes: bool) -> None:
    """Send a node back: another takes its place when there is one.

    Before its delivery is accepted, by you or by its time, it was never billed; after that it
    is billed up to now. It goes back for all that your tenant has on it.
    """
    cli.confirm(f"stop all that your leases run on {node_id} and give it back", yes)
    found = cli.client.leases.reject_node(lease_id, node_id, because)
    show_lease(cli, found, f"{found['id']} has sent back {node_id}")


def default_class(cli: Session, tenant: str | None = None) -> str:
    """What a request without a class means: `internal` for a team, else `on_demand`."""
    named = tenant or cli.client.whoami()["tenant_id"]
    if named is None:
        raise Invalid(
            "tenant_missing", "a house user asks for a tenant", "say --tenant NAME, and --class"
        )
    return "internal" if cli.client.tenants.get(named)["kind"] == "team" else "on_demand"


def _held(row: Mapping[str, Any]) -> str:
    return f"{row['accelerators']:,} x {row['kind']}"


def what(found: Lease) -> str:
    """`512 x h100-sxm, one pod, reserved (ranking)`."""
    name = f" ({found['name']})" if found["name"] else ""
    return f"{_held(found)}, one {found['shape']}, {found['lease_class']}{name}"


def show_lease(cli: Session, found: Lease, headline: str, held: Sequence[Allocation] = ()) -> None:
    """A lease as it stands, under a headline; with what it holds, where that is known."""
    cli.record(found, headline, _fields(cli, found, held))


def _wishes(cli: Session, found: Lease) -> list[tuple[str, str]]:
    """What was asked beside one window and one way."""
    said = []
    if found["latest_start"] and found["duration_s"]:
        latest = cli.times.when(found["latest_start"])
        said.append(("flexible", f"{duration(found['duration_s'])}, starting by {latest}"))
    if found["preferred_shape"]:
        said.append(("prefers", f"one {found['preferred_shape']}"))
    if found["alternatives"]:
        ways = (f"{x['accelerators']:,} x {x['kind']}, one {x['shape']}"
                for x in found["alternatives"])  # fmt: skip
        said.append(("ways", "; or ".join(ways)))
    if found["series"]:
        said.append(("series", found["series"]))
    if found["state"] == "held":
        firm = "firm" if found["hold_firm"] else "soft: gives way to a firm request"
        said.append(("held", f"until {cli.times.when(found['hold_until'])}, {firm}"))
        said.append(("next", f"comptoir lease confirm {found['id']}"))
    return said


def _fields(cli: Session, found: Lease, held: Sequence[Allocation]) -> list[tuple[str, str]]:
    starts = cli.times.when(found["starts_at"])
    state = f"{found['state']} for {cli.since(found['state_since'])}"
    if found["reason"]:
        state += f": {found['reason'].replace('_', ' ')}"
    fields = [
        ("state", state),
        ("window", f"{starts} to {cli.times.when(found['ends_at'], 'open end')}"),
        *_starts(cli, found),
        *_wishes(cli, found),
        ("notice", f"{duration(found['notice_s'])}, then on reclaim: {found['on_reclaim']}"),
        ("tenant", found["tenant_id"]),
    ]
    if ground := _reclaimable(found):
        fields.append(("stands on", ground))
    if found["residency"]:
        fields.append(("stays in", found["residency"]))
    if until := _cut_short(found, held):
        fields.append(("until", f"{cli.times.when(until)}: what it stands on is there no longer"))
    if found["project"]:
        fields.append(("project", found["project"]))
    if found["state"] == "waiting":
        fields.append(("next", f"comptoir lease why {found['id']}"))
    if found["kill_at"] and found["state"] == "reclaiming":
        fields.insert(1, ("stops", cli.times.when(found["kill_at"])))
    if found["lost"]:
        lost = f"{sum(found['lost']):,} accelerators, not replaced yet"
        fields.insert(1, ("lost", f"{lost}: comptoir lease breaches {found['id']}"))
    if found["reclaims"]:
        fields.append(("reclaimed", counted(found["reclaims"], "time")))
    return fields


def _when(cli: Session, row: Mapping[str, Any]) -> str:
    """From when, of what has not started; else until when."""
    if row["state"] in ("waiting", "held", "scheduled"):
        return f"from {cli.times.when(_start(row))}"
    return f"to {cli.times.when(row['ends_at'])}" if row["ends_at"] else "open"


def _start(row: Mapping[str, Any]) -> str:
    """When it starts: as it is promised, or the earliest that it asked for."""
    return str(row.get("scheduled_start") or row["starts_at"])


def _starts(cli: Session, found: Lease) -> list[tuple[str, str]]:
    """The promised start, where the window says only the earliest."""
    promised = found["scheduled_start"]
    if found["state"] not in ("scheduled", "held") or promised in (None, found["starts_at"]):
        return []
    return [("starts", cli.times.when(promised))]


def _cut_short(found: Lease, held: Sequence[Allocation]) -> str | None:
    """When what it holds ends before it does, if it does."""
    if found["state"] not in ("scheduled", "active"):
        return None
    ends = [part["ends_at"] for part in held if part["ends_at"] and not part["fenced_at"]]
    first = min(ends, default=None)
    return first if first and (not found["ends_at"] or first < found["ends_at"]) else None


def _reclaimable(found: Lease) -> str:
    """Why others may take it back, besides its being spot."""
    least = duration(found["minimum_runtime_s"])
    when = f"may be taken back with {duration(found['notice_s'])} notice once it has run {least}"
    if found["lent"]:
        return f"what a team lends: {when}"
    if found["borrowed"]:
        return f"more than its team is entitled to: {when}"
    if found["recall_spent"]:
        return (
            f"a recall clause, of which its contract allows no more use in this year; then {when}"
        )
    return f"a recall clause: {when}" if found["recall"] else ""
