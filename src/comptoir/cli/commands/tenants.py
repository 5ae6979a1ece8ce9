"""`tenant` and `quota`: teams and customers, and how much they may hold."""

import click

from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.records import Tenant

KINDS = click.Choice(["team", "enterprise", "researcher"])


@click.group("tenant", cls=Group)
def tenant() -> None:
    """Teams and customers: who may hold leases."""


@click.group("quota", cls=Group)
def quota() -> None:
    """How many accelerators of a kind a tenant may hold at once."""


@leaf(
    "create",
    "comptoir tenant create acme --name 'Acme Robotics' --kind enterprise",
    "comptoir tenant create ranking --kind team",
    group=tenant,
)
@click.argument("slug")
@click.option("--name", help="The name on invoices; by default the slug.")
@click.option(
    "--kind",
    type=KINDS,
    default="enterprise",
    show_default=True,
    help="A team is charged back, the others are invoiced.",
)
@click.option("--rate-card", metavar="NAME", help="Its prices; by default the book's first card.")
@click.option("--grant", "grants", multiple=True, help="A grant that it holds; repeatable.")
@click.option("--residency", metavar="CODE", help="Where all its data stays: FR, US-VA, EU.")
def create(
    cli: Session,
    slug: str,
    name: str | None,
    kind: str,
    rate_card: str | None,
    grants: tuple[str, ...],
    residency: str | None,
) -> None:
    """Make a tenant. SLUG is lower-case and names its invoice series."""
    made = cli.client.tenants.create(
        slug, name or slug, kind, rate_card, grants=grants, residency=residency
    )
    _show(cli, made, f"created tenant {made['slug']} ({made['id']})")


@leaf("list", "comptoir tenant list", group=tenant)
def list_tenants(cli: Session) -> None:
    """List them."""
    from comptoir.cli.output import instant, text

    columns = [
        text("id"),
        text("slug"),
        text("name", flexible=True),
        text("kind"),
        text("state"),
        instant(cli.times, "since", "created_at"),
    ]
    cli.table(cli.client.tenants.list(), columns, "tenants")


@leaf("show", "comptoir tenant show acme", group=tenant)
@click.argument("tenant_named", metavar="TENANT")
def show(cli: Session, tenant_named: str) -> None:
    """Show one, by its slug or id."""
    found = cli.client.tenants.get(tenant_named)
    _show(cli, found, f"{found['slug']}  {found['name']}")


@leaf("suspend", "comptoir tenant suspend acme --yes", group=tenant)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def suspend(cli: Session, tenant_named: str, yes: bool) -> None:
    """Suspend one: no new lease, and the leases it has are taken back with their notice."""
    if not yes:
        cli.client.tenants.get(tenant_named)  # nobody is asked about one that there is not
    cli.confirm(f"take back every lease of {tenant_named}, with notice, and allow no new one", yes)
    found = cli.client.tenants.suspend(tenant_named)
    _show(cli, found, f"suspended {found['slug']}")


@leaf("resume", "comptoir tenant resume acme", group=tenant)
@click.argument("tenant_named", metavar="TENANT")
def resume(cli: Session, tenant_named: str) -> None:
    """End a suspension."""
    found = cli.client.tenants.resume(tenant_named)
    _show(cli, found, f"resumed {found['slug']}")


@leaf(
    "eligibility",
    "comptoir tenant eligibility acme --grant nsf-2026 --residency EU",
    "comptoir tenant eligibility acme --no-grants",
    group=tenant,
)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--grant", "grants", multiple=True, help="All the grants it holds; repeatable.")
@click.option("--no-grants", is_flag=True, help="It holds none.")
@click.option("--residency", metavar="CODE", help="Where all its data stays; '' is anywhere.")
def eligibility(
    cli: Session, tenant_named: str, grants: tuple[str, ...], no_grants: bool, residency: str | None
) -> None:
    """Say which grants a tenant holds and where its data must stay."""
    if no_grants and grants:
        raise click.UsageError("give --grant or --no-grants, not both")
    held = () if no_grants else grants or None
    found = cli.client.tenants.set_eligibility(tenant_named, held, residency)
    _show(cli, found, f"{found['slug']} may stand where its grants and residency allow")


@leaf("set", "comptoir quota set acme cpu-core 16", group=quota)
@click.argument("tenant_named", metavar="TENANT")
@click.argument("kind")
@click.argument("accelerators", type=click.IntRange(min=0))
def set_quota(cli: Session, tenant_named: str, kind: str, accelerators: int) -> None:
    """Let a tenant hold at most so many accelerators of a kind at once."""
    made = cli.client.tenants.set_quota(tenant_named, kind, accelerators)
    cli.record(made, f"{tenant_named} may hold {made['accelerators']:,} x {made['kind']} at once")


@leaf("show", "comptoir quota show acme", group=quota)
@click.argument("tenant_named", metavar="TENANT")
def show_quotas(cli: Session, tenant_named: str) -> None:
    """Show a tenant's quotas. A kind without one is not limited."""
    from comptoir.cli.output import count, text

    found = cli.client.tenants.quotas(tenant_named)
    cli.table(found, [text("kind"), count("accelerators")], "quotas: nothing is limited")


def _show(cli: Session, found: Tenant, headline: str) -> None:
    cli.record(
        found,
        headline,
        [
            ("id", found["id"]),
            ("name", found["name"]),
            ("kind", found["kind"]),
            ("state", found["state"]),
            ("rate card", found["rate_card_id"]),
            ("since", cli.times.when(found["created_at"])),
            *([("grants", ", ".join(found["grants"]))] if found["grants"] else []),
            *([("stays in", found["residency"])] if found["residency"] else []),
        ],
    )
