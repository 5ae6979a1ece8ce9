"""`entitlement` and `policy`: what teams have, who lends to whom, how classes are treated."""

from collections.abc import Mapping
from typing import Any

import click

from comptoir.cli.commands.rates import CLASSES
from comptoir.cli.formats import Duration, Instant, accelerator_time, duration, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.entitlement_records import ClassPolicy, Entitlement, LenderStatement


@click.group("entitlement", cls=Group)
def entitlement() -> None:
    """What teams are entitled to, what is idle of it, and who lends to whom."""


@click.group("policy", cls=Group)
def policy() -> None:
    """How each class of lease is treated: its notice, minimum runtime, ageing."""


@leaf(
    "set",
    "comptoir entitlement set ads --group --kind h100-sxm --accelerators 8192",
    "comptoir entitlement set ranking --of ads --kind h100-sxm --accelerators 4096 --lend 2048",
    group=entitlement,
)
@click.argument("holder", metavar="TEAM")
@click.option("--kind", required=True, help="See `comptoir fleet kinds`.")
@click.option("--accelerators", type=click.IntRange(1), required=True, help="How many.")
@click.option("--group", is_flag=True, help="TEAM is the name of a group of teams.")
@click.option("--of", "parent", metavar="GROUP", help="Taken out of this group's entitlement.")
@click.option("--site", help="Only there; anywhere if not said.")
@click.option("--starts", "starts_at", type=Instant(), help="An instant or +2h; now if not said.")
@click.option("--ends", "ends_at", type=Instant(), help="An instant; open-ended if not said.")
@click.option(
    "--lend", "lend_limit", type=click.IntRange(0), help="The most of its idle that others use."
)
@click.option(
    "--borrow", "borrow_limit", type=click.IntRange(0), help="The most it uses above its own."
)
@click.option(
    "--share-bps",
    "lender_share_bps",
    type=click.IntRange(0, 10_000),
    help="What it earns of what its idle sells for, in 1/100 of a percent; 5000 if not said.",
)
def set_entitlement(
    cli: Session, holder: str, kind: str, accelerators: int, group: bool, **words: Any
) -> None:
    """Entitle a team, or a group of teams, beside what it has already."""
    team, name = (None, holder) if group else (holder, None)
    made = cli.client.entitlements.set(kind, accelerators, team=team, group=name, **words)
    _show(cli, made, f"{made['id']}  {holder} is entitled to {_what(made)}")


@leaf("list", "comptoir entitlement list --kind h100-sxm", group=entitlement)
@click.option("--tenant", metavar="TENANT", help="Only this team's.")
@click.option("--kind", help="Only of this kind.")
def list_entitlements(cli: Session, tenant: str | None, kind: str | None) -> None:
    """List entitlements, latest start first."""
    from comptoir.cli.output import Column, instant, text

    columns = [
        text("id"),
        Column("state", lambda row: _state(cli, row)),
        Column("holder", _holder),
        text("of", "parent"),
        Column("accelerators", _what, right=True),
        instant(cli.times, "starts", "starts_at"),
        instant(cli.times, "ends", "ends_at", "open"),
        Column("lends", lambda row: _limit(row["lend_limit"]), right=True),
        Column("borrows", lambda row: _limit(row["borrow_limit"]), right=True),
    ]
    cli.table(cli.client.entitlements.list(tenant, kind), columns, "entitlements")


@leaf(
    "show",
    "comptoir entitlement show",
    "comptoir entitlement show ranking --kind h100-sxm",
    group=entitlement,
)
@click.argument("team", required=False)
@click.option("--kind", help="Only of this kind.")
def show(cli: Session, team: str | None, kind: str | None) -> None:
    """Say who has, uses, lends and borrows what now, and why it may borrow no more."""
    from comptoir.cli.output import count, text

    found = cli.client.entitlements.shares(team, kind)
    if team is not None and not cli.json:
        for share in found:
            lent = [f"{p['accelerators']:,} to {p['word']}" for p in share["lent_to"]]
            got = [f"{p['accelerators']:,} from {p['word']}" for p in share["borrowed_from"]]
            fields = [("lends", ", ".join(lent)), ("borrows", ", ".join(got))]
            headline = f"{share['name']}  {share['kind']}: {share['sentence']}"
            cli.record(share, headline, [field for field in fields if field[1]])
        return
    columns = [
        text("kind"), text("of", "parent"), text("holder", "name"), count("entitled"),
        count("used"), count("borrowed"), count("idle"), count("lent"),
        count("may lend", "may_lend"), count("may borrow", "may_borrow"),
    ]  # fmt: skip
    cli.table(found, columns, "entitlements in force")


@leaf(
    "statement",
    "comptoir entitlement statement ranking",
    "comptoir entitlement statement ranking --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z",
    group=entitlement,
)
@click.argument("team")
@click.option("--from", "starts_at", type=Instant(), help="Since when; this UTC month's start.")
@click.option("--to", "ends_at", type=Instant(), help="Until when; now if not said.")
def statement(cli: Session, team: str, starts_at: str | None, ends_at: str | None) -> None:
    """Say what a team was entitled to, used, lent, earned by that, and left idle."""
    found = cli.client.entitlements.statement(team, starts_at, ends_at)
    if cli.json or not found:
        cli.table(found, [], "entitlements in that window")
        return
    for drawn in found:
        cli.record(drawn, *_statement(cli, team, drawn))


