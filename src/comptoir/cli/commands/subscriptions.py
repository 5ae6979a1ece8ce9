"""`webhook` and `mail`: where notices are sent, and what came of it. One model, two groups."""

import time
from itertools import islice
from pathlib import Path

import click

from comptoir.cli.formats import ROWS
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.session import note, write_private
from comptoir.client.records import Delivery, Subscription
from comptoir.units.errors import Conflict

TEST_WITHIN_S = 20.0
EXAMPLE = "sb_7Q4M"


@click.group("webhook", cls=Group)
def webhook() -> None:
    """Notices sent to a URL, signed, in order, until they have arrived."""


@click.group("mail", cls=Group)
def mail() -> None:
    """Notices sent by mail; what comes close together is one mail."""


TYPES = click.option(
    "--type", "types", metavar="TYPE", multiple=True,
    help="lease.active, lease.* or * (all, if not said); give it more than once.",
)  # fmt: skip
NOTE = click.option("--note", "about", default="", help="What it is for.")
TENANT = click.option(
    "--tenant", metavar="TENANT", help="Whose; without it, your own or the house's."
)
ONE = click.argument("subscription_id", metavar="SUBSCRIPTION")


@leaf(
    "create",
    "comptoir webhook create https://hooks.example.org/comptoir --type 'lease.*'",
    "comptoir webhook create https://hooks.example.org/c --tenant acme --to webhook.secret",
    group=webhook,
)
@click.argument("target", metavar="URL")
@TYPES
@NOTE
@TENANT
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the secret to this new file, mode 0600, instead of showing it.",
)
def create_webhook(
    cli: Session,
    target: str,
    types: tuple[str, ...],
    about: str,
    tenant: str | None,
    to: Path | None,
) -> None:
    """Send notices to a URL, from now on. Its secret is shown this once.

    The receiver checks signatures with the secret: docs/notices.md.
    """
    made = cli.client.subscriptions.create(target, types or ("*",), "webhook", about, tenant)
    _show_secret(cli, made, made["secret"], to)


@leaf(
    "create",
    "comptoir mail create ada@example.org --type 'lease.*' --type 'invoice.*'",
    group=mail,
)
@click.argument("address")
@TYPES
@NOTE
@TENANT
def create_mail(
    cli: Session, address: str, types: tuple[str, ...], about: str, tenant: str | None
) -> None:
    """Send notices to a mailbox, from now on."""
    made = cli.client.subscriptions.create(address, types or ("*",), "mail", about, tenant)
    _show(cli, made, f"mail goes to {made['target']} ({made['id']})")


@leaf("rotate", f"comptoir webhook rotate {EXAMPLE} --to webhook.secret", group=webhook)
@ONE
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the secret to this new file, mode 0600, instead of showing it.",
)
def rotate(cli: Session, subscription_id: str, to: Path | None) -> None:
    """Sign with a new secret, shown this once. For a day the one before it signs too."""
    made = cli.client.subscriptions.rotate(subscription_id)
    _show_secret(cli, made, made["secret"], to)


def _share_reading(kind: str, group: Group) -> None:
    """What both groups can show."""

    @leaf("list", f"comptoir {kind} list", group=group)
    @click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
    def list_them(cli: Session, tenant: str | None) -> None:
        """List them, newest first."""
        from comptoir.cli.output import Column, count, text

        columns = [
            text("id"),
            Column("of", lambda row: row["tenant_id"] or "the house"),
            text("to", "target", flexible=True),
            text("types", flexible=True),
            text("state"),
            count("failures"),
        ]
        cli.table(cli.client.subscriptions.list(kind, tenant), columns, f"{kind} subscriptions")

    @leaf("show", f"comptoir {kind} show {EXAMPLE}", group=group)
    @ONE
    def show(cli: Session, subscription_id: str) -> None:
        """Show one."""
        found = cli.client.subscriptions.get(subscription_id)
        _show(cli, found, f"{found['id']}  {found['kind']} to {found['target']}")

    @leaf("deliveries", f"comptoir {kind} deliveries {EXAMPLE} --limit 20", group=group)
    @ONE
    @click.option("--limit", type=ROWS, default=50, show_default=True, help="At most.")
    def deliveries(cli: Session, subscription_id: str, limit: int) -> None:
        """List every try to send of the last 30 days, newest first."""
        from comptoir.cli.output import Column, count, instant, text

        columns = [
            count("try", "number"),
            instant(cli.times, "at", "at"),
            text("notice"),
            Column("arrived", lambda row: "yes" if row["delivered"] else "NO"),
            text("code", "status"),
            Column("took", lambda row: f"{row['took_ms']:,} ms", right=True),
            text("why", "detail", flexible=True),
        ]
        found = islice(cli.client.subscriptions.deliveries(subscription_id), limit)
        cli.table(found, columns, "deliveries yet")


