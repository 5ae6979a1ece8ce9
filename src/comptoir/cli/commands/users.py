"""`user` and `key`: who acts, and what they act with."""

from pathlib import Path

import click

from comptoir.cli.formats import Instant
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.session import note, write_private
from comptoir.client.records import User
from comptoir.units.errors import Conflict

ROLES = click.Choice(
    [
        "operator", "finance", "sales", "approver", "auditor",
        "tenant_admin", "tenant_member", "tenant_read_only",
    ]
)  # fmt: skip


@click.group("user", cls=Group)
def user() -> None:
    """People and programs that act, each with its roles."""


@click.group("key", cls=Group)
def key() -> None:
    """API keys: shown once, kept as a hash, revoked at once."""


@leaf(
    "create",
    "comptoir user create ada --tenant acme --role tenant_admin",
    "comptoir user create otto --role approver",
    group=user,
)
@click.argument("name")
@click.option(
    "--role", "roles", type=ROLES, multiple=True, required=True, help="Give it more than once."
)
@click.option("--tenant", metavar="TENANT", help="Whose user; without it, the house's.")
def create(cli: Session, name: str, roles: tuple[str, ...], tenant: str | None) -> None:
    """Make a user. It can do nothing before it has a key: `comptoir key issue`."""
    made = cli.client.users.create(name, roles, tenant)
    _show(cli, made, f"created user {made['name']} ({made['id']})")


@leaf("list", "comptoir user list --tenant acme", group=user)
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
def list_users(cli: Session, tenant: str | None) -> None:
    """List them."""
    from comptoir.cli.output import text

    columns = [
        text("id"),
        text("name", flexible=True),
        text("tenant"),
        text("roles", flexible=True),
        text("disabled"),
    ]
    cli.table(cli.with_tenants(cli.client.users.list(tenant)), columns, "users")


@leaf("show", "comptoir user show us_4R2K", group=user)
@click.argument("user_id", metavar="USER")
def show(cli: Session, user_id: str) -> None:
    """Show one."""
    found = cli.client.users.get(user_id)
    _show(cli, found, found["name"])


@leaf("disable", "comptoir user disable us_4R2K --yes", group=user)
@click.argument("user_id", metavar="USER")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def disable(cli: Session, user_id: str, yes: bool) -> None:
    """Disable one: its keys stop working at once, for good."""
    cli.confirm(f"disable {user_id}: all its keys stop working at once", yes)
    found = cli.client.users.disable(user_id)
    _show(cli, found, f"disabled {found['name']}")


@leaf(
    "issue",
    "comptoir key issue --user us_4R2K --expires +90d --to ada.key",
    "comptoir key issue --note laptop",
    group=key,
)
@click.option("--user", "user_id", metavar="USER", help="Whose key; by default your own.")
@click.option("--note", "about", default="", help="What it is for.")
@click.option("--expires", type=Instant(), help="When it stops working: an instant, or +90d.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the key to this new file, mode 0600, instead of showing it.",
)
def issue(
    cli: Session, user_id: str | None, about: str, expires: str | None, to: Path | None
) -> None:
    """Issue a key. It is shown this once and cannot be shown again."""
    made = cli.client.keys.issue(user_id, about, expires)
    if not made["secret"]:
        raise Conflict(
            "secret_lost",
            f"key {made['id']} was made, but the answer with its secret was lost on the way",
            f"revoke it with `comptoir key revoke {made['id']}`, and issue another",
        )
    if to is not None:
        write_private(to, made["secret"])
        cli.record({**made, "secret": None}, f"issued {made['id']}, kept in {to} (mode 0600)")
        return
    expiry = cli.times.when(made["expires_at"], "never")
    cli.record(made, made["secret"], [("id", made["id"]), ("expires", expiry)])
    if not cli.json:
        note("keep it now: it is not stored, and is not shown again")


@leaf("list", "comptoir key list", group=key)
@click.option("--user", "user_id", metavar="USER", help="Only this user's.")
def list_keys(cli: Session, user_id: str | None) -> None:
    """List keys, without their secrets."""
    from comptoir.cli.output import instant, text

    columns = [
        text("id"),
        text("user", "user_id"),
        text("note", flexible=True),
        instant(cli.times, "expires", "expires_at", "never"),
        instant(cli.times, "revoked", "revoked_at"),
    ]
    cli.table(cli.client.keys.list(user_id), columns, "keys")


@leaf(
    "revoke",
    "comptoir key revoke ky_8H2M --yes",
    "comptoir key revoke ky_8H2M --with-issued",
    group=key,
)
@click.argument("key_id", metavar="KEY")
@click.option("--with-issued", is_flag=True, help="And every key issued with it: after a theft.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def revoke(cli: Session, key_id: str, with_issued: bool, yes: bool) -> None:
    """Revoke a key: it stops working at once. The keys that it issued go on, if not said."""
    more = " and every key issued with it" if with_issued else ""
    cli.confirm(f"revoke {key_id}{more}: whatever uses them stops working at once", yes)
    found = cli.client.keys.revoke(key_id, with_issued)
    cli.record(found, f"revoked {found['id']}")


def _show(cli: Session, found: User, headline: str) -> None:
    cli.record(
        found,
        headline,
        [
            ("id", found["id"]),
            ("tenant", found["tenant_id"] or "the house"),
            ("roles", ", ".join(found["roles"])),
            ("disabled", "yes" if found["disabled"] else "no"),
            ("since", cli.times.when(found["created_at"])),
        ],
    )
