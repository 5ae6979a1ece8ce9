"""`login`, `logout` and `profile`: which servers, and the keys that open them."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.session import note, read_key
from comptoir.units.errors import Invalid


@leaf(
    "login",
    "comptoir login http://127.0.0.1:8420 --key-file comptoir-data/operator.key",
    "comptoir login https://comptoir.example.org --profile work",
    help="Remember a server and the key that opens it, and use it from now on.\n\n"
    "Without --key or --key-file the key is asked for, or read from stdin in a pipe.",
)
@click.argument("server", metavar="URL")
@click.option("--key", "given", metavar="KEY", help="The key itself; others can see it with ps.")
def login(cli: Session, server: str, given: str | None) -> None:
    from comptoir.client import Client, profiles

    if given is not None:
        note("a key on the command line shows in ps and in your history: prefer --key-file")
        key = given.strip()
    else:
        key = read_key(cli.key_file) if cli.key_file else _ask_for_key()
    client = Client(server, key)
    who = client.whoami()
    name = cli.profile or _name_for(client.url)
    known = profiles.load()
    path = profiles.save(known.with_profile(profiles.Profile(name, client.url, key)))
    roles = ", ".join(who["roles"])
    cli.record(
        {"profile": name, "url": client.url, "whoami": who},
        f"logged in to {client.url} as {who['name']} ({who.get('tenant_slug') or 'the house'})",
        [("roles", roles), ("profile", f"{name}, kept in {path}")],
    )


@leaf("logout", "comptoir logout", online=False)
@click.option("--profile", "name", metavar="NAME", help="Another than the one in use.")
def logout(cli: Session, name: str | None) -> None:
    """Forget a server and its key. The key itself stays valid: see `comptoir key revoke`."""
    from comptoir.client import profiles

    known = profiles.load()
    chosen = known.named(name or known.current or "default")
    profiles.save(known.without(chosen.name))
    cli.record({"profile": chosen.name, "url": chosen.url}, f"logged out of {chosen.url}")


@click.group("profile", cls=Group)
def profile() -> None:
    """The servers you have logged in to."""


@leaf("list", "comptoir profile list", group=profile, online=False)
def list_profiles(cli: Session) -> None:
    """List them; the one in use is marked."""
    from comptoir.cli.output import text
    from comptoir.client import profiles

    known = profiles.load()
    rows = [
        {"name": p.name, "url": p.url, "in_use": p.name == known.current}
        for _, p in sorted(known.by_name.items())
    ]
    cli.table(rows, [text("name"), text("url"), text("in use", "in_use")], "profiles")


@leaf("use", "comptoir profile use work", group=profile, online=False)
@click.argument("name")
def use_profile(cli: Session, name: str) -> None:
    """Use another one from now on."""
    from comptoir.client import profiles

    known = profiles.load().using(name)
    profiles.save(known)
    chosen = known.named(name)
    cli.record({"name": name, "url": chosen.url}, f"using {name}: {chosen.url}")


@leaf("show", "comptoir profile show", group=profile)
def show_profile(cli: Session) -> None:
    """Show which server a command would ask now, as whom, and why."""
    from comptoir.client import profiles

    target = profiles.resolve(
        cli.url, read_key(cli.key_file) if cli.key_file else None, cli.profile
    )
    shown = "none" if target.key is None else f"{'_'.join(target.key.split('_')[:2])[:24]}_..."
    value = {
        "url": target.url,
        "profile": target.profile or None,
        "source": target.source,
        "key": shown,
        "file": str(profiles.config_path()),
    }
    cli.record(
        value,
        target.url,
        [
            ("profile", target.profile or "none"),
            ("from", target.source),
            ("key", shown),
            ("file", str(profiles.config_path())),
        ],
    )


def _name_for(url: str) -> str:
    """`local` for this machine, else the host with hyphens."""
    host = urlsplit(url).hostname or "server"
    if host in ("127.0.0.1", "::1", "localhost"):
        return "local"
    return host.replace(".", "-").replace(":", "-")[:32]


def _ask_for_key() -> str:
    import sys

    if not sys.stdin.isatty():
        return read_key(Path("-"))
    key = str(click.prompt("API key", hide_input=True, err=True)).strip()
    if not key:
        raise Invalid("no_key", "no key was given", "paste the key that the operator gave you")
    return key