def _share_doing(kind: str, group: Group) -> None:
    """What both groups can do."""

    @leaf("delete", f"comptoir {kind} delete {EXAMPLE} --yes", group=group)
    @ONE
    @click.option("--yes", is_flag=True, help="Go ahead without asking.")
    def delete(cli: Session, subscription_id: str, yes: bool) -> None:
        """Send it nothing more."""
        cli.confirm(f"delete {subscription_id}: it is sent nothing more", yes)
        cli.record(cli.client.subscriptions.delete(subscription_id), f"deleted {subscription_id}")

    @leaf("enable", f"comptoir {kind} enable {EXAMPLE}", group=group)
    @ONE
    def enable(cli: Session, subscription_id: str) -> None:
        """Try again at once, and go on where it was left: nothing was lost meanwhile."""
        found = cli.client.subscriptions.enable(subscription_id)
        _show(cli, found, f"{found['id']} is {found['state']}")

    @leaf("test", f"comptoir {kind} test {EXAMPLE}", group=group)
    @ONE
    def test(cli: Session, subscription_id: str) -> int:
        """Send it one notice, and wait for what comes of it. The exit code is 1 if it fails."""
        before = cli.client.subscriptions.get(subscription_id)["deliveries"]
        sent = cli.client.subscriptions.test(subscription_id)
        return _await(cli, sent, sent["again"][-1], before)

    @leaf("redeliver", f"comptoir {kind} redeliver {EXAMPLE} nt_184", group=group)
    @ONE
    @click.argument("notice")
    def redeliver(cli: Session, subscription_id: str, notice: str) -> int:
        """Send it a notice once more, and wait. The exit code is 1 if that fails."""
        before = cli.client.subscriptions.get(subscription_id)["deliveries"]
        sent = cli.client.subscriptions.redeliver(subscription_id, notice)
        return _await(cli, sent, notice, before)


for _kind, _group in (("webhook", webhook), ("mail", mail)):
    _share_reading(_kind, _group)
    _share_doing(_kind, _group)


def _await(cli: Session, one: Subscription, notice: str, before: int) -> int:
    """Wait for the try that was asked for, and say what came of it."""
    until = time.monotonic() + TEST_WITHIN_S
    while time.monotonic() < until:
        for tried in islice(cli.client.subscriptions.deliveries(one["id"]), 50):
            if tried["number"] <= before:
                break
            if tried["again"] and tried["notice"] == notice:
                return _say(cli, one, tried)
        time.sleep(0.2)
    if one["kind"] == "mail":
        note("of mails that are asked for by hand, one a minute is sent")
    note(f"no try within {TEST_WITHIN_S:.0f} s: comptoir {one['kind']} deliveries {one['id']}")
    return 1


def _say(cli: Session, one: Subscription, tried: Delivery) -> int:
    arrived = "arrived" if tried["delivered"] else f"did NOT arrive: {tried['detail']}"
    code = "" if tried["status"] is None else f", code {tried['status']}"
    headline = f"{tried['notice']} {arrived} ({tried['took_ms']:,} ms{code})"
    cli.record(tried, headline, [("to", one["target"])])
    return 0 if tried["delivered"] else 1


def _show_secret(cli: Session, made: Subscription, secret: str | None, to: Path | None) -> None:
    if not secret:
        raise Conflict(
            "secret_lost",
            f"{made['id']} was made, but the answer with its secret was lost on the way",
            f"ask for another: comptoir webhook rotate {made['id']}",
        )
    if to is not None:
        write_private(to, secret)
        kept = {**made, "secret": None}
        cli.record(kept, f"{made['id']}: its secret is kept in {to} (mode 0600)")
        return
    fields = [("id", made["id"]), ("to", made["target"])]
    cli.record(made, secret, [*fields, ("types", ", ".join(made["types"]))])
    if not cli.json:
        note("keep it now: it is not stored, and is not shown again")


def _show(cli: Session, found: Subscription, headline: str) -> None:
    fields = [
        ("id", found["id"]),
        ("tenant", found["tenant_id"] or "the house"),
        ("to", found["target"]),
        ("types", ", ".join(found["types"])),
        ("state", found["state"]),
        ("settled", f"up to {found['settled_until']}, {found['deliveries']:,} tries"),
    ]
    if found["reason"]:
        fields.append(("why", found["reason"]))
    if found["failures"]:
        when = cli.times.when(found["next_try_at"])
        fields.append(("failing", f"{found['failures']:,} tries in a row; the next: {when}"))
    if found["note"]:
        fields.append(("note", found["note"]))
    cli.record(found, headline, fields)