@leaf("credit", "comptoir entitlement credit ranking", group=entitlement)
@click.argument("team")
@click.option("--until", type=Instant(), help="The start of a UTC month; of this one if not said.")
def credit(cli: Session, team: str, until: str | None) -> None:
    """Post what a team has earned by lending, for whole months that are not yet credited."""
    found = cli.client.entitlements.credit(team, until)
    if cli.json or not found:
        cli.table(found, [], "months to credit")
        return
    for done in found:
        earned = ", ".join(money(amount, unit) for unit, amount in done["credits"].items())
        until_said = cli.times.when(done["until"])
        cli.record(done, f"{team}  {done['kind']}: {earned or 'nothing'} up to {until_said}")


@leaf("end", "comptoir entitlement end en_7Q4M --yes", group=entitlement)
@click.argument("entitlement_id", metavar="ENTITLEMENT")
@click.option("--ends", "ends_at", type=Instant(), help="When; now if not said.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def end(cli: Session, entitlement_id: str, ends_at: str | None, yes: bool) -> None:
    """End an entitlement: what stands on it then is borrowed, and may be taken back."""
    found = cli.client.entitlements.get(entitlement_id)
    cli.confirm(f"end {entitlement_id} ({_what(found)})", yes)
    ended = cli.client.entitlements.end(entitlement_id, ends_at)
    _show(cli, ended, f"{ended['id']} ends {cli.times.when(ended['ends_at'])}")


@leaf("show", "comptoir policy show", group=policy)
def show_policy(cli: Session) -> None:
    """Show the settings of every class."""
    from comptoir.cli.output import Column, text

    def seconds(header: str, name: str) -> Column:
        return Column(header, lambda row: duration(row[name]), right=True)

    columns = [
        text("class", "lease_class"),
        seconds("notice", "notice_s"),
        seconds("minimum runtime", "minimum_runtime_s"),
        seconds("kept for it after", "ageing_s"),
    ]
    cli.table(cli.client.policy.show(), columns, "classes")


@leaf("set", "comptoir policy set spot --notice 2m --minimum-runtime 15m", group=policy)
@click.argument("lease_class", type=CLASSES, metavar="CLASS")
@click.option("--notice", "notice_s", type=Duration(), help="What a lease gets by default: 2m.")
@click.option(
    "--minimum-runtime",
    "minimum_runtime_s",
    type=Duration(),
    help="How long a lease runs before it may be taken back: 15m.",
)
@click.option(
    "--ageing",
    "ageing_s",
    type=Duration(),
    help="How long a request waits before accelerators are kept for it: 1h.",
)
def set_policy(cli: Session, lease_class: str, **words: Any) -> None:
    """Settle how leases of a class are treated that are asked for from now on."""
    made: ClassPolicy = cli.client.policy.set(lease_class, **words)
    said = (
        f"{made['lease_class']}: {duration(made['notice_s'])} notice, runs at least "
        f"{duration(made['minimum_runtime_s'])}, kept for after {duration(made['ageing_s'])}"
    )
    cli.record(made, said)


def _state(cli: Session, row: Mapping[str, Any]) -> str:
    """Whether it counts now."""
    if cli.passed(row["ends_at"]):
        return "ended"
    return "in force" if cli.passed(row["starts_at"]) else "later"


def _holder(row: Mapping[str, Any]) -> str:
    return row["tenant_id"] or f"{row['group']} (group)"


def _what(row: Mapping[str, Any]) -> str:
    where = f" at {row['site']}" if row["site"] else ""
    return f"{row['accelerators']:,} x {row['kind']}{where}"


def _limit(limit: int | None) -> str:
    return "all" if limit is None else f"{limit:,}"


def _show(cli: Session, found: Entitlement, headline: str) -> None:
    starts, ends = cli.times.when(found["starts_at"]), cli.times.when(found["ends_at"], "open end")
    fields = [
        ("window", f"{starts} to {ends}"),
        ("out of", found["parent"] or "the house's own"),
        ("lends", f"{_limit(found['lend_limit'])} of what is idle"),
        ("borrows", f"{_limit(found['borrow_limit'])} above its own"),
        ("earns", f"{found['lender_share_bps'] / 100:g} % of what its idle sells for"),
    ]
    cli.record(found, headline, fields)


def _statement(
    cli: Session, team: str, drawn: LenderStatement
) -> tuple[str, list[tuple[str, str]]]:
    """The headline and the fields of a lender's statement."""
    starts, ends = cli.times.when(drawn["starts_at"]), cli.times.when(drawn["ends_at"])
    most = int(drawn["entitled_accelerator_ms"])

    def time_of(milliseconds: str) -> str:
        return accelerator_time(milliseconds, beside=most)

    fields = [
        ("entitled", time_of(drawn["entitled_accelerator_ms"])),
        ("used", time_of(drawn["used_accelerator_ms"])),
    ]
    if int(drawn["borrowed_accelerator_ms"]):
        above = time_of(drawn["borrowed_accelerator_ms"])
        fields.append(("borrowed", f"{above} above its own"))
    fields.append(("lent", time_of(drawn["lent_accelerator_ms"])))
    for line in drawn["lines"]:
        price = f"{money(line['price_per_accelerator_hour'], line['currency'])}/acc-h"
        fields.append(
            (
                f"to {line['lease_class']}",
                f"{time_of(line['accelerator_ms'])} at {price}, "
                f"earned {money(line['credit'], line['currency'])}",
            )
        )
    cost = money(drawn["idle_cost"], drawn["currency"])
    idle = time_of(drawn["idle_accelerator_ms"])
    fields.append(("idle", f"{idle} neither used nor lent, {cost} at its own price"))
    earned = ", ".join(money(amount, unit) for unit, amount in drawn["credits"].items())
    return f"{team}  {drawn['kind']}, {starts} to {ends}: earned {earned or 'nothing'}", fields
