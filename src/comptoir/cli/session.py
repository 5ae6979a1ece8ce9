"""What one run of the command line knows: where to ask, as whom, and how to say it."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.formats import Times, duration
from comptoir.units.errors import Conflict, Invalid

if TYPE_CHECKING:
    from comptoir.cli.output import Column
    from comptoir.client import Client


class Session:
    """The common options, the client they lead to, and the way out for data."""

    def __init__(self) -> None:
        self.json = False
        self.ids = False
        self.utc = False
        self.profile: str | None = None
        self.url: str | None = None
        self.key_file: Path | None = None
        self._client: Client | None = None
        self._now: datetime | None = None

    @property
    def now(self) -> datetime:
        """What time it is in the book, asked once: a test clock's is not this machine's."""
        if self._now is None:
            self._now = datetime.fromisoformat(self.client.clock.show()["now"])
        return self._now

    def passed(self, instant: str | None) -> bool | None:
        """Whether an instant of the API is past in the book; None where there is none."""
        return None if instant is None else datetime.fromisoformat(instant) <= self.now

    def since(self, instant: str) -> str:
        """How long ago it was in the book: "6 min". Machines read the instant itself."""
        if self.json or self.ids:
            return ""
        passed_s = (self.now - datetime.fromisoformat(instant)).total_seconds()
        return duration(int(max(passed_s, 0)))

    @property
    def times(self) -> Times:
        """How instants are written: local with the zone, or UTC."""
        return Times(self.utc)

    @property
    def client(self) -> "Client":
        """The client, made on first use."""
        if self._client is None:
            from comptoir.client import Client

            key = read_key(self.key_file) if self.key_file else None
            self._client = Client(self.url, key, profile=self.profile)
        return self._client

    def table(self, items: Iterable[Mapping[str, Any]], columns: "list[Column]", of: str) -> None:
        """A list: a table for people, `{"items": [...]}` for machines."""
        from comptoir.cli.output import print_ids, print_json, print_table

        rows = list(items)
        if self.ids:
            print_ids(rows)
        elif self.json:
            print_json({"items": rows})
        elif rows:
            print_table(rows, columns)
        else:
            note(f"no {of}")

    def with_tenants(self, items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """What has a `tenant_id`, with the tenant's slug beside it; read when it is needed."""
        slugs: dict[str, str] | None = None
        for item in items:
            if slugs is None:
                slugs = {} if self.ids else {t["id"]: t["slug"] for t in self.client.tenants.list()}
            yield {**item, "tenant": slugs.get(item["tenant_id"])}

    def record(
        self, value: Mapping[str, Any], headline: str, fields: Iterable[tuple[str, str]] = ()
    ) -> None:
        """One thing: a headline and its fields for people, the API's JSON for machines."""
        from comptoir.cli.output import print_ids, print_json, print_record

        if self.ids and "id" in value:
            print_ids([value])
        elif self.json:
            print_json(value)
        else:
            print_record(headline, fields)

    def confirm(self, what: str, yes: bool) -> None:
        """Say what a destructive command will do, and go on only if told to.

        Raises:
            Invalid: `not_confirmed`, without a terminal and without `--yes`.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise Invalid("not_confirmed", f"this will {what}", "say --yes to go ahead")
        note(f"this will {what}")
        click.confirm("go ahead?", abort=True, err=True)


def note(text: str) -> None:
    """A line of progress or advice: to stderr, never among the data."""
    click.echo(text, err=True)


def read_key(path: Path) -> str:
    """The API key in a file; `-` is stdin.

    Raises:
        Invalid: `no_key_file`.
    """
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "no_key_file", f"{path} cannot be read: {error}", "name a file that holds an API key"
        ) from None
    key = text.strip()
    if not key or len(key) > 512 or not key.isascii() or not key.isprintable() or " " in key:
        raise Invalid("no_key_file", f"{path} does not hold an API key", "name another file")
    return key


def write_private(path: Path, secret: str) -> None:
    """Write a secret to a new file that is its owner's alone.

    Raises:
        Conflict: `cannot_write`; the secret is shown then: it cannot be asked for again.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        note(secret)
        raise Conflict(
            "cannot_write",
            f"{path}: {error.strerror}; what it was to hold is the line above",
            "keep it",
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            setattr(ctx.ensure_object(Session), name, value)

    return keep


def _option(*names: str, to: str, **attributes: Any) -> Callable[[], click.Option]:
    return lambda: click.Option(
        [*names], expose_value=False, callback=_set(to), is_eager=True, **attributes
    )


OFFLINE_OPTIONS: list[Callable[[], click.Option]] = [
    _option("--json", to="json", is_flag=True, help="One JSON document instead of text."),
    _option("--utc", to="utc", is_flag=True, help="Times in UTC instead of the local zone."),
]
COMMON_OPTIONS = [
    *OFFLINE_OPTIONS,
    _option("--id", to="ids", is_flag=True, help="Only the ids, one a line, for scripts."),
    _option(
        "--profile", to="profile", metavar="NAME", help="A server you logged in to, by its name."
    ),
    _option("--url", to="url", metavar="URL", help="The server (else $COMPTOIR_URL)."),
    _option(
        "--key-file",
        to="key_file",
        metavar="FILE",
        type=click.Path(path_type=Path, allow_dash=True),
        help="A file with the API key, - for stdin (else $COMPTOIR_API_KEY).",
    ),
]


def debugging() -> bool:
    """Whether a person asked for traces."""
    return os.environ.get("COMPTOIR_DEBUG", "") not in ("", "0")
